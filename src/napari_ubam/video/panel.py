"""A layer's part of a video: its values as the colours that a viewer shows them in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from napari_ubam.errors import VideoError
from napari_ubam.video.images import to_uint8
from napari_ubam.video.source import FrameSource


class Panel:
    """Images or videos of any type as pictures (Y, X, 3) of uint8.

    Parameters
    ----------
    data : array-like
        (T, Y, X, C) or (Y, X, C) if ``rgb``, else (T, Y, X) or (Y, X); read frame by frame.
    rgb : bool
        Whether the last axis holds colours.
    name : str
        For captions and errors.
    limits : (float, float), optional
        Values that become black and white; default: the range of the type, 0 to 1 for floats.
    gamma : float
        Exponent that is applied to grey values between the limits.
    colours : ndarray of uint8, shape (256, 3), optional
        For grey values from black to white.

    Raises
    ------
    VideoError
        If there are too many axes, or too few.
    """

    def __init__(
        self, data: Any, *, rgb: bool, name: str = "", limits: tuple[float, float] | None = None, gamma: float = 1.0,
        colours: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        self.data, self.rgb, self.name = data, rgb, name
        shape = data.shape[:-1] if rgb else data.shape
        if len(shape) not in (2, 3):
            raise VideoError(
                f"Nothing was written: layer '{name}' has {len(shape)} dimensions; "
                "only images and videos (time, y, x) can be saved as a video."
            )
        self.is_still = len(shape) == 2
        self.length = 1 if self.is_still else shape[0]
        self.height, self.width = shape[-2:]
        self.dtype = np.dtype(data.dtype)
        self._limits, self._gamma, self._colours = limits, gamma, colours

    @property
    def can_be_kept(self) -> bool:
        """Whether a lossless video can hold the values as they are: 8 or 16 bits, shown in grey or in colour."""
        return self._colours is None and self.dtype.name in ("uint8", "uint16")

    def picture(self, t: int) -> np.ndarray | None:
        """Give a frame as (Y, X, 3) uint8; a still image at any time, None after the last frame."""
        if self.is_still:
            return self._picture(np.asarray(self.data))
        return self._picture(np.asarray(self.data[t])) if t < self.length else None

    def pictures(self, length: int) -> Iterator[np.ndarray]:
        """Give all pictures in order; a still one ``length`` times."""
        if self.is_still:
            picture = self._picture(np.asarray(self.data))
            for _ in range(length):
                yield picture
        else:
            yield from map(self._picture, self.values())

    def values(self) -> Iterator[np.ndarray]:
        """Give all frames in order as they are."""
        if self.is_still:
            yield np.asarray(self.data)
        elif isinstance(self.data, FrameSource):
            yield from self.data.iterate()
        else:
            for t in range(self.length):
                yield np.asarray(self.data[t])

    def limits_of(self, dtype: np.dtype) -> tuple[float, float]:
        """Give the values that become black and white."""
        if self._limits is not None and not self.rgb:
            return self._limits
        return (0.0, float(np.iinfo(dtype).max)) if np.issubdtype(dtype, np.integer) else (0.0, 1.0)

    def padded(self, picture: np.ndarray | None, height: int) -> np.ndarray:
        """Set a picture into its place, black below it or where there is none."""
        out = np.zeros((height, self.width, 3), dtype=np.uint8)
        if picture is not None:
            out[: self.height] = picture
        return out

    def _picture(self, image: np.ndarray) -> np.ndarray:
        if image.dtype != np.uint8 or not self.rgb:
            low, high = self.limits_of(image.dtype)
            if self._gamma != 1 and high > low:
                image = low + (high - low) * np.clip((image - low) / (high - low), 0, 1) ** self._gamma
            image = to_uint8(image, low, high)
        if self._colours is not None:
            image = self._colours[image]
        return np.broadcast_to(image[..., :3] if image.ndim == 3 else image[..., None], (self.height, self.width, 3))
