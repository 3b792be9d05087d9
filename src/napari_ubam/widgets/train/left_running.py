"""A training that was left running when napari was closed, or that was begun elsewhere: found, followed and stopped."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil
from qtpy.QtCore import QObject, QTimer, Signal

from napari_ubam.training.log import Point, read_log
from napari_ubam.training.process import process_of
from napari_ubam.training.runs import LOG, UNFINISHED

_MILLISECONDS_BETWEEN_LOOKS = 2000


class LeftRunning(QObject):
    """Follows the process that trains a study, if it is not this viewer's own."""

    progressed = Signal()
    ended = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._models: Path | None = None
        self._process: psutil.Process | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_MILLISECONDS_BETWEEN_LOOKS)
        self._timer.timeout.connect(self._on_time)

    @property
    def is_running(self) -> bool:
        """Whether there is such a process."""
        return self._process is not None

    @property
    def log(self) -> dict[str, list[Point]]:
        """The losses so far."""
        return {} if self._models is None else read_log(self._models / UNFINISHED / LOG)

    def look(self, models: Path | None) -> None:
        """Look for a process that trains the study with this folder of models."""
        self._models = models
        self._process = None if models is None else process_of(models)
        if self.is_running:
            self._timer.start()
        else:
            self._timer.stop()

    def stop(self) -> None:
        """Ask it to end; it writes a checkpoint first."""
        if self._process is not None:
            with suppress(psutil.Error):  # it has ended meanwhile
                self._process.terminate()

    def _on_time(self) -> None:
        self.look(self._models)
        (self.progressed if self.is_running else self.ended).emit()
