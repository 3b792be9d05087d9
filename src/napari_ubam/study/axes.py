"""Which axis of an array is time: what layers of other origin leave open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_ubam.errors import StudyError

LEAST_SIDE = 16  # px; no picture is smaller
_TIME = frozenset({"t", "time", "frame", "frames"})
_PLANE = frozenset({"y", "x"})
_COLOUR = frozenset({"c", "channel", "channels", "colour", "color", "rgb"})


@dataclass(frozen=True)
class Axes:
    """What the axes of an array are.

    Attributes
    ----------
    time : int
        The axis of time.
    plane : (int, int)
        Those of a picture, y and x.
    colour : int or None
        The axis with red, green, blue and perhaps alpha; None for grey. All others have the length 1.
    """

    time: int
    plane: tuple[int, int]
    colour: int | None = None

    @property
    def order(self) -> tuple[int, ...]:
        """Time, y, x and, if there is any, colour."""
        return (self.time, *self.plane) if self.colour is None else (self.time, *self.plane, self.colour)


def possible_axes(name: str, shape: Sequence[int], *, rgb: bool = False, labels: Sequence[str] = ()) -> list[Axes]:
    """Say what the axes of an image layer can be.

    Parameters
    ----------
    name : str
        The layer's, for messages.
    shape : sequence of int
        Of its data; with ``rgb`` the last axis is colour.
    rgb : bool
        Whether the layer is shown in colours.
    labels : sequence of str
        The layer's names of its axes, without that of colour. Where they name time, or y and x, there is one choice.

    Returns
    -------
    list of Axes
        Those in question, the first axis first; more than one where nothing tells which axis is time.

    Raises
    ------
    StudyError
        If it is no series of grey or coloured pictures.
    """
    named = dict(enumerate(label.strip().lower() for label in labels))
    colour = len(shape) - 1 if rgb else _colour_axis(shape, named)
    others = [axis for axis in range(len(shape)) if axis != colour]
    axes = [axis for axis in others if shape[axis] > 1]
    if len(axes) != 3:
        sizes = " × ".join(map(str, shape))
        many = len(axes) > 3
        why = f"has {len(axes)} axes besides colour" if many else "is a single picture"
        what = "Split it, for example into its channels, and add a part" if many else "Choose one with several frames"
        raise StudyError(
            f"The layer {name!r} {why} ({sizes}); a recording has time, y and x, and perhaps colour. {what}."
        )
    said = [axis for axis in axes if named.get(axis) in _TIME]
    if not said and sum(named.get(axis) in _PLANE for axis in axes) == 2:
        said = [axis for axis in axes if named.get(axis) not in _PLANE]
    choices = [_with_time(axis, axes, colour) for axis in said or axes]
    if said:
        return choices[:1]
    return [x for x in choices if min(shape[axis] for axis in x.plane) >= LEAST_SIDE] or choices[:1]


class TimeFirst:
    """An array as frames, read one by one: grey (T, Y, X) or coloured (T, Y, X, 3 or 4).

    Parameters
    ----------
    data : array-like
        NumPy, Dask, Zarr or anything that is indexed like them.
    axes : Axes
        What its axes are.
    """

    def __init__(self, data: Any, axes: Axes) -> None:
        self._data, self._axes = data, axes
        self.shape: tuple[int, ...] = tuple(int(data.shape[axis]) for axis in axes.order)
        self.dtype = np.dtype(data.dtype)

    def __getitem__(self, frame: int) -> np.ndarray:
        """Read one frame."""
        kept, time, colour = self._axes.order, self._axes.time, self._axes.colour
        which = [slice(None) if axis in kept else 0 for axis in range(len(self._data.shape))]
        picture = np.asarray(self._data[(*which[:time], frame, *which[time + 1 :])])
        if colour is None:
            return picture
        return np.moveaxis(picture, sorted(set(kept) - {time}).index(colour), -1)


def _colour_axis(shape: Sequence[int], named: dict[int, str]) -> int | None:
    """Find an axis of red, green and blue: one that is called so, or the last of four."""
    said = [axis for axis, label in named.items() if label in _COLOUR and shape[axis] in (3, 4)]
    if said:
        return said[0]
    last = len(shape) - 1
    unnamed = named.get(last, "") not in _TIME | _PLANE
    return last if sum(size > 1 for size in shape) == 4 and shape[last] in (3, 4) and unnamed else None


def _with_time(time: int, axes: Sequence[int], colour: int | None) -> Axes:
    first, second = (axis for axis in axes if axis != time)
    return Axes(time, (first, second), colour)
