"""Run a step of `napari_ubam.pipeline` in a thread, with progress and cancel."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from napari.qt.threading import WorkerBase, WorkerBaseSignals
from qtpy.QtCore import Signal

from napari_ubam.progress import Cancelled, Progress, Report

Step = Callable[[Report], Any]

_SECONDS_BETWEEN_REPORTS = 0.1  # more would only keep the viewer busy


class StepSignals(WorkerBaseSignals):
    """What a `StepWorker` tells the viewer's thread."""

    progressed = Signal(object)  # Progress
    cancelled = Signal()


class StepWorker(WorkerBase):
    """Calls ``step(report)`` in a thread; ``quit()`` makes its next report stop it.

    It tells ``progressed``, and at the end one of ``returned`` (with the step's result),
    ``cancelled`` or ``errored`` (with the exception), and then ``finished``.
    """

    def __init__(self, step: Step) -> None:
        super().__init__(SignalsClass=StepSignals)
        self._step = step
        self._stage, self._told = "", 0.0

    def work(self) -> Any:
        """Run the step; called by the thread."""
        try:
            return self._step(self._report)
        except Cancelled:
            self.signals.cancelled.emit()

    def _report(self, progress: Progress) -> None:
        if self.abort_requested:
            raise Cancelled
        now = time.monotonic()
        new = progress.stage != self._stage or progress.message or progress.done >= progress.total
        if new or now - self._told > _SECONDS_BETWEEN_REPORTS:
            self._stage, self._told = progress.stage, now
            self.signals.progressed.emit(progress)
