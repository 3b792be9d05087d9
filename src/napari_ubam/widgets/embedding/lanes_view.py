"""What happens in a recording over time: a curve and lanes of coloured stretches, with the current frame marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from napari.utils.theme import get_theme
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF, QWheelEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_ubam.widgets.embedding.map_view import MARK

if TYPE_CHECKING:
    from napari.viewer import Viewer

_TITLES = 78  # width of the lanes' titles [px]
_LANE, _GAP, _CURVE = 14, 3, 56  # heights [px]; of the curve the least
_CURVE_WANTED = 110  # px


@dataclass(frozen=True)
class Stretch:
    """Frames [start, stop) with a colour, and what is said of them."""

    start: int
    stop: int
    colour: str
    text: str = ""


@dataclass(frozen=True)
class Lane:
    """Stretches under one title."""

    title: str
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True, eq=False)
class Curve:
    """A value over time, and the band that is usual.

    Attributes
    ----------
    title : str
        What it is.
    frame, values : ndarray, shape (n,)
        Frames in ascending order, and what was measured.
    low, high : float
        The usual band; NaN for none.
    """

    title: str
    frame: np.ndarray
    values: np.ndarray
    low: float
    high: float


class LanesView(QWidget):
    """Shows a recording's curve and lanes; a click or drag tells a frame, the wheel zooms around the mouse.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose theme is followed.
    """

    frame_clicked = Signal(int)

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.curve: Curve | None = None
        self.lanes: tuple[Lane, ...] = ()
        self.marked: int | None = None
        self._all, self._seen = (0.0, 1.0), (0.0, 1.0)  # frames, from and to
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Ethogram")
        self.setToolTip("<qt>Click to go to a frame; turn the wheel to zoom.</qt>")
        self.setAccessibleDescription("Left and right go one frame, page up and down ten; plus and minus zoom.")
        viewer.events.theme.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        """Ask for room for all lanes, and a curve that is not flat."""
        return QSize(400, self._height() + (0 if self.curve is None else _CURVE_WANTED - _CURVE))

    def minimumSizeHint(self) -> QSize:
        """Ask for room for all lanes."""
        return QSize(200, self._height())

    def show_recording(self, frames: tuple[int, int], curve: Curve | None, lanes: Sequence[Lane]) -> None:
        """Show another recording, or another one's lanes; the zoom stays as long as the frames do.

        Parameters
        ----------
        frames : tuple of int
            The recording's first frame, and the one after its last.
        curve : Curve or None
            Drawn on top.
        lanes : sequence of Lane
            Drawn below it.
        """
        span = (float(frames[0]), float(max(frames[1], frames[0] + 1)))
        if span != self._all:
            self._all = self._seen = span
        self.curve, self.lanes = curve, tuple(lanes)
        self.updateGeometry()
        self.update()

    def mark(self, frame: int | None) -> None:
        """Mark the current frame, and keep it in view."""
        self.marked = frame
        if frame is not None and not self._seen[0] <= frame < self._seen[1]:
            self._look(frame - (self._seen[1] - self._seen[0]) / 2, self._seen[1] - self._seen[0])
        self.update()

    def zoom(self, factor: float, at: float) -> None:
        """Zoom in (factor above 1) or out around a frame."""
        span = (self._seen[1] - self._seen[0]) / factor
        share = (at - self._seen[0]) / (self._seen[1] - self._seen[0])
        self._look(at - share * span, span)

    def x_of(self, frame: float) -> float:
        """Give where a frame begins [px]."""
        return _TITLES + (frame - self._seen[0]) / (self._seen[1] - self._seen[0]) * (self.width() - _TITLES)

    def frame_at(self, x: float) -> int:
        """Give the frame that is drawn at a place [px], or the nearest one."""
        frame = self._seen[0] + (x - _TITLES) / max(self.width() - _TITLES, 1) * (self._seen[1] - self._seen[0])
        return int(np.clip(np.floor(frame), self._all[0], self._all[1] - 1))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw all of it: a few thousand stretches at most are in view."""
        theme = get_theme(self.viewer.theme)
        text, painter = QColor(theme.text.as_hex()), QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.background.as_hex()))
        font = painter.font()
        font.setPointSizeF(8)
        painter.setFont(font)
        top = _GAP
        for title, height in self._rows():
            painter.setPen(text)
            painter.drawText(
                QRectF(4, top, _TITLES - 8, height),
                int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter),
                painter.fontMetrics().elidedText(title, Qt.TextElideMode.ElideRight, _TITLES - 8),
            )
            painter.fillRect(QRectF(_TITLES, top, self.width() - _TITLES, height), QColor(theme.canvas.as_hex()))
            top += height + _GAP
        painter.setClipRect(QRectF(_TITLES, 0, self.width() - _TITLES, self.height()))
        top = _GAP
        if self.curve is not None:
            self._draw_curve(painter, self.curve, top, text)
            top += self._curve_height() + _GAP
        for lane in self.lanes:
            for stretch in lane.stretches:
                if stretch.stop > self._seen[0] and stretch.start < self._seen[1]:
                    left, right = self.x_of(stretch.start), self.x_of(stretch.stop)
                    painter.fillRect(QRectF(left, top, max(right - left, 1), _LANE), QColor(stretch.colour))
            top += _LANE + _GAP
        if self.marked is not None:
            painter.setPen(QPen(QColor(MARK), 1.5))
            x = self.x_of(self.marked + 0.5)
            painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))
        painter.setClipping(False)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the frame."""
        if event.button() == Qt.MouseButton.LeftButton and event.position().x() >= _TITLES:
            self.frame_clicked.emit(self.frame_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go along with the mouse, or say what is under it."""
        at = event.position()
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.frame_clicked.emit(self.frame_at(at.x()))
        else:
            self.setToolTip(self.text_at(at.x(), at.y()))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom around the mouse."""
        self.zoom(1.0015 ** event.angleDelta().y(), self.frame_at(event.position().x()))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Step and zoom without a mouse."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageUp: -10, Qt.Key.Key_PageDown: 10}
        zooms = {Qt.Key.Key_Plus: 1.5, Qt.Key.Key_Minus: 1 / 1.5}
        key, now = event.key(), self.marked if self.marked is not None else int(self._seen[0])
        if key in steps:
            self.frame_clicked.emit(int(np.clip(now + steps[key], self._all[0], self._all[1] - 1)))
        elif key in zooms:
            self.zoom(zooms[key], now)
        else:
            super().keyPressEvent(event)

    def text_at(self, x: float, y: float) -> str:
        """Say what is at a place of the widget [px]."""
        if x < _TITLES:
            return ""
        frame, top = self.frame_at(x), _GAP + (0 if self.curve is None else self._curve_height() + _GAP)
        if y < top and self.curve is not None and len(self.curve.frame):
            row = int(np.clip(np.searchsorted(self.curve.frame, frame), 0, len(self.curve.frame) - 1))
            return f"frame {frame}: {self.curve.title} {self.curve.values[row]:.3g}"
        number = int((y - top) // (_LANE + _GAP))
        if not 0 <= number < len(self.lanes):
            return ""
        found = [x.text for x in self.lanes[number].stretches if x.start <= frame < x.stop]
        return f"frame {frame}: {found[0]}" if found else ""

    def _draw_curve(self, painter: QPainter, curve: Curve, top: float, text: QColor) -> None:
        seen = (curve.frame >= self._seen[0] - 1) & (curve.frame <= self._seen[1])
        frame, values = curve.frame[seen], curve.values[seen]
        if not len(frame):
            return
        height = self._curve_height()
        highest = max(float(np.nanmax(curve.values, initial=0)), curve.high if np.isfinite(curve.high) else 0.0, 1e-9)

        def y_of(value: float) -> float:
            return top + height * (1 - 0.95 * value / highest)

        if np.isfinite(curve.high):
            usual = QColor(text)
            usual.setAlpha(50)
            painter.fillRect(
                QRectF(_TITLES, y_of(curve.high), self.width() - _TITLES, y_of(curve.low) - y_of(curve.high)), usual
            )
        every = max(len(frame) // (2 * self.width()), 1)  # of several frames in a pixel, the largest is seen
        starts = np.arange(0, len(frame), every)
        heights = np.maximum.reduceat(values, starts)
        points = [QPointF(self.x_of(f + 0.5), y_of(v)) for f, v in zip(frame[starts], heights, strict=True)]
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(text, 1.2))
        painter.drawPolyline(QPolygonF(points))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _rows(self) -> list[tuple[str, int]]:
        first = [] if self.curve is None else [(self.curve.title, self._curve_height())]
        return [*first, *((lane.title, _LANE) for lane in self.lanes)]

    def _curve_height(self) -> int:
        """Give the curve what the lanes leave."""
        return max(_CURVE, self.height() - 2 * _GAP - len(self.lanes) * (_LANE + _GAP))

    def _height(self) -> int:
        """Give the least height that all of it needs."""
        rows = [_LANE] * len(self.lanes) + ([] if self.curve is None else [_CURVE])
        return max(sum(height + _GAP for height in rows) + _GAP, 2 * _LANE)

    def _look(self, start: float, span: float) -> None:
        """Show so many frames from one on, within the recording."""
        span = float(np.clip(span, 10, self._all[1] - self._all[0]))
        start = float(np.clip(start, self._all[0], max(self._all[1] - span, self._all[0])))
        self._seen = (start, start + span)
        self.update()

    def _on_theme_changed(self) -> None:
        self.update()
