"""Frames from whatever the user points at."""

from __future__ import annotations

from pathlib import Path

from napari_ubam.errors import VideoError
from napari_ubam.progress import Report, silent
from napari_ubam.video.images import IMAGE_SUFFIXES, TIFF_SUFFIXES, ImageFolder
from napari_ubam.video.lazy import LazyVideo
from napari_ubam.video.raw_arrays import NumpyFile, ZarrArray
from napari_ubam.video.source import FrameSource
from napari_ubam.video.tiff import TiffStack

VIDEO_SUFFIXES = (
    ".mp4", ".avi", ".mov", ".mkv", ".m4v", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".wmv", ".webm", ".gif",
    ".3gp", ".flv", ".h264", ".mjpeg",
)  # fmt: skip


def open_frames(path: str | Path, *, native: bool = False, report: Report = silent) -> FrameSource:
    """Open a video file, a multi-page TIFF, a folder of numbered images, or a raw array.

    Parameters
    ----------
    path : str or Path
        The file or folder.
    native : bool
        Give frames as they are stored: grey ones as (T, Y, X), more than 8 bits as they are.
    report : callable, optional
        Told of the progress, where opening a video takes long.

    Returns
    -------
    FrameSource
        The frames, read when indexed: (T, Y, X, 3) uint8 unless native.

    Raises
    ------
    VideoError
        If it is missing, or none of these; the message names it and says what to do.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return NumpyFile(path, native=native)
    if suffix == ".zarr" or (path / "zarr.json").exists() or (path / ".zarray").exists():
        return ZarrArray(path, native=native)
    if path.is_dir():
        return ImageFolder(path, native=native)
    if suffix in TIFF_SUFFIXES:
        return TiffStack(path, native=native)
    if suffix in IMAGE_SUFFIXES:
        raise VideoError(f"{path} is a single image. Choose a video, or the folder that holds all images.")
    return LazyVideo(path, native=native, report=report)
