"""Layers without a file as recordings: which axis is time, asked where nothing tells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QInputDialog, QWidget

from napari_ubam.study.axes import Axes, TimeFirst, possible_axes
from napari_ubam.widgets.layers import KEY, about, path_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image
    from napari.viewer import Viewer


def file_of(layer: Image) -> Path | None:
    """Give the file that a layer shows, or was copied to; None if there is none yet."""
    copy = about(layer).get("copy")
    return path_of(layer) or (Path(copy) if copy is not None and Path(copy).exists() else None)


def axes_of(viewer: Viewer, layer: Image, parent: QWidget) -> Axes | None:
    """Say what a layer's axes are, and ask where that is open; None if no answer is given.

    Raises
    ------
    StudyError
        If the layer is no series of pictures.
    """
    shape, known = _data(layer).shape, about(layer).get("time_axis")
    choices = possible_axes(layer.name, shape, rgb=layer.rgb, labels=layer.axis_labels)
    said = [axes for axes in choices if axes.time == known] or choices
    if len(said) == 1:
        return said[0]
    items = [_described(axes, shape) for axes in choices]
    slid = [axis - viewer.dims.ndim + layer.ndim for axis in viewer.dims.not_displayed]
    at = next((i for i, axes in enumerate(choices) if axes.time in slid), 0)
    text = f"Nothing tells which axis of the layer '{layer.name}' is time. Which one is it?"
    item, given = QInputDialog.getItem(parent, "Which axis is time?", text, items, at, False)
    return choices[items.index(item)] if given else None


def frames_of_layer(layer: Image, axes: Axes) -> TimeFirst:
    """Give a layer's frames, time first."""
    return TimeFirst(_data(layer), axes)


def remember_copy(layer: Image, axes: Axes, path: Path) -> bool:
    """Note in a layer where it was copied to and which axis is time; tell whether it shows the recording as it is."""
    as_ours = layer.ndim == 3 and axes.order == tuple(range(_data(layer).ndim))
    note = {"copy": str(path), "time_axis": axes.time, **({"path": str(path)} if as_ours else {})}
    layer.metadata = {**layer.metadata, KEY: {**about(layer), **note}}
    return as_ours


def _data(layer: Image) -> Any:
    """Give what a layer shows, at its full resolution."""
    return layer.data[0] if layer.multiscale else layer.data


def _described(axes: Axes, shape: Sequence[int]) -> str:
    height, width = (shape[axis] for axis in axes.plane)
    return f"Axis {axes.time + 1}: {shape[axes.time]} frames of {height} × {width}"
