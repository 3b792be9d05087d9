"""TIFF stacks and folders of images, read like a video."""

from __future__ import annotations

import logging
import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from threading import RLock

import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

from napari_ubam.errors import VideoError
from napari_ubam.video.source import FrameSource

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
TIFF_SUFFIXES = (".tif", ".tiff")
_SAMPLES = 16  # frames that tell the range of a stack with more than 8 bits


class ImageStack(FrameSource):
    """Base of stacks of still images, which may be grey or have more than 8 bits.

    Values other than uint8 are scaled to 8 bits by the smallest and largest value found in
    16 frames spread evenly over the stack, sampled once; values outside are clipped.
    """

    def read(self, frames: Sequence[int]) -> np.ndarray:
        """Read some frames; see `FrameSource.read`."""
        numbers = self._numbers(frames)
        out = np.empty((len(numbers), *self.shape[1:]), dtype=np.uint8)
        for i, t in enumerate(numbers):
            image = self._load(t)
            if image.dtype != np.uint8:
                image = to_uint8(image, *self._range)
            out[i] = image[..., :3] if image.ndim == 3 and image.shape[-1] >= 3 else image.reshape(*out.shape[1:3], 1)
        return out

    @abstractmethod
    def _load(self, t: int) -> np.ndarray:
        """Give frame ``t`` as it is stored: (Y, X), or (Y, X, C) with C of 1, 3 or 4."""

    @cached_property
    def _range(self) -> tuple[float, float]:
        sample = np.unique(np.linspace(0, len(self) - 1, _SAMPLES).astype(int))
        images = [self._load(int(t)) for t in sample]
        return float(min(np.nanmin(image) for image in images)), float(max(np.nanmax(image) for image in images))


class TiffStack(ImageStack):
    """A multi-page TIFF as frames: grey or RGB, each page or plane one frame.

    Parameters
    ----------
    path : str or Path
        The file. Axes before Y and X (time, depth, channel) are taken one after the other.

    Raises
    ------
    VideoError
        If the file is missing, is no TIFF, or its pages differ.
    """

    def __init__(self, path: str | Path) -> None:
        self._file: tifffile.TiffFile | None = None
        self._lock = RLock()
        self.path = Path(path)
        try:
            self._measure()
        except BaseException:
            self.close()
            raise

    def __del__(self) -> None:
        """Close the file: nobody closes what napari shows, it is only let go of."""
        self.close()

    def close(self) -> None:
        """Close the file; reading again opens it again."""
        with self._lock:
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

    def _measure(self) -> None:
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
        length = int(np.prod(series.shape[: len(match[1])], dtype=int))
        self.shape = (length, sides["Y"], sides["X"], 3)
        self._leave_out_cut_page()
        if complaints or len(self) < length:
            self.problem = f"{self.path} is damaged or was cut off: {len(self)} frames can be read; these are used."

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
                    image = tifffile.memmap(self.path, mode="r").reshape(-1, *self._image_shape)[t]
            except Exception as error:  # tifffile's codecs raise all kinds
                raise VideoError(f"Page {t} of {self.path} cannot be read: {error}. Export it again.") from error
        image = image.reshape(self._image_shape)
        return np.moveaxis(image, 0, -1) if self._image_axes == "SYX" else image


class ImageFolder(ImageStack):
    """A folder of numbered images as frames, in natural order: ``2.png`` comes before ``10.png``.

    Parameters
    ----------
    path : str or Path
        The folder; files other than png, jpg, tif and bmp, and hidden files, are passed over.

    Raises
    ------
    VideoError
        If there are no images in it, or they are not all of one size.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._files = image_files(self.path)
        if not self._files:
            raise VideoError(f"{self.path} has no images in it. Choose a folder with png, jpg, tif or bmp images.")
        with _open_image(self._files[0]) as image:
            width, height = image.size
        for file in self._files[1:]:
            with _open_image(file) as image:
                if image.size != (width, height):
                    raise VideoError(
                        f"{file} is {image.size[0]} x {image.size[1]} pixels, but {self._files[0].name} is "
                        f"{width} x {height}. Keep only images of one size in a folder."
                    )
        self.shape = (len(self._files), height, width, 3)

    def _load(self, t: int) -> np.ndarray:
        with _open_image(self._files[t]) as image:
            try:
                grey = image.mode in ("L", "F") or image.mode.startswith("I")
                return np.asarray(image if grey else image.convert("RGB"))
            except (OSError, SyntaxError) as error:
                raise VideoError(f"{self._files[t]} cannot be read: {error}. Copy or export it again.") from error


def image_files(folder: Path) -> list[Path]:
    """Give the images of a folder in natural order; hidden files are passed over."""
    files = [f for f in folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and not f.name.startswith(".")]
    return sorted(files, key=lambda file: _natural(file.name))


def to_uint8(image: np.ndarray, low: float, high: float) -> np.ndarray:
    """Scale values from [low, high] to [0, 255]; values outside are clipped, NaN becomes 0."""
    scaled = (image.astype(np.float32) - low) * (255 / (high - low) if high > low else 0)
    return np.asarray(np.nan_to_num(np.clip(scaled, 0, 255)).round().astype(np.uint8))


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


def _open_image(file: Path) -> Image.Image:
    try:
        return Image.open(file)
    except (UnidentifiedImageError, OSError) as error:
        raise VideoError(f"{file} cannot be read as an image. Copy or export it again, or take it away.") from error


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Give a key that sorts runs of digits by their value."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part.lower()) for part in re.split(r"(\d+)", name)]
