"""What every reader of frames offers: an array to napari and to the study, read only where asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

ASSUMED_FPS = 30.0  # frames per second, where the recording does not tell


class FrameSource(ABC):
    """Frames of one recording as an array (T, Y, X, 3) of uint8 RGB that is read when indexed.

    Attributes
    ----------
    path : Path
        The file or folder that the frames come from.
    shape : tuple of int
        (T, Y, X, 3); sources can be told to give grey frames as (T, Y, X).
    dtype : np.dtype
        uint8; sources can be told to give values as they are stored.
    fps : float
        Mean frames per second; 0.0 if unknown.
    problem : str
        What is wrong with the file although it can be read, and how much of it; empty if nothing is.
    """

    path: Path
    shape: tuple[int, ...]
    fps: float = 0.0
    problem: str = ""
    dtype: np.dtype = np.dtype(np.uint8)
    ndim: int = 4

    @abstractmethod
    def read(self, frames: Sequence[int]) -> np.ndarray:
        """Read some frames.

        Parameters
        ----------
        frames : sequence of int
            Frame numbers in any order, also repeated; negative ones count from the end.

        Returns
        -------
        np.ndarray
            (n, Y, X, 3) uint8 RGB, in the order asked for.

        Raises
        ------
        IndexError
            If there is no such frame.
        VideoError
            If a frame cannot be decoded.
        """

    def iterate(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Give frames ``start`` to ``stop`` in order, one (Y, X, 3) at a time: the fast path."""
        for t in range(*slice(start, stop).indices(len(self))):
            yield self.read([t])[0]

    def close(self) -> None:  # noqa: B027  (not every source holds something open)
        """Let go of the file; reading again opens it again."""

    @property
    def value_range(self) -> tuple[float, float]:
        """About the smallest and the largest value; of uint8 always 0 and 255."""
        return 0.0, 255.0

    @property
    def size(self) -> int:
        """Number of values in the array."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        """Give the number of frames."""
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        """Give all frames in order."""
        return self.iterate()

    def __getitem__(self, key: Any) -> np.ndarray:
        """Index as numpy does; only the frames that axis 0 asks for are read."""
        if type(key) is int or isinstance(key, np.integer):  # what a viewer asks for most
            return self.read([int(key)])[0]
        entries = _expand(key, self.ndim)
        at = next(i for i, entry in enumerate(entries) if entry is not None)
        first = entries[at]
        if isinstance(first, slice):
            entries[at] = slice(None)
            return self.read(range(*first.indices(len(self))))[tuple(entries)]
        wanted = np.asarray(first)
        if wanted.dtype == bool:
            if wanted.shape != (len(self),):
                raise IndexError(f"a mask over {len(self)} frames is needed, not one of shape {wanted.shape}")
            wanted = np.flatnonzero(wanted)
        if wanted.size and not np.issubdtype(wanted.dtype, np.integer):
            raise IndexError(f"frames are counted by whole numbers, slices or a mask, not by {first!r}")
        entries[at] = np.arange(wanted.size).reshape(wanted.shape) if wanted.ndim else 0
        picked: np.ndarray = self.read(wanted.astype(int).ravel().tolist())[tuple(entries)]
        return picked

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        """Read everything: only for recordings that fit into memory."""
        return np.asarray(self.read(range(len(self))), dtype=dtype)

    def __enter__(self) -> Self:
        """Give the source itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the source."""
        self.close()

    def _numbers(self, frames: Sequence[int]) -> list[int]:
        """Give frame numbers without negative ones."""
        numbers = []
        for t in frames:
            if not -len(self) <= t < len(self):
                raise IndexError(f"{self.path} has {len(self)} frames, there is no frame {t}")
            numbers.append(int(t) % len(self))
        return numbers


def _expand(key: Any, ndim: int) -> list[Any]:
    """Write an index as one entry for each axis; None, which adds an axis, stays where it is."""
    entries = list(key) if isinstance(key, tuple) else [key]
    dots = [i for i, entry in enumerate(entries) if entry is Ellipsis]
    missing = ndim - sum(entry is not None and entry is not Ellipsis for entry in entries)
    if missing < 0 or len(dots) > 1:
        raise IndexError(f"there are {ndim} axes: time, y, x and, unless grey, colour")
    at = dots[0] if dots else len(entries)
    return [*entries[:at], *[slice(None)] * missing, *entries[at + 1 :]]
