"""Training in its own process, so that the viewer never stutters and a crash is a message."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

from qtpy.QtCore import QCoreApplication, QObject, QProcess, Signal

from napari_ubam.errors import Problem
from napari_ubam.progress import Progress
from napari_ubam.settings import TrainSettings
from napari_ubam.training.runs import can_resume

SECONDS_TO_STOP = 10.0  # how long a process may take to write its checkpoint when the viewer closes
LOG_FILE = "left_running.log"  # among the models: what a training said that was left running
_LENGTH_OF_LOG = 4000  # characters
_KILLED = 9  # signal of Linux and macOS to a process that gets no word in
_ENDED_BY_THE_SYSTEM = "The system ended the training, most often for lack of memory."


class TrainingState(Enum):
    """Where a training is."""

    IDLE = "idle"
    TRAINING = "training"
    STOPPING = "stopping"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


class TrainingProcess(QObject):
    """Runs ``napari-ubam train`` and tells what it says.

    The state goes from IDLE (or the end of an earlier training) to TRAINING, perhaps STOPPING,
    and ends as DONE, STOPPED or FAILED; it never leaves TRAINING while the process runs
    and is never left in it when the process is gone.
    """

    state_changed = Signal(object)  # TrainingState
    progressed = Signal(object)  # Progress
    problem_found = Signal(object)  # Problem

    _running: ClassVar[set[TrainingProcess]] = set()  # keeps a process alive until it has ended by itself

    def __init__(self) -> None:
        super().__init__()
        self.state = TrainingState.IDLE
        self.message = ""  # why it failed, in its first line; the others are the log's end
        self.needs_less = False  # it failed as it would not with less to compute: it crashed, or ran out of memory
        self._started: tuple[Path, TrainSettings] | None = None
        self._end: dict[str, Any] | None = None
        self._rest = b""
        self._log = ""
        self._process = QProcess()
        self._process.readyReadStandardOutput.connect(self._on_output)
        self._process.readyReadStandardError.connect(self._on_error_output)
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_process_error)

    @property
    def is_running(self) -> bool:
        """Whether the process is alive."""
        return self._process.state() != QProcess.ProcessState.NotRunning

    def start(self, study: Path, settings: TrainSettings, *, resume: bool = False) -> None:
        """Train the models of a study that lies on disk."""
        self._started = (study, settings)
        self.run([sys.executable, *train_arguments(study, settings, resume=resume)])

    def run(self, command: Sequence[str]) -> None:
        """Run a command that speaks the protocol of ``napari-ubam train --json``."""
        if self.is_running:
            return
        self._end, self._rest, self._log, self.message, self.needs_less = None, b"", "", "", False
        self._running.add(self)
        QCoreApplication.instance().aboutToQuit.connect(self.shut_down)
        self._set_state(TrainingState.TRAINING)
        self._process.start(command[0], list(command[1:]))

    def stop(self) -> None:
        """Ask it to write a checkpoint and end; it can be resumed."""
        if self.state is TrainingState.TRAINING:
            self._set_state(TrainingState.STOPPING)
            self._process.write(b"stop\n")
            self._process.closeWriteChannel()

    def shut_down(self) -> None:
        """Stop, wait for the checkpoint, and kill the process only if it does not end."""
        if not self.is_running:
            return
        self.stop()
        if not self._process.waitForFinished(int(SECONDS_TO_STOP * 1000)):
            self._process.terminate()
            if not self._process.waitForFinished(2000):
                self._process.kill()
                self._process.waitForFinished(2000)

    def leave(self) -> None:
        """Stop, and go on from the checkpoint in a process that outlives the viewer and writes to ``LOG_FILE``."""
        self.shut_down()
        if self._started is None or self.state is not TrainingState.STOPPED:  # it is done, or has failed
            return
        study, settings = self._started
        models = study / "models"
        process = QProcess()
        process.setProgram(sys.executable)
        resume = can_resume(models)  # not if it was stopped while it read the videos
        process.setArguments(train_arguments(study, settings, resume=resume, for_program=False))
        process.setStandardInputFile(QProcess.nullDevice())
        process.setProcessChannelMode(QProcess.ProcessChannelMode.MergedChannels)
        process.setStandardOutputFile(str(models / LOG_FILE))
        process.startDetached()

    def _on_output(self) -> None:
        *lines, self._rest = (self._rest + bytes(self._process.readAllStandardOutput())).split(b"\n")
        for line in lines:
            self._on_line(line.decode("utf-8", errors="replace"))

    def _on_line(self, line: str) -> None:
        try:
            event = json.loads(line)
            kind = event.pop("event")
        except (ValueError, KeyError, AttributeError):  # something that a library printed
            self._keep(f"{line}\n")
            return
        if kind == "progress":
            self.progressed.emit(Progress(**event))
        elif kind == "problem":
            self.problem_found.emit(Problem(**event))
        elif kind == "end":
            self._end = event

    def _on_error_output(self) -> None:
        self._keep(bytes(self._process.readAllStandardError()).decode("utf-8", errors="replace"))

    def _keep(self, text: str) -> None:
        self._log = (self._log + text)[-_LENGTH_OF_LOG:]

    def _on_process_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:  # then there is no `finished`
            self._finish(TrainingState.FAILED, f"Training could not be started: {self._process.errorString()}.")

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._on_output()
        self._on_error_output()
        if self._end is None:
            self.needs_less = True
            killed = status == QProcess.ExitStatus.CrashExit and code == _KILLED
            why = _ENDED_BY_THE_SYSTEM if killed else f"Training ended unexpectedly (exit code {code})."
            self._finish(TrainingState.FAILED, f"{why}\n{self._log.strip()}")
        else:
            self.needs_less = self._end.get("error") == "DeviceError"
            self._finish(TrainingState(self._end["state"]), self._end.get("message", ""))

    def _finish(self, state: TrainingState, message: str) -> None:
        self._running.discard(self)
        QCoreApplication.instance().aboutToQuit.disconnect(self.shut_down)
        self.message = message
        self._set_state(state)

    def _set_state(self, state: TrainingState) -> None:
        self.state = state
        self.state_changed.emit(state)


def train_arguments(
    study: Path, settings: TrainSettings, *, resume: bool = False, for_program: bool = True
) -> list[str]:
    """Give the arguments to Python that train a study with these settings.

    Parameters
    ----------
    study : Path
        The study's folder.
    settings : TrainSettings
        Only what differs from the defaults is named.
    resume : bool
        Go on from the last checkpoint.
    for_program : bool
        Tell the progress as JSON, and end when the other program does.

    Returns
    -------
    list of str
        Such as ``["-m", "napari_ubam", "train", "my_study", "--json", "--yes", "--preset", "quick"]``.
    """
    arguments = ["-m", "napari_ubam", "train", str(study), *(["--json"] if for_program else []), "--yes"]  # we ask
    for name, value in settings.model_dump(exclude_defaults=True).items():
        arguments += [f"--{name.replace('_', '-')}", str(value)]
    return [*arguments, "--resume"] if resume else arguments
