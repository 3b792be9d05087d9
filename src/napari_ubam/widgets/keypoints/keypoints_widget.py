"""The *Keypoints* widget: where keypoints are, as the postures say it, laid over the video."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_ubam.errors import Problem
from napari_ubam.progress import Report
from napari_ubam.settings import KeypointSettings
from napari_ubam.study import keypoints_path, read_result
from napari_ubam.study.keypoints import read_keypoints
from napari_ubam.widgets.dock import button, row
from napari_ubam.widgets.form import SettingsForm
from napari_ubam.widgets.keypoints.keypoint_layer import show_keypoints
from napari_ubam.widgets.notices import errors_shown, warn_of_problems
from napari_ubam.widgets.recording_widget import RecordingWidget
from napari_ubam.widgets.remembered import RememberedChoices

if TYPE_CHECKING:
    from types import ModuleType

    import pandas as pd
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_ubam.study import Recording, Study
    from napari_ubam.study.keypoints import Keypoints


class KeypointsWidget(RecordingWidget):
    """Predicts keypoints from the postures, and shows them as a points layer."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer, "Whose keypoints are shown.")
        self.form = SettingsForm(KeypointSettings())
        self.run_button = button(
            "Predict",
            "Learn keypoints from the recordings that have some (the table's column 'keypoints'), and predict them in "
            "every frame of all.",
            self._on_run_clicked,
        )
        self.show_button = button("Show", "Lay what was predicted over the recording.", self._on_show_clicked)
        self.form.rows.insertRow(0, "Recording", self.recording)
        self.column.addWidget(self.form)
        self.column.addLayout(row(self.run_button, self.show_button))
        self.column.addWidget(self.progress)
        self.column.addWidget(self.hint)
        self.column.addStretch(1)
        RememberedChoices(self, self.form.some("min_score"))
        self.follow_study(self.run_button, self.show_button)

    @errors_shown()
    def predict(self) -> None:
        """Predict all recordings' keypoints in a thread, and show the chosen one's."""
        settings = self.form.settings()
        self.run_on_study(
            "predicting keypoints",
            lambda steps, study, report: steps.keypoints(study, settings, report=report),
            self._on_predicted,
        )

    @errors_shown()
    def show_predicted(self) -> None:
        """Show what was predicted for the chosen recording, which is read in a thread."""
        recording = self.session.saved_study().recording(self.recording.currentText())

        def read(steps: ModuleType, study: Study, report: Report) -> tuple[pd.DataFrame, Keypoints]:
            scores = read_result(study, "keypoint_scores", "keypoints")
            return scores, read_keypoints(keypoints_path(study, recording.name))

        def show(found: tuple[pd.DataFrame, Keypoints]) -> None:
            scores, keypoints = found
            lines = [f"{score.keypoint}: {score.r2:.2f}" for score in scores.itertuples()]
            self.hint.setText("R² in what was not learned from:\n" + "\n".join(lines))
            self.opening.show(recording, then=lambda video: self._lay_over(video, recording, keypoints))

        self.run_on_study("reading keypoints", read, show)

    def _lay_over(self, video: Layer, recording: Recording, keypoints: Keypoints) -> None:
        show_keypoints(self.viewer, recording, video, keypoints)
        self.viewer.layers.selection.active = video  # clicks do not move points

    def _on_predicted(self, problems: list[Problem]) -> None:
        warn_of_problems(problems)
        self.show_predicted()

    def _on_run_clicked(self) -> None:
        self.predict()

    def _on_show_clicked(self) -> None:
        self.show_predicted()
