"""A running step as a bar in napari's activity dock, beside those of other plugins."""

from __future__ import annotations

from collections.abc import Callable

from napari.utils import cancelable_progress
from qtpy.QtCore import QObject, QTimer, Signal

from napari_ubam.progress import Progress

_INTERVAL = 250  # milliseconds between changes; what ends sooner is not shown
_FORMAT = "{l_bar}{bar}|{remaining} left"  # napari shows what follows the last |; more would push Cancel out of sight


class Activity(QObject):
    """Shows how far a step is, with a button to cancel it.

    napari handles events whenever a bar is made or changed, in which the step may end or another begin. So the bar is
    changed by a timer alone, which looks again after each change whether it is still wanted.
    """

    cancel_requested = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shown: Progress | None = None  # None where nothing runs
        self._bar: _Bar | None = None
        self._stage = ""  # that the bar shows
        self._busy = False
        self._timer = QTimer(self)
        self._timer.setInterval(_INTERVAL)
        self._timer.timeout.connect(self._on_time)

    def begin(self, stage: str) -> None:
        """Show soon that a step has begun."""
        self._shown = Progress(stage, 0, 0)
        self._timer.start()

    def show_progress(self, progress: Progress) -> None:
        """Show soon how far the step is."""
        if self._shown is not None:
            self._shown = progress

    def end(self) -> None:
        """Take the bar away."""
        self._shown = None
        self._timer.stop()
        self._close()

    def _on_time(self) -> None:
        if self._busy:  # napari handles events
            return
        self._busy = True
        try:
            if self._bar is None or self._bar.disable:  # the window that closes takes all bars along
                self._open()
            self._update()
        finally:
            self._busy = False

    def _open(self) -> None:
        self._close()
        assert self._shown is not None  # else there is no time
        self._stage = self._shown.stage
        bar = _Bar(
            desc=_title(self._stage),
            total=self._shown.total,
            cancel_callback=self.cancel_requested.emit,
            bar_format=_FORMAT,
            disable=False,  # whatever the environment says of bars in terminals
        )
        self.destroyed.connect(bar.close)  # the viewer was closed
        self._bar = bar
        if self._shown is None:
            self._close()

    def _update(self) -> None:
        bar, shown = self._bar, self._shown
        if bar is None or shown is None:
            return
        anew = shown.stage != self._stage or shown.total != bar.total
        if anew:
            self._stage = shown.stage
            bar.reset(shown.total)  # so that the time left is of this stage
            bar.set_description(_title(shown.stage))
        if bar is self._bar and not bar.disable and (anew or shown.done != bar.n):
            bar.update(shown.done - bar.n)

    def _close(self) -> None:
        bar, self._bar = self._bar, None
        if bar is not None:
            self.destroyed.disconnect(bar.close)
            bar.close()


class _Bar(cancelable_progress):
    """Calls back when its button is pressed, not only when it is iterated over."""

    cancel_callback: Callable[[], None]

    def cancel(self) -> None:
        super().cancel()
        self.cancel_callback()


def _title(stage: str) -> str:
    return f"uBAM: {stage}"
