"""A first look at a recording, without going through it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from napari_ubam.errors import UbamError, VideoError
from napari_ubam.video.images import IMAGE_SUFFIXES, TIFF_SUFFIXES
from napari_ubam.video.length import length_by_header
from napari_ubam.video.open import open_frames
from napari_ubam.video.packets import opened
from napari_ubam.video.raw_arrays import ARRAY_SUFFIXES

_log = logging.getLogger("napari_ubam")


@dataclass(frozen=True, eq=False)
class Glance:
    """What a first look tells.

    Attributes
    ----------
    length : int
        About how many frames there are, as the header says.
    fps : float
        Frames per second; 0 if unknown.
    picture : ndarray of uint8, shape (Y, X, 3)
        The first frame.
    """

    length: int
    fps: float
    picture: np.ndarray


def glance(path: str | Path) -> Glance:
    """Look at a recording's header and first frame, which takes milliseconds.

    Raises
    ------
    VideoError
        If it is missing, or none that can be read.
    """
    path = Path(path)
    try:
        return _glance(path)
    except UbamError:
        raise
    except Exception as error:  # of a library, at a file such as it never saw: the look at other files goes on
        _log.exception("%s", path)
        raise VideoError(f"{path} cannot be read ({error}). Convert it to another format, or leave it out.") from error


def _glance(path: Path) -> Glance:
    if path.is_dir() or path.suffix.lower() in (*TIFF_SUFFIXES, *IMAGE_SUFFIXES, *ARRAY_SUFFIXES):
        with open_frames(path) as source:
            return Glance(len(source), source.fps, source[0])
    with opened(path) as (container, stream):
        try:
            first = next(container.decode(stream), None)
        except av.error.FFmpegError as error:
            raise VideoError(f"{path} is damaged: its first frame cannot be decoded. Copy it again.") from error
        if first is None:
            raise VideoError(f"{path} has no pictures in it: it was cut off, or never recorded. Leave it out.")
        turned = np.rot90(first.to_ndarray(format="rgb24"), round(first.rotation / 90) % 4)
        return Glance(length_by_header(container, stream), float(stream.average_rate or 0), turned)
