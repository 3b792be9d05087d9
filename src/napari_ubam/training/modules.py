"""What one training step is, for each objective: Lightning modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightning
import torch
from torch.nn import functional

from napari_ubam.models.caffenet import CaffeNet
from napari_ubam.models.deform import deform, deformed_back, random_colours, random_deformation
from napari_ubam.models.encoder import ConvEncoder, OrderHead
from napari_ubam.models.inputs import network_input, to_unit
from napari_ubam.models.landmarks import LandmarkEncoder, expected_position, spread
from napari_ubam.models.looks import other_looks
from napari_ubam.models.objectives import (
    FOREGROUND,
    centre_window,
    contrast_in_recording,
    coverage_loss,
    divergence,
    pyramid_loss,
    separation_loss,
)
from napari_ubam.models.vae import SIDE, VaeGenerator
from napari_ubam.models.warp import GRID, WarpGenerator, apply_warp
from napari_ubam.training.bank import Batch

WARM_UP = 0.05  # share of the training in which the learning rate rises
DEFORMED = 2  # one in so many pictures of a batch is deformed: it costs as much as another picture, and teaches less


class Module(lightning.LightningModule):
    """Base of all: one optimiser whose learning rate follows how much of the training is done."""

    learning_rate = 1e-3
    clip: float | None = 1.0  # of the gradient's norm

    def __init__(self) -> None:
        super().__init__()
        self.progress = 0.0  # share of the training that is done, set before every step
        self.step = 0  # steps that are done, set as well

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW over all that is trained."""
        trained = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.AdamW(trained, lr=self.learning_rate, weight_decay=1e-4, fused=True)

    def rate(self) -> float:
        """Return the learning rate at ``progress``: a short rise, then half a cosine down to nothing."""
        rise = min(1.0, (self.progress + 1e-3) / WARM_UP)
        return self.learning_rate * rise * 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * self.progress))))

    def redraw(self, one: torch.Tensor, two: torch.Tensor, background: torch.Tensor) -> torch.Tensor | None:
        """Return frame ``two`` drawn from ``one``, (B, 3, S, S) in [-1, 1]; None where none that draws is trained."""
        return None

    def training_step(self, batch: Batch) -> torch.Tensor:
        """Return the loss of a batch."""
        return self.loss(batch)

    def loss(self, batch: Batch) -> torch.Tensor:
        """Return the loss of a batch."""
        raise NotImplementedError


@dataclass(frozen=True)
class LandmarkWeights:
    """How much each part of the objective ``landmarks`` counts; 0 leaves it out.

    Attributes
    ----------
    redrawing : float
        Drawing the second frame from the first.
    equivariance : float
        Landmarks move with the picture.
    separation, coverage, concentration : float
        Landmarks keep apart, cover the subject, and are each in one place.
    subject : float
        How much more than any other pixel one of the subject counts in a drawing.
    looks : float
        Share of the deformed pictures that have another look as well.
    """

    redrawing: float = 1.0
    equivariance: float = 1.0
    separation: float = 0.02
    coverage: float = 1.0
    concentration: float = 0.2
    subject: float = 4.0
    looks: float = 0.5


