"""A matplotlib figure that looks like the rest of napari."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from napari.utils.theme import get_theme
from qtpy.QtCore import QSize
from qtpy.QtWidgets import QSizePolicy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import MouseEvent
    from napari.viewer import Viewer

_REACH = 12  # how near to a point a click must be [px]


class ThemedCanvas(FigureCanvasQTAgg):
    """A figure whose colours follow the viewer's theme.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose theme is followed.
    height : int
        Least height [px].
    """

    def __init__(self, viewer: Viewer, height: int = 160) -> None:
        super().__init__(Figure(layout=ConstrainedLayoutEngine(w_pad=0.05, h_pad=0.05)))
        self.viewer = viewer
        self.setMinimumSize(200, height)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        viewer.events.theme.connect(self._on_theme_changed)
        self.apply_theme()

    def sizeHint(self) -> QSize:
        """Ask for the width of napari's own docks; matplotlib's default is twice that."""
        return QSize(320, self.minimumHeight())

    def apply_theme(self) -> None:
        """Colour the figure and all of its axes; call it after adding axes."""
        theme = get_theme(self.viewer.theme)
        self.figure.set_facecolor(theme.background.as_hex())
        for axes in self.figure.axes:
            _colour(axes, theme.canvas.as_hex(), theme.text.as_hex())
        self.draw_idle()

    def point_at(self, event: MouseEvent, positions: np.ndarray) -> int | None:
        """Give which of the points at ``positions`` (n, 2) in the first axes was clicked, if any."""
        if not len(positions) or event.inaxes is not self.figure.axes[0]:
            return None
        distance = np.hypot(*(event.inaxes.transData.transform(positions) - (event.x, event.y)).T)
        nearest = int(np.argmin(distance))
        return nearest if distance[nearest] <= _REACH * self.device_pixel_ratio else None

    def _on_theme_changed(self) -> None:
        self.apply_theme()


def _colour(axes: Axes, background: str, text: str) -> None:
    axes.set_facecolor(background)
    axes.tick_params(colors=text, labelsize=7)
    for spine in axes.spines.values():
        spine.set_color(text)
        spine.set_linewidth(0.5)
    for label in (axes.xaxis.label, axes.yaxis.label, axes.title):
        label.set_color(text)
        label.set_fontsize(8)
    if (legend := axes.get_legend()) is not None:
        legend.get_frame().set(facecolor=background, edgecolor="none", alpha=0.7)
        for entry in legend.get_texts():
            entry.set_color(text)
            entry.set_fontsize(7)
