"""Behaviour: on which clips of posture codes it is trained, and what one training step is."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from napari_ubam.models.behaviour import BehaviourEncoder, clip_samples, clips_around
from napari_ubam.settings import TrainSettings
from napari_ubam.training.bank import Batch, chances
from napari_ubam.training.modules import Module
from napari_ubam.training.recipes import Recipe
from napari_ubam.training.watch import Stage

PACES = 2.0  # clips are played up to so many times as fast, or as slowly
SHIFT = 0.5  # strides by which two views of a moment lie apart at most
NOISE = 0.3  # standard deviation of what is added to standardised postures
ALIKE = 0.35  # of a recording's mean distance between clips: nearer ones attract


class CodeBank:
    """Draws clips of posture codes, resampled in time; every subject counts the same, its recordings by their duration.

    Parameters
    ----------
    codes : list of ndarray, each of shape (T, d)
        Posture codes, one array a recording.
    fps : list of float
        Frames per second of each.
    subjects : list of str
        Who each shows.
    seconds, stride : float
        Length of a clip, and time between two of its samples [s].
    """

    def __init__(
        self, codes: list[np.ndarray], fps: list[float], subjects: list[str], seconds: float, stride: float
    ) -> None:
        self._codes, self._fps, self._seconds, self._stride = codes, fps, seconds, stride
        self._samples = clip_samples(seconds, stride)
        self._chances = chances(subjects, [len(code) / rate for code, rate in zip(codes, fps, strict=True)])

    def clips(self, rng: np.random.Generator, n: int, each: int = 24) -> Batch:
        """Draw n // each recordings, and of each some moments, every one in three ways.

        As it is, backwards, and slower or faster: the second and third show the same postures in another order or at
        another speed, and must get other codes. Clips lie within the recording where it is long enough.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of chance.
        n : int
            About how many clips in all.
        each : int
            Clips of one recording, but no more than n.

        Returns
        -------
        dict
            ``one``, ``two`` (R, each, L, d) float32, two views of each; ``apart`` (R, each, each) bool: clips that
            are not of the same moment.
        """
        each = min(each, n)
        way = np.arange(each) % 3
        one, two, apart = [], [], []
        for r in rng.choice(len(self._codes), n // each, p=self._chances):
            codes, fps = self._codes[r], self._fps[r]
            pace = PACES ** rng.uniform(-1, 1, each)
            pace = np.select([way == 0, way == 1], [1.0, -1.0], pace)
            edge = min(0.5 * PACES * self._seconds * fps, (len(codes) - 1) / 2)
            centre = np.repeat(rng.uniform(edge, len(codes) - 1 - edge, -(-each // 3)), 3)[:each]
            shift = rng.uniform(-SHIFT, SHIFT, each) * self._stride * fps
            one.append(clips_around(codes, centre, fps, self._seconds, self._samples, pace))
            two.append(clips_around(codes, centre + shift, fps, self._seconds, self._samples, pace))
            same = (np.abs(centre[:, None] - centre) <= 0.5 * self._seconds * fps) & (way[:, None] == way)
            apart.append(~same)
        return {
            "one": torch.from_numpy(np.stack(one)),
            "two": torch.from_numpy(np.stack(two)),
            "apart": torch.from_numpy(np.stack(apart)),
        }


class BehaviourModule(Module):
    """Tell real clips from shuffled ones (as the paper does), and a clip from others of the same recording.

    Others are other moments, and the same one backwards or at another speed. Clips whose postures are alike attract,
    wherever in the recording they are: from two views of one moment alone, a network learns to know the noise of its
    frames. (Contrast with several that attract: Khosla et al., NeurIPS 2020.)
    """

    learning_rate = 2e-3

    def __init__(self, behaviour: BehaviourEncoder) -> None:
        super().__init__()
        self.behaviour = behaviour

    def loss(self, batch: Batch) -> torch.Tensor:
        """Return the sum of both."""
        one, two = batch["one"], batch["two"]
        shape = (*one.shape[:2], -1)
        clips, other = (self._with_noise(x.flatten(0, 1)) for x in (one, two))
        order = torch.rand(clips.shape[:2], device=clips.device).argsort(1)
        shuffled = clips.gather(1, order[..., None].expand_as(clips))
        code_one, real = self.behaviour(clips)
        code_two, also_real = self.behaviour(other)
        _, false = self.behaviour(shuffled)
        logits = torch.cat([real, also_real, false])
        truth = torch.cat([torch.ones_like(real), torch.ones_like(real), torch.zeros_like(false)])
        alike = self._alike(one)
        contrast = contrast_of_alike(code_one.view(shape), code_two.view(shape), alike, batch["apart"] & ~alike)
        return functional.binary_cross_entropy_with_logits(logits, truth) + contrast

    def _with_noise(self, clips: torch.Tensor) -> torch.Tensor:
        return clips + NOISE * self.behaviour.scale * torch.randn_like(clips)

    def _alike(self, clips: torch.Tensor) -> torch.Tensor:
        """Say which clips (R, n, L, d) of a recording show nearly the same, each itself included: (R, n, n) bool."""
        standard = (clips / self.behaviour.scale).flatten(2)
        distance = torch.cdist(standard, standard, compute_mode="donot_use_mm_for_euclid_dist")
        return distance <= ALIKE * distance.mean((1, 2), keepdim=True)


def contrast_of_alike(
    one: torch.Tensor, two: torch.Tensor, attract: torch.Tensor, repel: torch.Tensor, temperature: float = 0.1
) -> torch.Tensor:
    """Cross-entropy of finding the clips that are alike, the recording's mean taken off before comparing.

    Parameters
    ----------
    one, two : torch.Tensor
        (R, n, e): codes of n clips of R recordings, in two views.
    attract, repel : torch.Tensor
        (R, n, n) bool, symmetric: which clips should have the same code, each itself included, and which another one.
    """
    mean = torch.cat([one, two], 1).mean(1, keepdim=True)
    one, two = (functional.normalize(x - mean, dim=-1) for x in (one, two))
    likeness = (one @ two.transpose(1, 2) / temperature).masked_fill(~(attract | repel), -1e4)
    share = attract / attract.sum(2, keepdim=True)
    found = (share * likeness.log_softmax(2)).sum(2) + (share * likeness.mT.log_softmax(2)).sum(2)
    return -found.mean() / 2


def behaviour_recipe(
    codes: list[np.ndarray], fps: list[float], subjects: list[str], settings: TrainSettings, steps: int
) -> Recipe:
    """Return how the behaviour is trained.

    Parameters
    ----------
    codes : list of ndarray, each of shape (T, d)
        Posture codes of recordings, or of parts of them, less the recording's mean.
    fps : list of float
        Frames per second of each.
    subjects : list of str
        Who each shows.
    settings : TrainSettings
        How long a clip is.
    steps : int
        How long to train.
    """
    clip = {"seconds": settings.clip_seconds, "stride": settings.clip_stride}
    arguments = {"posture_dimension": codes[0].shape[1], **clip}
    bank = CodeBank(codes, fps, subjects, **clip)
    size = float(np.sqrt(np.concatenate(codes).var(0).mean()))  # one for all entries: what hardly moves is noise

    def make() -> BehaviourModule:
        encoder = BehaviourEncoder(**arguments)
        encoder.scale.fill_(size + 1e-6)
        return BehaviourModule(encoder)

    return Recipe(Stage("behaviour", bank.clips, 96, steps), make, {"behaviour": arguments})