class LandmarkModule(Module):
    """Objective ``landmarks``: posture and the generator ``warp``, trained together.

    A frame is redrawn from another of the same recording through the warp generator; landmarks move with the
    picture when it is deformed, whatever its colours and its room; they keep apart, cover the subject, and are each in
    one place.
    """

    def __init__(
        self, posture: LandmarkEncoder, generator: WarpGenerator, weights: LandmarkWeights | None = None
    ) -> None:
        super().__init__()
        self.posture, self.generator, self.weights = posture, generator, weights or LandmarkWeights()

    def loss(self, batch: Batch) -> torch.Tensor:
        """Return the weighted sum of redrawing, equivariance, separation and coverage."""
        one, two, background = (to_unit(batch[k].movedim(-1, -3)) for k in ("one", "two", "background"))
        n, side, some = len(one), one.shape[-1], -(-len(one) // DEFORMED)
        grid = random_deformation(some, side, one.device)
        changed, room = self._in_other_looks(two, background, some)
        inputs = [
            network_input(one, background),
            network_input(two, background),
            network_input(deform(changed, grid), deform(room, grid)),
        ]
        heatmaps = self.posture.heatmaps(torch.cat(inputs).contiguous(memory_format=torch.channels_last))
        points = expected_position(heatmaps)
        now, wanted, deformed = points.split([n, n, some])

        one, two, background = (shrink(x, side // 2) for x in (one, two, background))
        window = centre_window(side // 2, one.device)
        subjects = [((x - background).abs().mean(1, keepdim=True) > FOREGROUND) * window for x in (one, two)]
        weights = self.weights
        counted = (1 + weights.subject * subjects[1]) * window
        redrawing = pyramid_loss(self._draw(one, background, now, wanted), two, counted)
        equivariance = (deformed_back(deformed, grid) - wanted[:some]).abs().mean()
        separation = separation_loss(torch.cat([now, wanted]))
        coverage = coverage_loss(torch.cat([now, wanted]), shrink(torch.cat(subjects), GRID)[:, 0])
        sure = min(1.0, self.progress / 0.1)  # only landmarks that mean something can be held to it
        # a landmark that is in two places at once is moved by what happens at either
        concentration = min(1.0, self.progress / 0.4) * spread(heatmaps, points).mean()
        return (
            weights.redrawing * redrawing + weights.equivariance * sure * equivariance
            + weights.separation * separation + weights.coverage * (1 - 0.7 * self.progress) * coverage
            + weights.concentration * concentration
        )  # fmt: skip

    def _in_other_looks(
        self, pictures: torch.Tensor, backgrounds: torch.Tensor, n: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return n pictures and their backgrounds, some in other looks, in rooms from elsewhere in the batch."""
        by = 1 + int(torch.randint(max(1, len(backgrounds) - 1), ()))
        rooms = backgrounds.roll(by, 0)[:n]
        pictures, backgrounds = pictures[:n], backgrounds[:n]
        chosen = torch.rand(n, 1, 1, 1, device=pictures.device) < self.weights.looks
        looks = other_looks(pictures, backgrounds, rooms)
        return torch.where(chosen, looks[0], pictures), torch.where(chosen, looks[1], backgrounds)

    def redraw(self, one: torch.Tensor, two: torch.Tensor, background: torch.Tensor) -> torch.Tensor:
        """Return frame ``two`` drawn from ``one`` by moving its landmarks."""
        now, wanted = (self.posture(network_input(x, background)) for x in (one, two))
        return self._draw(one, background, now, wanted)

    def _draw(
        self, one: torch.Tensor, background: torch.Tensor, now: torch.Tensor, wanted: torch.Tensor
    ) -> torch.Tensor:
        """Return a frame with its landmarks moved."""
        warp = self.generator(shrink(one, GRID), shrink(background, GRID), now, wanted)
        return apply_warp(warp, one, background)


class VectorModule(Module):
    """Base of the objectives that learn posture as a plain vector, the paper's own network as in the paper.

    That is by stochastic gradient descent with a learning rate of 0.01 that goes down to a tenth every 25,000 steps, a
    momentum of 0.9 and a weight decay of 5e-4.
    """

    def __init__(self, posture: ConvEncoder | CaffeNet) -> None:
        super().__init__()
        self.posture, self.as_paper = posture, isinstance(posture, CaffeNet)
        if self.as_paper:
            self.clip = None

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW over all that is trained, for the paper's network its own optimiser."""
        if self.as_paper:
            return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
        return super().configure_optimizers()

    def rate(self) -> float:
        """Return the learning rate of this step."""
        return 0.01 * 0.1 ** (self.step // 25_000) if self.as_paper else super().rate()


class ContrastiveModule(VectorModule):
    """Objective ``contrastive``: neighbours in time attract, other frames of the same recording repel."""

    def loss(self, batch: Batch) -> torch.Tensor:
        """Return the contrast of two augmented views within each recording."""
        one, two, background = (to_unit(batch[k].movedim(-1, -3)) for k in ("one", "two", "background"))
        each = one.shape[1]
        background = background.repeat_interleave(each, 0)
        codes = [self._view(view.flatten(0, 1), background) for view in (one, two)]
        shape = (len(one), each, -1)
        return contrast_in_recording(codes[0].view(shape), codes[1].view(shape), batch["apart"])

    def _view(self, pictures: torch.Tensor, background: torch.Tensor) -> torch.Tensor:
        """Return codes of pictures that were changed a little in place and colour.

        The deformation is small: one as large as a deviation would teach the code to ignore deviations.
        """
        grid = random_deformation(
            len(pictures), pictures.shape[-1], pictures.device, turn=0.03, scale=0.04, shift=0.03, bend=0.0
        )
        gain, offset = random_colours(pictures, 0.2)
        pictures, background = (deform(x, grid) * gain + offset for x in (pictures, background))
        return self.posture(network_input(pictures + 0.02 * torch.randn_like(pictures), background))


class OrderModule(VectorModule):
    """Objective ``order``, the paper's: is a clip in its true order, or shuffled?"""

    learning_rate = 5e-4

    def __init__(self, posture: ConvEncoder | CaffeNet) -> None:
        super().__init__(posture)
        paper: dict[str, Any] = {"hidden": 1024, "normalised": False}
        self.head = OrderHead(posture.dimension, **(paper if self.as_paper else {}))

    def loss(self, batch: Batch) -> torch.Tensor:
        """Return the cross-entropy of telling clips from their shuffled copies."""
        clips, background = (to_unit(batch[k].movedim(-1, -3)) for k in ("clip", "background"))
        n, length = clips.shape[:2]
        gain, offset = random_colours(background, 0.2)
        background = (background * gain + offset).repeat_interleave(length, 0)
        pictures = (clips * gain[:, None] + offset[:, None]).flatten(0, 1)
        codes = self.posture(network_input(pictures, background)).view(n, length, -1)
        order = torch.rand(n, length, device=codes.device).argsort(1)
        shuffled = codes.gather(1, order[..., None].expand_as(codes))
        logits = self.head(torch.cat([codes, shuffled]))
        truth = torch.cat([torch.ones(n, device=codes.device), torch.zeros(n, device=codes.device)])
        return functional.binary_cross_entropy_with_logits(logits, truth)


class VaeModule(Module):
    """Generator ``vae``: draw one frame from another's appearance and its own posture (which stays as it is)."""

    def __init__(self, posture: LandmarkEncoder | ConvEncoder | CaffeNet, generator: VaeGenerator) -> None:
        super().__init__()
        self.posture, self.generator = posture.requires_grad_(False), generator

    def loss(self, batch: Batch) -> torch.Tensor:
        """Return the error of the drawing, plus the divergence of the appearance code."""
        one, two, background = (to_unit(batch[k].movedim(-1, -3)) for k in ("one", "two", "background"))
        with torch.no_grad():
            code = self.posture.code(network_input(two, background))
        mean, log_variance = self.generator.appear(one)
        appearance = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        drawn = self.generator.draw(appearance, code)
        target, still = (functional.interpolate(x, (SIDE, SIDE), mode="area") for x in (two, background))
        subject = ((target - still).abs().mean(1, keepdim=True) > FOREGROUND).float()
        return pyramid_loss(drawn, target, 1 + 4 * subject) + 1e-3 * divergence(mean, log_variance)

    def redraw(self, one: torch.Tensor, two: torch.Tensor, background: torch.Tensor) -> torch.Tensor:
        """Return frame ``two`` drawn from the appearance of ``one``."""
        mean, _ = self.generator.appear(one)
        return self.generator.draw(mean, self.posture.code(network_input(two, background)))


def shrink(pictures: torch.Tensor, side: int) -> torch.Tensor:
    """Average pictures (B, c, S, S) down to ``side``."""
    if pictures.shape[-1] % side == 0:
        return functional.avg_pool2d(pictures, pictures.shape[-1] // side)  # the same, three times as fast on CPUs
    return functional.interpolate(pictures, (side, side), mode="area")
