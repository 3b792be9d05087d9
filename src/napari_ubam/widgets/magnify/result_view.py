"""A magnified recording in a window of its own: what the demo ends with."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from napari_ubam.magnify.compose import FRAME_SHARE, HEAT_SHARE
from napari_ubam.progress import silent
from napari_ubam.settings import MagnifySettings
from napari_ubam.study import Recording, Study
from napari_ubam.widgets.layers import go_to_frame
from napari_ubam.widgets.magnify.magnify_layers import frames_of

if TYPE_CHECKING:
    from napari.viewer import Viewer


def open_result(study: Study, recording: Recording, frame: int, settings: MagnifySettings) -> None:
    """Open napari on a magnified recording, playing; return when its window is closed.

    Parameters
    ----------
    study : Study
        A measured study.
    recording : Recording
        What to show.
    frame : int
        Where to begin: absolute frame number.
    settings : MagnifySettings
        How to magnify it.

    Raises
    ------
    ImportError
        If napari or a Qt binding is not installed.
    UbamError
        If the recording cannot be magnified.
    """
    import napari
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer(title=f"{study.folder.parent.name}: {recording.name}")
    show_result(viewer, study, recording, frame, settings)
    QApplication.processEvents()  # the docks take their places
    viewer.reset_view()
    with contextlib.suppress(AttributeError):  # not public, and no more than pressing the button beside the slider
        viewer.window._qt_viewer.dims.play(0)
    napari.run()


def show_result(viewer: Viewer, study: Study, recording: Recording, frame: int, settings: MagnifySettings) -> None:
    """Show a recording with its heatmap, beside it magnified with arrows, and the Magnify widget.

    All four layers lie over one another; it is napari's grid that puts them beside each other in pairs.
    """
    from napari_ubam import pipeline  # loads torch

    _, widget = viewer.window.add_plugin_dock_widget("napari-ubam", "Magnify")
    widget.session.open(study.folder)
    widget.recording.setCurrentText(recording.name)
    widget.form.show_settings(settings)
    magnifier = pipeline.Magnifier(study, recording.name, settings.device, unreliable=settings.unreliable)
    live = widget.take(recording, magnifier, settings)
    video, (magnified, deviation, _) = live.video, live.layers
    frames = frames_of(recording, len(video.data))
    live.frames.make_room(len(frames))
    live.take_arrows(*live.fill(frames, silent))
    video.opacity, deviation.opacity = FRAME_SHARE, HEAT_SHARE
    viewer.layers.move(viewer.layers.index(deviation), viewer.layers.index(magnified))
    for layer in (video, deviation, magnified):
        layer.interpolation2d = "linear"
        layer.name_overlay.visible = True
    viewer.dims.axis_labels = ("frame", "y", "x")
    viewer.canvas.grid.update({"stride": 2, "shape": (1, -1), "spacing": 0.02, "enabled": True})
    viewer.layers.selection.active = video
    go_to_frame(viewer, video, frame)
