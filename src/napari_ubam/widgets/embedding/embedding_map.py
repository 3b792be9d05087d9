"""The map of the embeddings: its points, what their colours mean, the current frame, and the frame under the mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_ubam.analysis.density import density_difference
from napari_ubam.widgets.embedding.embedding_data import MapData
from napari_ubam.widgets.embedding.frame_pictures import FramePictures
from napari_ubam.widgets.embedding.hover_card import HoverCard
from napari_ubam.widgets.embedding.map_colours import Amounts, Kinds, colour_by
from napari_ubam.widgets.embedding.map_legend import MapLegend
from napari_ubam.widgets.embedding.map_view import MapView
from napari_ubam.widgets.latest_call import LatestCall

if TYPE_CHECKING:
    from napari.viewer import Viewer

TRAIL = 15  # frames before the current one that are joined to it


class EmbeddingMap(QWidget):
    """Shows `MapData`, and tells which of its rows was meant."""

    point_clicked = Signal(int)
    encircled = Signal(object)  # rows

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.data: MapData | None = None
        self.colours: Kinds | Amounts | None = None
        self.pictures: FramePictures | None = None
        self.view = MapView(viewer)
        self.view.setToolTip(
            "<qt>Click a point to see its frame. Drag to move the map, turn the wheel to zoom, "
            "double-click to see all. Shift and drag: choose frames.</qt>"
        )
        self.legend = MapLegend()
        self.card = HoverCard(self.view)
        self._join, self._difference = False, None
        self._hovered = -1
        self._reader = LatestCall(self)
        self._reader.done.connect(self._on_read)
        self._reader.failed.connect(self._on_not_read)
        self._counter = LatestCall(self)
        self._counter.done.connect(self._on_counted)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.view, 1)
        column.addWidget(self.legend)
        self.view.point_clicked.connect(self.point_clicked)
        self.view.point_hovered.connect(self._on_hovered)
        self.view.encircled.connect(self.encircled)
        self.legend.shown_changed.connect(self._on_shown_changed)

    def show_data(
        self, data: MapData | None, pictures: FramePictures | None, coloured: str, group_colours: dict[str, str]
    ) -> None:
        """Draw the map.

        Parameters
        ----------
        data : MapData or None
            None for an empty map.
        pictures : FramePictures or None
            Where the pictures of the frames come from.
        coloured : str
            One of `napari_ubam.widgets.embedding.map_colours.choices`.
        group_colours : dict of str to str
            The colours of the groups.
        """
        self.data, self.pictures = data, pictures
        self.colours = None if data is None else colour_by(data, coloured, group_colours)
        self.legend.show_colours(self.colours)
        self._on_shown_changed()

    def mark(self, row: int | None) -> None:
        """Mark a point and the frames before it, or none."""
        trail = None if row is None or self.data is None else self.data.before(row, TRAIL)
        self.view.mark(row, trail)
        self._show_line()

    def show_line(self, wanted: bool) -> None:
        """Join the frames of the marked point's recording, or none."""
        self._join = wanted
        self._show_line()

    def show_difference(self, groups: tuple[str, str] | None) -> None:
        """Show where the first of two groups is found more often than the second; None for the points."""
        data = self.data
        self.legend.show_difference(None if data is None else groups)
        if data is None or groups is None:
            self._counter.ask(lambda: None)
            return
        subjects = np.array([recording.subject for recording in data.recordings])[data.which]
        own = np.array([recording.group for recording in data.recordings])[data.which]
        one, other = groups
        self._counter.ask(lambda: density_difference(data.position, subjects, own == one, own == other))

    def close_threads(self) -> None:
        """Draw and read nothing any more."""
        self.view.close_thread()
        self._reader.close()
        self._counter.close()

    def _show_line(self) -> None:
        rows = range(0)
        if self._join and self.data is not None and self.view.marked is not None:
            rows = self.data.rows_of(self.data.recording_of(self.view.marked).name)
        self.view.join(np.array(rows, int))

    def _on_shown_changed(self) -> None:
        if self.data is None or self.colours is None:
            self.view.show_points(np.zeros((0, 2), np.float32), np.zeros((0, 3), np.uint8), np.zeros(0, bool))
        else:
            self.view.show_points(self.data.position, self.colours.colours, self.legend.shown(self.colours))

    def _on_hovered(self, row: int) -> None:
        self._hovered = row
        self.card.hide()
        if row >= 0 and self.data is not None and self.pictures is not None:
            recording, frame, pictures = self.data.recording_of(row), int(self.data.frame[row]), self.pictures
            self._reader.ask(lambda: (row, pictures.picture(recording, frame)))

    def _on_read(self, found: tuple[int, np.ndarray]) -> None:
        row, picture = found
        if row == self._hovered and self.data is not None:
            recording = self.data.recording_of(row)
            text = f"{recording.subject} ({recording.group})\n{recording.name}, frame {self.data.frame[row]}"
            self.card.show_at(self.view.mapFromGlobal(QCursor.pos()), text, picture)

    def _on_not_read(self, error: Exception) -> None:
        """Leave the card away: a click on the point says what is wrong with the video."""

    def _on_counted(self, found: Any) -> None:
        self.view.show_values(*(found if found is not None else (None,)))
