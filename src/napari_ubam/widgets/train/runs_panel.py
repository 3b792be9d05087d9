"""The trainings of a study: what they were, how their losses compare, and which one the study uses."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from napari_ubam.training.runs import Run, find_runs
from napari_ubam.widgets.dock import button
from napari_ubam.widgets.latest_call import LatestCall
from napari_ubam.widgets.progress_row import time_in_words

_TITLES = ("When", "Preset", "Objective", "Steps", "Loss", "Took", "On")


class RunsPanel(QWidget):
    """Lists the complete trainings of a study, the one in use first."""

    use_requested = Signal(str)  # name of an earlier training
    compared = Signal(object)  # list of Run: those that are selected
    changed = Signal()  # they were read again

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[Run] = []
        self._latest = LatestCall(self)
        self._latest.done.connect(self._on_read)
        self.list = QTreeWidget()
        self.list.setRootIsDecorated(False)
        self.list.setHeaderLabels(_TITLES)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setAccessibleName("Trainings of the study")
        self.list.setToolTip("<qt>Select some to compare their losses above; the one in use is bold.</qt>")
        self.list.setMinimumHeight(90)
        self.use_button = button(
            "Use the selected one",
            "Let the study use this training's models. The one that it uses now is kept. Embeddings are to be computed "
            "again then.",
            self._on_use_clicked,
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.list)
        column.addWidget(self.use_button)
        self.list.itemSelectionChanged.connect(self._on_selection_changed)
        self._on_selection_changed()

    @property
    def used(self) -> Run | None:
        """The training whose models the study uses."""
        return next((run for run in self.runs if not run.name), None)

    def look(self, models: Path | None) -> None:
        """List the trainings of a study's folder of models."""
        self._latest.ask(partial(find_runs, models) if models is not None else list)

    def selected(self) -> list[Run]:
        """Give the trainings that are selected."""
        return [self.runs[self.list.indexOfTopLevelItem(item)] for item in self.list.selectedItems()]

    def close_thread(self) -> None:
        """Read no more."""
        self._latest.close()

    def _on_read(self, runs: list[Run]) -> None:
        self.runs = runs
        self.list.clear()
        for run in runs:
            loss = "" if run.loss is None else f"{run.loss:.3g}"
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.when))
            item = QTreeWidgetItem(
                [when, run.preset, run.objective, str(run.steps), loss, time_in_words(run.seconds), run.device]
            )
            item.setToolTip(0, "\n".join(f"{name}: {value}" for name, value in run.settings.items()))
            font = item.font(0)
            font.setBold(not run.name)
            for column in range(len(_TITLES)):
                item.setFont(column, font)
            if not run.name:
                item.setText(0, f"{when}, in use")
            item.setTextAlignment(3, Qt.AlignmentFlag.AlignRight)
            self.list.addTopLevelItem(item)
        for column in range(len(_TITLES)):
            self.list.resizeColumnToContents(column)
        self.changed.emit()

    def _on_use_clicked(self) -> None:
        self.use_requested.emit(self.selected()[0].name)

    def _on_selection_changed(self) -> None:
        selected = self.selected()
        self.use_button.setEnabled(len(selected) == 1 and bool(selected[0].name))
        self.compared.emit(selected)
