"""How long a step of training takes here, tried out in a process of its own before anything was trained."""

from __future__ import annotations

import json
import logging
import sys
from typing import ClassVar

from qtpy.QtCore import QObject, QProcess, QTemporaryDir, QTimer, Signal

from napari_ubam.settings import TrainSettings

_MILLISECONDS_BEFORE = 1500  # so that nothing is begun for a choice that is changed at once
_log = logging.getLogger("napari_ubam")
_Key = tuple[object, ...]


class StepTimes(QObject):
    """Measures in the background, one thing at a time; what was measured once is known until napari ends."""

    measured = Signal()  # something is known that was asked for, or cannot be

    _known: ClassVar[dict[_Key, dict[str, float]]] = {}  # empty where it could not be measured

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._wanted: tuple[TrainSettings, int] | None = None
        self._process: QProcess | None = None
        self._folder: QTemporaryDir | None = None
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._on_time)

    @property
    def is_asked(self) -> bool:
        """Whether something is being measured, or soon will."""
        return self._wanted is not None

    def of(self, settings: TrainSettings, crop_size: int) -> dict[str, float] | None:
        """Give the seconds a step by stage; None if they are not known yet."""
        return self._known.get(_key(settings, crop_size))

    def ask(self, settings: TrainSettings, crop_size: int) -> None:
        """Measure soon, unless it is known or being measured; what was asked for before is given up."""
        if self._wanted is not None and _key(*self._wanted) == _key(settings, crop_size):
            return
        self.cancel()
        if self.of(settings, crop_size) is None:
            self._wanted = settings, crop_size
            self._soon.start(_MILLISECONDS_BEFORE)

    def cancel(self) -> None:
        """Measure no more."""
        self._soon.stop()
        self._wanted = None
        process, self._process = self._process, None
        if process is not None:
            process.finished.disconnect(self._on_finished)
            process.kill()
            process.waitForFinished(2000)
            process.deleteLater()
        self._folder = None

    def _on_time(self) -> None:
        assert self._wanted is not None
        settings, crop_size = self._wanted
        self._folder = QTemporaryDir()
        process = self._process = QProcess(self)
        process.finished.connect(self._on_finished)
        program, *arguments = measure_command(self._folder.path(), settings, crop_size)
        process.start(program, arguments)

    def _on_finished(self) -> None:
        assert self._wanted is not None
        assert self._process is not None
        try:
            found = json.loads(bytes(self._process.readAllStandardOutput()).splitlines()[-1])
        except (ValueError, IndexError):
            said = bytes(self._process.readAllStandardError()).decode("utf-8", errors="replace")
            _log.warning("How long training takes could not be measured: %s", said)
            found = {}
        self._known[_key(*self._wanted)] = found
        self._process.deleteLater()
        self._process = self._wanted = self._folder = None
        self.measured.emit()


def measure_command(folder: str, settings: TrainSettings, crop_size: int) -> list[str]:
    """Give the command that prints how long steps take."""
    return [sys.executable, "-m", "napari_ubam.training.speed", folder, str(crop_size), settings.model_dump_json()]


def _key(settings: TrainSettings, crop_size: int) -> _Key:
    """Give what the time depends on."""
    return crop_size, settings.model_copy(update={"preset": "standard", "minutes": None, "seed": 0}).model_dump_json()
