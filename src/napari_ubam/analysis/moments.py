r"""The moments of a reference subject that are most like those of a recording, together with the movement around them.

The movement around a moment is `WINDOW` samples, evenly spaced in time. The reference subject's are taken from a grid
with that spacing, so that neighbouring moments share all samples but one. The squared distance of two contexts is the
sum of those of their samples,

D(i, j) = \sum_l |q(i + l s) - x(j + l)|^2,

so every frame is compared with every sample once, and what is found is added up along diagonals: a ninth of the
multiplications of comparing contexts one by one, and the same result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from napari_ubam.analysis.search import BLOCK, smallest
from napari_ubam.models.behaviour import clips_around
from napari_ubam.sampling import spread_parts

WINDOW = 9  # samples of a context, which are added up three by three
WHOLE = 0.05  # of a frame: samples that are no further from whole frames are taken there
PART = 36  # moments in a row, where not all are kept
ROWS, COLUMNS = 256, 512  # compared at once: what a processor's own cache holds
DEVICE_ROWS, DEVICE_COLUMNS = 4096, 4096  # what keeps a graphics processor busy
ENTRIES = 2**24  # distances in memory at once


@dataclass(frozen=True)
class Spacing:
    """How far apart the samples of a context are.

    Attributes
    ----------
    step : float
        Frames from one sample to the next.
    window : int
        Samples of a context.
    """

    step: float
    window: int

    @classmethod
    def of(cls, fps: float, seconds: float) -> Spacing:
        """Give the spacing of contexts that reach so many seconds before and after a frame; 0: the frame alone."""
        if seconds == 0:
            return cls(1.0, 1)
        step = 2 * seconds * fps / (WINDOW - 1)
        whole = max(1, round(step))
        return cls(whole if abs(step - whole) * (WINDOW // 2) <= WHOLE else step, WINDOW)

    @property
    def middle(self) -> int:
        """Which sample is the moment itself."""
        return self.window // 2

    @property
    def is_whole(self) -> bool:
        """Whether all samples are frames."""
        return self.step == round(self.step)


@dataclass(frozen=True, eq=False)
class Track:
    """A recording as it is compared.

    Attributes
    ----------
    codes : ndarray of float32, shape (T, d)
        Its postures, in the units in which they are compared.
    shown : ndarray, shape (T, d)
        The same postures, in the units in which they are given back.
    sure : ndarray of bool, shape (T,)
        Which frames count.
    spacing : Spacing
        Of contexts.
    """

    codes: np.ndarray
    shown: np.ndarray
    sure: np.ndarray
    spacing: Spacing

    def contexts(self, rows: np.ndarray) -> np.ndarray:
        """Describe moments, in (fractional) rows, by the movement around them: (q, window * d)."""
        seconds = self.spacing.step * (self.spacing.window - 1)
        return clips_around(self.codes, rows, 1.0, seconds, self.spacing.window).reshape(len(rows), -1)


class Library:
    """Moments of one reference subject, and what it shows at them.

    Parameters
    ----------
    tracks : sequence of Track
        Its recordings.
    n_moments : int
        About how many moments to keep, in evenly spread parts; all where they are fewer.
    device : torch.device or str
        Where to compare.

    Attributes
    ----------
    samples : Tensor, shape (C, d)
        A context is ``window`` of them in a row.
    square : Tensor, shape (C,)
        Their squared lengths; infinite for the one that keeps apart rows that do not follow each other.
    shown : Tensor, shape (C - window + 1, d)
        The posture at the middle of every context.
    window, n : int
        Samples of a context, and how many moments there are.
    """

    def __init__(self, tracks: Sequence[Track], n_moments: int, device: torch.device | str = "cpu") -> None:
        moments = [_moments(track) for track in tracks]
        share = n_moments / max(1, sum(len(row) for rows in moments for row in rows))
        runs = [(t, run) for t, rows in zip(tracks, moments, strict=True) for run in _kept(t, rows, share)]
        self.window, self.n = tracks[0].spacing.window, sum(len(run) for _, run in runs)
        samples, square, shown = [], [], []
        for track, run in runs:
            middle, step = track.spacing.middle, track.spacing.step
            around = (np.arange(-middle, len(run) + middle) * step) + run[0]
            found = _at(track.codes, around)
            samples += [found, np.zeros((1, found.shape[1]), np.float32)]
            square += [(found**2).sum(1), [np.inf]]
            shown += [_at(track.shown, run), np.zeros((self.window, track.shown.shape[1]), np.float32)]
        self.samples = torch.as_tensor(np.concatenate(samples), device=device)
        self.square = torch.as_tensor(np.concatenate(square).astype(np.float32), device=device)
        self.shown = torch.as_tensor(np.concatenate(shown)[: len(self.samples) - self.window + 1], device=device)


class Asked(Protocol):
    """Moments that are looked for.

    Attributes
    ----------
    square : Tensor, shape (q,)
        Squared lengths of their contexts.
    """

    square: Tensor

    def compare(self, rows: slice, samples: Tensor, square: Tensor, out: Tensor) -> None:
        """Write the squared distances (q, n) of contexts from those of samples (n + window - 1, d), less ``square``."""


class SomeFrames:
    """Any frames of a recording, whose contexts are compared one by one.

    Parameters
    ----------
    track : Track
    rows : ndarray, shape (q,)
        Which frames.
    device : torch.device or str
        Where to compare.
    """

    def __init__(self, track: Track, rows: np.ndarray, device: torch.device | str = "cpu") -> None:
        self._contexts = torch.as_tensor(track.contexts(rows.astype(float)), device=device)
        self.square = (self._contexts**2).sum(1)

    def compare(self, rows: slice, samples: Tensor, square: Tensor, out: Tensor) -> None:
        """Write the squared distances of contexts, less ``square``."""
        entries = self._contexts.shape[1]
        window = entries // samples.shape[1]
        n = len(samples) - window + 1
        contexts = samples.as_strided((n, entries), (samples.shape[1], 1))
        squares = square.unfold(0, window, 1).sum(1)
        torch.addmm(squares, self._contexts[rows], contexts.T, alpha=-2, out=out)


class EveryFrame:
    """All frames of a recording, whose contexts are made of whole frames.

    Parameters
    ----------
    track : Track
    device : torch.device or str
        Where to compare.
    """

    def __init__(self, track: Track, device: torch.device | str = "cpu") -> None:
        self._step, self._window = round(track.spacing.step), track.spacing.window
        reach = track.spacing.middle * self._step
        padded = np.pad(track.codes, ((reach, reach), (0, 0)), mode="edge")
        self._codes = torch.as_tensor(padded, device=device)
        squares = (self._codes**2).sum(1)
        n = len(track.codes)
        self.square = torch.stack([squares[i * self._step :][:n] for i in range(self._window)]).sum(0)

    def compare(self, rows: slice, samples: Tensor, square: Tensor, out: Tensor) -> None:
        """Write the squared distances of contexts, less ``square``."""
        codes = self._codes[rows.start : rows.stop + (self._window - 1) * self._step]
        if self._window == 1:
            torch.addmm(square, codes, samples.T, alpha=-2, out=out)
            return
        one = torch.addmm(square, codes, samples.T, alpha=-2)
        three = one.new_empty(len(one) - 2 * self._step, one.shape[1] - 2)
        _add_three(one, self._step, 1, three)
        _add_three(three, 3 * self._step, 3, out)


def _add_three(values: Tensor, rows: int, columns: int, out: Tensor) -> None:
    """Add up every three values along a diagonal, so many rows and columns apart."""
    n, m = out.shape
    torch.add(values[:n, :m], values[rows:, columns:][:n, :m], out=out)
    out.add_(values[2 * rows :, 2 * columns :])


def ask_for_all(track: Track, device: torch.device | str = "cpu") -> Asked:
    """Ask for all frames of a recording."""
    if track.spacing.is_whole:
        return EveryFrame(track, device)
    return SomeFrames(track, np.arange(len(track.codes)), device)


def match_moments(asked: Asked, library: Library, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Find what one reference subject shows at the same points of the movement.

    Parameters
    ----------
    asked : Asked
        The moments in question.
    library : Library
        The reference subject's.
    n : int
        How many of its most similar moments to average.

    Returns
    -------
    posture : ndarray, shape (q, d)
    distance : ndarray, shape (q,)
        To the nearest moment, root mean square over the context's entries.
    """
    on_cpu = library.samples.device.type == "cpu"
    n_rows, n_columns = (ROWS, COLUMNS) if on_cpu else (DEVICE_ROWS, DEVICE_COLUMNS)
    total, extra = len(library.shown), library.window - 1
    width = -(-total // BLOCK**2) * BLOCK**2  # twice a number of whole blocks, which spares a copy
    n_rows = min(n_rows, max(1, ENTRIES // width))
    found = library.samples.new_full((n_rows, width), torch.inf)
    n, posture, distance = min(n, library.n), [], []
    for start in range(0, len(asked.square), n_rows):
        rows = slice(start, min(start + n_rows, len(asked.square)))
        some = found[: rows.stop - rows.start]
        for first in range(0, total, n_columns):
            last = min(first + n_columns, total)
            columns = slice(first, last + extra)
            asked.compare(rows, library.samples[columns], library.square[columns], some[:, first:last])
        values, index = smallest(some, n)
        posture.append(embedding_bag(index, library.shown, mode="mean"))
        distance.append((values.amin(1) + asked.square[rows]).clamp_(0))
    entries = library.window * library.samples.shape[1]
    return torch.cat(posture).cpu().numpy(), (torch.cat(distance) / entries).sqrt().cpu().numpy()


def _moments(track: Track) -> list[np.ndarray]:
    """Give all moments of a recording that count, in (fractional) rows: on grids with the spacing of contexts."""
    step, last = track.spacing.step, len(track.codes) - 1
    grids = [np.arange(first, last + 1e-6, step) for first in range(min(max(1, round(step)), last + 1))]
    grids = [grid[track.sure[np.round(grid).astype(int)]] for grid in grids]
    return [grid for grid in grids if len(grid)] or [np.array([row]) for row in np.flatnonzero(track.sure)]


def _kept(track: Track, rows: list[np.ndarray], share: float) -> list[np.ndarray]:
    """Choose a share of the moments on grids, whole grids first, then parts of one: runs that follow each other."""
    runs: list[np.ndarray] = []
    left = max(1, round(min(1.0, share) * sum(map(len, rows))))
    for row in rows:
        if left > 0:
            kept = np.concatenate([row[part] for part in spread_parts(len(row), PART, left)])
            runs += np.split(kept, np.flatnonzero(abs(np.diff(kept) - track.spacing.step) > WHOLE) + 1)
            left -= len(kept)
    return runs


def _at(codes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Give the postures at (fractional) rows, (n, d); the ends are repeated."""
    return clips_around(codes, rows, 1.0, 0.0, 1)[:, 0]
