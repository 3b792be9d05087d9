"""Do what was asked for last, in a thread of its own: what a slider needs while it is dragged."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

Call = Callable[[], Any]
_EVERY = 5  # that a running call is looked at [ms]


class LatestCall(QObject):
    """Makes one call at a time; of those asked for meanwhile, only the last one follows.

    It has its own thread, as napari's pool has but one where there is one core, and a long step may hold it.
    It tells ``done`` (with the result) or ``failed`` (with the exception), each in the thread it was made in. That one
    looks after the call while it runs: nothing is then lost that a signal from a thread unknown to Qt might lose.
    """

    done = Signal(object)
    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: Call | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="napari-ubam-live")
        self._running: Future | None = None
        self._look = QTimer(self)
        self._look.setInterval(_EVERY)
        self._look.timeout.connect(self._on_time)

    @property
    def busy(self) -> bool:
        """Whether a call runs whose end was not told yet."""
        return self._running is not None

    def ask(self, call: Call) -> None:
        """Make a call now, or after the one that runs; whatever waited is forgotten."""
        if self.busy:
            self._waiting = call
            return
        self._running = self._thread.submit(call)
        self._look.start()

    def close(self) -> None:
        """Make no further call."""
        self._waiting = None
        self._look.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _on_time(self) -> None:
        ended = self._running
        if ended is None or not ended.done():
            return
        self._look.stop()
        waiting, self._running, self._waiting = self._waiting, None, None
        if waiting is not None:
            self.ask(waiting)
        if (error := ended.exception()) is None:
            self.done.emit(ended.result())
        else:
            self.failed.emit(error)
