"""The table of the *Study* widget with what is done to its rows: filter, set, remove, undo, export."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from napari.utils.notifications import show_info, show_warning
from qtpy.QtCore import QModelIndex, QPoint, Qt, Signal
from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtWidgets import QFileDialog, QInputDialog, QLineEdit, QMenu, QMessageBox, QPushButton, QVBoxLayout, QWidget

from napari_ubam.study import Recording, write_table
from napari_ubam.study.locating import moved_alike, with_files_at
from napari_ubam.widgets.dock import row
from napari_ubam.widgets.notices import errors_shown
from napari_ubam.widgets.session import Session
from napari_ubam.widgets.shortcuts import REDO, UNDO
from napari_ubam.widgets.study.name_dialog import NameDialog
from napari_ubam.widgets.study.study_facts import StudyFacts
from napari_ubam.widgets.study.study_table import COLUMNS, StudyTable
from napari_ubam.widgets.study.study_view import StudyView


class StudyPanel(QWidget):
    """Shows a session's recordings and edits them; every edit can be undone."""

    open_requested = Signal(object)  # Recording: its row was double-clicked
    selection_changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.facts = StudyFacts(session)
        self.table = StudyTable(session, self.facts)
        self.view = StudyView(self.table)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter, such as: impaired   or   session:2")
        self.filter.setClearButtonEnabled(True)
        self.filter.setAccessibleName("Filter of the recordings")
        self.filter.setToolTip(
            "<qt>Show only rows that have all these words; <b>group:impaired</b> looks in one column. "
            "Click a column's title to sort by it.</qt>"
        )
        self.menu = QMenu(self)
        self.edit_button = QPushButton("Edit")
        self.edit_button.setToolTip("<qt>What can be done to the selected rows; also by a right click.</qt>")
        self.edit_button.setMenu(self.menu)
        self._for_rows: list[QAction] = []  # of use only where rows are selected
        self._fill_menu()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row(self.filter, self.edit_button))
        column.addWidget(self.view, 1)

        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._on_menu_requested)
        self.view.doubleClicked.connect(self._on_double_clicked)
        self.view.selectionModel().selectionChanged.connect(self._on_selection_changed)
        self.filter.textChanged.connect(self.view.filtered.set_text)
        self.table.rejected.connect(show_warning)
        self.table.modelReset.connect(self._on_selection_changed)
        self._on_selection_changed()

    def _fill_menu(self) -> None:
        undo = self.session.undo
        self._undoing = (undo.createUndoAction(self), undo.createRedoAction(self))  # else PyQt6 would delete them
        for action, shortcut in zip(self._undoing, (UNDO, REDO), strict=True):
            action.setShortcut(QKeySequence(shortcut.key))
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            self.addAction(action)  # so that its keys are heard wherever the focus is within the panel
            self.menu.addAction(action)
        self.menu.addSeparator()
        for name in ("Subject", "Group", "Session"):
            self._for_rows.append(self._add(f"Set {name.lower()}…", partial(self._on_set_clicked, name)))
        self._for_rows.append(self._add("Set another column…", self._on_set_other_clicked))
        self._add("Read names of files…", self._on_read_names_clicked)
        self.menu.addSeparator()
        self._add("Locate missing files…", self._on_locate_clicked)
        self._for_rows.append(self._add("Remove", self.remove_selected))
        self._add("Export table…", self._on_export_clicked)

    def _add(self, text: str, on_triggered: Callable[[], None]) -> QAction:
        action = self.menu.addAction(text)
        action.triggered.connect(lambda checked: on_triggered())
        return action

    def remove_selected(self) -> None:
        """Take the selected rows out of the table; their files stay."""
        gone = set(self.view.selected_rows())
        kept = [recording for i, recording in enumerate(self.session.recordings) if i not in gone]
        self.session.edit("removing rows", recordings=kept)

    def locate(self, recording: Recording, place: Path) -> None:
        """Say where a recording's file is; others that moved along with it are offered."""
        others = {x.path for x in self.session.recordings if not x.path.exists()} - {recording.path}
        alike = moved_alike(recording.path, place, others)
        if alike:
            example = next(iter(alike.values()))
            text = f"{len(alike)} more of the missing files are there too, such as {example}. Take them as well?"
            if QMessageBox.question(self, "More files were found", text) != QMessageBox.StandardButton.Yes:
                alike = {}
        places = {recording.path: place} | alike
        self.session.edit("locating files", recordings=with_files_at(self.session.recordings, places))

    def export(self, path: Path) -> None:
        """Write the table as a CSV; the study's own stays where it is."""
        with errors_shown():
            write_table(path, self.session.recordings)

    def _on_set_clicked(self, column: str) -> None:
        rows, values = self.view.selected_rows(), self.table.values(column)
        now = self.table.index(rows[0], self.table.columns.index(column)).data()
        at = values.index(now) if now in values else 0
        label = (
            f"{column} of {len(rows)} recordings" if len(rows) > 1 else f"{column} of {self.view.selected()[0].name}"
        )
        value, given = QInputDialog.getItem(self, f"Set {column.lower()}", label, values, at, True)
        if given:
            self.table.edit(rows, column, value)

    def _on_set_other_clicked(self) -> None:
        covariates = self.table.columns[len(COLUMNS) :]
        label = "Column, such as severity or camera"
        column, given = QInputDialog.getItem(self, "Set another column", label, covariates, 0, True)
        if given and (column := column.strip()):
            value, given = QInputDialog.getText(self, f"Set {column}", f"{column} of the selected recordings")
            if given:
                self.table.edit(self.view.selected_rows(), column, value)

    def _on_locate_clicked(self) -> None:
        """Ask where the first missing file is, of the selected ones if any is among them."""
        missing = self.facts.missing()
        chosen = [recording for recording in self.view.selected() if recording in missing]
        if not missing:
            show_info("No file is missing.")
            return
        recording = (chosen or missing)[0]
        title = f"Where is {recording.path.name}?"
        if recording.path.suffix:
            place, _ = QFileDialog.getOpenFileName(self, title, recording.path.name)
        else:  # a folder of images
            place = QFileDialog.getExistingDirectory(self, title)
        if place:
            self.locate(recording, Path(place))

    def _on_read_names_clicked(self) -> None:
        """Read the names of the selected files, or of all."""
        rows = self.view.selected_rows() or range(len(self.session.recordings))
        dialog = NameDialog(self.session.recordings, list(rows), self)
        if dialog.exec():
            self.session.edit("reading names", recordings=dialog.result_table)
        dialog.deleteLater()

    def _on_export_clicked(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Export the table of recordings", "", "Tables (*.csv)")
        if path:
            self.export(Path(path))

    def _on_menu_requested(self, at: QPoint) -> None:
        self.menu.popup(self.view.viewport().mapToGlobal(at))

    def _on_double_clicked(self, index: QModelIndex) -> None:
        if not self.table.is_editable(self.table.columns[index.column()]):
            self.open_requested.emit(self.view.recording_at(index))

    def _on_selection_changed(self) -> None:
        some = self.view.has_selection
        for action in self._for_rows:
            action.setEnabled(some)
        self.selection_changed.emit()
