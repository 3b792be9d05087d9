"""Between the coarse grid of a network and the square region of a frame at its own resolution."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

EDGE = 0.06  # share of the region's side within which a change fades out at the region's edge

_CUBIC = -0.75  # as in OpenCV
_LARGEST = 256  # side of a grid up to which products of matrices are the quickest


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
        """Return x and y of every pixel of the region in the frame [px], float32 (1, w) and (h, 1)."""
        x = np.arange(self.columns.start, self.columns.stop, dtype=np.float32)
        y = np.arange(self.rows.start, self.rows.stop, dtype=np.float32)
        return x[None], y[:, None]

    @cached_property
    def from_centre(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the pixels' middles lie in the square that the network saw, across and down: -0.5 to 0.5 inside.

        (1, w) and (h, 1) where the square is not turned, (h, w) each where it is.
        """
        x, y = self.pixels()
        dx, dy = x + 0.5 - (self.x + self.side / 2), y + 0.5 - (self.y + self.side / 2)
        if not self.angle:
            return (-dx if self.mirrored else dx) / self.side, dy / self.side
        cos, sin = math.cos(self.angle) / self.side, math.sin(self.angle) / self.side
        across, down = cos * dx + sin * dy, cos * dy - sin * dx
        return (-across if self.mirrored else across), down

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows and columns there are."""
        return max(0, self.rows.stop - self.rows.start), max(0, self.columns.stop - self.columns.start)

    def spread(self, coarse: np.ndarray, smooth: bool = True) -> np.ndarray:
        """Enlarge what a network says of the square, (g, g) or (g, g, c), to the region's pixels.

        Parameters
        ----------
        coarse : ndarray of float32 or uint8
            On any grid over the square, as the network saw it (mirrored or not). Beside it, its edge is repeated.
        smooth : bool
            Interpolate with cubic splines rather than linearly.
        """
        if 0 in self.shape:  # OpenCV takes no empty arrays
            return np.zeros((*self.shape, *coarse.shape[2:]), coarse.dtype)
        across, down = self.from_centre
        at_x, at_y = (across + 0.5) * coarse.shape[1] - 0.5, (down + 0.5) * coarse.shape[0] - 0.5
        if not self.angle and _are_whole(at_x) and _are_whole(at_y):
            rows, columns = _inside(np.round(at_y[:, 0]), len(coarse)), _inside(np.round(at_x[0]), coarse.shape[1])
            return coarse[_as_slice(rows)][:, _as_slice(columns)]
        if not self.angle and max(coarse.shape[:2]) <= _LARGEST:
            return _product(coarse, at_y[:, 0], at_x[0], smooth)
        how = cv2.INTER_CUBIC if smooth else cv2.INTER_LINEAR
        map_x, map_y = (np.broadcast_to(at, self.shape).astype(np.float32) for at in (at_x, at_y))
        return cv2.remap(coarse, map_x, map_y, how, borderMode=cv2.BORDER_REPLICATE)

    def within(self, chosen: np.ndarray) -> Region:
        """Narrow the region to a rectangle around what some cells of a grid over the square, (g, g) bool, reach."""
        if chosen.all():
            return self
        rows, columns = np.nonzero(chosen)
        if not rows.size:
            return replace(self, rows=slice(0, 0), columns=slice(0, 0))
        cells = np.array([(x, y) for x in (columns.min(), columns.max()) for y in (rows.min(), rows.max())])
        shape = np.array(chosen.shape[::-1])
        found = self.to_frame((cells + 0.5) * 2 / shape - 1)
        reach = 2 * self.side / shape.min() * (abs(math.cos(self.angle)) + abs(math.sin(self.angle)))  # cubic splines'
        (left, top), (right, bottom) = np.floor(found.min(0) - reach), np.ceil(found.max(0) + reach) + 1
        return replace(self, rows=_overlap(self.rows, top, bottom), columns=_overlap(self.columns, left, right))

    def inside(self) -> np.ndarray:
        """Return which pixels lie in the square: (h, w) bool."""
        across, down = self.from_centre
        return np.maximum(np.abs(across), np.abs(down)) <= 0.5

    def fade(self) -> np.ndarray:
        """Return 1 inside the region, falling to 0 at its edge, and 0 beside it: (h, w) float32."""
        across, down = (np.clip((0.5 - np.abs(at)) / EDGE, 0, 1).astype(np.float32) for at in self.from_centre)
        return np.minimum(across, down)

    def to_frame(self, points: np.ndarray) -> np.ndarray:
        """Return where points (K, 2), x and y in [-1, 1] of the square, lie in the frame [px]."""
        centre = np.array([self.x, self.y]) + self.side / 2 - 0.5
        return self.vectors_to_frame(points) + centre

    def cells(self, height: int, width: int) -> np.ndarray:
        """Return where the cells of a grid over the square lie in the frame: (height, width, 2), x and y [px]."""
        x, y = ((np.arange(n) + 0.5) * 2 / n - 1 for n in (width, height))
        return self.to_frame(np.stack(np.meshgrid(x, y), -1))

    def vectors_to_frame(self, vectors: np.ndarray) -> np.ndarray:
        """Return vectors (..., 2) in units of half the square's side in pixels of the frame."""
        return _turned(vectors * _flip(self.mirrored), self.angle) * (self.side / 2)


