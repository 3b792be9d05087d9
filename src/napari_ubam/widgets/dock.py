"""What all dock widgets have: the viewer, the session, steps in a thread, and errors as messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_info
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QDockWidget,
    QHBoxLayout,
    QMainWindow,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_ubam.progress import Progress, Report
from napari_ubam.widgets.focus_ring import FocusRing
from napari_ubam.widgets.notices import errors_shown, tell_error
from napari_ubam.widgets.opening import Opening
from napari_ubam.widgets.progress_row import ProgressRow, time_in_words
from napari_ubam.widgets.remembered import remember_widgets
from napari_ubam.widgets.session import session_of
from napari_ubam.widgets.step_worker import Step, StepWorker
from napari_ubam.widgets.tab_order import order_tabs

if TYPE_CHECKING:
    from types import ModuleType

    from napari.viewer import Viewer

    from napari_ubam.study import Study

OnDone = Callable[[Any], str | None]

_OURS = " (napari-ubam)"  # how napari ends the titles of our docks
_LONG = 10.0  # seconds from which on the end of a step is told of


class DockWidget(QWidget):
    """Base of the dock widgets.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the widget is docked in.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer: Viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self.session = session_of(self.viewer)
        self.worker: StepWorker | None = None
        self.progress = ProgressRow(self)
        self.progress.cancel_requested.connect(self._on_cancel_requested)
        self.opening = Opening(self.viewer, self)
        self.destroyed.connect(self.opening.stopped.set)  # the viewer was closed
        QApplication.instance().focusChanged.connect(self._on_focus_changed)
        self.column = QVBoxLayout(self)
        self._was_docked = False
        self._is_new = False  # it was docked just now
        self._height = 0  # of the window, as long as its docks have room [px]
        self._soon_fits = QTimer(self)
        self._soon_fits.setSingleShot(True)
        self._soon_fits.timeout.connect(self._make_it_fit)
        self._dock = ""  # its title, if napari opened it as one of our widgets
        self._waiting: dict[str, tuple[Step, OnDone]] = {}  # by stage
        self._on_done: OnDone | None = None
        self._results: list[Any] = []
        self._stage, self._began = "", 0.0

    def run_step(self, stage: str, step: Step, on_done: OnDone) -> None:
        """Run a step in a thread; while one runs, others wait, and of each stage only the last that was asked for.

        Parameters
        ----------
        stage : str
            What is done, such as ``"embedding"``.
        step : callable
            Called with a report, in the thread.
        on_done : callable
            Called with the step's result. What it returns is told to the user; if that is nothing, only the end of a
            step that took long is.
        """
        if self.worker is not None:
            self._waiting[stage] = (step, on_done)
            return
        self._on_done, self._results = on_done, []
        self._stage, self._began = stage, time.monotonic()
        self.worker = StepWorker(step)
        self.worker.progressed.connect(self._on_progressed)
        self.worker.returned.connect(self._on_returned)
        self.worker.errored.connect(self._on_errored)
        self.worker.finished.connect(self._on_finished)
        self.destroyed.connect(self.worker.quit)  # the viewer was closed
        self.progress.begin(stage)
        self._on_running_changed(True)
        self.worker.start()

    @errors_shown()
    def run_on_study(self, stage: str, call: Callable[[ModuleType, Study, Report], Any], on_done: OnDone) -> None:
        """Run steps of `napari_ubam.pipeline` on the study as it is now, in a thread.

        Parameters
        ----------
        stage, on_done
            As for `run_step`.
        call : callable
            Called with the pipeline, the study and a report, in the thread.
        """
        study = self.session.saved_study()

        def step(report: Report) -> Any:
            from napari_ubam import pipeline  # only here, as it loads torch

            return call(pipeline, study, report)

        self.run_step(stage, step, on_done)

    def changeEvent(self, event: QEvent) -> None:
        """Notice that the dock was opened or closed: napari takes the widget out of it and forgets it."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                self._was_docked = True
                order_tabs(self)
                self._remember_dock()
                self._is_new, self._height = True, self.viewer.window.geometry()[3]
                self._soon_fits.start()
            elif self._was_docked:
                self._forget_dock()
                self._on_closed()
                self.deleteLater()
        super().changeEvent(event)

    def event(self, event: QEvent) -> bool:
        """Look whether there is still room when what is shown has become higher."""
        if event.type() == QEvent.Type.LayoutRequest and self._height:
            self._soon_fits.start()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Note how high the window is where nothing makes it so high but the user."""
        super().resizeEvent(event)
        window = self.window()
        if not isinstance(window, QMainWindow) or self._soon_fits.isActive():
            return
        if window.height() > window.minimumSizeHint().height():
            self._height = window.height()

    def main_window(self) -> QWidget:
        """Give napari's window, also where the dock floats: it is then a window of its own."""
        at: QWidget = self
        while (above := at.parentWidget()) is not None:
            at = above
        return at

    def _remember_dock(self) -> None:
        title = getattr(self.parent(), "name", "")
        if title.endswith(_OURS) and not self._dock:
            self._dock = title.removesuffix(_OURS)
            self.session.docks.append(self._dock)
            remember_widgets(self.session.docks)

    def _forget_dock(self) -> None:
        if self._dock:
            self.session.docks.remove(self._dock)
            remember_widgets(self.session.docks)

    def _make_it_fit(self) -> None:
        """Let all our widgets at this side be tabs of one another, where they do not fit into the window."""
        dock, window, height = self.parent(), self.window(), self._height
        is_new, self._is_new = self._is_new, False
        if not (isinstance(dock, QDockWidget) and isinstance(window, QMainWindow)):
            return
        if dock.isFloating() or window.minimumSizeHint().height() <= height:
            return
        area, lying = window.dockWidgetArea(dock), [dock, *window.tabifiedDockWidgets(dock)]
        ours = [x for x in window.findChildren(QDockWidget) if isinstance(x.widget(), DockWidget) and x not in lying]
        open_ones = [x for x in ours if x.toggleViewAction().isChecked() and not x.isFloating()]
        beside = [x for x in open_ones if window.dockWidgetArea(x) == area]
        if beside:
            used = None if is_new else window.focusWidget()  # one that was just opened comes to the front
            upper = next((x for x in beside if used is not None and x.isAncestorOf(used)), dock)
            for other in [*beside[:-1], *lying]:
                window.tabifyDockWidget(beside[-1], other)
            dock.show()
            upper.raise_()
            layout = window.layout()
            layout.invalidate()
            layout.activate()  # else the window may not become smaller yet
            window.resize(window.width(), height)

    def _on_focus_changed(self, before: QWidget | None, now: QWidget | None) -> None:
        """Show which of the controls the keys go to."""
        for ring in self.findChildren(FocusRing):
            ring.deleteLater()
        if now is not None and self.isAncestorOf(now):
            FocusRing(now, self.viewer)

    def _on_running_changed(self, running: bool) -> None:
        """Enable or disable what must not be used while a step runs."""

    def _on_closed(self) -> None:
        """Leave nothing behind that runs."""
        self._on_cancel_requested()
        self.opening.close()

    def _on_cancel_requested(self) -> None:
        self._waiting.clear()
        if self.worker is not None:
            self.worker.quit()

    def _on_progressed(self, progress: Progress) -> None:
        self.progress.show_progress(progress)
        if progress.message:
            show_info(progress.message)

    def _on_returned(self, result: Any) -> None:
        self._results = [result]

    def _on_errored(self, error: Exception) -> None:
        tell_error(error)

    def _on_finished(self) -> None:
        assert self.worker is not None
        self.destroyed.disconnect(self.worker.quit)
        self.worker = None
        self.progress.end()
        self._on_running_changed(False)
        on_done, results = self._on_done, self._results
        self._on_done, self._results = None, []
        if on_done is not None and results:
            seconds = time.monotonic() - self._began
            told = on_done(results[0]) or (ended(self._stage, seconds) if seconds > _LONG else "")
            if told:
                show_info(told)
        if self._waiting and self.worker is None:  # on_done may have begun one
            stage = next(iter(self._waiting))
            self.run_step(stage, *self._waiting.pop(stage))


def ended(stage: str, seconds: float) -> str:
    """Say that a step is done, and how long it took."""
    return f"{stage[:1].upper()}{stage[1:]} is done. It took {time_in_words(seconds)}."


def button(text: str, tip: str, on_clicked: Callable[[], None]) -> QPushButton:
    """Make a button; ``tip`` says what it does."""
    made = QPushButton(text)
    made.setToolTip(f"<qt>{tip}</qt>")
    made.clicked.connect(on_clicked)
    return made


def combo(choices: Iterable[str], name: str, tip: str) -> QComboBox:
    """Make a list to choose from; ``tip`` says what the choice is for."""
    made = QComboBox()
    made.addItems(list(choices))
    made.setAccessibleName(name)
    made.setToolTip(f"<qt>{tip}</qt>")
    return made


def row(*widgets: QWidget) -> QHBoxLayout:
    """Lay widgets side by side."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    return layout
