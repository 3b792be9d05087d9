"""The frames of other subjects that are most like the one that is looked at, with their average."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import QSignalBlocker, QSize, Qt, Signal
from qtpy.QtGui import QIcon, QShowEvent
from qtpy.QtWidgets import QLabel, QListView, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_ubam.errors import UbamError
from napari_ubam.progress import Cancelled
from napari_ubam.widgets.dock import combo, row
from napari_ubam.widgets.embedding.embedding_data import MapData
from napari_ubam.widgets.embedding.frame_pictures import FramePictures
from napari_ubam.widgets.embedding.hover_card import pixmap
from napari_ubam.widgets.latest_call import LatestCall
from napari_ubam.widgets.notices import tell_error

MAX_SHOWN = 24
_ALL = "all groups"
_SIDE, _LARGE = 84, 128  # of the pictures [px]


@dataclass(frozen=True, eq=False)
class Neighbours:
    """What is most like a frame.

    Attributes
    ----------
    query : int
        The frame, as a row of the map.
    rows : ndarray of int, shape (k,)
        The nearest frame of each other subject, nearest first.
    distances : ndarray, shape (k,)
        How far they are.
    picture : ndarray of uint8, shape (S, S, 3)
        The frame.
    pictures : ndarray of uint8, shape (k, S, S, 3)
        The others.
    """

    query: int
    rows: np.ndarray
    distances: np.ndarray
    picture: np.ndarray
    pictures: np.ndarray


def find_neighbours(data: MapData, pictures: FramePictures, query: int, group: str | None) -> Neighbours:
    """Find the frame of each other subject, of a group or of all, that is most like a frame.

    Parameters
    ----------
    data : MapData
        All frames.
    pictures : FramePictures
        What they look like.
    query : int
        A row of the map.
    group : str or None
        None for all groups.

    Raises
    ------
    VideoError, StudyError
        If a recording cannot be read.
    """
    from napari_ubam.analysis.neighbours import nearest_by_recording  # loads scikit-learn

    subjects = np.array([x.subject for x in data.recordings])[data.which]
    left_out = subjects == data.recording_of(query).subject
    if group is not None:
        left_out |= (np.array([x.group for x in data.recordings]) != group)[data.which]
    rows, distances = nearest_by_recording(data.codes[query], data.codes, subjects, exclude=left_out)
    rows, distances = rows[:MAX_SHOWN], distances[:MAX_SHOWN]
    frames = [(data.recording_of(i), int(data.frame[i])) for i in (query, *rows.tolist())]
    own, *others = pictures.pictures(frames)
    return Neighbours(query, rows, distances, own, np.array(others))


class NeighboursPage(QWidget):
    """Shows the neighbours of the current frame, as long as it is looked at; a click on one opens it."""

    point_clicked = Signal(int)  # a row of the map

    def __init__(self) -> None:
        super().__init__()
        self.found: Neighbours | None = None
        self._data: MapData | None = None
        self._pictures: FramePictures | None = None
        self._query: int | None = None
        self.group = combo([_ALL], "Group", "Whose frames are looked for. Those of the same subject never are.")
        self.query, self.average = QLabel(), QLabel()
        self.query.setAccessibleName("This frame")
        self.average.setAccessibleName("Average of its neighbours")
        self.caption = QLabel()
        self.caption.setWordWrap(True)
        self.caption.setTextFormat(Qt.TextFormat.PlainText)
        self.gallery = QListWidget()
        self.gallery.setViewMode(QListView.ViewMode.IconMode)
        self.gallery.setResizeMode(QListView.ResizeMode.Adjust)
        self.gallery.setMovement(QListView.Movement.Static)
        self.gallery.setIconSize(QSize(_SIDE, _SIDE))
        self.gallery.setGridSize(QSize(_SIDE + 20, _SIDE + 40))
        self.gallery.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.gallery.setAccessibleName("Neighbours")
        self.gallery.setToolTip("<qt>The nearest frame of each other subject, nearest first. Click one to see it.</qt>")
        self._finder = LatestCall(self)
        self._finder.done.connect(self._on_found)
        self._finder.failed.connect(self._on_failed)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.addWidget(self.group)
        column.addWidget(self.caption)
        column.addLayout(row(self.query, self.average))
        column.addWidget(self.gallery, 1)
        self.group.currentTextChanged.connect(self._on_group_chosen)
        self.gallery.itemClicked.connect(self._on_item_chosen)
        self.gallery.itemActivated.connect(self._on_item_chosen)  # by the keyboard
        self._clear()

    def show_data(self, data: MapData | None, pictures: FramePictures | None, groups: Iterable[str]) -> None:
        """Look among other frames from now on."""
        self._data, self._pictures, self._query = data, pictures, None
        chosen, offered = self.group.currentText(), [_ALL, *dict.fromkeys(groups)]
        with QSignalBlocker(self.group):
            self.group.clear()
            self.group.addItems(offered)
            self.group.setCurrentText(chosen if chosen in offered else _ALL)
        self._clear()

    def mark(self, query: int | None) -> None:
        """Show the neighbours of a row of the map; those of the last one stay for None."""
        if query is not None and query != self._query:
            self._query = query
            self._find()

    def close_thread(self) -> None:
        """Look for nothing any more."""
        self._finder.close()

    def showEvent(self, event: QShowEvent) -> None:
        """Look for what was not looked for while nobody saw it."""
        super().showEvent(event)
        self._find()

    def _find(self) -> None:
        data, pictures, query = self._data, self._pictures, self._query
        if data is None or pictures is None or query is None or not self.isVisible():
            return
        group = None if self.group.currentIndex() == 0 else self.group.currentText()
        self._finder.ask(lambda: (data, find_neighbours(data, pictures, query, group)))

    def _clear(self) -> None:
        self.found = None
        self.gallery.clear()
        self.query.clear()
        self.average.clear()
        self.caption.setText("Click a point of the map, or move through a recording, to see the frames most like it.")

    def _on_found(self, answer: tuple[MapData, Neighbours]) -> None:
        data, found = answer
        if data is not self._data:  # another map has come meanwhile
            return
        self.found = found
        own = data.recording_of(found.query)
        self.query.setPixmap(pixmap(found.picture, _LARGE))
        self.gallery.clear()
        if not len(found.rows):
            self.average.clear()
            self.caption.setText("No other subject is on the map.")
            return
        self.average.setPixmap(pixmap(found.pictures.mean(0).astype(np.uint8), _LARGE))
        self.caption.setText(
            f"{own.name}, frame {data.frame[found.query]}, and the average of its {len(found.rows)} neighbours:"
        )
        for number, distance, picture in zip(found.rows.tolist(), found.distances, found.pictures, strict=True):
            other = data.recording_of(number)
            said = f"{other.subject} ({other.group})"
            item = QListWidgetItem(QIcon(pixmap(picture, _SIDE)), f"{said}\n{distance:.3g}")
            item.setToolTip(f"{said}, {other.name}, frame {data.frame[number]}, distance {distance:.4g}")
            item.setData(Qt.ItemDataRole.UserRole, number)
            self.gallery.addItem(item)

    def _on_failed(self, error: Exception) -> None:
        if isinstance(error, UbamError):
            tell_error(error)
        elif not isinstance(error, Cancelled):
            raise error

    def _on_group_chosen(self) -> None:
        self._find()

    def _on_item_chosen(self, item: QListWidgetItem) -> None:
        self.point_clicked.emit(item.data(Qt.ItemDataRole.UserRole))