def points_to_frames(points: np.ndarray, squares: np.ndarray, mirrored: bool) -> np.ndarray:
    """Say where points of the squares that a network saw lie in the frames.

    Parameters
    ----------
    points : ndarray, shape (T, n, 2)
        x and y in [-1, 1] of each frame's square, as the network saw it.
    squares : ndarray, shape (T, 4)
        x and y of the corner before it is turned, side [px], and angle [degrees, clockwise].
    mirrored : bool
        Whether the network saw their mirror images.

    Returns
    -------
    ndarray, shape (T, n, 2)
        In pixels of the frames; the middle of the top left pixel is at (0, 0).
    """
    centre, half, angle = _parts(squares)
    return _turned(points * _flip(mirrored), angle) * half + centre


def points_to_squares(points: np.ndarray, squares: np.ndarray, mirrored: bool) -> np.ndarray:
    """Say where points of the frames lie in the squares that a network saw: what `points_to_frames` undoes."""
    centre, half, angle = _parts(squares)
    return _turned((points - centre) / half, -angle) * _flip(mirrored)


def _parts(squares: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the middles (T, 1, 2), half the sides (T, 1, 1), and the angles (T, 1) in radians."""
    squares = squares.astype(float)[:, None]
    side = squares[..., 2:3]
    return squares[..., :2] + side / 2 - 0.5, side / 2, np.radians(squares[..., 3])


def _flip(mirrored: bool) -> np.ndarray:
    return np.array([-1.0 if mirrored else 1.0, 1.0])


def _turned(vectors: np.ndarray, angle: float | np.ndarray) -> np.ndarray:
    """Turn vectors (..., 2) clockwise (y points down) by an angle [radians]."""
    cos, sin, x, y = np.cos(angle), np.sin(angle), vectors[..., 0], vectors[..., 1]
    return np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)


def _product(coarse: np.ndarray, at_y: np.ndarray, at_x: np.ndarray, smooth: bool) -> np.ndarray:
    """Interpolate a grid (g, g) or (g, g, c) at rows (h,) and columns (w,) of its own: (h, w) or (h, w, c)."""
    rows, columns = _weights(at_y, len(coarse), smooth), _weights(at_x, coarse.shape[1], smooth).T
    planes = coarse.reshape(*coarse.shape[:2], -1).astype(np.float32)
    spread = [rows @ (np.ascontiguousarray(planes[..., i]) @ columns) for i in range(planes.shape[-1])]
    if coarse.dtype == np.uint8:
        spread = [np.clip(np.round(plane), 0, 255).astype(np.uint8) for plane in spread]
    return spread[0] if coarse.ndim == 2 else cv2.merge(spread)


def _weights(at: np.ndarray, n: int, smooth: bool) -> np.ndarray:
    """Say how much each of n cells counts at some places (m,): (m, n) float32; beside the cells, the last one does."""
    first = np.floor(at)
    part = at - first
    if smooth:  # Keys, IEEE Trans. ASSP 29, 1153 (1981)
        far, near = (_cubic(np.stack([1 + part, 2 - part]), True), _cubic(np.stack([part, 1 - part]), False))
        taps = {-1: far[0], 0: near[0], 1: near[1], 2: far[1]}
    else:
        taps = {0: 1 - part, 1: part}
    weights, row = np.zeros((len(at), n), np.float32), np.arange(len(at))
    for offset, share in taps.items():
        weights[row, _inside(first + offset, n)] += share
    return weights


def _cubic(distance: np.ndarray, far: bool) -> np.ndarray:
    if far:  # one to two cells away
        return _CUBIC * (((distance - 5) * distance + 8) * distance - 4)
    return ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance * distance + 1


def _inside(at: np.ndarray, n: int) -> np.ndarray:
    return np.clip(at, 0, n - 1).astype(int)


def _as_slice(at: np.ndarray) -> np.ndarray | slice:
    """Give consecutive places as a slice, which copies nothing."""
    return slice(int(at[0]), int(at[0]) + len(at)) if at[-1] - at[0] == len(at) - 1 else at


def _are_whole(at: np.ndarray) -> bool:
    return bool(np.abs(at - np.round(at)).max() < 1e-3)


def _overlap(one: slice, start: float, stop: float) -> slice:
    first, last = max(one.start, int(start)), min(one.stop, int(stop))
    return slice(first, max(first, last))
