"""What the map shows, as one picture: points, lines through a recording, or where groups differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from matplotlib import colormaps

from napari_ubam.widgets.embedding.map_frame import MapFrame
from napari_ubam.widgets.embedding.point_raster import diameter_for, rasterise

MAX_PIXELS = 1_000_000  # of the picture; on larger screens it is drawn coarser, and stretched
MORE, LESS = (230, 75, 53), (64, 130, 240)  # colours of values above and below 0: red and blue
_FADED = 0.8  # how far points that are not chosen go into the background
_PARTS = 48  # of a line, each in a colour of its own


@dataclass(frozen=True, eq=False)
class MapPoints:
    """The points that are shown.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Which of all points they are.
    position : ndarray of float32, shape (2, n)
        Where they lie: x and y.
    colours : ndarray of uint8, shape (n, 3)
        Red, green and blue.
    """

    rows: np.ndarray
    position: np.ndarray
    colours: np.ndarray

    @cached_property
    def planes(self) -> np.ndarray:
        """The colours as (3, n) float, made when they are first drawn, in the thread that draws them."""
        return np.ascontiguousarray(self.colours.T, dtype=float)

    def nearest(self, place: np.ndarray) -> tuple[int, float]:
        """Give which point is nearest to a place of the map, as a row of all points, and how far it is."""
        x, y = self.position
        squared = (x - np.float32(place[0])) ** 2
        squared += (y - np.float32(place[1])) ** 2
        nearest = int(np.argmin(squared))
        return int(self.rows[nearest]), float(np.sqrt(squared[nearest]))


@dataclass(frozen=True, eq=False)
class MapScene:
    """What is to be drawn.

    Attributes
    ----------
    points : MapPoints
        Those that are shown.
    background : ndarray, shape (3,)
        Colour where there is nothing.
    chosen : ndarray of int, or None
        Rows of points, in ascending order; where given, the other points fade.
    line : ndarray, shape (k, 2)
        Places that are joined, coloured by their order.
    values : ndarray, shape (h, w), or None
        From -1 to 1, drawn in place of the points; rows run upwards.
    extent : tuple of float
        Left, right, bottom and top of the map that they cover.
    """

    points: MapPoints
    background: np.ndarray
    chosen: np.ndarray | None = None
    line: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    values: np.ndarray | None = None
    extent: tuple[float, float, float, float] = (0.0, 1.0, 0.0, 1.0)


def draw_scene(frame: MapFrame, scene: MapScene, ratio: float = 1.0) -> np.ndarray:
    """Draw a part of the map.

    Parameters
    ----------
    frame : MapFrame
        What is seen.
    scene : MapScene
        What there is.
    ratio : float
        Pixels of the screen for one of the frame.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
    """
    ratio *= min(1.0, float(np.sqrt(MAX_PIXELS / max(frame.width * frame.height * ratio**2, 1))))
    size = max(round(frame.width * ratio), 1), max(round(frame.height * ratio), 1)
    if scene.values is not None:
        picture = _draw_values(frame, scene, ratio, size)
    else:
        places = frame.to_pixels(scene.points.position.T).T * np.float32(ratio)
        x, y = places
        seen = int(((x >= 0) & (x < size[0]) & (y >= 0) & (y < size[1])).sum())
        picture = rasterise(places, _colours(scene), size, scene.background, max(round(diameter_for(seen) * ratio), 1))
    if len(scene.line) > 1:
        _draw_line(picture, frame.to_pixels(scene.line) * ratio)
    return picture


def _colours(scene: MapScene) -> np.ndarray:
    if scene.chosen is None:
        return scene.points.planes
    share = np.where(np.isin(scene.points.rows, scene.chosen), 0.0, _FADED)
    return scene.points.planes * (1 - share) + scene.background[:, None] * share


def _draw_values(frame: MapFrame, scene: MapScene, ratio: float, size: tuple[int, int]) -> np.ndarray:
    """Draw values in red where they are positive, and in blue where they are negative."""
    assert scene.values is not None
    left, right, bottom, top = scene.extent
    corners = np.array([[left, bottom], [right, bottom], [left, top]], np.float32)
    rows, columns = scene.values.shape
    source = np.array([[0, 0], [columns, 0], [0, rows]], np.float32) - 0.5
    to_screen = cv2.getAffineTransform(source, frame.to_pixels(corners) * np.float32(ratio) - np.float32(0.5))
    seen = cv2.warpAffine(scene.values, to_screen, size, flags=cv2.INTER_LINEAR, borderValue=0)
    more, less = (np.array(colour, np.float32) for colour in (MORE, LESS))
    colour = np.where(seen[..., None] > 0, more, less)
    share = np.sqrt(np.abs(seen))[..., None]
    return (share * colour + (1 - share) * scene.background.astype(np.float32)).astype(np.uint8)


def _draw_line(picture: np.ndarray, places: np.ndarray) -> None:
    """Join places; the colour goes from the first to the last."""
    places = np.clip(np.round(places), -(2**15), 2**15).astype(np.int32)
    for i, part in enumerate(np.array_split(np.arange(len(places) - 1), min(_PARTS, len(places) - 1))):
        colour = 255 * np.array(colormaps["plasma"](0.1 + 0.9 * i / _PARTS)[:3])
        cv2.polylines(picture, [places[part[0] : part[-1] + 2]], False, colour.tolist(), 1, cv2.LINE_AA)
