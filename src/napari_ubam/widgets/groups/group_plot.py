"""Every subject's score, side by side by group: points can be clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.backend_bases import MouseEvent
from qtpy.QtCore import Signal

from napari_ubam.analysis.theme import MARKERS
from napari_ubam.widgets.figure import ThemedCanvas

if TYPE_CHECKING:
    from napari.viewer import Viewer

LABELS = {
    "deviation": "deviation",
    "important": "important frames [%]",
    "abnormal": "abnormal frames [%]",
}
_SPREAD = 0.18


class GroupPlot(ThemedCanvas):
    """Draws one point a subject; a click tells whose it was."""

    subject_clicked = Signal(str)

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(viewer, height=220)
        self.subjects: list[str] = []
        self.positions = np.zeros((0, 2))  # of the points, in the order of the subjects
        self.mpl_connect("button_press_event", self._on_pressed)

    def show_scores(self, scores: pd.DataFrame | None, measure: str, reference: str, colours: dict[str, str]) -> None:
        """Draw a measure of every subject, the reference group first; bars are medians."""
        self.figure.clear()
        self.subjects, self.positions = [], np.zeros((0, 2))
        if scores is not None and len(scores):
            axes = self.figure.add_subplot()
            groups = sorted(set(scores["group"]), key=lambda group: (group != reference, group))
            for i, group in enumerate(groups):
                own = scores[(scores["group"] == group) & scores[measure].notna()].sort_values(measure, kind="stable")
                x = i + _SPREAD * np.array([0, -1, 1, -0.5, 0.5])[np.arange(len(own)) % 5]
                colour = colours.get(group, "gray")
                axes.plot(x, own[measure], MARKERS[i % 7], color=colour, ms=7)
                if len(own):
                    axes.hlines(own[measure].median(), i - 0.3, i + 0.3, color=colour, lw=2)
                self.subjects += own["subject"].tolist()
                self.positions = np.concatenate([self.positions, np.column_stack([x, own[measure]])])
            axes.set_xticks(range(len(groups)), [f"{g}\nn = {(scores['group'] == g).sum()}" for g in groups])
            axes.set_xlim(-0.6, len(groups) - 0.4)
            axes.set_ylabel(LABELS[measure])
            for text in axes.get_xticklabels():
                text.set_parse_math(False)  # a group may be called $1
        self.apply_theme()

    def _on_pressed(self, event: MouseEvent) -> None:
        if (clicked := self.point_at(event, self.positions)) is not None:
            self.subject_clicked.emit(self.subjects[clicked])
