"""A table of results that can be read, sorted and clicked, but not changed."""

from __future__ import annotations

from typing import Any

import pandas as pd
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, QSortFilterProxyModel, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QTableView, QWidget

from napari_ubam.analysis.words import in_digits

_SORT = Qt.ItemDataRole.UserRole


class ResultModel(QAbstractTableModel):
    """Gives Qt the cells of a DataFrame; numbers with three digits, the whole value as the tooltip."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.table = pd.DataFrame()

    def show_table(self, table: pd.DataFrame) -> None:
        """Take another table."""
        self.beginResetModel()
        self.table = table.reset_index(drop=True)
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Count the rows."""
        return 0 if parent is not None and parent.isValid() else len(self.table)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Count the columns."""
        return 0 if parent is not None and parent.isValid() else self.table.shape[1]

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give a cell's text, or what it is sorted by."""
        value = self.table.iat[index.row(), index.column()]
        value = value.item() if hasattr(value, "item") else value
        if role == Qt.ItemDataRole.DisplayRole:
            return "" if pd.isna(value) else in_digits(value)
        if role == Qt.ItemDataRole.ToolTipRole:
            return "" if pd.isna(value) else str(value)
        if role == _SORT:
            return float("-inf") if pd.isna(value) else value
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give a column's name."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return str(self.table.columns[section]).replace("_", " ")
        return None


class ResultTable(QTableView):
    """Shows a DataFrame; a click tells which of its rows was meant."""

    row_clicked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = ResultModel(self)
        proxy = QSortFilterProxyModel(self)
        proxy.setSourceModel(self._model)
        proxy.setSortRole(_SORT)
        self.setModel(proxy)
        self.setSortingEnabled(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setMinimumHeight(120)
        self.horizontalHeader().setResizeContentsPrecision(0)  # of the rows that are seen: a long table stays quick
        self._proxy = proxy
        self.clicked.connect(self._on_clicked)

    @property
    def table(self) -> pd.DataFrame:
        """What is shown."""
        return self._model.table

    def show_table(self, table: pd.DataFrame) -> None:
        """Show another table, in its own order."""
        self._model.show_table(table)
        self.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.resizeColumnsToContents()

    def _on_clicked(self, index: QModelIndex) -> None:
        self.row_clicked.emit(self._proxy.mapToSource(index).row())
