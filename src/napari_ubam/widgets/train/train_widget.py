"""The *Train* widget: what to train and how long, how it goes, stop and resume."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QLabel, QMessageBox, QPlainTextEdit

from napari_ubam.errors import Problem, UbamError
from napari_ubam.progress import Progress
from napari_ubam.settings import Preset, TrainSettings
from napari_ubam.study import Study
from napari_ubam.training.presets import IN_WORDS, STEPS, estimate_seconds, step_times
from napari_ubam.training.runs import PICTURES, UNFINISHED, Run, can_resume, take_up, use_run
from napari_ubam.widgets.dock import DockWidget, button, row
from napari_ubam.widgets.fold import Fold
from napari_ubam.widgets.form import SettingsForm
from napari_ubam.widgets.latest_call import LatestCall
from napari_ubam.widgets.notices import errors_shown
from napari_ubam.widgets.progress_row import time_in_words
from napari_ubam.widgets.remembered import RememberedChoices
from napari_ubam.widgets.train.left_running import LeftRunning
from napari_ubam.widgets.train.loss_curve import LossCurve
from napari_ubam.widgets.train.picture_strip import PictureStrip
from napari_ubam.widgets.train.room_for_crops import RoomForCrops
from napari_ubam.widgets.train.runs_panel import RunsPanel
from napari_ubam.widgets.train.step_times import StepTimes
from napari_ubam.widgets.train.training_process import TrainingState

if TYPE_CHECKING:
    from napari.viewer import Viewer

CROP_STEP = 32  # px: crop sizes are multiples of it
_AT_CLOSE = (
    "Stop it with a checkpoint, from which Resume goes on? Or leave it running without napari? "
    "The Train widget will show it when the study is opened again."
)
_FOLDED = {"seed", "objective", "encoder", "generator", "precision", "n_landmarks", "clip_seconds", "clip_stride"}
_MILLISECONDS_BETWEEN_LOOKS = 2000
_LOG_HEIGHT = 120  # px: so that the curve keeps its place in a small window
_GOING_ON = (TrainingState.TRAINING, TrainingState.STOPPING)  # the first before its process has begun
_TIMES_UNKNOWN = "How long it takes is told once it trains."
_AS_BEFORE, _AS_TRIED = "How long: going by the last training.", "How long: going by some steps, tried out here."
_MEASURING = "How long it takes here is being tried out…"
_ELSEWHERE = "Being trained by a process of its own, which goes on when napari is closed. Stop writes a checkpoint."
_RESUMABLE = "Resume goes on from the last checkpoint."
_UNFINISHED = "There is an unfinished training: Resume goes on with it."
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
            folded=_FOLDED,
        )
        self.start_button = button("Start", "Train from the beginning.", self._on_start_clicked)
        self.stop_button = button(
            "Stop", "Write a checkpoint and stop; Resume goes on from there.", self._on_stop_clicked
        )
        self.resume_button = button("Resume", "Go on from the last checkpoint.", self._on_resume_clicked)
        self.progress.cancel.hide()  # Stop does that, and keeps what was learned
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setAccessibleName("Log of the training")
        self.log.setMaximumHeight(_LOG_HEIGHT)
        self.log_fold = Fold("Log", self.log)
        self.smaller_button = button(
            "Try again smaller",
            "Train again with smaller crops, which take less memory and time. The study's setting <i>Crop size</i> is "
            "changed, which can be undone in the Study widget.",
            self._on_smaller_clicked,
        )
        self.times = QLabel()
        self.times.setWordWrap(True)
        self.curve = LossCurve(self.viewer)
        self.pictures = PictureStrip()
        self.runs = RunsPanel()
        self.left = LeftRunning(self)
        self.step_times = StepTimes(self)
        self.room = RoomForCrops(self)
        self._loader = LatestCall(self)
        self.problems: list[Problem] = []
        self._devices: dict[str, str] = {}  # with what there is to say of them
        for widget in (self.title, self.form, self.times):
            self.column.addWidget(widget)
        self.column.addLayout(row(self.start_button, self.stop_button, self.resume_button))
        for widget in (self.progress, self.status, self.smaller_button, self.log_fold):
            self.column.addWidget(widget)
        self.column.addWidget(self.curve, 1)
        self.column.addWidget(self.pictures)
        self.column.addWidget(Fold("Trainings of this study", self.runs))

        RememberedChoices(self, self.form.some("preset", "device"))
        self.training.state_changed.connect(self._on_state_changed)
        self.training.progressed.connect(self._on_progressed)
        self.training.problem_found.connect(self._on_problem_found)
        self.session.study_changed.connect(self._on_study_changed)
        self.session.study_saved.connect(self._on_study_saved)
        self.left.progressed.connect(self._on_left_progressed)
        self.left.ended.connect(self._on_left_ended)
        self._loader.done.connect(self._on_loaded)
        self.form.changed.connect(self._show_times)
        self.runs.changed.connect(self._on_runs_read)
        self.runs.compared.connect(self._on_compared)
        self.runs.use_requested.connect(self._on_use_requested)
        self.runs.resume_requested.connect(self._on_resume_requested)
        self.step_times.measured.connect(self._show_times)
        self.session.table_changed.connect(self._show_times)  # also when another crop size was set
        self._looking = QTimer(self)  # for new pictures, while it trains
        self._looking.setInterval(_MILLISECONDS_BETWEEN_LOOKS)
        self._looking.timeout.connect(self._show_pictures)
        self._closing = (
            self._loader.close, self.pictures.close_thread, self.runs.close_thread, self.room.close,
            self.step_times.cancel,
        )  # fmt: skip
        for close in self._closing:
            self.destroyed.connect(close)
        self.destroyed.connect(self.training.stop)  # the viewer was closed
        self._on_study_changed()
        if self.training.is_running:
            self.progress.begin("training")
        self._loader.ask(_load)

    def start(self, *, resume: bool = False) -> None:
        """Save the study and train it as soon as it is known how much of the disk that takes.

        ``resume`` goes on from the last checkpoint.
        """
        if self.room.busy:
            return
        with errors_shown():
            study, settings = self.session.saved_study(), self.form.settings()
            self.room.look(study, lambda may: self._on_room_known(may, study, settings, resume))
            self._show_state()

    @errors_shown()
    def _on_room_known(self, may: bool, study: Study, settings: TrainSettings, resume: bool) -> None:
        self._show_state()
        if not may or self.session.study is None or self.session.study.folder != study.folder:
            return  # or another one was opened meanwhile
        if not resume:  # else the curve goes on
            self.curve.clear()
        self.problems = []
        self.step_times.cancel()
        self.training.start(study.folder, settings, resume=resume)

    def _on_start_clicked(self) -> None:
        """Begin anew; an unfinished training is not lost without asking."""
        study = self.session.study
        if study is not None and can_resume(study.models_folder):
            text = (
                "There is an unfinished training, which Resume goes on with. Put it aside and begin anew? "
                "It can be resumed later, under Trainings of this study."
            )
            buttons = QMessageBox.StandardButton
            if QMessageBox.question(self, "Unfinished training", text, buttons.Yes | buttons.No) != buttons.Yes:
                return
        self.start()

    def _on_stop_clicked(self) -> None:
        self.training.stop()
        self.left.stop()

    def _on_smaller_clicked(self) -> None:
        settings = self.session.settings
        smaller = settings.model_copy(update={"crop_size": smaller_crop(settings.crop_size)})
        self.session.edit("making crops smaller", settings=smaller)
        self.start()

    def _on_resume_clicked(self) -> None:
        self.start(resume=True)

    def _on_loaded(self, devices: dict[str, str]) -> None:
        self._devices = devices
        self.form.set_choices("device", ["auto", *devices])
        self._show_times()

    def _on_study_changed(self) -> None:
        study = self.session.study
        self.title.setText(self.session.place or self.session.hint)
        self.runs.look(None if study is None else study.models_folder)
        self.left.look(None if study is None or self.training.is_running else study.models_folder)
        self._show_state()

    def _on_study_saved(self) -> None:
        self._show_state()

    def _on_cancel_requested(self) -> None:
        super()._on_cancel_requested()
        self.training.stop()

    def _on_left_progressed(self) -> None:
        self.curve.show_log(self.left.log)
        self._show_pictures()

    def _on_left_ended(self) -> None:
        self._show_state()
        assert self.session.study is not None  # which was trained
        self.runs.look(self.session.study.models_folder)
        self.session.results_changed.emit()

    def _on_state_changed(self, state: TrainingState) -> None:
        self._show_state()
        self._show_times()
        if state is TrainingState.TRAINING:
            self.progress.begin("starting")
            self._looking.start()
        elif state is not TrainingState.STOPPING:
            self.progress.end()
            self._looking.stop()
            if self.session.study is not None:
                self.runs.look(self.session.study.models_folder)
        if state is TrainingState.FAILED:
            show_error(self.training.message.partition("\n")[0])
        elif state is TrainingState.DONE:
            show_info(_IN_WORDS[state])

    def _on_runs_read(self) -> None:
        """Show the training that was stopped or the one that the study uses, as long as none goes on."""
        if not self.training.is_running and not self.left.is_running:
            shown = self._shown
            self.curve.show_log({} if shown is None else shown.points)
        self._show_pictures()
        self._show_times()

    @property
    def _shown(self) -> Run | None:
        """The training whose curve is shown as long as none goes on."""
        return self.runs.unfinished or self.runs.used

    def _on_compared(self, runs: list[Run]) -> None:
        self.curve.compare({f"{run.preset}, {_when(run)}": run.points for run in runs if run != self._shown})

    def _on_use_requested(self, name: str) -> None:
        study = self.session.study
        if study is None or self.training.is_running:
            return
        with errors_shown():
            use_run(study.models_folder, name)
            self.runs.look(study.models_folder)
            self.session.results_changed.emit()

    def _on_resume_requested(self, name: str) -> None:
        study = self.session.study
        if study is not None and not self.training.is_running:
            with errors_shown():
                take_up(study.models_folder, name)
                run = next(run for run in self.runs.runs if run.name == name and not run.is_complete)
                self.curve.show_log(run.points)
                self.start(resume=True)

    def _show_pictures(self) -> None:
        """Show what the training that goes on has learned, or the one that the study uses."""
        study = self.session.study
        if study is None:
            self.pictures.look(None)
            return
        unfinished = study.models_folder / UNFINISHED
        going_on = self.training.is_running or self.left.is_running or (unfinished / PICTURES).is_dir()
        self.pictures.look((unfinished if going_on else study.models_folder) / PICTURES)

    def _show_times(self) -> None:
        """Say on what it trains, and how long each preset takes there; tried out where no earlier training tells."""
        try:
            settings = self.form.settings()
        except UbamError:  # told when it is started
            return
        chosen = settings.device if settings.device in self._devices else next(iter(self._devices), "")
        used, size = self.runs.used, self.session.settings.crop_size
        words, a_step = _AS_BEFORE, {} if used is None else step_times(used, settings, size)
        if estimate_seconds("quick", settings, a_step) is None:
            words, a_step = _AS_TRIED, self._tried_out(settings, size)
        else:
            self.step_times.cancel()
        times = {preset: estimate_seconds(preset, settings, a_step) for preset in STEPS}
        if None in times.values():
            words = _MEASURING if self.step_times.is_asked else _TIMES_UNKNOWN
        self.form.set_labels("preset", {preset: _labelled(preset, seconds) for preset, seconds in times.items()})
        self.times.setText("\n".join(filter(None, [self._devices.get(chosen, ""), words])))

    def _tried_out(self, settings: TrainSettings, crop_size: int) -> dict[str, float]:
        """Give what is known of how long a step takes here, and ask for what is not once there is a study to train."""
        going_on = self.left.is_running or self.training.state in _GOING_ON
        if self.session.study is not None and not going_on:
            self.step_times.ask(settings, crop_size)
        return self.step_times.of(settings, crop_size) or {}

    def _show_state(self) -> None:
        state, has_study = self.training.state, self.session.study is not None
        elsewhere = self.left.is_running
        running = elsewhere or state in _GOING_ON or self.room.busy
        self.start_button.setEnabled(has_study and not running)
        self.resume_button.setEnabled(has_study and not running and self._is_resumable())
        self.stop_button.setEnabled(elsewhere or state is TrainingState.TRAINING)
        self.form.setEnabled(not running)
        self.runs.setEnabled(not running)
        why, _, log = self.training.message.partition("\n")
        words = _ELSEWHERE if elsewhere else _IN_WORDS[state]
        if state is TrainingState.IDLE and self.resume_button.isEnabled():
            words = _UNFINISHED
        if state is TrainingState.FAILED and self.resume_button.isEnabled():
            why = f"{why}\n{_RESUMABLE}"
        self.status.setText("\n".join(filter(None, [words, why, *map(str, self.problems)])))
        self.log.setPlainText(log)
        self.log_fold.setVisible(bool(log))
        smaller = smaller_crop(self.session.settings.crop_size)
        self.smaller_button.setText(f"Try again with crops of {smaller} px")
        self.smaller_button.setVisible(
            has_study and state is TrainingState.FAILED and self.training.needs_less
            and smaller < self.session.settings.crop_size
        )  # fmt: skip

    def _is_resumable(self) -> bool:
        study = self.session.study
        return study is not None and can_resume(study.models_folder)

    def _on_progressed(self, progress: Progress) -> None:
        super()._on_progressed(progress)
        self.curve.add(progress)

    def _on_problem_found(self, problem: Problem) -> None:
        self.problems.append(problem)
        self._show_state()

    def showEvent(self, event: QShowEvent) -> None:
        """Watch the main window, to ask before it closes while a training goes on."""
        super().showEvent(event)
        self.main_window().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Ask what becomes of a training when the main window is about to close, also where another tab is in front."""
        closing = event.type() == QEvent.Type.Close and watched is self.main_window() and watched.isVisible()
        if closing and self.training.is_running and not self._may_close():
            event.ignore()
            return True
        return super().eventFilter(watched, event)

    def _may_close(self) -> bool:
        """Stop the training, or leave it running; tell whether the window may close."""
        box = QMessageBox(QMessageBox.Icon.Question, "A training is running", _AT_CLOSE, parent=self)
        stop = box.addButton("Stop it", QMessageBox.ButtonRole.AcceptRole)
        leave = box.addButton("Leave it running", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(stop)
        box.exec()
        if box.clickedButton() is leave:
            self.training.leave()
        return box.clickedButton() in (stop, leave)

    def _on_closed(self) -> None:
        super()._on_closed()
        self.destroyed.disconnect(self.training.stop)
        for close in self._closing:
            self.destroyed.disconnect(close)
            close()


def smaller_crop(size: int) -> int:
    """Give the next smaller crop size; the smallest one has no smaller one."""
    return max(CROP_STEP, size * 3 // 4 // CROP_STEP * CROP_STEP)


def _labelled(preset: Preset, seconds: float | None) -> str:
    """Name a preset, with the time that it takes where that is known."""
    return IN_WORDS[preset] + (f", about {time_in_words(seconds)}" if seconds is not None else "")


def _when(run: Run) -> str:
    return time.strftime("%d %b %H:%M", time.localtime(run.when))


def _load() -> dict[str, str]:
    """Look for devices; loads torch, which takes seconds, in a thread."""
    from napari_ubam.models.device import available_devices, describe_device

    return {name: describe_device(name) for name in available_devices()}
