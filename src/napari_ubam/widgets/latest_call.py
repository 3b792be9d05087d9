"""Do what was asked for last, in a thread of its own: what a slider needs while it is dragged."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from qtpy.QtCore import QObject, Signal

Call = Callable[[], Any]


class LatestCall(QObject):
    """Makes one call at a time; of those asked for meanwhile, only the last one follows.

    It has its own thread, as napari's pool has but one where there is one core, and a long step may hold it.
    It tells ``done`` (with the result) or ``failed`` (with the exception), each in the thread it was made in.
    """

    done = Signal(object)
    failed = Signal(object)
    _ended = Signal(object, object)  # result, exception

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.busy = False
        self._waiting: Call | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="napari-ubam-live")
        self._ended.connect(self._on_ended)

    def ask(self, call: Call) -> None:
        """Make a call now, or after the one that runs; whatever waited is forgotten."""
        if self.busy:
            self._waiting = call
            return
        self.busy = True
        self._thread.submit(self._make, call)

    def close(self) -> None:
        """Make no further call."""
        self._waiting = None
        self._ended.disconnect(self._on_ended)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _make(self, call: Call) -> None:
        try:
            result, error = call(), None
        except Exception as caught:  # told to whoever asked
            result, error = None, caught
        self._ended.emit(result, error)

    def _on_ended(self, result: Any, error: Exception | None) -> None:
        self.busy = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self.ask(waiting)
        if error is None:
            self.done.emit(result)
        else:
            self.failed.emit(error)
