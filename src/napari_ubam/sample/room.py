"""The room that a subject walks in: wall, furniture, floor and treadmill."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from napari_ubam.sample.body import FLOOR
from napari_ubam.sample.shapes import fill

_SKIRTING = 0.8  # where the wall meets the floor
_WALL_HUES = (0.04, 0.09, 0.12, 0.16, 0.3, 0.42, 0.5, 0.57, 0.62)  # warm whites, sage, blue: no pinks
_BELT = (FLOOR - 0.032, FLOOR + 0.014)  # far and near edge of the treadmill's belt


@dataclass(frozen=True)
class Room:
    """A room without anybody in it.

    Attributes
    ----------
    picture : uint8 array (N, N, 3)
        The room, RGB.
    wall : array (3,)
        The wall's colour.
    """

    picture: np.ndarray
    wall: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator, side: int) -> Room:
        """Draw a room; the same random state gives the same room at any ``side`` [px]."""
        wall = _rgb(_WALL_HUES[rng.integers(len(_WALL_HUES))], rng.uniform(0.05, 0.26), rng.uniform(0.58, 0.9))
        canvas = np.empty((side, side, 3), np.uint8)
        canvas[:] = wall
        _WALLS[rng.integers(len(_WALLS))](canvas, rng, wall)
        _rectangle(canvas, 0, _SKIRTING - 0.005, 1, 1, np.minimum(1.2 * wall, 245))  # skirting board
        slots = rng.permutation([0.11, 0.3, 0.7, 0.88])[: rng.integers(2, 5)]
        for x, furnish in zip(slots, rng.permutation(len(_FURNITURE)), strict=False):
            _FURNITURE[furnish](canvas, rng, x + rng.uniform(-0.03, 0.03))
        _draw_floor(canvas, rng)
        soft = cv2.GaussianBlur(canvas, (0, 0), 0.004 * side).astype(np.float32)  # out of focus
        soft = 0.75 * soft + 0.25 * wall.astype(np.float32)
        soft *= 1 + _texture(rng, 5, side) * 0.045 + _texture(rng, 60, side) * rng.uniform(0.005, 0.02)
        canvas = np.clip(soft * _lamp(rng, side), 0, 255).astype(np.uint8)
        _draw_treadmill(canvas, rng)
        return cls(canvas, wall)


def _rgb(hue: float, saturation: float, value: float) -> np.ndarray:
    return 255 * np.array(colorsys.hsv_to_rgb(hue, saturation, value))


def _any_colour(rng: np.random.Generator) -> np.ndarray:
    return _rgb(rng.random(), rng.uniform(0.2, 0.65), rng.uniform(0.35, 0.9))


def _texture(rng: np.random.Generator, cells: int, side: int) -> np.ndarray:
    """Smooth noise (side, side, 1) with about ``cells`` bumps across the picture."""
    noise = rng.normal(0, 1, (cells, cells)).astype(np.float32)
    return cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)[..., None]


def _lamp(rng: np.random.Generator, side: int) -> np.ndarray:
    """Brightness (side, side, 1): brighter near a lamp."""
    x, y = np.meshgrid(np.linspace(0, 1, side, dtype=np.float32), np.linspace(0, 1, side, dtype=np.float32))
    distance = np.hypot(x - rng.uniform(0.1, 0.9), y - rng.uniform(-0.2, 0.3))
    return (1.12 - 0.32 * distance**1.5)[..., None]


def _rectangle(canvas: np.ndarray, x0: float, y0: float, x1: float, y1: float, colour: np.ndarray) -> None:
    fill(canvas, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)


def _ellipse(canvas: np.ndarray, x: float, y: float, rx: float, ry: float, colour: np.ndarray) -> None:
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    fill(canvas, np.column_stack([x + rx * np.cos(angle), y + ry * np.sin(angle)]), colour)


def _plain(canvas: np.ndarray, rng: np.random.Generator, wall: np.ndarray) -> None:
    """Leave the wall as it is."""


def _striped(canvas: np.ndarray, rng: np.random.Generator, wall: np.ndarray) -> None:
    n = int(rng.integers(7, 16))
    for x in np.arange(n) / n:
        _rectangle(canvas, x, 0, x + 0.5 / n, 1, wall * 0.93)


def _panelled(canvas: np.ndarray, rng: np.random.Generator, wall: np.ndarray) -> None:
    top, colour = rng.uniform(0.45, 0.58), wall * rng.uniform(0.72, 0.85)
    _rectangle(canvas, 0, top, 1, 1, colour)
    _rectangle(canvas, 0, top, 1, top + 0.014, colour * 1.18)
    for x in np.linspace(0.02, 1.02, 6):
        _rectangle(canvas, x, top + 0.05, x + 0.15, _SKIRTING - 0.05, colour * 0.93)


def _bricked(canvas: np.ndarray, rng: np.random.Generator, wall: np.ndarray) -> None:
    height = rng.uniform(0.035, 0.05)
    for row, y in enumerate(np.arange(0, _SKIRTING, height)):
        for x in np.arange(-0.5 * (row % 2), 10) * 2.6 * height:
            colour = wall * rng.uniform(0.88, 1.0)
            _rectangle(canvas, x + 0.003, y + 0.003, x + 2.6 * height - 0.003, y + height - 0.003, colour)


def _window(canvas: np.ndarray, rng: np.random.Generator, x: float) -> None:
    w, top, bottom = rng.uniform(0.09, 0.13), rng.uniform(0.08, 0.14), rng.uniform(0.44, 0.54)
    frame, sky = np.full(3, rng.uniform(190, 245)), _rgb(rng.uniform(0.53, 0.6), rng.uniform(0.15, 0.45), 0.96)
    _rectangle(canvas, x - w - 0.015, top - 0.015, x + w + 0.015, bottom + 0.015, frame)
    _rectangle(canvas, x - w, top, x + w, bottom, sky)
    for hill in rng.uniform(-0.6, 0.6, 3) * w:
        _ellipse(canvas, x + hill, bottom - 0.02, 0.4 * w, 0.05, _rgb(rng.uniform(0.25, 0.38), 0.4, 0.6))
    _rectangle(canvas, x - w, bottom, x + w, bottom + 0.03, frame * 0.92)
    _rectangle(canvas, x - w - 0.015, bottom + 0.013, x + w + 0.015, bottom + 0.05, frame * 0.9)
    _rectangle(canvas, x - 0.005, top, x + 0.005, bottom, frame)
    _rectangle(canvas, x - w, (top + bottom) / 2 - 0.005, x + w, (top + bottom) / 2 + 0.005, frame)


def _painting(canvas: np.ndarray, rng: np.random.Generator, x: float) -> None:
    w, h, y = rng.uniform(0.06, 0.11), rng.uniform(0.06, 0.11), rng.uniform(0.2, 0.34)
    _rectangle(canvas, x - w, y - h, x + w, y + h, _any_colour(rng) * 0.5)
    _rectangle(canvas, x - w + 0.012, y - h + 0.012, x + w - 0.012, y + h - 0.012, np.array([238.0, 232, 220]))
    for _ in range(3):
        dx, dy, r = rng.uniform(-0.4, 0.4) * w, rng.uniform(-0.4, 0.4) * h, rng.uniform(0.2, 0.45) * min(w, h)
        _ellipse(canvas, x + dx, y + dy, r, r, _any_colour(rng))


def _shelf(canvas: np.ndarray, rng: np.random.Generator, x: float) -> None:
    w, wood = rng.uniform(0.09, 0.13), _rgb(rng.uniform(0.05, 0.1), rng.uniform(0.3, 0.6), rng.uniform(0.35, 0.7))
    _rectangle(canvas, x - w, 0.3, x + w, _SKIRTING + 0.03, wood)
    for y in np.linspace(0.33, 0.68, 4):
        _rectangle(canvas, x - w + 0.012, y, x + w - 0.012, y + 0.095, wood * 0.55)
        left = x - w + 0.015
        while left < x + w - 0.04:
            thick, height = rng.uniform(0.012, 0.026), rng.uniform(0.055, 0.085)
            _rectangle(canvas, left, y + 0.095 - height, left + thick, y + 0.095, _any_colour(rng))
            left += thick + (rng.random() < 0.15) * 0.03


def _door(canvas: np.ndarray, rng: np.random.Generator, x: float) -> None:
    colour = _rgb(rng.uniform(0.04, 0.12), rng.uniform(0.1, 0.5), rng.uniform(0.5, 0.9))
    _rectangle(canvas, x - 0.125, 0.12, x + 0.125, _SKIRTING + 0.01, colour * 0.8)
    _rectangle(canvas, x - 0.11, 0.135, x + 0.11, _SKIRTING + 0.01, colour)
    for y0, y1 in ((0.17, 0.42), (0.47, 0.75)):
        _rectangle(canvas, x - 0.08, y0, x + 0.08, y1, colour * 0.92)
    _ellipse(canvas, x + 0.093, 0.46, 0.01, 0.01, np.array([200.0, 180, 110]))


def _plant(canvas: np.ndarray, rng: np.random.Generator, x: float) -> None:
    hue = rng.uniform(0.25, 0.4)
    for angle in np.linspace(-1.2, 1.2, int(rng.integers(5, 10))):
        length = rng.uniform(0.13, 0.2)
        tip = np.array([x + length * np.sin(angle), 0.68 - length * np.cos(angle)])
        across = 0.02 * np.array([np.cos(angle), np.sin(angle)])
        middle = (tip + np.array([x, 0.68])) / 2
        leaf = np.array([[x, 0.68], middle + across, tip, middle - across])
        fill(canvas, leaf, _rgb(hue, rng.uniform(0.4, 0.7), rng.uniform(0.35, 0.65)))
    pot = [(x - 0.05, 0.67), (x + 0.05, 0.67), (x + 0.036, 0.815), (x - 0.036, 0.815)]
    fill(canvas, pot, _any_colour(rng))


def _clock(canvas: np.ndarray, rng: np.random.Generator, x: float) -> None:
    y, r = rng.uniform(0.14, 0.22), rng.uniform(0.045, 0.06)
    _ellipse(canvas, x, y, r, r, _any_colour(rng) * 0.6)
    _ellipse(canvas, x, y, 0.84 * r, 0.84 * r, np.array([242.0, 240, 232]))
    for angle, length in ((rng.uniform(0, 2 * np.pi), 0.5), (rng.uniform(0, 2 * np.pi), 0.7)):
        d = r * np.array([np.cos(angle), np.sin(angle)])
        across = 0.08 * np.array([-d[1], d[0]])
        fill(canvas, np.array([x, y]) + np.array([across, length * d, -across]), np.array([40.0, 40, 46]))


def _sideboard(canvas: np.ndarray, rng: np.random.Generator, x: float) -> None:
    w, top, wood = (
        rng.uniform(0.1, 0.14),
        rng.uniform(0.56, 0.63),
        _rgb(rng.uniform(0.04, 0.1), 0.4, rng.uniform(0.4, 0.75)),
    )
    _rectangle(canvas, x - w, top, x + w, _SKIRTING + 0.025, wood)
    _rectangle(canvas, x - w - 0.01, top - 0.012, x + w + 0.01, top + 0.005, wood * 1.15)
    for x0 in (x - w + 0.012, x + 0.006):
        _rectangle(canvas, x0, top + 0.02, x0 + w - 0.018, _SKIRTING + 0.01, wood * 0.86)
    lamp = _rgb(rng.uniform(0.08, 0.16), 0.35, 0.95)
    _rectangle(canvas, x - 0.006, top - 0.09, x + 0.006, top - 0.012, wood * 0.6)
    fill(
        canvas,
        np.array([(x - 0.03, top - 0.16), (x + 0.03, top - 0.16), (x + 0.05, top - 0.08), (x - 0.05, top - 0.08)]),
        lamp,
    )


_WALLS = (_plain, _striped, _panelled, _bricked)
_FURNITURE = (_window, _painting, _shelf, _door, _plant, _clock, _sideboard)


def _draw_floor(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """Draw planks, tiles or plain floor below the furniture's feet."""
    colour = _rgb(rng.uniform(0.03, 0.12), rng.uniform(0.05, 0.5), rng.uniform(0.4, 0.75))
    _rectangle(canvas, 0, _SKIRTING + 0.025, 1, 1, colour)
    kind = rng.integers(3)
    rows = _SKIRTING + 0.025 + (1 - _SKIRTING) * np.array([0.0, 0.1, 0.24, 0.42, 0.66, 1.0])
    for i, (top, bottom) in enumerate(pairwise(rows)):
        if kind == 0:  # planks
            _rectangle(canvas, 0, top, 1, bottom - 0.003, colour * rng.uniform(0.86, 1.04))
        elif kind == 1:  # tiles that fan out towards us
            far, near = 1 + 1.6 * (top - _SKIRTING), 1 + 1.6 * (bottom - _SKIRTING)
            for j in range(-9 + i % 2, 9, 2):
                a, b = j / 9, (j + 1) / 9
                corners = [
                    (0.5 + a * far, top),
                    (0.5 + b * far, top),
                    (0.5 + b * near, bottom),
                    (0.5 + a * near, bottom),
                ]
                fill(canvas, corners, colour * 0.84)


