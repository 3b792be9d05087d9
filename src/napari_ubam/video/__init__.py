"""Pixels in and out: exact frames from videos, TIFF stacks and folders of images; videos written."""

from napari_ubam.video.lazy import LazyVideo
from napari_ubam.video.length import estimate_length
from napari_ubam.video.open import VIDEO_SUFFIXES, open_frames
from napari_ubam.video.source import ASSUMED_FPS, FrameSource
from napari_ubam.video.write import write_video

__all__ = ["ASSUMED_FPS", "VIDEO_SUFFIXES", "FrameSource", "LazyVideo", "estimate_length", "open_frames", "write_video"]
