"""Layers as pictures, frame by frame, as the viewer shows them: read in the viewer's thread, drawn in another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from napari_ubam.errors import VideoError
from napari_ubam.magnify.compose import blend, draw_arrows, side_by_side
from napari_ubam.video.napari_io import DEFAULT_FPS, fps_of, panel_of, times_of
from napari_ubam.video.panel import Panel

if TYPE_CHECKING:
    from napari.layers import Image, Vectors


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


def shown_image(layer: Image) -> ShownImage:
    """Read an Image layer.

    Raises
    ------
    VideoError
        If it is no image or video, or turned or sheared.
    """
    data, meta, _ = layer.as_layer_data_tuple()
    if not np.allclose(layer.rotate, np.eye(layer.ndim)) or np.any(layer.shear):
        raise VideoError(f"The layer '{layer.name}' is turned or sheared. Turn it back to export it.")
    scale, translate = layer.scale[-2:], layer.translate[-2:]
    blending = str(layer.blending)
    return ShownImage(
        panel_of(data, meta), scale, translate, float(layer.opacity), blending, fps_of(meta), times_of(meta)
    )


def shown_arrows(layer: Vectors) -> ShownArrows:
    """Read a Vectors layer that has some arrows, (y, x) or (time, y, x); all get the colour of the first."""
    data = np.asarray(layer.data, float)
    frame = np.round(data[:, 0, 0]).astype(int) if layer.ndim > 2 else np.full(len(data), -1)
    arrows = data[:, :, -2:] * layer.scale[-2:]
    arrows[:, 0] += layer.translate[-2:]
    arrows[:, 1] *= layer.length
    red, green, blue = (round(255 * float(value)) for value in layer.edge_color[0][:3])
    return ShownArrows(frame, arrows, (red, green, blue), float(layer.edge_width * layer.scale[-1]))


def beside(images: Sequence[ShownImage], frames: range, arrows: Sequence[ShownArrows] = ()) -> Iterator[np.ndarray]:
    """Give frames (Y, X, 3) uint8 with the layers side by side under their names, arrows on all of them."""
    height = max(image.panel.height for image in images)
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


def rate_of(images: Sequence[ShownImage]) -> tuple[float, np.ndarray | None]:
    """Give the frame rate of the first layer that has one, and its time stamps if the rate is not constant."""
    first = next((image for image in images if image.fps), None)
    return (DEFAULT_FPS, None) if first is None else (first.fps, first.times)


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
