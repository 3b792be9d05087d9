"""A progress bar with the stage in words, the time left, and a button to cancel; the same in napari's activity dock."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QWidget

from napari_ubam.progress import Progress
from napari_ubam.widgets.activity import Activity


class ProgressRow(QWidget):
    """Hidden until something runs."""

    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.label = QLabel()
        self.label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setMaximumHeight(14)
        self.bar.setAccessibleName("Progress")
        self.cancel = QPushButton("Cancel")
        self.cancel.clicked.connect(self._on_cancel)
        self.activity = Activity(self)
        self.activity.cancel_requested.connect(self._on_cancel)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.label, 0, 0)
        layout.addWidget(self.bar, 1, 0)
        layout.addWidget(self.cancel, 0, 1, 2, 1)
        self.hide()

    def begin(self, stage: str) -> None:
        """Show that ``stage`` has begun, its length not known yet."""
        self.cancel.setEnabled(True)
        self.bar.setRange(0, 0)
        self.label.setText(f"{_capital(stage)}…")
        self.activity.begin(stage)
        self.show()

    def show_progress(self, progress: Progress) -> None:
        """Show how far a step is."""
        if not self.cancel.isEnabled():  # cancelled: keep saying so
            return
        self.activity.show_progress(progress)
        self.bar.setRange(0, max(progress.total, 0))
        self.bar.setValue(progress.done)
        words = [_capital(progress.stage)]
        if progress.total:
            words.append(f"{progress.done} of {progress.total}")
        if progress.seconds_left is not None:
            words.append(f"{time_in_words(progress.seconds_left)} left")
        self.label.setText(", ".join(words))
        self.label.setToolTip(self.label.text())

    def end(self) -> None:
        """Hide it again."""
        self.activity.end()
        self.hide()

    def _on_cancel(self) -> None:
        self.cancel.setEnabled(False)
        self.label.setText("Cancelling…")
        self.bar.setRange(0, 0)
        self.cancel_requested.emit()


def time_in_words(seconds: float) -> str:
    """Give a duration as a person would say it, such as ``"2 min"``."""
    if seconds < 60:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
