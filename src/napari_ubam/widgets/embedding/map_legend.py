"""Says what the colours of the map mean; kinds can be hidden and shown again."""

from __future__ import annotations

from html import escape

import numpy as np
from qtpy.QtCore import QSignalBlocker, QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QImage, QPainter, QPaintEvent, QPixmap, QResizeEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QListView, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_ubam.widgets.embedding.map_colours import Amounts, Kinds, scale_colours
from napari_ubam.widgets.embedding.map_scene import LESS, MORE

_ROWS = 3  # of the list of kinds; where it needs more, it scrolls


class MapLegend(QWidget):
    """Lists the kinds with their colours, or shows the scale of an amount, or says which group is which."""

    shown_changed = Signal()  # a kind was hidden or shown again

    def __init__(self) -> None:
        super().__init__()
        self.kinds = QListWidget()
        self.kinds.setFlow(QListView.Flow.LeftToRight)
        self.kinds.setWrapping(True)
        self.kinds.setResizeMode(QListView.ResizeMode.Adjust)
        self.kinds.setSpacing(1)
        self.kinds.setIconSize(QSize(10, 10))
        self.kinds.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.kinds.setAccessibleName("Legend")
        self.kinds.setToolTip("<qt>Untick a kind to hide its points. Double-click it to see it alone, or all.</qt>")
        self.kinds.itemChanged.connect(self._on_ticked)
        self.kinds.itemDoubleClicked.connect(self._on_double_clicked)
        self.low, self.high = QLabel(), QLabel()
        self.scale = QWidget()
        scale = QHBoxLayout(self.scale)
        scale.setContentsMargins(0, 0, 0, 0)
        scale.addWidget(self.low)
        scale.addWidget(_ColourBar(), 1)
        scale.addWidget(self.high)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.kinds)
        column.addWidget(self.scale)
        self.difference = QLabel()
        self.difference.setWordWrap(True)
        column.addWidget(self.difference)
        self._colours: Kinds | Amounts | None = None
        self._groups: tuple[str, str] | None = None
        self._show_what_is_meant()

    def show_colours(self, colours: Kinds | Amounts | None) -> None:
        """Say what colours mean; kinds that are listed already stay ticked or not."""
        hidden = self._hidden_names()
        with QSignalBlocker(self.kinds):
            self.kinds.clear()
            if isinstance(colours, Kinds):
                for name, colour in zip(colours.names, colours.palette.tolist(), strict=True):
                    item = QListWidgetItem(_swatch(colour), name)
                    item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                    item.setCheckState(Qt.CheckState.Unchecked if name in hidden else Qt.CheckState.Checked)
                    self.kinds.addItem(item)
        if isinstance(colours, Amounts):
            self.low.setText(f"{colours.low:.3g}")
            self.high.setText(f"{colours.high:.3g}")
        self._fit_height()
        self._colours = colours
        self._show_what_is_meant()

    def show_difference(self, groups: tuple[str, str] | None) -> None:
        """Say what the colours mean where a group is found more often than another; None for the points' colours."""
        self._groups = groups
        if groups is not None:
            marks = (f'<span style="color: {QColor(*colour).name()}">■</span>' for colour in (MORE, LESS))
            said = (f"{mark} more often {escape(group)}" for mark, group in zip(marks, groups, strict=True))
            self.difference.setText("&nbsp; ".join(said))
        self._show_what_is_meant()

    def shown(self, colours: Kinds | Amounts) -> np.ndarray:
        """Tell which points (n,) are to be seen."""
        if isinstance(colours, Amounts):
            return np.ones(len(colours.values), bool)
        ticked = [self.kinds.item(i).checkState() == Qt.CheckState.Checked for i in range(self.kinds.count())]
        return np.array(ticked)[colours.of]

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Take no more room than the kinds need."""
        super().resizeEvent(event)
        self._fit_height()

    def _show_what_is_meant(self) -> None:
        points = self._groups is None
        self.kinds.setVisible(points and isinstance(self._colours, Kinds))
        self.scale.setVisible(points and isinstance(self._colours, Amounts))
        self.difference.setVisible(not points)

    def _fit_height(self) -> None:
        if self.kinds.count():
            self.kinds.doItemsLayout()
            first, last = (self.kinds.visualItemRect(self.kinds.item(i)) for i in (0, self.kinds.count() - 1))
            needed = min(last.bottom() - first.top() + 1, _ROWS * (first.height() + 2 * self.kinds.spacing()))
            self.kinds.setFixedHeight(needed + 2 * (self.kinds.frameWidth() + self.kinds.spacing()) + 2)

    def _hidden_names(self) -> set[str]:
        items = [self.kinds.item(i) for i in range(self.kinds.count())]
        return {item.text() for item in items if item.checkState() == Qt.CheckState.Unchecked}

    def _on_ticked(self, item: QListWidgetItem) -> None:
        self.shown_changed.emit()

    def _on_double_clicked(self, chosen: QListWidgetItem) -> None:
        items = [self.kinds.item(i) for i in range(self.kinds.count())]
        alone = all((item.checkState() == Qt.CheckState.Checked) == (item is chosen) for item in items)
        with QSignalBlocker(self.kinds):
            for item in items:
                item.setCheckState(Qt.CheckState.Checked if alone or item is chosen else Qt.CheckState.Unchecked)
        self.shown_changed.emit()


class _ColourBar(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setMinimumHeight(10)
        self._row = np.ascontiguousarray(scale_colours(np.linspace(0, 1, 256))[None])

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.drawImage(self.rect(), QImage(self._row.data, 256, 1, 768, QImage.Format.Format_RGB888))
        painter.end()


def _swatch(colour: list[int]) -> QIcon:
    picture = QPixmap(10, 10)
    picture.fill(QColor(*colour))
    return QIcon(picture)
