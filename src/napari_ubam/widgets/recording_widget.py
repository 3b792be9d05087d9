"""What widgets have in common that work on one recording: a list to choose it from, which follows the study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox, QLabel, QPushButton

from napari_ubam.widgets.dock import DockWidget, combo
from napari_ubam.widgets.layers import shown_recording

if TYPE_CHECKING:
    from napari.viewer import Viewer


class RecordingWidget(DockWidget):
    """Base of the widgets that work on one recording of the study.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the widget is docked in.
    tip : str
        What the recording is chosen for.
    """

    def __init__(self, napari_viewer: Viewer, tip: str) -> None:
        super().__init__(napari_viewer)
        self.recording: QComboBox = combo((), "Recording", tip)
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self._need_recording: tuple[QPushButton, ...] = ()

    def follow_study(self, *buttons: QPushButton) -> None:
        """Offer the study's recordings from now on; ``buttons`` are enabled while there are any and no step runs."""
        self._need_recording = buttons
        self.session.table_changed.connect(self._on_table_changed)
        self.session.study_changed.connect(self._on_table_changed)
        self._on_table_changed()

    def _on_table_changed(self) -> None:
        """Offer the recordings that there are now, and keep the choice where it is one of them; else the one shown."""
        recordings = self.session.recordings
        chosen = self.recording.currentText()
        if not chosen and (shown := shown_recording(self.viewer, recordings)):
            chosen = shown[1].name
        self.recording.clear()
        self.recording.addItems([recording.name for recording in recordings])
        if chosen:
            self.recording.setCurrentText(chosen)
        self.hint.setText(self.session.hint)
        self._on_running_changed(self.worker is not None)

    def _on_running_changed(self, running: bool) -> None:
        ready = self.session.study is not None and self.recording.count() > 0 and not running
        for button in self._need_recording:
            button.setEnabled(ready)
