"""How a magnified recording is compared with the original: one over the other, side by side, or with a curtain."""

from __future__ import annotations

from enum import StrEnum

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QSlider, QWidget


class Compare(StrEnum):
    """The ways to compare."""

    OVERLAY = "overlay"
    SIDE_BY_SIDE = "side by side"
    CURTAIN = "curtain"


class CompareRow(QWidget):
    """A choice, and a slider for the opacity of the overlay or the place of the curtain."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.choice = QComboBox()
        self.choice.addItems([str(way) for way in Compare])
        self.choice.setAccessibleName("Compare")
        self.choice.setToolTip(
            "<qt>Lay the magnified frames over the recording, put them beside it, or let a curtain hide their left "
            "part, behind which the recording is seen.</qt>"
        )
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 100)
        self._values = {Compare.OVERLAY: 100, Compare.SIDE_BY_SIDE: 100, Compare.CURTAIN: 50}
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.choice)
        layout.addWidget(self.slider, 1)
        self.choice.currentTextChanged.connect(self._on_chosen)
        self.slider.valueChanged.connect(self._on_moved)
        self._on_chosen()

    @property
    def way(self) -> Compare:
        """How to compare."""
        return Compare(self.choice.currentText())

    @property
    def share(self) -> float:
        """The opacity, or how far the curtain is drawn, from 0 to 1."""
        return self.slider.value() / 100

    def _on_chosen(self) -> None:
        self.slider.setVisible(self.way is not Compare.SIDE_BY_SIDE)
        overlay = self.way is Compare.OVERLAY
        self.slider.setToolTip(
            "<qt>Opacity of the magnified frames.</qt>"
            if overlay
            else "<qt>Where the curtain ends: left of it is the recording, right of it the magnified frames.</qt>"
        )
        self.slider.setAccessibleName("Opacity" if overlay else "Curtain")
        self.slider.blockSignals(True)
        self.slider.setValue(self._values[self.way])
        self.slider.blockSignals(False)
        self.changed.emit()

    def _on_moved(self, value: int) -> None:
        self._values[self.way] = value
        self.changed.emit()
