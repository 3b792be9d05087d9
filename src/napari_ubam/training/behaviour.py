"""What one training step of the behaviour is."""

from __future__ import annotations

import torch
from torch.nn import functional

from napari_ubam.models.behaviour import BehaviourEncoder
from napari_ubam.models.objectives import contrast_in_recording
from napari_ubam.training.bank import Batch
from napari_ubam.training.modules import Module


class BehaviourModule(Module):
    """Behaviour: tell real clips from shuffled ones, and a clip from others of the same recording."""

    def __init__(self, behaviour: BehaviourEncoder) -> None:
        super().__init__()
        self.behaviour = behaviour

    def loss(self, batch: Batch) -> torch.Tensor:
        """Return the sum of both."""
        one, two = batch["one"], batch["two"]
        clips, shape = one.flatten(0, 1), (*one.shape[:2], -1)
        order = torch.rand(clips.shape[:2], device=clips.device).argsort(1)
        shuffled = clips.gather(1, order[..., None].expand_as(clips))
        code_one, real = self.behaviour(clips)
        code_two, also_real = self.behaviour(two.flatten(0, 1))
        _, false = self.behaviour(shuffled)
        logits = torch.cat([real, also_real, false])
        truth = torch.cat([torch.ones_like(real), torch.ones_like(real), torch.zeros_like(false)])
        contrast = contrast_in_recording(code_one.view(shape), code_two.view(shape), batch["apart"])
        return functional.binary_cross_entropy_with_logits(logits, truth) + contrast
