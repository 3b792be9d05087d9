"""The dialog that reads subject, group and session from the names of files, with a preview."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_ubam.errors import StudyError
from napari_ubam.study import Recording
from napari_ubam.study.names import NamePattern, with_names_read

EXAMPLES = (
    "{subject}_{group}_{session}",
    "{group}_{subject}_{session}",
    "{subject}_{session}",
    "{subject}_*",
    "{group}/{subject}",
    "{group}/{subject}_{session}",
)


class NameDialog(QDialog):
    """Asks for a pattern; ``result_table`` is the table as it would become.

    Parameters
    ----------
    recordings : sequence of Recording
        The table.
    rows : sequence of int
        Whose names are read.
    """

    def __init__(self, recordings: Sequence[Recording], rows: Sequence[int], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Read names of files")
        self.resize(520, 420)
        self._recordings, self._rows = recordings, rows
        self.result_table: tuple[Recording, ...] = tuple(recordings)
        self.pattern = QComboBox()
        self.pattern.setEditable(True)
        self.pattern.addItems(EXAMPLES)
        self.pattern.setAccessibleName("Pattern")
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.preview = QTableWidget()
        self.preview.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.preview.setAccessibleName("What the names tell")
        self.preview.verticalHeader().hide()
        buttons = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(buttons.Ok | buttons.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        hint = QLabel(
            "How are the files named? Words in braces are columns of the table, * is anything. "
            "With / folders count too: {group}/{subject}_{session}."
        )
        hint.setWordWrap(True)
        column = QVBoxLayout(self)
        for widget in (hint, self.pattern, self.told, self.preview, self.buttons):
            column.addWidget(widget)
        self.pattern.editTextChanged.connect(self._show)
        self._show(self.pattern.currentText())

    def _show(self, text: str) -> None:
        """Show what a pattern would do; what cannot be done cannot be accepted."""
        paths = [self._recordings[row].path for row in self._rows]
        fields: list[str] = []
        found: list[dict[str, str] | None] = [None] * len(paths)
        try:
            pattern = NamePattern(text)
            fields, found = pattern.fields, [pattern.match(path) for path in paths]
            self.result_table = with_names_read(self._recordings, self._rows, pattern)
            fit = sum(values is not None for values in found)
            self.told.setText(f"{fit} of {len(paths)} names fit. The others stay as they are.")
        except StudyError as error:
            fit = 0
            self.told.setText(str(error))
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(fit > 0)
        self.preview.setColumnCount(1 + len(fields))
        self.preview.setHorizontalHeaderLabels(["File", *fields])
        self.preview.setRowCount(len(paths))
        for i, (path, values) in enumerate(zip(paths, found, strict=True)):
            item = QTableWidgetItem(f"{path.parent.name}/{path.name}")
            if values is None:
                item.setForeground(QColor("gray"))
            self.preview.setItem(i, 0, item)
            for j, field in enumerate(fields, 1):
                self.preview.setItem(i, j, QTableWidgetItem("" if values is None else values[field]))
        self.preview.resizeColumnsToContents()
