"""The study's table as a Qt model: one row a recording; subject, group and session can be edited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib import colormaps
from matplotlib.colors import to_hex
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_ubam.errors import StudyError
from napari_ubam.study import Recording
from napari_ubam.widgets.add_recordings import NEW_GROUP
from napari_ubam.widgets.session import Session

COLUMNS = ("Recording", "Subject", "Group", "Session", "Region")
EDITABLE = {"Subject": "subject", "Group": "group", "Session": "session"}
_TIPS = {
    "Recording": "One video of one subject in one session.",
    "Subject": "Who is seen. All recordings of a subject belong to one group.",
    "Group": "Which cohort the subject belongs to, such as healthy or impaired.",
    "Session": "Which visit or day.",
    "Region": "The part of the picture that counts: width × height at x, y [px].",
}


class StudyTable(QAbstractTableModel):
    """Shows a session's recordings, and writes edits back to the session."""

    rejected = Signal(str)  # why an edit was not taken

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._names: list[str] = []
        session.table_changed.connect(self._on_table_changed)
        self._on_table_changed()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008  (Qt's signature)
        """Count the recordings."""
        return 0 if parent.isValid() else len(self._names)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """Count the columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Name the columns and say what they mean."""
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return COLUMNS[section]
            if role == Qt.ItemDataRole.ToolTipRole:
                return _TIPS[COLUMNS[section]]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give a cell's text, tooltip or colour."""
        recording, column = self.session.recordings[index.row()], COLUMNS[index.column()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return _text(recording, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return str(recording.path) if recording.path.exists() else f"{recording.path} is missing."
        if role == Qt.ItemDataRole.ForegroundRole and column == "Recording" and not recording.path.exists():
            return QColor("#d9534f")
        if role == Qt.ItemDataRole.DecorationRole and column == "Group":
            return QColor(group_colours(self.session.recordings)[recording.group])
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Say which cells can be edited."""
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if COLUMNS[index.column()] in EDITABLE else flags

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Take an edit, or say why not."""
        column = COLUMNS[index.column()]
        if role != Qt.ItemDataRole.EditRole or column not in EDITABLE:
            return False
        try:
            recordings = edited(self.session.recordings, index.row(), EDITABLE[column], str(value))
        except StudyError as error:
            self.rejected.emit(str(error))
            return False
        renamed = column == "Group" and self.session.reference == self.session.recordings[index.row()].group
        still_there = any(recording.group == self.session.reference for recording in recordings)
        reference = recordings[index.row()].group if renamed and not still_there else None
        if recordings != self.session.recordings:
            self.session.edit(recordings=recordings, reference=reference)
        return True

    def _on_table_changed(self) -> None:
        names = [recording.name for recording in self.session.recordings]
        if names == self._names:  # keep the selection
            if names:
                self.dataChanged.emit(self.index(0, 0), self.index(len(names) - 1, len(COLUMNS) - 1))
            return
        self.beginResetModel()
        self._names = names
        self.endResetModel()


def edited(recordings: Sequence[Recording], row: int, name: str, value: str) -> tuple[Recording, ...]:
    """Change one cell, and what must change with it: a subject is in one group.

    Parameters
    ----------
    recordings : sequence of Recording
        The table.
    row : int
        Whose cell is changed.
    name : {"subject", "group", "session"}
        Which cell.
    value : str
        What was typed.

    Returns
    -------
    tuple of Recording
        The whole table. A new group is that of all recordings of the subject; a recording
        that is given to a known subject joins that subject's group.

    Raises
    ------
    StudyError
        If the value cannot be used.
    """
    changes: dict[str, str] = {name: value.strip()}
    if name == "subject":
        groups = {other.subject: other.group for i, other in enumerate(recordings) if i != row}
        changes["group"] = groups.get(value.strip(), recordings[row].group)
    subject = recordings[row].subject
    return tuple(
        changed(other, **changes) if i == row or (name == "group" and other.subject == subject) else other
        for i, other in enumerate(recordings)
    )


def changed(recording: Recording, **changes: object) -> Recording:
    """Give a recording with other values, checked.

    Raises
    ------
    StudyError
        If they cannot be used, naming the recording.
    """
    return Recording.checked(f"Recording {recording.name}", **(recording.model_dump() | changes))


def group_colours(recordings: Iterable[Recording]) -> dict[str, str]:
    """Give every group its colour, the same in the table and in the figures."""
    groups = dict.fromkeys(recording.group for recording in recordings)
    palette = colormaps["tab10"]
    return {group: to_hex(palette(i % palette.N)) for i, group in enumerate(groups)}


def summary(recordings: Sequence[Recording]) -> str:
    """Say how many subjects each group has, and what is to be done next."""
    if not recordings:
        return "Add layers or files, or drop files here."
    subjects = {recording.subject: recording.group for recording in recordings}
    counts = Counter(subjects.values())
    words = ", ".join(f"{n} in {group}" for group, n in counts.items())
    hint = f" Double-click a cell to say who belongs to which group, instead of {NEW_GROUP}."
    return f"{len(recordings)} recordings. Subjects: {words}.{hint if NEW_GROUP in counts else ''}"


def table_view(table: StudyTable) -> QTableView:
    """Make the view of a table: whole rows are selected, the names take what width is left."""
    view = QTableView()
    view.setModel(table)
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setAcceptDrops(False)  # the widget takes them
    view.setWordWrap(False)
    view.setMinimumHeight(140)
    view.setAccessibleName("Recordings of the study")
    view.verticalHeader().hide()
    view.verticalHeader().setDefaultSectionSize(24)
    view.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    view.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    return view


def _text(recording: Recording, column: str) -> str:
    if column == "Recording":
        return recording.name
    if column == "Region":
        if recording.boxes is not None:
            return f"boxes: {recording.boxes.name}"
        return "" if recording.region is None else "{2} × {3} at {0}, {1}".format(*recording.region)
    return str(getattr(recording, EDITABLE[column]))
