"""Raw arrays, such as other programs write: NumPy's .npy files and Zarr arrays, read like a video."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

import numpy as np

from napari_ubam.errors import VideoError
from napari_ubam.video.images import ImageStack

ARRAY_SUFFIXES = (".npy", ".zarr")
_COLOURS = (3, 4)


class RawArray(ImageStack):
    """An array as frames: (T, Y, X), or (T, Y, X, 3) or 4 for colours.

    Parameters
    ----------
    path : str or Path
        The file or folder; only the frames that are asked for are read.
    native : bool
        Give values of more than 8 bits as they are, and grey frames as (T, Y, X).

    Raises
    ------
    VideoError
        If it is missing or damaged, holds something else than numbers, or has other axes.
    """

    def __init__(self, path: str | Path, *, native: bool = False) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise VideoError(f"{self.path} was not found. Check the path, or put the file back.")
        self._array: Any = None
        array = self._opened()
        shape = tuple(array.shape)
        grey, coloured = len(shape) == 3, len(shape) == 4 and shape[-1] in _COLOURS
        if not (grey or coloured) or 0 in shape:
            raise VideoError(
                f"{self.path} has the shape {shape}: frames must be (time, y, x), or (time, y, x, 3) for colours."
            )
        length, height, width = shape[:3]
        self._describe(length, height, width, np.dtype(array.dtype), coloured=coloured, native=native)
        self.fps = _rate(getattr(array, "attrs", {}))

    def close(self) -> None:
        """Let go of the file; reading again opens it again."""
        self._array = None

    @abstractmethod
    def _open(self) -> Any:
        """Give the array, none of it read yet."""

    def _opened(self) -> Any:
        if self._array is None:
            try:
                self._array = self._open()
            except VideoError:
                raise
            except Exception as error:  # both libraries raise all kinds on damaged files
                raise VideoError(f"{self.path} cannot be read as an array: {error}. Write it again.") from error
        return self._array

    def _load(self, t: int) -> np.ndarray:
        try:
            return np.asarray(self._opened()[t])
        except Exception as error:
            raise VideoError(f"Frame {t} of {self.path} cannot be read: {error}. Write it again.") from error


class NumpyFile(RawArray):
    """A .npy file; objects in it are refused, for reading them can run anything."""

    def _open(self) -> np.ndarray:
        array = np.load(self.path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise VideoError(f"{self.path} holds several arrays. Save one with numpy.save.")
        return array


class ZarrArray(RawArray):
    """A Zarr array, or the first (largest) scale of an image that is a group of scales, as OME-Zarr has it."""

    def _open(self) -> Any:
        import zarr  # slow to import, and only few recordings are arrays

        found = zarr.open(self.path, mode="r")
        if isinstance(found, zarr.Array):
            return found
        arrays = sorted(name for name, _ in found.arrays())
        attributes: Any = found.attrs.asdict()
        scales = attributes.get("ome", attributes).get("multiscales", [])
        first = scales[0]["datasets"][0]["path"] if scales else arrays[0] if len(arrays) == 1 else None
        if first is None:
            raise VideoError(
                f"{self.path} is a group of {len(arrays)} arrays: choose one of them, such as {self.path / 'NAME'}."
            )
        return found[first]


def _rate(attributes: Any) -> float:
    """Give the attribute ``fps``, 0.0 where there is none that makes sense."""
    rate = attributes.get("fps", 0.0)
    return float(rate) if isinstance(rate, int | float) and 0 < rate < 1e6 else 0.0
