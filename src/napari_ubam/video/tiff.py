"""Multi-page TIFFs, read like a video."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
import tifffile

from napari_ubam.errors import VideoError
from napari_ubam.video.images import ImageStack

_SECONDS = {"s": 1.0, "ms": 1e-3, "\xb5s": 1e-6, "min": 60.0, "h": 3600.0}  # as OME abbreviates them


class TiffStack(ImageStack):
    """A multi-page TIFF, BigTIFF or OME-TIFF as frames: grey or RGB, each page or plane one frame.

    Parameters
    ----------
    path : str or Path
        The file. Axes before Y and X (time, depth, channel) are taken one after the other.
    native : bool
        Give values of more than 8 bits as they are, and grey pages as (T, Y, X).

    Attributes
    ----------
    n_axes : int
        How many axes before Y and X are longer than 1.

    Raises
    ------
    VideoError
        If the file is missing, is no TIFF, or its pages differ.
    """

    def __init__(self, path: str | Path, *, native: bool = False) -> None:
        self._file: tifffile.TiffFile | None = None
        self._block: np.ndarray | None = None  # all frames, where they lie in the file as one
        self._lock = RLock()
        self.path = Path(path)
        try:
            self._measure(native)
        except BaseException:
            self.close()
            raise

    def __del__(self) -> None:
        """Close the file: nobody closes what napari shows, it is only let go of."""
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """Give what another process needs: not what is open."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_lock", "_file", "_block")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over what `__getstate__` gave; the file is opened when it is read."""
        self.__dict__.update(state)
        self._file, self._block, self._lock = None, None, RLock()

    def close(self) -> None:
        """Close the file; reading again opens it again."""
        with self._lock:
            self._block = None
            if self._file is not None:
                self._file.close()
                self._file = None

    def _open(self) -> tifffile.TiffFile:
        if self._file is None:
            try:
                self._file = tifffile.TiffFile(self.path)
            except FileNotFoundError as error:
                raise VideoError(f"{self.path} was not found. Check the path, or put the file back.") from error
            except (tifffile.TiffFileError, OSError) as error:
                raise VideoError(f"{self.path} cannot be read as a TIFF: {error}. Copy or export it again.") from error
        return self._file

    def _measure(self, native: bool) -> None:
        """Find out how many frames there are, how large, and in which order their axes are."""
        with _complaints() as complaints:
            series = self._open().series[0]
        axes = series.axes
        match = re.fullmatch(r"([^YXS]*)(YXS|SYX|YX)", axes)
        if match is None:
            raise VideoError(f"{self.path} has the axes {axes}: save it as a stack of grey or RGB images.")
        self._image_axes = match[2]
        self._image_shape = series.shape[len(match[1]) :]
        sides = dict(zip(self._image_axes, self._image_shape, strict=True))
        if sides.get("S", 1) not in (1, 3, 4):
            raise VideoError(f"{self.path} has {sides['S']} channels: save it as a stack of grey or RGB images.")
        before = series.shape[: len(match[1])]
        self.n_axes = sum(n > 1 for n in before)
        length = int(np.prod(before, dtype=int))
        self.shape = (length, sides["Y"], sides["X"])
        self._leave_out_cut_page()
        if complaints or len(self) < length:
            self.problem = f"{self.path} is damaged or was cut off: {len(self)} frames can be read; these are used."
        first = self._image(0)
        self._describe(len(self), sides["Y"], sides["X"], first.dtype, coloured=first.ndim == 3, native=native)
        self.fps = _frame_rate(self._open())

    def _leave_out_cut_page(self) -> None:
        """Make the stack one shorter where the file ends within its last page."""
        try:
            self._load(len(self) - 1)
        except VideoError:
            if len(self) == 1:
                raise
            self.shape = (len(self) - 1, *self.shape[1:])
            self._load(len(self) - 1)

    def _load(self, t: int) -> np.ndarray:
        with self._lock:
            series = self._open().series[0]
            try:
                if len(series.pages) > 1 or len(self) == 1:
                    image = series.pages[t].asarray()  # type: ignore[union-attr]
                else:  # ImageJ writes large stacks as one block behind a single page
                    if self._block is None:
                        self._block = tifffile.memmap(self.path, mode="r").reshape(-1, *self._image_shape)
                    image = self._block[t]
            except Exception as error:  # tifffile's codecs raise all kinds
                raise VideoError(f"Page {t} of {self.path} cannot be read: {error}. Export it again.") from error
            image = image.reshape(self._image_shape)
            return self._shown(np.moveaxis(image, 0, -1) if self._image_axes == "SYX" else image)

    def _shown(self, image: np.ndarray) -> np.ndarray:
        """Give an image as it is meant to be seen: palettes as colours, and white as the highest value."""
        page = self._open().series[0].keyframe
        if page.photometric == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None:
            return np.asarray(np.moveaxis(page.colormap[:, image] >> 8, 0, -1).astype(np.uint8))
        inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and image.dtype.kind in ("b", "u")
        return np.invert(image) if inverted else image


def _frame_rate(file: tifffile.TiffFile) -> float:
    """Give the frames per second that OME, ImageJ or this package has noted, 0.0 if none."""
    pixels = _ome_pixels(file)
    if (step := _positive(pixels.get("TimeIncrement"))) > 0:
        return 1 / (step * _SECONDS.get(str(pixels.get("TimeIncrementUnit", "s")), 1.0))
    noted = {**(file.imagej_metadata or {}), **((file.shaped_metadata or ({},))[0])}
    if (step := _positive(noted.get("finterval"))) > 0:
        return 1 / step
    return _positive(noted.get("fps"))


def _ome_pixels(file: tifffile.TiffFile) -> dict[str, Any]:
    """Give the attributes of the first image that OME metadata tell of."""
    try:
        images = tifffile.xml2dict(file.ome_metadata or "")["OME"]["Image"]
        return dict((images[0] if isinstance(images, list) else images)["Pixels"])
    except (SyntaxError, ValueError, KeyError, TypeError, IndexError):
        return {}


def _positive(value: Any) -> float:
    """Give a number that makes sense as a rate or a step, 0.0 for anything else."""
    return float(value) if isinstance(value, int | float) and 0 < value < 1e6 else 0.0


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """Collect what tifffile logs: it does not raise where a file ends too early."""
    lines: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    tifffile.logger().addHandler(handler)
    try:
        yield lines
    finally:
        tifffile.logger().removeHandler(handler)
