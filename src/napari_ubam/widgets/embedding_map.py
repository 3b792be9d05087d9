"""A scatter plot of the map: points can be clicked, and the current frame is marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.backend_bases import DrawEvent, MouseEvent
from matplotlib.lines import Line2D
from qtpy.QtCore import Signal

from napari_ubam.widgets.embedding_data import MapData
from napari_ubam.widgets.figure import ThemedCanvas

if TYPE_CHECKING:
    from napari.viewer import Viewer

CATEGORIES = ("group", "subject", "recording")
QUANTITIES = ("time", "deviation")
_MAX_LEGEND = 10


class EmbeddingMap(ThemedCanvas):
    """Shows `MapData`; a click tells which row was meant."""

    point_clicked = Signal(int)

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(viewer, height=260)
        self.data: MapData | None = None
        self.marked: int | None = None
        self._background: Any = None
        self._marker: Line2D | None = None
        self.mpl_connect("button_press_event", self._on_pressed)
        self.mpl_connect("draw_event", self._on_drawn)

    def show_data(self, data: MapData | None, colour_by: str, group_colours: dict[str, str]) -> None:
        """Draw the map, its points coloured by one of `CATEGORIES` or `QUANTITIES`."""
        self.data, self.marked = data, None
        self._background = self._marker = None
        self.figure.clear()
        if data is not None:
            axes = self.figure.add_subplot()
            axes.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
            size = float(np.clip(8000 / len(data.frame), 2, 24))
            if colour_by in CATEGORIES:
                self._draw_categories(data, colour_by, group_colours, size)
            else:
                values = data.frame if colour_by == "time" else data.deviation
                x, y = data.position.T
                points = axes.scatter(x, y, c=values, s=size, linewidths=0, cmap="viridis")
                bar = self.figure.colorbar(points, ax=axes, location="bottom", aspect=40)
                bar.set_label("frame" if colour_by == "time" else "deviation")
            (self._marker,) = axes.plot([], [], "o", ms=12, mew=2.5, mfc="none", mec="magenta", animated=True)
        self.apply_theme()

    def mark(self, row: int | None) -> None:
        """Mark a point, or none; only the marker is drawn, so that it keeps up with the video."""
        self.marked = row
        if self.data is None or self._marker is None:
            return
        self._marker.set_data(*([], []) if row is None else self.data.position[row][:, None])
        if self._background is not None:
            self.restore_region(self._background)
            self.figure.draw_artist(self._marker)
            self.blit(self.figure.bbox)

    def _draw_categories(self, data: MapData, name: str, group_colours: dict[str, str], size: float) -> None:
        (axes,) = self.figure.axes
        values = getattr(data, name)
        palette = colormaps["tab20"]
        kinds = list(dict.fromkeys(values.tolist()))
        for i, kind in enumerate(kinds):
            colour = group_colours.get(kind, "gray") if name == "group" else palette(i % palette.N)
            x, y = data.position[values == kind].T
            axes.scatter(x, y, s=size, linewidths=0, color=colour, label=kind, alpha=0.8)
        if len(kinds) <= _MAX_LEGEND:
            axes.legend(markerscale=1.5, loc="best", borderpad=0.3, handletextpad=0.2)

    def _on_drawn(self, event: DrawEvent) -> None:
        if self._marker is not None:
            self._background = self.copy_from_bbox(self.figure.bbox)
            self.figure.draw_artist(self._marker)

    def _on_pressed(self, event: MouseEvent) -> None:
        if self.data is not None and (clicked := self.point_at(event, self.data.position)) is not None:
            self.point_clicked.emit(clicked)
