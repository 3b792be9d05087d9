"""Frames into a video file."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from napari_ubam.errors import VideoError
from napari_ubam.files import atomic_path

# Short groups of pictures keep jumping about in the file quick.
_FORMATS: dict[str, dict[str, Any]] = {
    ".mkv": {
        "format": "matroska",
        "codec": "ffv1",
        "pix_fmt": "bgr0",
        "options": {"level": "3", "slices": "4", "slicecrc": "1", "g": "1"},
    },
    ".mp4": {
        "format": "mp4",
        "codec": "libx264",
        "pix_fmt": "yuv420p",
        "options": {"crf": "18", "preset": "fast", "g": "25"},
    },
}


def write_video(path: str | Path, frames: Iterable[np.ndarray], fps: float) -> int:
    """Write frames as a video, atomically.

    Parameters
    ----------
    path : str or Path
        ``.mkv`` is lossless (FFV1), ``.mp4`` is H.264, which everything plays. H.264 needs even sides: an
        odd height or width is padded by repeating the last row or column.
    frames : iterable of np.ndarray
        uint8, RGB (Y, X, 3), RGBA (Y, X, 4; alpha is dropped) or grey (Y, X), all of one size. They are
        taken one at a time, so a generator of any length is fine.
    fps : float
        Frames per second.

    Returns
    -------
    int
        Number of frames written.

    Raises
    ------
    VideoError
        If the suffix is neither, there are no frames, or they are not of one size and uint8.
    UbamError
        If the disk is full or the folder cannot be written to.
    """
    path = Path(path)
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise VideoError(f"{path} cannot be written: choose a name that ends in .mkv (lossless) or .mp4 (H.264).")
    rate = Fraction(fps).limit_denominator(100_000) if math.isfinite(fps) else Fraction(0)
    if rate <= 0:
        raise VideoError(f"{path} was not written: {fps} is no number of frames per second.")
    count = 0
    shape: tuple[int, ...] = ()
    with atomic_path(path) as temporary, av.open(str(temporary), "w", format=kind["format"]) as container:
        for frame in frames:
            image = _rgb(frame, path)
            if not count:
                shape = image.shape
                stream = container.add_stream(kind["codec"], rate=rate, options=kind["options"])
                subsampled = kind["pix_fmt"] == "yuv420p"
                stream.height, stream.width = (side + (side % 2 if subsampled else 0) for side in shape[:2])
                stream.pix_fmt = kind["pix_fmt"]
            if image.shape != shape:
                raise VideoError(
                    f"{path} was not written: frame {count} is {image.shape[1]} x {image.shape[0]} pixels, "
                    f"the first is {shape[1]} x {shape[0]}. All frames must have one size."
                )
            missing = ((0, stream.height - shape[0]), (0, stream.width - shape[1]), (0, 0))
            even = np.pad(image, missing, mode="edge") if np.any(missing) else image
            picture = av.VideoFrame.from_ndarray(even, format="rgb24")
            picture.pts, picture.time_base = count, 1 / rate
            container.mux(stream.encode(picture))
            count += 1
        if not count:
            raise VideoError(f"{path} was not written: there are no frames to write.")
        container.mux(stream.encode(None))
    return count


def _rgb(frame: np.ndarray, path: Path) -> np.ndarray:
    """Give a frame as contiguous (Y, X, 3)."""
    image = np.asarray(frame)
    if image.ndim == 2:
        image = image[..., None]
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] not in (1, 3, 4) or not image.size:
        raise VideoError(
            f"{path} was not written: a frame has shape {image.shape} and type {image.dtype}; "
            "it must be a grey or RGB image of type uint8."
        )
    return np.ascontiguousarray(np.broadcast_to(image[..., :3], (*image.shape[:2], 3)))
