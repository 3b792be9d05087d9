"""Shows which control the keys go to: napari's style sheet leaves that out for most of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent, QObject, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QWidget

if TYPE_CHECKING:
    from napari.viewer import Viewer

_WIDTH = 1.5  # px


class FocusRing(QWidget):
    """A line around a control, in the theme's colour of text.

    Parameters
    ----------
    control : QWidget
        Where it lies, as long as it is not deleted.
    viewer : napari.Viewer
        Whose theme is followed.
    """

    def __init__(self, control: QWidget, viewer: Viewer) -> None:
        super().__init__(control)
        self._viewer = viewer
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.resize(control.size())
        control.installEventFilter(self)
        self.show()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay around the control."""
        if event.type() == QEvent.Type.Resize and watched is self.parent():
            self.resize(watched.size())
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the line."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(get_theme(self._viewer.theme).text.as_hex()), _WIDTH))
        inside = _WIDTH / 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inside, inside, -inside, -inside), 2, 2)
        painter.end()
