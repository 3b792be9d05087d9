"""The picture of the frame under the mouse, on the map."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

_SIDE = 112  # of the picture [px]
_AWAY = 14  # from the mouse [px]


class HoverCard(QFrame):
    """Shows a picture with a line of text beside the mouse, within its parent.

    Parameters
    ----------
    parent : QWidget
        What it lies on.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAutoFillBackground(True)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.picture, self.text = QLabel(), QLabel()
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        column = QVBoxLayout(self)
        column.setContentsMargins(3, 3, 3, 3)
        column.setSpacing(2)
        column.addWidget(self.picture)
        column.addWidget(self.text)
        self.hide()

    def show_at(self, place: QPoint, text: str, picture: np.ndarray) -> None:
        """Show a picture (S, S, 3) uint8 beside a place of the parent."""
        self.text.setText(text)
        self.picture.setPixmap(pixmap(picture, _SIDE))
        self.adjustSize()
        room, size = self.parentWidget().size(), self.size()
        x = place.x() + _AWAY if place.x() + _AWAY + size.width() < room.width() else place.x() - _AWAY - size.width()
        y = min(place.y() + _AWAY, room.height() - size.height())
        self.move(max(x, 0), max(y, 0))
        self.show()
        self.raise_()


def pixmap(picture: np.ndarray, side: int) -> QPixmap:
    """Give a picture (S, S, 3) uint8 as one of that side."""
    picture = np.ascontiguousarray(picture)
    height, width = picture.shape[:2]
    image = QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image).scaled(
        side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
