"""``.npy`` files larger than the memory: written picture by picture, and read through a memory map."""

from __future__ import annotations

import mmap
from pathlib import Path
from types import TracebackType

import numpy as np


def forget(frames: np.ndarray) -> None:
    """Let go of what was read of a memory map, or of a part of one; it is read again when it is wanted.

    The pages of a map count as memory of the process until somebody else needs it. Without this, a process that goes
    through a recording would seem to need as much memory as the recording is long. Windows takes them back by itself.
    """
    base: object = frames
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


class NpyWriter:
    """Write pictures one after the other into one ``.npy`` file.

    A plain file and not a memory map: a full disk is an error that can be caught, not a crash.

    Parameters
    ----------
    path : Path
        The file.
    shape : tuple of int
        Shape of one picture.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.count = 0
        self._shape = shape
        self._file = path.open("wb")
        self._write_header()

    def append(self, picture: np.ndarray) -> None:
        """Add one picture of bytes."""
        if picture.shape != self._shape or picture.dtype != np.uint8:
            raise ValueError(f"expected uint8 of shape {self._shape}, got {picture.dtype} of shape {picture.shape}")
        self._file.write(np.ascontiguousarray(picture).data)
        self.count += 1

    def _write_header(self) -> None:
        # numpy pads headers so that the first axis may grow in place
        header = {"descr": "|u1", "fortran_order": False, "shape": (self.count, *self._shape)}
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(self._file, header)

    def __enter__(self) -> NpyWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if kind is None:
                self._write_header()
