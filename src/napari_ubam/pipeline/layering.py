"""Layers as pictures, frame by frame, as the viewer shows them, and these as one video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from napari_ubam.errors import VideoError
from napari_ubam.magnify.compose import READABLE, blend, draw_arrows, side_by_side
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.settings import ExportSettings
from napari_ubam.video import write_video
from napari_ubam.video.napari_io import DEFAULT_FPS
from napari_ubam.video.panel import Panel

_SAME_RATE = 0.001  # share by which rates may differ and count as one: 30 and 29.97


@dataclass(frozen=True, eq=False)
class ShownImage:
    """An Image layer as it was when it was read.

    Attributes
    ----------
    panel : Panel
        Its pictures.
    scale, translate : ndarray of shape (2,)
        Of y and x, from pixels to the world.
    opacity : float
        0 to 1.
    blending : str
        As napari calls it.
    fps : float
        Frames per second, 0.0 if unknown.
    times : ndarray or None
        Time stamps [s], if the rate is not constant.
    """

    panel: Panel
    scale: np.ndarray
    translate: np.ndarray
    opacity: float
    blending: str
    fps: float
    times: np.ndarray | None


@dataclass(frozen=True, eq=False)
class ShownArrows:
    """A Vectors layer as it was when it was read.

    Attributes
    ----------
    frame : ndarray of int, shape (n,)
        When each arrow is shown; -1 for always.
    arrows : ndarray, shape (n, 2, 2)
        Start (y, x) and direction, in the world.
    colour : tuple of int
        Red, green and blue.
    width : float
        Of the lines, in the world.
    """

    frame: np.ndarray
    arrows: np.ndarray
    colour: tuple[int, int, int]
    width: float


def beside(images: Sequence[ShownImage], frames: range, arrows: Sequence[ShownArrows] = ()) -> Iterator[np.ndarray]:
    """Give frames (Y, X, 3) uint8 with the layers side by side under their names, arrows on all of them.

    All are made as high as the highest, and so high that names can be read.
    """
    height = max(READABLE, *(image.panel.height for image in images))
    for t in frames:
        pictures = [_with_arrows(_or_black(image.panel.picture(t), image.panel), image, arrows, t) for image in images]
        yield side_by_side(pictures, [image.panel.name for image in images], height)


def blended(images: Sequence[ShownImage], frames: range, arrows: Sequence[ShownArrows] = ()) -> Iterator[np.ndarray]:
    """Give frames (Y, X, 3) uint8 with the layers over one another, on the pixels of the lowest; arrows on top."""
    base = images[0]
    for t in frames:
        shown = None
        for image in images:
            picture = image.panel.picture(t)
            if picture is not None:
                shown = _laid(shown, picture, image, base)
        out = np.zeros((base.panel.height, base.panel.width, 3), np.uint8)
        if shown is not None:
            out = np.clip(np.round(shown), 0, 255).astype(np.uint8)
        yield _with_arrows(out, base, arrows, t)


def write_layers(
    out: str | Path, images: Sequence[ShownImage], settings: ExportSettings | None = None, *,
    arrows: Sequence[ShownArrows] = (), report: Report = silent,
) -> int:  # fmt: skip
    """Write layers as one video; frame ``t`` of each is shown together, as the viewer does.

    The first layer that knows its frame rate gives it, and the time stamps if the rate is not constant. What ends
    before the longest one turns black. That rates or lengths differ is told as a message.

    Parameters
    ----------
    out : str or Path
        A name as for `napari_ubam.video.write_video`; a file that is there is replaced.
    images : sequence of ShownImage
        From left to right, or from the lowest to the highest.
    settings : ExportSettings, optional
        How they are put together.
    arrows : sequence of ShownArrows
        Drawn on all of them, or on top.
    report : callable, optional
        Told of the progress; what it raises stops the writing, and nothing is left behind.

    Returns
    -------
    int
        Number of frames written.

    Raises
    ------
    VideoError
        If none of the frames is there, or the video cannot be written.
    """
    settings = settings or ExportSettings()
    length = max(image.panel.length for image in images)
    frames = range(settings.start, min(length, length if settings.stop is None else settings.stop))
    if not frames:
        raise VideoError(f"{out} was not written: no frame is left. There are frames 0 to {length - 1}.")
    timed = next((image for image in images if image.fps), None)
    fps, times = (DEFAULT_FPS, None) if timed is None else (timed.fps, timed.times)
    for message in differences(images, fps):
        report(Progress(f"writing {Path(out).name}", 0, len(frames), message))
    pictures = beside if settings.layout == "side-by-side" else blended
    return write_video(
        out, pictures(images, frames, arrows), fps, quality=settings.quality, total=len(frames), report=report,
        times=times[frames.start : frames.stop] if times is not None and len(times) >= frames.stop else None,
    )  # fmt: skip


def differences(images: Sequence[ShownImage], fps: float) -> list[str]:
    """Say in words where the lengths or the rates of videos that are put together at ``fps`` differ."""
    videos = [image for image in images if not image.panel.is_still]
    told = []
    if len({image.panel.length for image in videos}) > 1:
        each = ", ".join(f"{image.panel.name} has {image.panel.length} frames" for image in videos)
        told.append(f"Lengths differ: {each}. What ends earlier turns black.")
    rates = [image.fps or fps for image in videos]
    if rates and max(rates) > (1 + _SAME_RATE) * min(rates):
        each = ", ".join(f"{image.panel.name} has {rate:.4g}" for image, rate in zip(videos, rates, strict=True))
        told.append(
            f"Frames a second differ: {each}. They are put together frame by frame, and shown at {fps:.4g} a second."
        )
    return told


def _laid(below: np.ndarray | None, picture: np.ndarray, image: ShownImage, base: ShownImage) -> np.ndarray:
    """Lay a picture where it is in the world; around it, what lies below stays as it is."""
    height, width = base.panel.height, base.panel.width
    ratio, shift = image.scale / base.scale, (image.translate - base.translate) / base.scale
    if picture.shape[:2] == (height, width) and np.allclose(ratio, 1) and np.allclose(shift, 0):
        return blend(below, picture, image.opacity, image.blending)
    matrix = np.array([[ratio[1], 0, shift[1]], [0, ratio[0], shift[0]]])
    moved = cv2.warpAffine(np.ascontiguousarray(picture), matrix, (width, height), flags=cv2.INTER_NEAREST)
    inside = cv2.warpAffine(np.ones(picture.shape[:2], np.uint8), matrix, (width, height), flags=cv2.INTER_NEAREST)
    laid = blend(below, moved, image.opacity, image.blending)
    around = np.zeros_like(laid) if below is None else below
    return np.where(inside[..., None] > 0, laid, around)


def _with_arrows(picture: np.ndarray, image: ShownImage, arrows: Sequence[ShownArrows], t: int) -> np.ndarray:
    for layer in arrows:
        now = layer.arrows[(layer.frame == t) | (layer.frame == -1)]
        if len(now):
            pixels = now / image.scale
            pixels[:, 0] -= image.translate / image.scale
            picture = draw_arrows(picture, pixels, layer.colour, layer.width / float(image.scale[1]))
    return picture


def _or_black(picture: np.ndarray | None, panel: Panel) -> np.ndarray:
    return np.zeros((panel.height, panel.width, 3), np.uint8) if picture is None else picture
