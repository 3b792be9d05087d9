"""The map itself: very many points that can be zoomed, moved, clicked and encircled, drawn without OpenGL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_ubam.widgets.embedding.map_frame import MapFrame
from napari_ubam.widgets.embedding.map_scene import MapPoints, MapScene, draw_scene
from napari_ubam.widgets.latest_call import LatestCall

if TYPE_CHECKING:
    from napari.viewer import Viewer

MARK = "#ff3df5"
_REACH = 12  # how near to a point the mouse must be [px]
_STEP = 1.25  # of zooming by the keyboard


class MapView(QWidget):
    """Shows points in the plane.

    Drag to move it, turn the wheel to zoom, double-click to see all; with Shift (or `encircling`) a drag encircles
    points. The points are drawn in a thread; until they are, the picture that there was is moved and stretched.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose theme is followed.
    """

    point_clicked = Signal(int)
    point_hovered = Signal(int)  # -1 for none
    encircled = Signal(object)  # rows
    drawn = Signal()  # the picture is up to date

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.encircling = False
        self.position = np.zeros((0, 2), np.float32)
        self.marked: int | None = None
        self.trail = np.zeros(0, int)
        self.selected = np.zeros(0, int)
        self._line = np.zeros(0, int)  # rows
        self._values: np.ndarray | None = None
        self._extent = (0.0, 1.0, 0.0, 1.0)
        self._points = MapPoints(np.zeros(0, int), np.zeros((2, 0), np.float32), np.zeros((0, 3), np.uint8))
        self._frame: MapFrame | None = None  # None: all of it
        self._corners = self.position  # of all points: lowest and highest x and y
        self._picture: tuple[QPixmap, MapFrame] | None = None
        self._pressed: np.ndarray | None = None
        self._moved = False
        self._loop: list[np.ndarray] = []
        self._hovered = -1
        self._painter = LatestCall(self)
        self._painter.done.connect(self._on_drawn)
        self.setMinimumSize(200, 80)  # beside the ethogram it fits into a window of 800 px
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Map")
        self.setAccessibleDescription("Plus and minus zoom, the arrow keys move the map, Home shows all of it.")
        viewer.events.theme.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        """Ask for the width of napari's own docks."""
        return QSize(320, 320)

    @property
    def frame(self) -> MapFrame:
        """What is seen."""
        if self._frame is None:
            return MapFrame.around(self._corners, self.width(), self.height())
        return self._frame.sized(self.width(), self.height())

    @property
    def is_drawn(self) -> bool:
        """Whether the picture is up to date."""
        return not self._painter.busy

    def show_points(self, position: np.ndarray, colours: np.ndarray, shown: np.ndarray) -> None:
        """Show points; the view and the marks stay as long as the points lie where they did.

        Parameters
        ----------
        position : ndarray of float32, shape (n, 2)
            Where they lie.
        colours : ndarray of uint8, shape (n, 3)
            Red, green and blue.
        shown : ndarray of bool, shape (n,)
            Those that are seen and can be clicked.
        """
        if not np.array_equal(position, self.position):
            self.position, self._frame = position, None
            x, y = position.T
            self._corners = np.array([[x.min(), y.min()], [x.max(), y.max()]]) if len(position) else position
            self.marked, self._values = None, None
            self.trail = self.selected = self._line = np.zeros(0, int)
            self._set_hovered(-1)
        everything = bool(shown.all())  # the usual case, in which nothing need be gathered
        rows = np.arange(len(shown)) if everything else np.flatnonzero(shown)
        x, y = position.T
        xy = np.stack([x, y] if everything else [x[rows], y[rows]])
        self._points = MapPoints(rows, xy, colours if everything else colours[rows])
        self.redraw()

    def mark(self, row: int | None, trail: np.ndarray | None = None) -> None:
        """Mark a point, or none, and the way that led to it; the points are not drawn anew."""
        self.marked = row
        self.trail = np.zeros(0, int) if row is None or trail is None else trail
        self.update()

    def select(self, rows: np.ndarray) -> None:
        """Show some points as chosen: all others fade, where there are any chosen."""
        self.selected = rows
        self.redraw()

    def join(self, rows: np.ndarray) -> None:
        """Join some points by a line, coloured by their order; none for no line."""
        if not np.array_equal(rows, self._line):
            self._line = rows
            self.redraw()

    def show_values(self, values: np.ndarray | None, extent: tuple[float, float, float, float] = (0, 1, 0, 1)) -> None:
        """Show values from -1 to 1 (h, w), rows upwards, in place of the points, which can be clicked nevertheless.

        Parameters
        ----------
        values : ndarray or None
            None for the points.
        extent : tuple of float
            Left, right, bottom and top of the map that they cover.
        """
        self._values, self._extent = values, extent
        self.redraw()

    def look(self, frame: MapFrame | None) -> None:
        """Show a part of the map, or all of it."""
        self._frame = frame
        self.redraw()

    def redraw(self) -> None:
        """Draw the points anew, in a thread."""
        chosen = self.selected if len(self.selected) else None
        background = np.array(get_theme(self.viewer.theme).canvas.as_rgb_tuple()[:3], float)
        line = self.position[self._line]
        scene = MapScene(self._points, background, chosen, line, self._values, self._extent)
        frame, ratio = self.frame, self.devicePixelRatioF()
        self._painter.ask(lambda: (draw_scene(frame, scene, ratio), frame))
        self.update()

    def close_thread(self) -> None:
        """Draw nothing any more."""
        self._painter.close()

    def point_at(self, pixels: np.ndarray) -> int | None:
        """Give the shown point that is nearest to a place of the widget, None if none is near."""
        if not len(self._points.rows):
            return None
        frame = self.frame
        row, distance = self._points.nearest(frame.to_map(pixels))
        return row if distance * frame.scale <= _REACH else None

    def points_within(self, loop: np.ndarray) -> np.ndarray:
        """Give the shown points within a closed line (k, 2) of places in the widget."""
        size = (self.height(), self.width())
        inside = cv2.fillPoly(np.zeros(size, np.uint8), [np.round(loop).astype(np.int32)], 1).astype(bool)
        column, row = np.floor(self.frame.to_pixels(self._points.position.T).T)
        seen = np.flatnonzero((column >= 0) & (row >= 0) & (column < size[1]) & (row < size[0]))
        return self._points.rows[seen[inside[row[seen].astype(int), column[seen].astype(int)]]]

    def paintEvent(self, event: QPaintEvent) -> None:
        """Lay the marks over the picture of all points."""
        frame, painter = self.frame, QPainter(self)
        painter.fillRect(self.rect(), QColor(get_theme(self.viewer.theme).canvas.as_hex()))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._picture is not None:
            picture, seen = self._picture
            corners = np.array([[0, 0], [seen.width, seen.height]])
            if seen != frame:  # a new one is being drawn
                corners = frame.to_pixels(seen.to_map(corners))
            (left, top), (right, bottom) = corners.tolist()
            painter.drawPixmap(QRectF(left, top, right - left, bottom - top), picture, QRectF(picture.rect()))
        self._draw_marks(painter, frame)
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw it in the new size."""
        self.redraw()
        super().resizeEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to move the map, or to encircle points."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed, self._moved = _place(event), False
            shift = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            self._loop = [self._pressed] if self.encircling or shift else []

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the map, go on encircling, or say which point is under the mouse."""
        now = _place(event)
        if self._pressed is None:
            found = self.point_at(now)
            self._set_hovered(-1 if found is None else found)
        elif self._loop:
            self._loop.append(now)
            self.update()
        elif self._moved or np.abs(now - self._pressed).max() > 3:
            self.look(self.frame.moved(now - self._pressed))
            self._pressed, self._moved = now, True

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Tell what was clicked or encircled."""
        pressed, loop = self._pressed, self._loop
        self._pressed, self._loop = None, []
        if pressed is None:
            return
        if len(loop) > 2:
            self.encircled.emit(self.points_within(np.array(loop)))
        elif not self._moved and (clicked := self.point_at(pressed)) is not None:
            self.point_clicked.emit(clicked)
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show all again."""
        self.look(None)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom around the mouse."""
        at = event.position()
        self.look(self.frame.zoomed(1.0015 ** event.angleDelta().y(), np.array([at.x(), at.y()])))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Zoom and move without a mouse."""
        step, middle = 0.1 * min(self.width(), self.height()), np.array([self.width(), self.height()]) / 2
        moves = {
            Qt.Key.Key_Left: (step, 0), Qt.Key.Key_Right: (-step, 0),
            Qt.Key.Key_Up: (0, step), Qt.Key.Key_Down: (0, -step),
        }  # fmt: skip
        key = event.key()
        if key in moves:
            self.look(self.frame.moved(np.array(moves[key])))
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Minus):
            self.look(self.frame.zoomed(_STEP if key == Qt.Key.Key_Plus else 1 / _STEP, middle))
        elif key == Qt.Key.Key_Home:
            self.look(None)
        else:
            super().keyPressEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the mouse any more."""
        self._set_hovered(-1)
        super().leaveEvent(event)

    def _draw_marks(self, painter: QPainter, frame: MapFrame) -> None:
        text = QColor(get_theme(self.viewer.theme).text.as_hex())
        if self.marked is not None:
            way = frame.to_pixels(self.position[[*self.trail, self.marked]])
            for i in range(1, len(way)):
                colour = QColor(MARK)
                colour.setAlphaF(i / len(way))
                painter.setPen(QPen(colour, 2))
                painter.drawLine(QPointF(*way[i - 1]), QPointF(*way[i]))
            painter.setPen(QPen(QColor(MARK), 2.5))
            painter.drawEllipse(QPointF(*way[-1]), 6, 6)
        if self._hovered >= 0:
            painter.setPen(QPen(text, 1.5))
            painter.drawEllipse(QPointF(*frame.to_pixels(self.position[[self._hovered]])[0]), 5, 5)
        if self._loop:
            painter.setPen(QPen(text, 1.5, Qt.PenStyle.DashLine))
            painter.drawPolygon(QPolygonF([QPointF(*place) for place in self._loop]))

    def _set_hovered(self, row: int) -> None:
        if row != self._hovered:
            self._hovered = row
            self.point_hovered.emit(row)
            self.update()

    def _on_drawn(self, drawn: tuple[np.ndarray, MapFrame]) -> None:
        picture, frame = drawn
        height, width = picture.shape[:2]
        image = QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        self._picture = QPixmap.fromImage(image), frame
        self.update()
        if self.is_drawn:
            self.drawn.emit()

    def _on_theme_changed(self) -> None:
        self.redraw()


def _place(event: QMouseEvent) -> np.ndarray:
    at = event.position()
    return np.array([at.x(), at.y()])
