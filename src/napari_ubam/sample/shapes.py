"""Rigid, softly shaded shapes, drawn as nested polygons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.interpolate import CubicSpline, PchipInterpolator

# each shape is drawn as nested outlines of these sizes, from its dark rim to its light middle
_SIZES = np.array([1.0, 0.84, 0.62, 0.36])
_BRIGHTNESS = np.array([0.58, 0.86, 1.0, 1.08])
_TO_THE_LIGHT = np.array([0.32, -0.38])  # x, y: the lamp hangs in front of the subject
_SUBPIXEL = 4  # bits

Outline = Sequence[tuple[float, float]]
Units = float | tuple[float, float]


@dataclass(frozen=True)
class Shape:
    """A part of the body that keeps its form.

    Attributes
    ----------
    outlines : array (levels, points, 2)
        Nested outlines, along and across the part from its origin [picture's side].
    thickness : float
        Half its thickness, which says how far the light middle moves towards the light.
    colour : array (3,)
        RGB, 0 to 255.
    """

    outlines: np.ndarray
    thickness: float
    colour: np.ndarray


def limb(length: float, front: Sequence[float], back: Sequence[float], colour: np.ndarray, cap: float = 1.0) -> Shape:
    """Make a rounded limb from its half widths at equal distances along it.

    Parameters
    ----------
    length : float
        From joint to joint.
    front, back : sequence of float
        Half widths towards the front and the back, from the first joint to the second.
    colour : array (3,)
        RGB, 0 to 255.
    cap : float
        How far the ends bulge beyond the joints, 1 for half circles.
    """
    along = np.linspace(0, 1, 14)
    front_at = PchipInterpolator(np.linspace(0, 1, len(front)), front)(along)
    back_at = PchipInterpolator(np.linspace(0, 1, len(back)), back)(along)

    def outline(size: float) -> np.ndarray:
        f, b = size * front_at, size * back_at
        front_side = np.column_stack([along * length, f])
        back_side = np.column_stack([along * length, -b])[::-1]
        return np.concatenate([front_side, _cap(length, f[-1], b[-1], cap), back_side, -_cap(0, b[0], f[0], cap)])

    outlines = np.stack([outline(size) for size in _SIZES])
    return Shape(outlines, float(np.mean(front_at + back_at) / 2), np.asarray(colour, float))


def blob(points: Outline, units: Units, colour: np.ndarray) -> Shape:
    """Make a shape with a smooth outline through ``points``, whose x and y are in ``units``."""
    knots = np.array([*points, points[0]], float) * units
    curve = CubicSpline(np.arange(len(knots)), knots, bc_type="periodic")
    outline = curve(np.linspace(0, len(points), 5 * len(points), endpoint=False))
    return _nested(outline, colour)


def polygon(points: Outline, units: Units, colour: np.ndarray) -> Shape:
    """Make a shape with corners, at ``points``, whose x and y are in ``units``."""
    return _nested(np.array(points, float) * units, colour)


def _nested(outline: np.ndarray, colour: np.ndarray) -> Shape:
    centre = outline.mean(axis=0)
    outlines = np.stack([centre + size * (outline - centre) for size in _SIZES])
    return Shape(outlines, float(np.ptp(outline, axis=0).min() / 4), np.asarray(colour, float))


def _cap(x: float, front: float, back: float, bulge: float) -> np.ndarray:
    """Half an ellipse at the end of a limb, from its front to its back, ends left out."""
    radius, middle = (front + back) / 2, (front - back) / 2
    angle = np.linspace(0.5, -0.5, 9)[1:-1] * np.pi
    return np.column_stack([x + bulge * radius * np.cos(angle), middle + radius * np.sin(angle)])


Placed = tuple[Shape, np.ndarray, np.ndarray, np.ndarray]  # shape, origin, direction along it, direction to its front


def paint(canvas: np.ndarray, parts: Sequence[Placed], brightness: float = 1.0) -> None:
    """Paint connected parts, all dark rims first, so that no rim shows where they meet.

    Parameters
    ----------
    canvas : uint8 array (N, N, 3)
        Painted in place.
    parts : sequence of (Shape, origin, along, front)
        Shapes with their places: origin and unit vectors in units of the picture's side.
    brightness : float
        Less than 1 for parts in the shade.
    """
    for level in range(len(_SIZES)):
        for shape, origin, along, front in parts:
            at = origin + (1 - _SIZES[level]) * shape.thickness * _TO_THE_LIGHT
            outline = shape.outlines[level] @ np.stack([along, front]) + at
            fill(canvas, outline, shape.colour * (brightness * _BRIGHTNESS[level]))


def fill(canvas: np.ndarray, outline: Outline | np.ndarray, colour: np.ndarray) -> None:
    """Fill a polygon (points, 2), x and y in units of the picture's side, with an RGB colour."""
    points = np.round(np.asarray(outline) * (len(canvas) << _SUBPIXEL)).astype(np.int32)
    cv2.fillPoly(canvas, [points], np.clip(colour, 0, 255).tolist(), shift=_SUBPIXEL)
