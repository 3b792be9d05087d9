"""Between the coarse grid of a network and the square region of a frame at its own resolution."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

EDGE = 0.06  # share of the region's side within which a change fades out at the region's edge


@dataclass(frozen=True, eq=False)
class Region:
    """The square of a frame that a network saw.

    Attributes
    ----------
    x, y, side : float
        Top left corner, before it is turned, and side in the frame [px].
    mirrored : bool
        Whether the network saw its mirror image.
    rows, columns : slice
        The part of the frame that lies in the square; of a turned square, what lies in the rectangle around it.
    angle : float
        By which it is turned about its centre [radians, clockwise].
    """

    x: float
    y: float
    side: float
    mirrored: bool
    rows: slice
    columns: slice
    angle: float = 0.0

    @classmethod
    def of(cls, square: np.ndarray, mirrored: bool, height: int, width: int) -> Region:
        """Make the region of a square (x, y, side[, angle in degrees]) in a frame of that size."""
        x, y, side, *turned = (float(v) for v in square)
        angle = math.radians(turned[0]) if turned else 0.0
        wider = side / 2 * (abs(math.cos(angle)) + abs(math.sin(angle)) - 1)  # than the square, on each side
        low, high = np.array([x, y]) - wider, np.array([x, y]) + side + wider
        (left, top), (right, bottom) = np.ceil(low).astype(int).tolist(), np.floor(high).astype(int).tolist()
        rows = slice(max(0, top), max(0, min(height, bottom)))
        columns = slice(max(0, left), max(0, min(width, right)))
        return cls(x, y, side, mirrored, rows, columns, angle)

    def pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y of every pixel of the region in the frame [px], float32 (h, w) each."""
        x = np.arange(self.columns.start, self.columns.stop, dtype=np.float32)
        y = np.arange(self.rows.start, self.rows.stop, dtype=np.float32)
        return np.meshgrid(x, y)

    def from_centre(self) -> tuple[np.ndarray, np.ndarray]:
        """Return where the pixels' middles lie in the square that the network saw: (h, w) each, -0.5 to 0.5 inside."""
        x, y = self.pixels()
        dx, dy = x + 0.5 - (self.x + self.side / 2), y + 0.5 - (self.y + self.side / 2)
        cos, sin = math.cos(self.angle) / self.side, math.sin(self.angle) / self.side
        across, down = cos * dx + sin * dy, cos * dy - sin * dx
        return (-across if self.mirrored else across), down

    def spread(self, coarse: np.ndarray, smooth: bool = True) -> np.ndarray:
        """Enlarge what a network says of the square, (g, g) or (g, g, c), to the region's pixels.

        Parameters
        ----------
        coarse : ndarray of float32 or uint8
            On any grid over the square, as the network saw it (mirrored or not). Beside it, its edge is repeated.
        smooth : bool
            Interpolate with cubic splines rather than linearly.
        """
        across, down = self.from_centre()
        if not across.size:  # OpenCV takes no empty arrays
            return np.zeros((*across.shape, *coarse.shape[2:]), coarse.dtype)
        at_x, at_y = ((share + 0.5) * n - 0.5 for share, n in ((across, coarse.shape[1]), (down, coarse.shape[0])))
        how = cv2.INTER_CUBIC if smooth else cv2.INTER_LINEAR
        return cv2.remap(coarse, at_x, at_y, how, borderMode=cv2.BORDER_REPLICATE)

    def inside(self) -> np.ndarray:
        """Return which pixels lie in the square: (h, w) bool."""
        across, down = self.from_centre()
        return np.maximum(np.abs(across), np.abs(down)) <= 0.5

    def fade(self) -> np.ndarray:
        """Return 1 inside the region, falling to 0 at its edge, and 0 beside it: (h, w) float32."""
        across, down = self.from_centre()
        return np.clip((0.5 - np.maximum(np.abs(across), np.abs(down))) / EDGE, 0, 1)

    def to_frame(self, points: np.ndarray) -> np.ndarray:
        """Return where points (K, 2), x and y in [-1, 1] of the square, lie in the frame [px]."""
        centre = np.array([self.x, self.y]) + self.side / 2 - 0.5
        return self.vectors_to_frame(points) + centre

    def vectors_to_frame(self, vectors: np.ndarray) -> np.ndarray:
        """Return vectors (..., 2) in units of half the square's side in pixels of the frame."""
        x, y = vectors[..., 0] * (-1 if self.mirrored else 1), vectors[..., 1]
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1) * (self.side / 2)


def warp_region(
    frame: np.ndarray, region: Region, flow: np.ndarray, uncovered: np.ndarray, fill: np.ndarray,
    background: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Move the pixels of a frame inside its region, and fill what that uncovers.

    Where the flow is zero and nothing is uncovered, the frame stays as it is to the last bit.

    Parameters
    ----------
    frame : ndarray of uint8, shape (Y, X, 3)
        The original frame.
    region : Region
        Where.
    flow : ndarray, shape (g, g, 2)
        Where each pixel comes from minus where it is, x and y in units of half the square's side.
    uncovered : ndarray, shape (g, g)
        How much is filled, in [0, 1].
    fill : ndarray, shape (g, g, 3)
        What to fill with, as difference from the background in grey levels.
    background : ndarray of uint8, shape (n, n, 3)
        The square's own background, as the network saw it.

    Returns
    -------
    ndarray of uint8, shape (Y, X, 3)
    """
    x, y = region.pixels()
    if not x.size:
        return frame.copy()
    fade = region.fade()
    shift = region.vectors_to_frame(region.spread(flow.astype(np.float32))).astype(np.float32) * fade[..., None]
    moved = cv2.remap(frame, x + shift[..., 0], y + shift[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    share = (region.spread(uncovered.astype(np.float32), smooth=False) * fade)[..., None]
    filling = region.spread(background, smooth=False) + region.spread(fill.astype(np.float32), smooth=False)
    result = frame.copy()
    result[region.rows, region.columns] = np.clip(np.round(moved + share * (filling - moved)), 0, 255).astype(np.uint8)
    return result
