"""What all dock widgets have: the viewer, the session, steps in a thread, and errors as messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import notification_manager, show_error, show_info, show_warning
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_ubam.errors import UbamError
from napari_ubam.progress import Progress
from napari_ubam.widgets.progress_row import ProgressRow
from napari_ubam.widgets.session import session_of
from napari_ubam.widgets.step_worker import Step, StepWorker

if TYPE_CHECKING:
    from napari.viewer import Viewer


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
        self.column = QVBoxLayout(self)
        self._was_docked = False
        self._waiting: tuple[str, Step, Callable[[Any], None]] | None = None
        self._on_done: Callable[[Any], None] | None = None
        self._results: list[Any] = []

    def run_step(self, stage: str, step: Step, on_done: Callable[[Any], None]) -> None:
        """Run a step in a thread and call ``on_done`` with its result; while one runs, the last asked for waits."""
        if self.worker is not None:
            self._waiting = (stage, step, on_done)
            return
        self._on_done, self._results = on_done, []
        self.worker = StepWorker(step)
        self.worker.progressed.connect(self._on_progressed)
        self.worker.returned.connect(self._on_returned)
        self.worker.errored.connect(self._on_errored)
        self.worker.finished.connect(self._on_finished)
        self.destroyed.connect(self.worker.quit)  # the viewer was closed
        self.progress.begin(stage)
        self._on_running_changed(True)
        self.worker.start()

    def changeEvent(self, event: QEvent) -> None:
        """Notice that the dock was closed: napari takes the widget out of it and forgets it."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                self._was_docked = True
            elif self._was_docked:
                self._on_closed()
                self.deleteLater()
        super().changeEvent(event)

    def _on_running_changed(self, running: bool) -> None:
        """Enable or disable what must not be used while a step runs."""

    def _on_closed(self) -> None:
        """Leave nothing behind that runs."""
        self._on_cancel_requested()

    def _on_cancel_requested(self) -> None:
        self._waiting = None
        if self.worker is not None:
            self.worker.quit()

    def _on_progressed(self, progress: Progress) -> None:
        self.progress.show_progress(progress)
        if progress.message:
            show_info(progress.message)

    def _on_returned(self, result: Any) -> None:
        self._results = [result]

    def _on_errored(self, error: Exception) -> None:
        if isinstance(error, UbamError):
            show_error(str(error))
        else:  # a mistake of ours: napari shows it with its traceback, to be reported
            notification_manager.receive_error(type(error), error, error.__traceback__)

    def _on_finished(self) -> None:
        assert self.worker is not None
        self.destroyed.disconnect(self.worker.quit)
        self.worker = None
        self.progress.end()
        self._on_running_changed(False)
        on_done, results, waiting = self._on_done, self._results, self._waiting
        self._on_done, self._results, self._waiting = None, [], None
        if on_done is not None and results:
            on_done(results[0])
        if waiting is not None:
            self.run_step(*waiting)


@contextmanager
def errors_shown() -> Iterator[None]:
    """Show an error that the user can act on as a message, and go on."""
    try:
        yield
    except UbamError as error:
        show_error(str(error))


def warn_of_problems(problems: Iterable[object]) -> None:
    """Tell what was left out."""
    if text := "\n".join(map(str, problems)):
        show_warning(text)


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
