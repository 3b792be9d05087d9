"""About how long a recording is, without going through it."""

from __future__ import annotations

from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from napari_ubam.video.images import IMAGE_SUFFIXES, TIFF_SUFFIXES
from napari_ubam.video.open import open_frames
from napari_ubam.video.packets import opened
from napari_ubam.video.raw_arrays import ARRAY_SUFFIXES


def estimate_length(path: str | Path) -> int:
    """Say about how many frames a recording has: for a video what its header says, which takes milliseconds.

    Raises
    ------
    VideoError
        If it is missing, or none that can be read.
    """
    path = Path(path)
    if path.is_dir() or path.suffix.lower() in (*TIFF_SUFFIXES, *IMAGE_SUFFIXES, *ARRAY_SUFFIXES):
        with open_frames(path) as source:
            return len(source)
    with opened(path) as (container, stream):
        return length_by_header(container, stream)


def length_by_header(container: InputContainer, stream: VideoStream) -> int:
    """Give the number of frames that an open video says it has, or that its duration stands for."""
    seconds = (container.duration or 0) / av.time_base
    return stream.frames or round(seconds * float(stream.average_rate or 0))
