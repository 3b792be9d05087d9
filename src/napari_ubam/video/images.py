"""Still images, one a frame, read like a video; and folders of them."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

from napari_ubam.errors import VideoError
from napari_ubam.video.source import FrameSource

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
TIFF_SUFFIXES = (".tif", ".tiff")
_SAMPLES = 16  # frames that tell the range of a stack with more than 8 bits
_KINDS = "buif"  # bool, integers and floats


class ImageStack(FrameSource):
    """Base of stacks of still images, which may be grey or have more than 8 bits.

    Unless ``native``, values other than uint8 are scaled to 8 bits by the smallest and largest value found in
    16 frames spread evenly over the stack, sampled once; values outside are clipped. Native frames hold the values
    as they are stored (bool as 0 and 255), grey ones as (T, Y, X). An alpha channel is left out.
    """

    def read(self, frames: Sequence[int]) -> np.ndarray:
        """Read some frames; see `FrameSource.read`."""
        numbers = self._numbers(frames)
        out = np.empty((len(numbers), *self.shape[1:]), dtype=self.dtype)
        for i, t in enumerate(numbers):
            image = self._image(t)
            if image.dtype != np.uint8 and self.dtype == np.uint8:
                image = to_uint8(image, *self._range)
            out[i] = image if image.ndim == self.ndim - 1 else image[..., None]
        return out

    @property
    def value_range(self) -> tuple[float, float]:
        """See `FrameSource.value_range`: the smallest and largest value of 16 frames spread over the stack."""
        return super().value_range if self.dtype == np.uint8 else self._range

    def _describe(self, length: int, height: int, width: int, dtype: np.dtype, *, coloured: bool, native: bool) -> None:
        """Set what a source tells of itself; VideoError if values of this type are no picture."""
        if dtype.kind not in _KINDS:
            raise VideoError(f"{self.path} holds {dtype}, not grey values or colours.")
        self.dtype = dtype.newbyteorder("=") if native and dtype.kind != "b" else np.dtype(np.uint8)
        self.shape = (length, height, width, 3) if coloured or not native else (length, height, width)
        self.ndim = len(self.shape)

    @abstractmethod
    def _load(self, t: int) -> np.ndarray:
        """Give frame ``t`` as it is stored: (Y, X), or (Y, X, C) with C of 1, 3 or 4."""

    def _image(self, t: int) -> np.ndarray:
        """Give frame ``t`` as (Y, X) or (Y, X, 3), no longer bool."""
        image = self._load(t)
        if image.dtype == bool:
            image = image.astype(np.uint8) * 255
        if image.ndim == 3:
            return image[..., :3] if image.shape[-1] >= 3 else image[..., 0]
        return image

    @cached_property
    def _range(self) -> tuple[float, float]:
        lows, highs = [], []
        for t in np.unique(np.linspace(0, len(self) - 1, _SAMPLES).astype(int)):
            image = self._image(int(t))
            known = image[np.isfinite(image)] if image.dtype.kind == "f" else image
            if known.size:
                lows.append(float(known.min()))
                highs.append(float(known.max()))
        return min(lows, default=0.0), max(highs, default=1.0)


class ImageFolder(ImageStack):
    """A folder of numbered images as frames, in natural order: ``2.png`` comes before ``10.png``.

    Parameters
    ----------
    path : str or Path
        The folder; files other than png, jpg, tif and bmp, and hidden files, are passed over.
    native : bool
        Give values of more than 8 bits as they are, and grey images as (T, Y, X). If some images are coloured, or
        have more bits, the others are taken to be so too.

    Raises
    ------
    VideoError
        If there are no images in it, or they are not all of one size.
    """

    def __init__(self, path: str | Path, *, native: bool = False) -> None:
        self.path = Path(path)
        self._files = image_files(self.path)
        if not self._files:
            raise VideoError(f"{self.path} has no images in it. Choose a folder with png, jpg, tif or bmp images.")
        kinds: dict[tuple[str, bool], np.ndarray] = {}  # with an image of each
        for i, file in enumerate(self._files):
            with _open_image(file) as image:
                if i == 0:
                    width, height = image.size
                if image.size != (width, height):
                    raise VideoError(
                        f"{file} is {image.size[0]} x {image.size[1]} pixels, but {self._files[0].name} is "
                        f"{width} x {height}. Keep only images of one size in a folder."
                    )
                kind = (image.mode, _has_deep_colours(image))
            if kind not in kinds:
                kinds[kind] = self._image(i)
        dtype = np.result_type(*[image.dtype for image in kinds.values()])
        coloured = any(image.ndim == 3 for image in kinds.values())
        self._describe(len(self._files), height, width, dtype, coloured=coloured, native=native)

    def _load(self, t: int) -> np.ndarray:
        file = self._files[t]
        with _open_image(file) as image:
            try:
                if _has_deep_colours(image):
                    return _deep_colours(file)
                grey = image.mode in ("L", "F", "1") or image.mode.startswith("I")
                return np.asarray(image if grey else image.convert("RGB"))
            except (OSError, SyntaxError, ValueError) as error:
                raise VideoError(f"{file} cannot be read: {error}. Copy or export it again.") from error


def image_files(folder: Path) -> list[Path]:
    """Give the images of a folder in natural order; hidden files are passed over."""
    files = [f for f in folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and not f.name.startswith(".")]
    return sorted(files, key=lambda file: _natural(file.name))


def to_uint8(image: np.ndarray, low: float, high: float) -> np.ndarray:
    """Scale values from [low, high] to [0, 255]; values outside are clipped, NaN becomes 0."""
    scaled = (image.astype(np.float32) - low) * (255 / (high - low) if high > low else 0)
    return np.asarray(np.nan_to_num(np.clip(scaled, 0, 255)).round().astype(np.uint8))


def _open_image(file: Path) -> Image.Image:
    try:
        return Image.open(file)
    except (UnidentifiedImageError, OSError) as error:
        raise VideoError(f"{file} cannot be read as an image. Copy or export it again, or take it away.") from error


def _has_deep_colours(image: Image.Image) -> bool:
    """Whether an image that is not decoded yet has colours of more than 8 bits, which Pillow would cut down to 8."""
    tiles = getattr(image, "tile", [])  # how Pillow means to unpack it
    return image.mode.startswith("RGB") and any(";16" in str(tile) for tile in tiles)


def _deep_colours(file: Path) -> np.ndarray:
    """Read an image with colours of 16 bits: (Y, X, C) uint16."""
    if file.suffix.lower() in TIFF_SUFFIXES:
        return np.asarray(tifffile.imread(file, key=0))
    image = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_UNCHANGED)  # which knows no path but Latin ones
    if image is None:
        raise OSError("it is damaged")
    return np.asarray(image[..., 2::-1])


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Give a key that sorts runs of digits by their value."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part.lower()) for part in re.split(r"(\d+)", name)]
