"""Pictures of a deviation for people: the heatmap over its frame, and panels with captions beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

NORMAL = 1.0  # of a heatmap: no further than reference subjects deviate; shown dark
BRIGHTEST = 3.5  # of a heatmap: shown brightest
COLORMAP = "hot"  # in napari
FRAME_SHARE, HEAT_SHARE = 0.7, 0.8  # opacities where the heatmap is added to its frame, so that neither is lost

_CAPTION_HEIGHT = 1.9  # lines
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
    ramp = np.clip(3 * share[..., None] - np.arange(3), 0, 1)
    glow = 255 * ramp * ramp * (3 - 2 * ramp)  # napari's own "hot", so that it looks as in the viewer
    return np.clip(np.round(FRAME_SHARE * frame + HEAT_SHARE * glow), 0, 255).astype(np.uint8)


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