def _draw_treadmill(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a treadmill with its belt, side rail and console; the subject walks to the right."""
    rail = _rgb(rng.random(), rng.uniform(0, 0.3), rng.uniform(0.25, 0.85))
    belt = np.full(3, rng.uniform(48, 78))
    screen = _rgb(rng.uniform(0.4, 0.6), 0.5, 0.85)
    far, near = _BELT
    _rectangle(canvas, 0.05, near + 0.05, 0.93, near + 0.066, np.full(3, 25.0))  # its shadow
    for x in (0.1, 0.86):
        _rectangle(canvas, x - 0.02, near + 0.03, x + 0.02, near + 0.06, rail * 0.4)
    fill(canvas, [(0.885, near), (0.91, near), (0.945, 0.5), (0.925, 0.5)], rail * 0.75)
    fill(canvas, [(0.893, near), (0.898, near), (0.936, 0.5), (0.931, 0.5)], rail * 1.05)
    fill(canvas, [(0.885, 0.445), (0.965, 0.475), (0.955, 0.525), (0.9, 0.52)], np.array([52.0, 54, 60]))
    fill(canvas, [(0.89, 0.452), (0.905, 0.457), (0.913, 0.508), (0.904, 0.51)], screen)
    fill(canvas, [(0.07, far), (0.905, far), (0.93, near), (0.05, near)], belt)
    fill(canvas, [(0.07, far), (0.905, far), (0.907, far + 0.006), (0.068, far + 0.006)], rail * 0.6)
    _rectangle(canvas, 0.045, near, 0.935, near + 0.036, rail)
    _rectangle(canvas, 0.045, near, 0.935, near + 0.007, rail * 1.2)
    _rectangle(canvas, 0.045, near + 0.028, 0.935, near + 0.036, rail * 0.7)
