"""The *Magnify* widget: a recording's deviation, magnified and laid over its video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_info
from qtpy.QtWidgets import QComboBox, QFileDialog, QLabel, QSpinBox

from napari_ubam.progress import Report
from napari_ubam.settings import MagnifySettings
from napari_ubam.widgets.dock import DockWidget, button, errors_shown, row
from napari_ubam.widgets.form import SettingsForm
from napari_ubam.widgets.layers import current_frame, show_recording
from napari_ubam.widgets.magnify_layers import Magnification, collect, frames_of, show_magnification

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_ubam.study import Recording

_ALL, _AROUND = "all", "around the current one"


class MagnifyWidget(DockWidget):
    """Magnifies a recording of the open study."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.recording = QComboBox()
        self.recording.setAccessibleName("Recording")
        self.recording.setToolTip("<qt>Whose deviation is magnified.</qt>")
        self.form = SettingsForm(MagnifySettings(), choices={"device": ["auto", "cpu"]}, folded={"device"})
        self.range = QComboBox()
        self.range.addItems([_ALL, _AROUND])
        self.range.setAccessibleName("Frames")
        self.range.setToolTip("<qt>Which frames are magnified: a few for a quick look, all of them for a video.</qt>")
        self.reach = QSpinBox()
        self.reach.setRange(0, 100_000)
        self.reach.setValue(30)
        self.reach.setPrefix("± ")
        self.reach.setAccessibleName("Frames before and after the current one")
        self.reach.setToolTip("<qt>So many frames before and after the current one.</qt>")
        self.run_button = button(
            "Magnify", "Lay the magnified frames, a heatmap and arrows over the video.", self._on_run_clicked
        )
        self.save_button = button("Save video…", "Write the magnified frames to a video.", self._on_save_clicked)
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.form.rows.insertRow(0, "Recording", self.recording)
        self.form.rows.insertRow(1, "Frames", row(self.range, self.reach))
        self.column.addWidget(self.form)
        self.column.addLayout(row(self.run_button, self.save_button))
        self.column.addWidget(self.progress)
        self.column.addWidget(self.hint)
        self.column.addStretch(1)

        self.range.currentTextChanged.connect(self._on_range_chosen)
        self.session.table_changed.connect(self._on_table_changed)
        self.session.study_changed.connect(self._on_table_changed)
        self._on_range_chosen()
        self._on_table_changed()

    def magnify(self) -> None:
        """Magnify the chosen frames in a thread, and show them as layers."""
        with errors_shown():
            study, settings, recording = self.session.saved_study(), self.form.settings(), self._chosen()
            video = show_recording(self.viewer, recording)
            frames, size = self._frames(recording, video), video.data.shape[1:3]

            def step(report: Report) -> Magnification:
                from napari_ubam import pipeline  # loads torch

                magnified = pipeline.magnify(study, recording.name, settings, frames=frames, report=report)
                return collect(magnified, frames, size)

            def show(made: Magnification) -> None:
                layer = show_recording(self.viewer, recording)  # opened again if it was removed meanwhile
                show_magnification(self.viewer, recording, layer, made, settings)
                self.viewer.layers.selection.active = layer

            self.run_step("magnifying", step, show)

    def save_video(self, out: Path) -> None:
        """Write the chosen frames, magnified, to a video, in a thread."""
        with errors_shown():
            study, settings, recording = self.session.saved_study(), self.form.settings(), self._chosen()
            frames = self._frames(recording, show_recording(self.viewer, recording))

            def step(report: Report) -> int:
                from napari_ubam import pipeline  # loads torch

                return pipeline.save_magnified(study, recording.name, out, settings, frames=frames, report=report)

            self.run_step("saving", step, lambda n: show_info(f"{out} was written: {n} frames."))

    def _chosen(self) -> Recording:
        return self.session.saved_study().recording(self.recording.currentText())

    def _frames(self, recording: Recording, video: Layer) -> range:
        around = current_frame(self.viewer, video) if self.range.currentText() == _AROUND else None
        return frames_of(recording, video.data.shape[0], around, self.reach.value())

    def _on_run_clicked(self) -> None:
        self.magnify()

    def _on_save_clicked(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self,
            "Save the magnified recording",
            f"{self.recording.currentText()}_magnified.mp4",
            "H.264 (*.mp4);;Lossless (*.mkv)",
        )
        if path:
            self.save_video(Path(path))

    def _on_range_chosen(self) -> None:
        self.reach.setVisible(self.range.currentText() == _AROUND)

    def _on_table_changed(self) -> None:
        chosen = self.recording.currentText()
        self.recording.clear()
        self.recording.addItems([recording.name for recording in self.session.recordings])
        if chosen:
            self.recording.setCurrentText(chosen)
        self.hint.setText("" if self.session.study else "No study is open: make or open one in the Study widget.")
        self._on_running_changed(self.worker is not None)

    def _on_running_changed(self, running: bool) -> None:
        ready = self.session.study is not None and self.recording.count() > 0 and not running
        self.run_button.setEnabled(ready)
        self.save_button.setEnabled(ready)
