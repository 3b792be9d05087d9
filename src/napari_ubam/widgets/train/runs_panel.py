"""The trainings of a study: what they were, how their losses compare, which one it uses, which can be resumed."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from napari_ubam.training.runs import Run, find_runs, find_unfinished
from napari_ubam.widgets.dock import button, row
from napari_ubam.widgets.latest_call import LatestCall
from napari_ubam.widgets.progress_row import time_in_words

_TITLES = ("When", "Preset", "Objective", "Steps", "Loss", "Took", "On")


class RunsPanel(QWidget):
    """Lists the trainings of a study: the one in use, earlier ones, and those that can be resumed."""

    use_requested = Signal(str)  # name of an earlier training
    resume_requested = Signal(str)  # name of an unfinished one
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
        self.resume_button = button(
            "Resume the selected one",
            "Go on with this training, which was stopped. One that could be resumed until now is put aside.",
            self._on_resume_clicked,
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.list)
        column.addLayout(row(self.use_button, self.resume_button))
        self.list.itemSelectionChanged.connect(self._on_selection_changed)
        self._on_selection_changed()

    @property
    def used(self) -> Run | None:
        """The training whose models the study uses."""
        return next((run for run in self.runs if run.is_complete and not run.name), None)

    @property
    def unfinished(self) -> Run | None:
        """The training that Resume goes on with."""
        return next((run for run in self.runs if not run.is_complete and not run.name), None)

    def look(self, models: Path | None) -> None:
        """List the trainings of a study's folder of models."""
        self._latest.ask(partial(_find, models) if models is not None else list)

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
            font.setBold(run == self.used)
            for column in range(len(_TITLES)):
                item.setFont(column, font)
            if not run.is_complete:
                item.setText(0, f"{when}, unfinished")
            elif run == self.used:
                item.setText(0, f"{when}, in use")
            item.setTextAlignment(3, Qt.AlignmentFlag.AlignRight)
            self.list.addTopLevelItem(item)
        for column in range(len(_TITLES)):
            self.list.resizeColumnToContents(column)
        self.changed.emit()

    def _on_use_clicked(self) -> None:
        self.use_requested.emit(self.selected()[0].name)

    def _on_resume_clicked(self) -> None:
        self.resume_requested.emit(self.selected()[0].name)

    def _on_selection_changed(self) -> None:
        selected = self.selected()
        one = selected[0] if len(selected) == 1 else None
        self.use_button.setEnabled(one is not None and one.is_complete and bool(one.name))
        self.resume_button.setEnabled(one is not None and not one.is_complete)
        self.compared.emit(selected)


def _find(models: Path) -> list[Run]:
    return find_runs(models) + find_unfinished(models)
