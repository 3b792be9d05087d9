"""The study's table as a Qt model: one row a recording; subject, group, session and covariates can be edited."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from matplotlib import colormaps
from matplotlib.colors import to_hex
from qtpy.QtCore import QAbstractTableModel, QBuffer, QModelIndex, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPixmap

from napari_ubam.errors import StudyError
from napari_ubam.study import Recording
from napari_ubam.study.editing import EDITABLE, edited
from napari_ubam.video import ASSUMED_FPS
from napari_ubam.widgets.session import Session
from napari_ubam.widgets.study.add_recordings import NEW_GROUP
from napari_ubam.widgets.study.study_facts import StudyFacts

COLUMNS = {  # and what they mean; covariates follow
    "Recording": "One video of one subject in one session.",
    "Subject": "Who is seen. All recordings of a subject belong to one group.",
    "Group": "Which cohort the subject belongs to, such as healthy or impaired.",
    "State": "How far it is: cropped, embedded, measured; or what is out of date, and why.",
    "Session": "Which visit or day.",
    "Length": "About how long it is, of the frames that count.",
    "Region": "The part of the picture that counts: width × height at x, y [px].",
}
SORT_ROLE = Qt.ItemDataRole.UserRole
_RED, _AMBER = "#d9534f", "#d98c1f"
_ROW_PICTURE = (40, 22)  # px, in the column of regions
_COVARIATE = "A further column of the table: kept, and described in the report for every group."
_DIGITS = re.compile(r"\d+")
_NO_PARENT = QModelIndex()


class StudyTable(QAbstractTableModel):
    """Shows a session's recordings, and writes edits back to the session.

    Attributes
    ----------
    columns : list of str
        Their titles; those after `COLUMNS` are covariates.
    """

    rejected = Signal(str)  # why an edit was not taken

    def __init__(self, session: Session, facts: StudyFacts) -> None:
        super().__init__()
        self.session, self.facts = session, facts
        self.columns: list[str] = list(COLUMNS)
        self._names: list[str] = []
        self._colours: dict[str, str] = {}
        self._sort_keys: dict[tuple[int, int], str | float] = {}  # by row and column
        self._icons: dict[int, QPixmap] = {}  # by the cache key of the picture
        session.table_changed.connect(self._on_table_changed)
        facts.changed.connect(self._tell_of_change)
        self._on_table_changed()

    def rowCount(self, parent: QModelIndex = _NO_PARENT) -> int:
        """Count the recordings."""
        return 0 if parent.isValid() else len(self._names)

    def columnCount(self, parent: QModelIndex = _NO_PARENT) -> int:
        """Count the columns."""
        return 0 if parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Name the columns and say what they mean."""
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return self.columns[section]
            if role == Qt.ItemDataRole.ToolTipRole:
                return COLUMNS.get(self.columns[section], _COVARIATE)
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Give a cell's text, tooltip or colour, or what it is sorted by."""
        recording, column = self.session.recordings[index.row()], self.columns[index.column()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return self._text(recording, column)
        if role == SORT_ROLE:  # asked for many times while it is sorted
            cell = index.row(), index.column()
            if cell not in self._sort_keys:
                self._sort_keys[cell] = self._sorted_by(recording, column)
            return self._sort_keys[cell]
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(recording, column)
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._colour(recording, column)
        if role == Qt.ItemDataRole.DecorationRole and column == "Group":
            return QColor(self._colours[recording.group])
        if role == Qt.ItemDataRole.DecorationRole and column == "Region":
            return self._icon(recording)
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Say which cells can be edited."""
        flags = super().flags(index)
        editable = index.isValid() and self.is_editable(self.columns[index.column()])
        return flags | Qt.ItemFlag.ItemIsEditable if editable else flags

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Take an edit of one cell, or say why not."""
        return role == Qt.ItemDataRole.EditRole and self.edit([index.row()], self.columns[index.column()], str(value))

    def is_editable(self, column: str) -> bool:
        """Tell whether a column's cells can be edited."""
        return column.lower() in EDITABLE or column not in COLUMNS

    def edit(self, rows: Collection[int], column: str, value: str) -> bool:
        """Write a value into a column of some rows, or say why not; tell whether it was taken."""
        if not self.is_editable(column):
            return False
        before, name = self.session.recordings, column.lower() if column in COLUMNS else column
        try:
            after = edited(before, rows, name, value)
        except StudyError as error:
            self.rejected.emit(str(error))
            return False
        renamed = name == "group" and any(before[i].group == self.session.reference for i in rows)
        still_there = any(recording.group == self.session.reference for recording in after)
        reference = value.strip() if renamed and not still_there else None
        self.session.edit(f"setting the {name}", recordings=after, reference=reference)
        return True

    def values(self, column: str) -> list[str]:
        """Give what the cells of a column say, each once."""
        return list(dict.fromkeys(filter(None, (self._text(x, column) for x in self.session.recordings))))

    def text(self, row: int, column: str) -> str:
        """Give what a cell shows."""
        return self._text(self.session.recordings[row], column)

    def _text(self, recording: Recording, column: str) -> str:
        if column == "Recording":
            return recording.name
        if column == "State":
            return state.word if (state := self.facts.state(recording)) is not None else ""
        if column == "Length":
            return facts.length if (facts := self.facts.of(recording)) is not None else ""
        if column == "Region":
            if recording.boxes is not None:
                return f"boxes: {recording.boxes.name}"
            return "" if recording.region is None else "{2} × {3} at {0}, {1}".format(*recording.region)
        return str(getattr(recording, column.lower())) if column in COLUMNS else recording.covariates.get(column, "")

    def _sorted_by(self, recording: Recording, column: str) -> str | float:
        if column == "Length":
            facts = self.facts.of(recording)
            return facts.frames / (facts.fps or ASSUMED_FPS) if facts is not None else 0.0
        return _DIGITS.sub(lambda number: number[0].zfill(12), self._text(recording, column).casefold())  # s2 < s10

    def _tip(self, recording: Recording, column: str) -> str:
        facts, state = self.facts.of(recording), self.facts.state(recording)
        if column == "State" and state is not None:
            return str(state)
        if facts is None:
            return str(recording.path)
        if facts.problem:
            return facts.problem
        if column == "Region" and facts.picture is not None:
            return f'<img src="data:image/png;base64,{_as_png(facts.picture)}"/>'
        rate = f", {facts.fps:g} a second" if facts.fps else ""
        return f"{recording.path}\n{facts.frames} frames{rate}"

    def _colour(self, recording: Recording, column: str) -> QColor | None:
        facts, state = self.facts.of(recording), self.facts.state(recording)
        if column in ("Recording", "State") and facts is not None and facts.problem:
            return QColor(_RED)
        wanting = state is not None and (state.held or state.word == "out of date")
        return QColor(_AMBER) if column == "State" and wanting else None

    def _icon(self, recording: Recording) -> QPixmap | None:
        facts = self.facts.of(recording)
        if facts is None or facts.picture is None:
            return None
        key = facts.picture.cacheKey()
        if key not in self._icons:
            keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            self._icons[key] = QPixmap.fromImage(facts.picture.scaled(*_ROW_PICTURE, keep, smooth))
        return self._icons[key]

    def _on_table_changed(self) -> None:
        recordings = self.session.recordings
        self._sort_keys.clear()
        names = [recording.name for recording in recordings]
        columns = [*COLUMNS, *dict.fromkeys(name for recording in recordings for name in recording.covariates)]
        self._colours = group_colours(recordings)
        if names == self._names and columns == self.columns:  # keep the selection
            self._tell_of_change()
            return
        self.beginResetModel()
        self._names, self.columns = names, columns
        self.endResetModel()

    def _tell_of_change(self) -> None:
        self._sort_keys.clear()
        if self._names:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._names) - 1, len(self.columns) - 1))


def _as_png(picture: QImage) -> str:
    """Write a picture into a tooltip."""
    buffer = QBuffer()
    picture.save(buffer, "PNG")
    return bytes(buffer.data().toBase64()).decode()


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
    hint = f" Say which group it is instead of {NEW_GROUP}: double-click a cell, or Edit > Read names of files."
    return f"{len(recordings)} recordings. Subjects: {words}.{hint if NEW_GROUP in counts else ''}"
