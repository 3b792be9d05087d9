"""The map of the embeddings: its points, what their colours mean, and the current frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_ubam.widgets.embedding_data import MapData
from napari_ubam.widgets.map_colours import Amounts, Kinds, colour_by
from napari_ubam.widgets.map_legend import MapLegend
from napari_ubam.widgets.map_view import MapView

if TYPE_CHECKING:
    from napari.viewer import Viewer

TRAIL = 15  # frames before the current one that are joined to it


class EmbeddingMap(QWidget):
    """Shows `MapData`, and tells which of its rows was meant."""

    point_clicked = Signal(int)

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.data: MapData | None = None
        self.colours: Kinds | Amounts | None = None
        self.view = MapView(viewer)
        self.view.setToolTip(
            "<qt>Click a point to see its frame. Drag to move the map, turn the wheel to zoom, "
            "double-click to see all.</qt>"
        )
        self.legend = MapLegend()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.view, 1)
        column.addWidget(self.legend)
        self.view.point_clicked.connect(self.point_clicked)
        self.legend.shown_changed.connect(self._on_shown_changed)

    def show_data(self, data: MapData | None, coloured: str, group_colours: dict[str, str]) -> None:
        """Draw the map.

        Parameters
        ----------
        data : MapData or None
            None for an empty map.
        coloured : str
            One of `napari_ubam.widgets.map_colours.choices`.
        group_colours : dict of str to str
            The colours of the groups.
        """
        self.data = data
        self.colours = None if data is None else colour_by(data, coloured, group_colours)
        self.legend.show_colours(self.colours)
        self._on_shown_changed()

    def mark(self, row: int | None) -> None:
        """Mark a point and the frames before it, or none."""
        trail = None if row is None or self.data is None else self.data.before(row, TRAIL)
        self.view.mark(row, trail)

    def close_thread(self) -> None:
        """Draw nothing any more."""
        self.view.close_thread()

    def _on_shown_changed(self) -> None:
        if self.data is None or self.colours is None:
            self.view.show_points(np.zeros((0, 2), np.float32), np.zeros((0, 3), np.uint8), np.zeros(0, bool))
        else:
            self.view.show_points(self.data.position, self.colours.colours, self.legend.shown(self.colours))
