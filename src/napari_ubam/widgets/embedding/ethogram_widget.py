"""The *Ethogram* widget: deviation, clusters of behaviour and intervals over time, below the video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QResizeEvent, QShowEvent
from qtpy.QtWidgets import QDockWidget, QFileDialog, QLabel, QMainWindow

from napari_ubam.settings import ClusterSettings
from napari_ubam.study import Interval, Recording, read_intervals
from napari_ubam.widgets.dock import DockWidget, button, row
from napari_ubam.widgets.embedding.embedding_data import is_embedded
from napari_ubam.widgets.embedding.ethogram_data import EthogramData, load_ethogram
from napari_ubam.widgets.embedding.lanes_view import Curve, Lane, LanesView, Stretch
from napari_ubam.widgets.embedding.map_colours import cluster_colours
from napari_ubam.widgets.embedding.map_view import MARK
from napari_ubam.widgets.form import make_field
from napari_ubam.widgets.layers import find_layer, shown_frame
from napari_ubam.widgets.notices import errors_shown
from napari_ubam.widgets.remembered import RememberedChoices
from napari_ubam.widgets.session import same_frames

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_ubam.study import Study

_NO_RECORDING = "Open a recording of the study, for instance by a click on the map."


class EthogramWidget(DockWidget):
    """Shows the recording that is looked at over time; a click goes to the frame."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.data: EthogramData | None = None
        self.recording: Recording | None = None
        self.intervals: tuple[Interval, ...] = ()
        self._length = 0  # frames of the recording's file
        about = ClusterSettings.model_fields["smallest"]
        self.smallest = make_field(about, ClusterSettings().smallest)
        self.smallest.native.setToolTip(f"<qt>{about.description}</qt>")
        self.smallest.native.setAccessibleName(about.title)
        self.hint = QLabel()
        self.hint.setTextFormat(Qt.TextFormat.PlainText)
        self.hint.setWordWrap(True)  # else the window becomes as wide as what is said
        self.cluster_button = button(
            "Find clusters", "Find behaviours that recur in the study (HDBSCAN).", self._on_cluster_clicked
        )
        self.intervals_button = button(
            "Intervals…",
            "Show intervals of a CSV (recording, start, stop, label), such as those in which a stimulus was on, or "
            "BORIS's tabular events.",
            self._on_intervals_clicked,
        )
        self.lanes = LanesView(self.viewer)
        label = QLabel(about.title)
        label.setBuddy(self.smallest.native)
        top = row(self.hint, label, self.smallest.native, self.cluster_button, self.intervals_button)
        top.setStretch(0, 1)
        self.column.setSpacing(2)
        self.column.setContentsMargins(4, 0, 4, 2)
        self.column.addLayout(top)
        self.column.addWidget(self.progress)
        self.column.addWidget(self.lanes, 1)
        self._was_shown = False
        self._soon = QTimer(self)  # a dock must not be moved while it is being shown
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._go_below)

        RememberedChoices(self, {"smallest": self.smallest})
        self.lanes.frame_clicked.connect(self.go_to)
        self.session.study_changed.connect(self._on_study_changed)
        self.session.study_saved.connect(self._on_study_saved)
        self.session.results_changed.connect(self.load)
        self.session.chosen_changed.connect(self._show)
        self.viewer.dims.events.point.connect(self._on_moved)
        self.viewer.layers.selection.events.active.connect(self._on_moved)
        self._on_study_changed()

    def load(self) -> None:
        """Read what is in the study, in a thread."""
        study = self.session.study
        if study is None:
            self._on_loaded(None)
        else:
            self.run_step("reading results", lambda report: load_ethogram(study), self._on_loaded)

    def cluster(self) -> None:
        """Find clusters of behaviour, in a thread."""
        settings = ClusterSettings(smallest=self.smallest.value)
        self.run_on_study(
            "finding clusters",
            lambda steps, study, report: steps.cluster(study, settings, report=report),
            self._on_clustered,
        )

    def open_intervals(self, path: Path) -> None:
        """Show intervals of a CSV."""
        with errors_shown():
            self.intervals = tuple(read_intervals(path, [x.name for x in self.session.recordings]))
            self._show()

    def go_to(self, frame: int) -> None:
        """Show a frame of the recording that is shown."""
        if self.recording is not None:
            self.opening.show(self.recording, frame)

    def showEvent(self, event: QShowEvent) -> None:
        """Go below the video the first time: napari puts the widgets of plugins at the right."""
        super().showEvent(event)
        if not self._was_shown:
            self._was_shown = True
            self._soon.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Break what is said into lines anew."""
        super().resizeEvent(event)
        self._fit_hint()

    def _go_below(self) -> None:
        dock, window = self.parent(), self.window()
        if isinstance(dock, QDockWidget) and isinstance(window, QMainWindow) and not dock.isFloating():
            window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)

    def _on_study_changed(self) -> None:
        self.intervals = ()
        self._on_running_changed(self.worker is not None)
        self.load()

    def _on_study_saved(self, before: Study) -> None:
        """Read anew only what is another one by now."""
        study, name = self.session.study, None if self.recording is None else self.recording.name
        assert study is not None  # it was saved
        self.recording = next((x for x in study.recordings if x.name == name), None)
        if same_frames(before, study) and before.reference == study.reference:
            self._show()
        else:
            self.load()

    def _on_loaded(self, data: EthogramData | None) -> None:
        self.data = data
        self._on_moved()
        self._show()

    def _on_clustered(self, n: int) -> str:
        self.session.results_changed.emit()
        return f"{n} clusters were found." if n else "No clusters were found: try smaller ones."

    def _on_moved(self) -> None:
        shown = shown_frame(self.viewer, self.session.recordings)
        if shown is None:
            return  # what was looked at stays, so that a click leads back to it
        recording, frame = shown
        if self.recording != recording:
            self.recording = recording
            layer = find_layer(self.viewer, recording)
            assert layer is not None  # it is the one that is shown
            self._length = int(layer.data.shape[0])
            self._show()
        self.lanes.mark(frame)

    def _show(self) -> None:
        recording, data = self.recording, self.data
        if recording is None or data is None or recording not in self.session.recordings:
            self.recording = None
            self._say(self.session.hint or _NO_RECORDING)
            self.lanes.show_recording((0, 1), None, [])
            self.lanes.mark(None)
            return
        own = data.frames_of(recording.name)
        low, high = data.band(recording)
        known = own[own["deviation"].notna()]
        curve = Curve("deviation", known["frame"].to_numpy(), known["deviation"].to_numpy(float), low, high)
        lanes = [Lane("clusters", _cluster_stretches(own))]
        lanes += _interval_lanes(self.intervals, recording.name)
        chosen = [x for x in self.session.chosen if x.recording == recording.name]
        if chosen:
            lanes.append(Lane("chosen", tuple(Stretch(x.start, x.stop, MARK, x.label) for x in chosen)))
        length, stop = self._length, recording.stop
        span = (recording.start, length if stop is None else min(stop, length))
        if len(own):
            span = (int(own["frame"].min()), int(own["frame"].max()) + 1)
        self.lanes.show_recording(span, curve if len(known) else None, lanes)
        said = [f"{recording.name}: {recording.subject} ({recording.group})."]
        if not len(known):
            said.append("Its deviation is not measured yet: press Compute in the Embedding widget.")
        if not len(lanes[0].stretches):
            said.append("Clusters are not found yet." if own["cluster"].isna().all() else "It is in no cluster.")
        self._say(" ".join(said))

    def _say(self, text: str) -> None:
        self.hint.setText(text)
        self._fit_hint()

    def _fit_hint(self) -> None:
        """Ask for the room that what is said takes: a dock gives a second line none, and the lanes would lose it."""
        self.hint.setMinimumHeight(0)
        self.hint.setMinimumHeight(max(self.hint.heightForWidth(self.hint.width()), 0))  # -1 of an empty one

    def _on_cluster_clicked(self) -> None:
        self.cluster()

    def _on_intervals_clicked(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Show intervals", "", "Intervals (*.csv)")
        if path:
            self.open_intervals(Path(path))

    def _on_running_changed(self, running: bool) -> None:
        study = self.session.study
        self.cluster_button.setEnabled(study is not None and is_embedded(study) and not running)
        self.intervals_button.setEnabled(study is not None)

    def _on_closed(self) -> None:
        super()._on_closed()
        self.viewer.dims.events.point.disconnect(self._on_moved)
        self.viewer.layers.selection.events.active.disconnect(self._on_moved)


def _cluster_stretches(frames: pd.DataFrame) -> tuple[Stretch, ...]:
    """Give stretches in which a recording stays in one cluster."""
    known = frames[frames["cluster"] >= 0]
    frame, cluster = known["frame"].to_numpy(int), known["cluster"].to_numpy(int)
    if not len(frame):
        return ()
    begins = np.flatnonzero(np.r_[True, (np.diff(frame) > 1) | (np.diff(cluster) != 0)])
    ends = np.r_[begins[1:], len(frame)] - 1
    colours = [to_hex(colour / 255) for colour in cluster_colours(int(cluster.max()) + 1)]
    return tuple(
        Stretch(int(frame[a]), int(frame[b]) + 1, colours[cluster[a]], f"cluster {cluster[a] + 1}")
        for a, b in zip(begins, ends, strict=True)
    )


def _interval_lanes(intervals: tuple[Interval, ...], name: str) -> list[Lane]:
    """Give a lane for every label that a recording has."""
    palette, labels = colormaps["Set2"], list(dict.fromkeys(x.label for x in intervals))
    lanes = []
    for i, label in enumerate(labels):
        own = [x for x in intervals if x.recording == name and x.label == label]
        colour = to_hex(palette(i % palette.N))
        if own:
            lanes.append(Lane(label, tuple(Stretch(x.start, x.stop, colour, label) for x in own)))
    return lanes
