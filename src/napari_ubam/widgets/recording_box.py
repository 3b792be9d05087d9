"""A list of the study's recordings to choose one from."""

from __future__ import annotations

from qtpy.QtWidgets import QComboBox

from napari_ubam.widgets.session import Session


class RecordingBox(QComboBox):
    """Chooses a recording by its name.

    Parameters
    ----------
    session : Session
        Whose study's recordings are offered.
    tip : str
        What the choice is for.
    """

    def __init__(self, session: Session, tip: str) -> None:
        super().__init__()
        self._session = session
        self.setAccessibleName("Recording")
        self.setToolTip(f"<qt>{tip}</qt>")

    def fill(self) -> None:
        """Offer the recordings that there are now, and keep the choice where it is one of them."""
        chosen = self.currentText()
        self.clear()
        self.addItems([recording.name for recording in self._session.recordings])
        if chosen:
            self.setCurrentText(chosen)
