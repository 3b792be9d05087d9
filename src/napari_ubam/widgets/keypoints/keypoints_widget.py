"""The *Keypoints* widget: where keypoints are, as the postures say it, laid over the video."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QLabel

from napari_ubam.errors import Problem
from napari_ubam.progress import Report
from napari_ubam.settings import KeypointSettings
from napari_ubam.study import keypoints_path, read_result
from napari_ubam.study.keypoints import read_keypoints
from napari_ubam.widgets.dock import DockWidget, button, errors_shown, row, warn_of_problems
from napari_ubam.widgets.form import SettingsForm
from napari_ubam.widgets.keypoints.keypoint_layer import show_keypoints
from napari_ubam.widgets.layers import show_recording
from napari_ubam.widgets.recording_box import RecordingBox

if TYPE_CHECKING:
    from napari.viewer import Viewer


class KeypointsWidget(DockWidget):
    """Predicts keypoints from the postures, and shows them as a points layer."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.recording = RecordingBox(self.session, "Whose keypoints are shown.")
        self.form = SettingsForm(KeypointSettings())
        self.run_button = button(
            "Predict",
            "Learn keypoints from the recordings that have some (the table's column 'keypoints'), and predict them in "
            "every frame of all.",
            self._on_run_clicked,
        )
        self.show_button = button("Show", "Lay what was predicted over the recording.", self._on_show_clicked)
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.form.rows.insertRow(0, "Recording", self.recording)
        self.column.addWidget(self.form)
        self.column.addLayout(row(self.run_button, self.show_button))
        self.column.addWidget(self.progress)
        self.column.addWidget(self.hint)
        self.column.addStretch(1)

        self.session.table_changed.connect(self._on_table_changed)
        self.session.study_changed.connect(self._on_table_changed)
        self._on_table_changed()

    def predict(self) -> None:
        """Predict all recordings' keypoints in a thread, and show the chosen one's."""
        with errors_shown():
            study, settings = self.session.saved_study(), self.form.settings()

            def step(report: Report) -> list[Problem]:
                from napari_ubam import pipeline  # loads torch

                return pipeline.keypoints(study, settings, report=report)

            self.run_step("predicting keypoints", step, self._on_predicted)

    def show_predicted(self) -> None:
        """Show what was predicted for the chosen recording."""
        with errors_shown():
            study = self.session.saved_study()
            scores = read_result(study, "keypoint_scores", "keypoints")
            recording = study.recording(self.recording.currentText())
            keypoints = read_keypoints(keypoints_path(study, recording.name))
            video = show_recording(self.viewer, recording)
            show_keypoints(self.viewer, recording, video, keypoints)
            self.viewer.layers.selection.active = video  # clicks do not move points
            lines = [f"{score.keypoint}: {score.r2:.2f}" for score in scores.itertuples()]
            self.hint.setText("R² in what was not learned from:\n" + "\n".join(lines))

    def _on_predicted(self, problems: list[Problem]) -> None:
        warn_of_problems(problems)
        self.show_predicted()

    def _on_run_clicked(self) -> None:
        self.predict()

    def _on_show_clicked(self) -> None:
        self.show_predicted()

    def _on_table_changed(self) -> None:
        self.recording.fill()
        self.hint.setText(self.session.hint)
        self._on_running_changed(self.worker is not None)

    def _on_running_changed(self, running: bool) -> None:
        ready = self.session.study is not None and self.recording.count() > 0 and not running
        self.run_button.setEnabled(ready)
        self.show_button.setEnabled(ready)
