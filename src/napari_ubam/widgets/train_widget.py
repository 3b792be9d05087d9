"""The *Train* widget: what to train and how long, how it goes, stop and resume."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtWidgets import QLabel, QMessageBox

from napari_ubam.errors import Problem
from napari_ubam.progress import Progress, Report
from napari_ubam.settings import TrainSettings
from napari_ubam.study import MUCH, Study, cache_size, describe_size
from napari_ubam.widgets.dock import DockWidget, button, errors_shown, row
from napari_ubam.widgets.form import SettingsForm
from napari_ubam.widgets.loss_curve import LossCurve
from napari_ubam.widgets.step_worker import StepWorker
from napari_ubam.widgets.training_process import TrainingState

if TYPE_CHECKING:
    from napari.viewer import Viewer

_IN_WORDS = {
    TrainingState.IDLE: "Not trained in this session.",
    TrainingState.TRAINING: "Training. You can go on working; closing this widget stops it with a checkpoint.",
    TrainingState.STOPPING: "Stopping: a checkpoint is being written.",
    TrainingState.DONE: "Done: the models are in the study. Go on in the Embedding widget.",
    TrainingState.STOPPED: "Stopped: what was learned is kept. Resume goes on from there.",
    TrainingState.FAILED: "",  # the process says why
}


class TrainWidget(DockWidget):
    """Trains the models of the open study in a process of its own."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.training = self.session.training
        self.title = QLabel()
        self.title.setWordWrap(True)
        self.form = SettingsForm(
            TrainSettings(),
            choices={"device": ["auto", "cpu"]},
            folded={"seed", "objective", "encoder", "generator", "n_landmarks", "clip_seconds", "clip_stride"},
        )
        self.start_button = button("Start", "Train from the beginning.", self._on_start_clicked)
        self.stop_button = button("Stop", "Write a checkpoint and stop; Resume goes on from there.", self.training.stop)
        self.resume_button = button("Resume", "Go on from the last checkpoint.", self._on_resume_clicked)
        self.progress.cancel.hide()  # Stop does that, and keeps what was learned
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.curve = LossCurve(self.viewer)
        self.problems: list[Problem] = []
        self._can_resume: Callable[[Path], bool] | None = None  # not known until torch is loaded
        for widget in (self.title, self.form):
            self.column.addWidget(widget)
        self.column.addLayout(row(self.start_button, self.stop_button, self.resume_button))
        for widget in (self.progress, self.status):
            self.column.addWidget(widget)
        self.column.addWidget(self.curve, 1)

        self.training.state_changed.connect(self._on_state_changed)
        self.training.progressed.connect(self._on_progressed)
        self.training.problem_found.connect(self._on_problem_found)
        self.session.study_changed.connect(self._on_study_changed)
        self.destroyed.connect(self.training.stop)  # the viewer was closed
        self._on_study_changed()
        if self.training.is_running:
            self.progress.begin("training")
        self._loader = StepWorker(_load)
        self._loader.returned.connect(self._on_loaded)
        self._loader.start()

    def start(self, *, resume: bool = False) -> None:
        """Save the study and train it; ``resume`` goes on from the last checkpoint."""
        with errors_shown():
            study = self.session.saved_study()
            settings = self.form.settings()
            if not self._may_take_disk(study):
                return
            self.curve.clear()
            self.problems = []
            self.training.start(study.folder, settings, resume=resume)

    def _may_take_disk(self, study: Study) -> bool:
        """Ask before the crops take much of the disk."""
        size = cache_size(study, study.recordings)
        if size <= MUCH:
            return True
        text = (
            f"The crops of the recordings will take {describe_size(size)} of the disk, in {study.cache_folder}. "
            "They may be deleted after training and embedding. Go on?"
        )
        buttons = QMessageBox.StandardButton
        return QMessageBox.question(self, "Disk space", text, buttons.Yes | buttons.No) == buttons.Yes

    def _on_start_clicked(self) -> None:
        self.start()

    def _on_resume_clicked(self) -> None:
        self.start(resume=True)

    def _on_loaded(self, loaded: tuple[list[str], Callable[[Path], bool]]) -> None:
        devices, self._can_resume = loaded
        self.form.set_choices("device", ["auto", *devices])
        self._show_state()

    def _on_study_changed(self) -> None:
        folder = self.session.folder
        self.title.setText(self.session.hint if folder is None else str(folder))
        self._show_state()

    def _on_state_changed(self, state: TrainingState) -> None:
        self._show_state()
        if state is TrainingState.TRAINING:
            self.progress.begin("starting")
        elif state is not TrainingState.STOPPING:
            self.progress.end()
        if state is TrainingState.FAILED:
            show_error(self.training.message)

    def _show_state(self) -> None:
        state, has_study = self.training.state, self.session.study is not None
        running = state in (TrainingState.TRAINING, TrainingState.STOPPING)
        self.start_button.setEnabled(has_study and not running)
        self.resume_button.setEnabled(has_study and not running and self._is_resumable())
        self.stop_button.setEnabled(state is TrainingState.TRAINING)
        self.form.setEnabled(not running)
        self.status.setText("\n".join([_IN_WORDS[state], self.training.message, *map(str, self.problems)]).strip())

    def _is_resumable(self) -> bool:
        study = self.session.study
        return study is not None and self._can_resume is not None and self._can_resume(study.models_folder)

    def _on_progressed(self, progress: Progress) -> None:
        super()._on_progressed(progress)
        self.curve.add(progress)

    def _on_problem_found(self, problem: Problem) -> None:
        self.problems.append(problem)
        self._show_state()

    def _on_closed(self) -> None:
        super()._on_closed()
        self.destroyed.disconnect(self.training.stop)
        self.training.stop()


def _load(report: Report) -> tuple[list[str], Callable[[Path], bool]]:
    """Load what needs torch, which takes seconds, in a thread."""
    from napari_ubam.models.device import available_devices
    from napari_ubam.training.train import can_resume

    return available_devices(), can_resume
