"""Recordings as napari layers: find or open them, and go to a frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ubam.progress import Report, silent
from napari_ubam.widgets.notices import warn_of_problems

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_ubam.study import Recording
    from napari_ubam.video.napari_io import LayerData

KEY = "ubam"  # of a layer's metadata: what the layer has to do with a study


def about(layer: Layer) -> dict[str, Any]:
    """Give what a layer's metadata say of our own; empty for other layers."""
    found = layer.metadata.get(KEY, {})
    return found if isinstance(found, dict) else {}


def path_of(layer: Layer) -> Path | None:
    """Give the file that a layer shows, or None if it was not read from a video."""
    path = about(layer).get("path")
    return None if path is None else Path(path).resolve()


def find_layer(viewer: Viewer, recording: Recording) -> Layer | None:
    """Find the layer that shows a recording."""
    wanted = recording.path.resolve()
    return next((layer for layer in viewer.layers if path_of(layer) == wanted), None)


def recording_of(layer: Layer | None, recordings: Iterable[Recording]) -> Recording | None:
    """Find the recording that a layer shows, or that it was made from."""
    if layer is None:
        return None
    name, path = about(layer).get("recording"), path_of(layer)
    return next((x for x in recordings if x.name == name or (path is not None and x.path.resolve() == path)), None)


def read_recording(recording: Recording, frame: int | None = None, report: Report = silent) -> LayerData:
    """Read what the layer of a recording shows, in any thread.

    Parameters
    ----------
    recording : Recording
        Whose file is opened.
    frame : int, optional
        Decoded already, so that it is there when it is shown.
    report : callable, optional
        Told of the progress, where opening takes long.

    Raises
    ------
    VideoError
        If the file is missing or damaged.
    """
    from napari_ubam.video.napari_io import read_layer

    frames, attributes, kind = read_layer(recording.path, report)
    if frame is not None and 0 <= frame < len(frames):
        frames.read([frame])
    return frames, {**attributes, "name": recording.name}, kind


def open_recording(viewer: Viewer, recording: Recording, data: LayerData | None = None) -> Layer:
    """Give the layer that shows a recording; if there is none, one with what `read_recording` gave, or gives now.

    Raises
    ------
    VideoError
        If the file is missing or damaged.
    """
    if (layer := find_layer(viewer, recording)) is not None:
        return layer
    from napari.layers import Layer

    frames, attributes, kind = data or read_recording(recording)
    warn_of_problems([frames.problem] if frames.problem else [])
    return viewer.add_layer(Layer.create(frames, attributes, kind))


def show_recording(viewer: Viewer, recording: Recording, frame: int | None = None) -> Layer:
    """Bring a recording's layer into view, hide the recordings that cover it, and go to a frame.

    The part of the picture that is seen stays, as long as the pictures that are hidden are as large as this one.

    Parameters
    ----------
    viewer : napari.Viewer
        Where to show it.
    recording : Recording
        Opened from its file if no layer shows it.
    frame : int, optional
        Absolute frame number in the file. Without one, time stays where it is, unless the recording is over by then.

    Returns
    -------
    napari.layers.Layer
        The recording's layer, selected.
    """
    shown = open_recording(viewer, recording)
    if not shown.visible:
        shown.visible = True
    covering = []
    for layer in viewer.layers:
        others = about(layer).get("recording", recording.name) != recording.name
        if layer is not shown and layer.visible and (others or path_of(layer) is not None) and _overlap(layer, shown):
            layer.visible = False
            covering.append(layer)
    low, high = shown.extent.world[:, -2:]
    if covering and not any(np.allclose(layer.extent.world[:, -2:], (low, high)) for layer in covering):
        fit_to_view(viewer, [shown])
    elif not np.all((low <= viewer.scene.camera.center[-2:]) & (viewer.scene.camera.center[-2:] <= high)):
        viewer.scene.camera.center = (low + high) / 2
    viewer.layers.selection.active = shown
    if frame is not None:
        go_to_frame(viewer, shown, frame)
    elif not -0.5 <= _frame_at(viewer, shown) <= shown.data.shape[0] - 0.5:  # nothing of it would be seen
        go_to_frame(viewer, shown, recording.start)
    return shown


def fit_to_view(viewer: Viewer, layers: Sequence[Layer]) -> None:
    """Show the whole of some layers; of all, where napari cannot as they have fewer axes than others."""
    whole = max(layer.ndim for layer in layers) == viewer.dims.ndim
    viewer.reset_view(layers=layers if whole else None)


def _overlap(one: Layer, other: Layer) -> bool:
    """Tell whether two layers lie over one another in the picture's plane."""
    (low, high), (other_low, other_high) = one.extent.world[:, -2:], other.extent.world[:, -2:]
    return bool(np.all((low < other_high) & (other_low < high)))


def go_to_frame(viewer: Viewer, layer: Layer, frame: int) -> None:
    """Move the viewer's time slider to a frame of a layer (T, Y, X)."""
    world = layer.data_to_world((frame, *(0,) * (layer.ndim - 1)))
    viewer.dims.set_point(viewer.dims.ndim - layer.ndim, world[0])


def current_frame(viewer: Viewer, layer: Layer) -> int:
    """Give the frame of a layer (T, Y, X) that the viewer's time slider is at."""
    return int(np.clip(round(_frame_at(viewer, layer)), 0, layer.data.shape[0] - 1))


def _frame_at(viewer: Viewer, layer: Layer) -> float:
    """Give where the time slider is on a layer's first axis, which it may lie beside."""
    return float(layer.world_to_data(viewer.dims.point[viewer.dims.ndim - layer.ndim :])[0])


def shown_frame(viewer: Viewer, recordings: Iterable[Recording]) -> tuple[Recording, int] | None:
    """Give the recording that the active layer belongs to, and the frame of it that is shown."""
    recording = recording_of(viewer.layers.selection.active, recordings)
    layer = None if recording is None else find_layer(viewer, recording)
    return None if recording is None or layer is None else (recording, current_frame(viewer, layer))


def shown_recording(viewer: Viewer, recordings: Iterable[Recording]) -> tuple[Layer, Recording] | None:
    """Give the topmost visible video that is one of the recordings, and that recording."""
    for layer in reversed(viewer.layers):
        found = recording_of(layer, recordings) if layer.visible and path_of(layer) else None
        if found is not None:
            return layer, found
    return None
