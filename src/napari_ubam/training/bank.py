"""Batches of frames and clips, drawn from the study's crops.

What is in a batch depends on the seed and the step alone, so that a training which was
stopped and resumed sees what it would have seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch.utils.data import IterableDataset

from napari_ubam.study import forget
from napari_ubam.video import ASSUMED_FPS

CANDIDATES = 16  # frames that the second one of a telling pair is chosen from
THUMBNAIL = 32  # px of the side of the pictures that they are compared by
CLEAR = 20.0  # grey levels from the background at which a pixel is the subject for sure
OUTLINE = 8.0  # px by which outlines may differ before it counts

Batch = dict[str, torch.Tensor]
Draw = Callable[[np.random.Generator, int], Batch]


@dataclass(frozen=True, eq=False)
class Footage:
    """What a training sees of one recording.

    Attributes
    ----------
    subject : str
        Who it shows.
    frames : ndarray of uint8, shape (T, S, S, 3)
        The crops.
    background : ndarray of uint8, shape (S, S, 3)
        The recording's own background, or its mean colour.
    fps : float
        Frames per second.
    """

    subject: str
    frames: np.ndarray
    background: np.ndarray
    fps: float

    @cached_property
    def has_scene(self) -> bool:
        """Whether there is a picture of the background, from which outlines can be told, and not its colour alone."""
        return bool(np.ptp(self.background, (0, 1)).any())


def chances(subjects: Sequence[str], lengths: Sequence[float]) -> np.ndarray:
    """Return how likely each recording is to be drawn: every subject the same, its recordings by their length."""
    totals: dict[str, float] = defaultdict(float)
    for subject, length in zip(subjects, lengths, strict=True):
        totals[subject] += length
    return np.array([length / totals[s] for s, length in zip(subjects, lengths, strict=True)]) / len(totals)


def looks_symmetric(footage: Sequence[Footage]) -> bool:
    """Tell whether the subjects' left and right look alike to the camera, as they do from above.

    Where each subject stands out from its background, on average over the recording, is compared with its mirror
    image.
    """
    likeness = []
    for f in footage:
        frames = f.frames[:: max(1, len(f.frames) // 64)].astype(np.float32)
        place = np.abs(frames - f.background).mean((0, 3))
        if np.ptp(place) > 0:
            likeness.append(np.corrcoef(place.ravel(), place[:, ::-1].ravel())[0, 1])
    return bool(likeness) and bool(np.median(likeness) > 0.9)


def tells(footage: Footage, one: int, others: np.ndarray) -> np.ndarray:
    """Say how much pairs of frames tell about which limb is which, (n,): much where outlines are alike and colours not.

    Half a stride apart, the left leg is where the right one was: landmarks that follow the front leg and the rear one
    draw the outline as well as those that follow left and right, and only such pairs show them wrong.

    Parameters
    ----------
    footage : Footage
        The recording.
    one : int
        A frame of it.
    others : ndarray of int, shape (n,)
        Frames to pair it with.
    """
    by = max(1, footage.background.shape[0] // THUMBNAIL)
    small = np.stack([footage.frames[t, ::by, ::by] for t in (one, *others)]).astype(np.float32)
    outline = np.clip(np.abs(small - footage.background[::by, ::by]).mean(-1) / CLEAR, 0, 1)
    inside = np.abs(small[1:] - small[0]).mean(-1) * np.minimum(outline[1:], outline[0])
    return inside.sum((1, 2)) / (np.abs(outline[1:] - outline[0]).sum((1, 2)) + OUTLINE)


class FrameBank:
    """Draws frames so that every subject counts the same, however long its recordings are.

    Parameters
    ----------
    footage : list of Footage
        At least one.
    mirrored : bool
        Show the mirror image half of the time: what was seen on one side is then known on the other.
    telling : float
        Share of the pairs whose second frame is, of some that it might be, the one that `tells` most; any in recordings
        without a scene.
    """

    def __init__(self, footage: list[Footage], mirrored: bool = False, telling: float = 0.5) -> None:
        self.footage, self.mirrored, self.telling = footage, mirrored, telling
        self._chances = chances([f.subject for f in footage], [len(f.frames) for f in footage])

    def recordings(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw the indices of n recordings, a subject being as likely as any other."""
        for footage in self.footage:
            forget(footage.frames)  # what was drawn before
        return rng.choice(len(self.footage), n, p=self._chances)

    def pairs(self, rng: np.random.Generator, n: int) -> Batch:
        """Draw two frames each of n recordings: ``one``, ``two``, ``background`` (n, S, S, 3) uint8."""
        chosen = self.recordings(rng, n)
        moments = [rng.integers(len(self.footage[r].frames), size=2) for r in chosen]
        for r, moment in list(zip(chosen, moments, strict=True))[: round(n * self.telling)]:
            if self.footage[r].has_scene:
                candidates = rng.integers(len(self.footage[r].frames), size=CANDIDATES)
                moment[1] = candidates[tells(self.footage[r], moment[0], candidates).argmax()]
        pictures = {
            "one": self._stack(chosen, [m[0] for m in moments]),
            "two": self._stack(chosen, [m[1] for m in moments]),
            "background": self._backgrounds(chosen),
        }
        return self._some_mirrored(rng, pictures)

    def moments(self, rng: np.random.Generator, n: int, each: int = 16, gap: float = 0.2) -> Batch:
        """Draw ``each`` moments of n // each recordings, and a neighbour in time of each.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of chance.
        n : int
            About how many moments in all.
        each : int
            Moments of one recording, but no more than n.
        gap : float
            Moments nearer than this do not repel [s].

        Returns
        -------
        dict
            ``one``, ``two`` (R, each, S, S, 3), ``background`` (R, S, S, 3) uint8, ``apart`` (R, each, each) bool.
        """
        each = min(each, n)
        chosen = self.recordings(rng, n // each)
        one, two, apart = [], [], []
        for r in chosen:
            footage = self.footage[r]
            t = rng.integers(len(footage.frames), size=each)
            beside = np.clip(t + rng.choice((-1, 1), each) * _frames_apart(footage.fps), 0, len(footage.frames) - 1)
            one.append(footage.frames[t])
            two.append(footage.frames[beside])
            apart.append(np.abs(t[:, None] - t) > max(1, gap * footage.fps))
        pictures = {
            "one": torch.from_numpy(np.stack(one)),
            "two": torch.from_numpy(np.stack(two)),
            "background": self._backgrounds(chosen),
        }
        return self._some_mirrored(rng, pictures) | {"apart": torch.from_numpy(np.stack(apart))}

    def clips(self, rng: np.random.Generator, n: int, length: int = 8) -> Batch:
        """Draw n clips of frames 1 to 4 times 1/30 s apart: ``clip`` (n, length, S, S, 3), ``background``."""
        chosen = self.recordings(rng, n)
        clips = []
        for r in chosen:
            total, apart = len(self.footage[r].frames), _frames_apart(self.footage[r].fps)
            stride = int(rng.integers(1, max(1, min(4, (total - 1) // (apart * length))) + 1))
            stride = min(stride * apart, max(1, (total - 1) // length))
            start = int(rng.integers(0, max(1, total - stride * (length - 1))))
            at = np.minimum(start + stride * np.arange(length), total - 1)
            clips.append(self.footage[r].frames[at])
        pictures = {"clip": torch.from_numpy(np.stack(clips)), "background": self._backgrounds(chosen)}
        return self._some_mirrored(rng, pictures)

    def _some_mirrored(self, rng: np.random.Generator, pictures: Batch) -> Batch:
        """Mirror half of the items (n, ..., S, S, 3), every picture of an item alike."""
        if not self.mirrored:
            return pictures
        chosen = torch.from_numpy(rng.random(len(pictures["background"])) < 0.5)
        return {name: torch.where(chosen.view(-1, *[1] * (x.ndim - 1)), x.flip(-2), x) for name, x in pictures.items()}

    def _stack(self, chosen: np.ndarray, at: list[int]) -> torch.Tensor:
        return torch.from_numpy(np.stack([self.footage[r].frames[t] for r, t in zip(chosen, at, strict=True)]))

    def _backgrounds(self, chosen: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.stack([self.footage[r].background for r in chosen]))


def _frames_apart(fps: float) -> int:
    """Return how many frames lie about 1 / 30 s apart, at least one: what recordings of any rate are looked at in."""
    return max(1, round(fps / ASSUMED_FPS))


class Stream(IterableDataset):
    """An endless stream of batches, each made from (seed, step).

    Parameters
    ----------
    draw : callable
        Makes a batch of about n items from a source of chance.
    n : int
        Items in a batch.
    seed, first : int
        The seed, and the step to begin with.
    """

    def __init__(self, draw: Draw, n: int, seed: int, first: int = 0) -> None:
        self._draw, self._n, self._seed, self._first = draw, n, seed, first

    def __iter__(self) -> Iterator[Batch]:
        """Yield one batch a step, for ever."""
        step = self._first
        while True:
            yield self._draw(np.random.default_rng((self._seed, step)), self._n)
            step += 1
