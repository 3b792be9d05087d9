"""Pictures of a deviation for people: the heatmap over its frame, and panels with captions beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from napari_ubam.settings import Show

if TYPE_CHECKING:
    from napari_ubam.magnify.magnifier import MagnifiedFrame  # loads torch

NORMAL = 1.0  # of a heatmap: no further than reference subjects deviate; shown dark
BRIGHTEST = 8.0  # of a heatmap: shown brightest
READABLE = 240  # height of pictures from which on their captions can be read [px]
ARROW_COLOUR = (0, 255, 255)  # napari's "cyan"
BLOCKS = 40  # across a region in which faces are hidden
FRAME_SHARE, HEAT_SHARE = 0.7, 0.8  # opacities where the heatmap is added to its frame, so that neither is lost

_CAPTION_HEIGHT = 1.9  # lines
_SUBPIXELS = 4  # bits of a pixel's fraction
_TIP = 0.3  # of an arrow's length
PAPER = (18, 18, 20)  # between pictures, and where there is none
_INK = (235, 235, 235)


def overlay_heatmap(frame: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """Let a frame glow where it deviates.

    Parameters
    ----------
    frame : ndarray of uint8, shape (Y, X, 3)
        The original frame.
    heatmap : ndarray, shape (Y, X)
        1 is as far as reference subjects differ: up to there nothing glows.

    Returns
    -------
    ndarray of uint8, shape (Y, X, 3)
    """
    share = np.clip((np.asarray(heatmap, np.float32) - NORMAL) / (BRIGHTEST - NORMAL), 0, 1)
    return np.clip(np.round(FRAME_SHARE * frame + HEAT_SHARE * 255 * glow(share)), 0, 255).astype(np.uint8)


def glow(share: np.ndarray) -> np.ndarray:
    """Colour shares (...) of the brightest: (..., 3) in [0, 1], from black over red and yellow to white.

    Black adds nothing to a picture. Some maps called "hot" begin with a dark red, which would tint all of it.
    """
    ramp = np.clip(3 * share[..., None] - np.arange(3), 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def blend(below: np.ndarray | None, picture: np.ndarray, opacity: float, blending: str) -> np.ndarray:
    """Lay a picture over what is there, as napari's canvas does.

    Parameters
    ----------
    below : ndarray of float32, shape (Y, X, 3), or None
        What is there, 0 to 255; None under the first picture, which lies on black.
    picture : ndarray of uint8, shape (Y, X, 3)
        Lies on top.
    opacity : float
        Of the picture, 0 to 1.
    blending : str
        One of napari's: translucent, translucent_no_depth, additive, minimum, opaque or multiplicative.

    Returns
    -------
    ndarray of float32, shape (Y, X, 3)
        0 to 255.
    """
    colours = picture.astype(np.float32)
    if below is None:
        return colours if blending == "minimum" else colours * opacity
    match blending:
        case "additive":
            return np.minimum(below + colours * opacity, 255)
        case "minimum":
            return np.minimum(below, colours)
        case "multiplicative":
            return below * colours / 255
        case "opaque":
            return colours
    return below * (1 - opacity) + colours * opacity


def arrow_width(height: int, width: int) -> float:
    """Choose how wide the arrows on a picture are [px]."""
    return max(1.0, min(height, width) / 150)


def draw_arrows(picture: np.ndarray, arrows: np.ndarray, colour: tuple[int, int, int], width: float) -> np.ndarray:
    """Draw arrows on a picture.

    Parameters
    ----------
    picture : ndarray of uint8, shape (Y, X, 3)
        Left as it is.
    arrows : ndarray, shape (n, 2, 2)
        Start (y, x) and direction of each [px]; the middle of the top left pixel is at (0, 0).
    colour : tuple of int
        Red, green and blue.
    width : float
        Of the lines [px].

    Returns
    -------
    ndarray of uint8, shape (Y, X, 3)
    """
    drawn = np.ascontiguousarray(picture).copy()
    for (y, x), (down, right) in np.asarray(arrows, float) * 2**_SUBPIXELS:
        tip = (round(x + right), round(y + down))
        cv2.arrowedLine(
            drawn, (round(x), round(y)), tip, colour, max(1, round(width)), cv2.LINE_AA, _SUBPIXELS, _TIP
        )  # fmt: skip
    return drawn


def side_by_side(pictures: Sequence[np.ndarray], captions: Sequence[str], height: int = 360) -> np.ndarray:
    """Put pictures beside each other, with a caption over each.

    Parameters
    ----------
    pictures : sequence of ndarray of uint8, shape (Y, X, 3)
        From left to right.
    captions : sequence of str
        One for each.
    height : int
        To which the pictures are enlarged or reduced [px].

    Returns
    -------
    ndarray of uint8, shape (Y', X', 3)
        Both sides are even, as videos want them.
    """
    margin = height // 30
    panels = [_captioned(_resized(p, height), text, height // 20) for p, text in zip(pictures, captions, strict=True)]
    framed = [cv2.copyMakeBorder(panel, 0, margin, margin, 0, cv2.BORDER_CONSTANT, value=PAPER) for panel in panels]
    row = np.concatenate(framed, axis=1)
    odd_y, odd_x = (side % 2 for side in (row.shape[0], row.shape[1] + margin))
    return cv2.copyMakeBorder(row, 0, odd_y, 0, margin + odd_x, cv2.BORDER_CONSTANT, value=PAPER)


def compare_panels(
    original: np.ndarray, magnified: np.ndarray, heatmap: np.ndarray, name: str, factor: float,
    arrows: np.ndarray | None = None, height: int = 360,
) -> np.ndarray:  # fmt: skip
    """Put a frame, the same magnified, and the same with its heatmap and arrows beside each other: one picture."""
    captions = [f"{name}: the recording", f"deviation × {factor:g}", "where it deviates"]
    where = _with_direction(overlay_heatmap(original, heatmap), arrows)
    return side_by_side([original, magnified, where], captions, height)


def compose(found: MagnifiedFrame, show: Show, name: str, factor: float, *, arrows: bool = False) -> np.ndarray:
    """Give one picture of a magnified frame.

    Parameters
    ----------
    found : MagnifiedFrame
        The frame.
    show : {"magnified", "side-by-side", "heatmap"}
        The magnified frame; the recording, the magnified frame and the heatmap beside each other; or the heatmap over
        the recording.
    name : str
        Of the recording, for the caption.
    factor : float
        By which the deviation was multiplied, for the caption.
    arrows : bool
        Whether the deviation's direction is drawn too: on the heatmap, if it is shown.

    Returns
    -------
    ndarray of uint8, shape (Y, X, 3)
    """
    vectors = found.vectors if arrows else None
    if show == "side-by-side":
        height = max(READABLE, len(found.original))
        return compare_panels(found.original, found.image, found.heatmap, name, factor, vectors, height)
    return _with_direction(
        found.image if show == "magnified" else overlay_heatmap(found.original, found.heatmap), vectors
    )


def _with_direction(picture: np.ndarray, vectors: np.ndarray | None) -> np.ndarray:
    if vectors is None or not len(vectors):
        return picture
    return draw_arrows(picture, vectors, ARROW_COLOUR, arrow_width(*picture.shape[:2]))


def hide_faces(picture: np.ndarray, side: float) -> np.ndarray:
    """Show a picture of people as coarse blocks, so that nobody is recognised while the posture stays visible.

    Faces are not looked for: one that is not found would be shown. Where a person fills the region, its face is some
    five blocks high.

    Parameters
    ----------
    picture : ndarray of uint8, shape (Y, X, 3)
        Left as it is.
    side : float
        Of the subject's region [px]: a block is a fortieth of it.

    Returns
    -------
    ndarray of uint8, shape (Y, X, 3)
    """
    y, x = picture.shape[:2]
    block = max(2.0, side / BLOCKS)
    small = cv2.resize(picture, (max(1, round(x / block)), max(1, round(y / block))), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (x, y), interpolation=cv2.INTER_NEAREST)


def _resized(picture: np.ndarray, height: int) -> np.ndarray:
    width = max(1, round(picture.shape[1] * height / len(picture)))
    how = cv2.INTER_CUBIC if height > len(picture) else cv2.INTER_AREA
    return cv2.resize(picture, (width, height), interpolation=how)


def _captioned(picture: np.ndarray, text: str, size: int) -> np.ndarray:
    caption = Image.new("RGB", (picture.shape[1], round(_CAPTION_HEIGHT * size)), PAPER)
    draw = ImageDraw.Draw(caption)
    draw.text((0, caption.height / 2), text, fill=_INK, font=_font(size), anchor="lm")
    return np.concatenate([np.asarray(caption), picture])


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)  # it has × and λ
