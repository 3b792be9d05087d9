"""What can be done with the map: choose frames, join a recording's frames, see where groups differ."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_ubam.widgets.dock import button, combo, row

_POINTS = "points"


class MapTools(QWidget):
    """Says what the user wants; the widget that has the map does it."""

    shown_changed = Signal()  # points or a difference, a line or none
    encircling_changed = Signal(bool)
    save_requested = Signal()
    montage_requested = Signal()
    clips_requested = Signal()
    clear_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._pairs: dict[str, tuple[str, str] | None] = {_POINTS: None}
        self.shown = combo(
            [_POINTS],
            "Shown",
            "Points, or where one group is found more often (red) than another (blue). Every subject counts the same.",
        )
        self.line = _toggle("Line", "Join the current recording's frames by a line, from dark (first) to light (last).")
        self.encircle = _toggle("Encircle", "Choose frames: draw around them. Without this button, hold Shift.")
        self.label = QLineEdit("chosen")
        self.label.setAccessibleName("Label")
        self.label.setToolTip("<qt>What the chosen frames are called in the file, such as limping.</qt>")
        self.save = button(
            "Save…",
            "Save the chosen frames as intervals: a CSV that Compare groups reads, or BORIS's tabular events.",
            self.save_requested.emit,
        )
        self.montage = button("Montage", "Show some of the chosen frames side by side.", self.montage_requested.emit)
        self.clips = button(
            "Clips", "Show the chosen stretches back to back, as a video that can be played.", self.clips_requested.emit
        )
        self.clear = button("Clear", "Choose nothing.", self.clear_requested.emit)
        self._needing = [self.label, self.save, self.montage, self.clips, self.clear]
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        first = row(self.shown, self.line)
        first.setStretch(0, 1)
        second = row(self.encircle, self.label, self.save)
        second.setStretch(1, 1)
        column.addLayout(first)
        column.addLayout(second)
        column.addLayout(row(self.montage, self.clips, self.clear))
        self.shown.currentTextChanged.connect(self._on_shown_changed)
        self.line.toggled.connect(self._on_shown_changed)
        self.encircle.toggled.connect(self.encircling_changed)
        self.set_chosen(False)

    @property
    def difference(self) -> tuple[str, str] | None:
        """The two groups whose difference is to be shown; None for points."""
        return self._pairs[self.shown.currentText()]

    def offer_groups(self, groups: Iterable[str], reference: str) -> None:
        """Offer the differences between groups, of each from the reference group first."""
        ordered = sorted(dict.fromkeys(groups), key=lambda group: group != reference)
        chosen = self.shown.currentText()
        self._pairs = {_POINTS: None, **{f"{b} − {a}": (b, a) for a, b in combinations(ordered, 2)}}
        with QSignalBlocker(self.shown):
            self.shown.clear()
            self.shown.addItems(list(self._pairs))
            self.shown.setCurrentText(chosen if chosen in self._pairs else _POINTS)

    def set_chosen(self, any_chosen: bool) -> None:
        """Enable what needs chosen frames."""
        for each in self._needing:
            each.setEnabled(any_chosen)

    def _on_shown_changed(self) -> None:
        self.shown_changed.emit()


def _toggle(text: str, tip: str) -> QPushButton:
    made = QPushButton(text)
    made.setCheckable(True)
    made.setToolTip(f"<qt>{tip}</qt>")
    return made
