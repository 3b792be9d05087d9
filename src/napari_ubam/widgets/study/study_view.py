"""The view of the study's table: sorted by any column, filtered by words, edited many rows at once."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import QAbstractItemModel, QModelIndex, QSize, QSortFilterProxyModel, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCompleter,
    QHeaderView,
    QLineEdit,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from napari_ubam.study import Recording
from napari_ubam.widgets.study.study_table import SORT_ROLE, StudyTable

_WIDTH = 400  # [px]


class FilteredTable(QSortFilterProxyModel):
    """The rows that have all words of a text in one of their cells, in the order that was asked for."""

    def __init__(self, table: StudyTable) -> None:
        super().__init__()
        self._table = table
        self._words: list[str] = []
        self.setSourceModel(table)
        self.setSortRole(SORT_ROLE)

    def set_text(self, text: str) -> None:
        """Show the rows that have these words; ``group:impaired`` looks in one column only."""
        self._words = text.casefold().split()
        self.invalidateFilter()

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        """Tell whether a row is shown."""
        if not self._words:
            return True
        cells = {name.casefold(): self._table.text(row, name).casefold() for name in self._table.columns}
        return all(_has(cells, word) for word in self._words)


class StudyView(QTableView):
    """Shows the study's table; whole rows are selected.

    Parameters
    ----------
    table : StudyTable
        The recordings.
    """

    def __init__(self, table: StudyTable) -> None:
        super().__init__()
        self.table = table
        self.filtered = FilteredTable(table)
        self.setModel(self.filtered)
        self.setItemDelegate(_CellEditor(self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSortingEnabled(True)
        self.sortByColumn(-1, Qt.SortOrder.AscendingOrder)  # in the table's own order
        self.setAcceptDrops(False)  # the widget takes them
        self.setWordWrap(False)
        self.setMinimumHeight(140)
        self.setAccessibleName("Recordings of the study")
        self.setTabKeyNavigation(False)  # so that Tab leads out of the table
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(24)
        header = self.horizontalHeader()
        header.setSortIndicatorClearable(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setHighlightSections(False)  # bold titles are wider: the columns would move at every click
        header.setResizeContentsPrecision(0)  # of the rows that are seen: a long table stays quick
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)

    def sizeHint(self) -> QSize:
        """Ask for room for the first columns; the others are scrolled to, or the dock is drawn wider."""
        return QSize(_WIDTH, super().sizeHint().height())

    def selected_rows(self) -> list[int]:
        """Give the selected rows of the table, in its own order, however they are sorted."""
        shown = self.selectionModel().selectedRows()
        return sorted(self.filtered.mapToSource(index).row() for index in shown)

    @property
    def has_selection(self) -> bool:
        """Whether any row is selected; unlike listing them, it is quick however many there are."""
        return self.selectionModel().hasSelection()

    def selected(self) -> list[Recording]:
        """Give the recordings whose rows are selected."""
        return [self.table.session.recordings[row] for row in self.selected_rows()]

    def recording_at(self, index: QModelIndex) -> Recording:
        """Give the recording of a cell of the view."""
        return self.table.session.recordings[self.filtered.mapToSource(index).row()]


class _CellEditor(QStyledItemDelegate):
    """Offers the words that the column has already; what is typed goes into all selected rows."""

    def __init__(self, view: StudyView) -> None:
        super().__init__(view)
        self._view = view

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: QModelIndex) -> QWidget:
        editor = super().createEditor(parent, option, index)
        if isinstance(editor, QLineEdit):
            table = self._view.table
            completer = QCompleter(table.values(table.columns[index.column()]), editor)
            completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
            editor.setCompleter(completer)
        return editor

    def setEditorData(self, editor: QWidget, index: QModelIndex) -> None:
        """Fill the editor once: what is typed stays when the table changes meanwhile, as when files were looked at."""
        if not editor.property("filled"):
            super().setEditorData(editor, index)
            editor.setProperty("filled", True)

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: QModelIndex) -> None:
        assert isinstance(editor, QLineEdit)  # all cells are text
        if editor.text() == index.data():
            return
        row, selected = self._view.filtered.mapToSource(index).row(), self._view.selected_rows()
        table = self._view.table
        table.edit(selected if row in selected else [row], table.columns[index.column()], editor.text())


def _has(cells: Mapping[str, str], word: str) -> bool:
    column, colon, text = word.partition(":")
    if colon and column in cells:
        return text in cells[column]
    return any(word in cell for cell in cells.values())
