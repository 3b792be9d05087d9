import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent

from napari_ubam.widgets.embedding.lanes_view import Curve, Lane, LanesView, Stretch

LANES = (
    Lane("clusters", (Stretch(100, 150, "#ff0000", "cluster 1"), Stretch(150, 160, "#00ff00", "cluster 2"))),
    Lane("light", (Stretch(180, 200, "#0000ff", "light"),)),
)


@pytest.fixture
def view(qtbot):
    """Give the lanes of frames 100 to 199."""
    view = LanesView(ViewerModel())
    qtbot.addWidget(view)
    frame = np.arange(100, 200)
    view.show_recording((100, 200), Curve("deviation", frame, np.linspace(0, 5, 100), 0.5, 1.5), LANES)
    view.resize(500, view.sizeHint().height())
    view.show()
    return view


def colour_at(view, frame, lane):
    """Give the colour of a lane at a frame."""
    image = view.grab().toImage()
    return image.pixelColor(round(view.x_of(frame + 0.5)), height_of(view, lane)).getRgb()[:3]


def height_of(view, lane):
    return view.height() - 8 - 17 * (len(LANES) - 1 - lane)


def test_stretches_are_drawn_where_they_are(view):
    assert colour_at(view, 120, 0) == (255, 0, 0)
    assert colour_at(view, 155, 0) == (0, 255, 0)
    assert colour_at(view, 190, 1) == (0, 0, 255)
    assert sum(colour_at(view, 170, 0)) < 200
    assert sum(colour_at(view, 120, 1)) < 200


def test_a_click_and_a_drag_tell_the_frame(qtbot, view):
    told = []
    view.frame_clicked.connect(told.append)
    for frame in (100, 137, 199):
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(round(view.x_of(frame + 0.5)), 20))
    assert told == [100, 137, 199]
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(10, 20))  # a title
    assert told == [100, 137, 199]
    place, left = QPointF(view.x_of(150.5), 20), Qt.MouseButton.LeftButton
    none = Qt.KeyboardModifier.NoModifier
    view.mouseMoveEvent(QMouseEvent(QEvent.Type.MouseMove, place, place, Qt.MouseButton.NoButton, left, none))
    assert told[-1] == 150


def test_what_is_under_the_mouse_is_said(view):
    assert view.text_at(view.x_of(155.5), height_of(view, 0)) == "frame 155: cluster 2"
    assert view.text_at(view.x_of(110.5), height_of(view, 1)) == ""
    assert view.text_at(view.x_of(199.5), 20) == "frame 199: deviation 5"
    assert view.text_at(5, 20) == ""
    assert view.text_at(200, view.height() + 50) == ""


def test_the_wheel_zooms_and_the_mark_stays_in_view(view):
    place = QPointF(view.x_of(120.5), 20)
    none, phase = Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
    turned = QPoint(0, 600)
    view.wheelEvent(QWheelEvent(place, place, QPoint(), turned, Qt.MouseButton.NoButton, none, phase, False))
    assert view.x_of(120.5) == pytest.approx(place.x(), abs=8)
    assert view.x_of(190) > view.width()
    view.mark(190)
    assert 78 < view.x_of(190) < view.width()
    view.show_recording((100, 200), None, LANES)
    assert 78 < view.x_of(190) < view.width()
    view.show_recording((0, 20), None, LANES)
    assert view.frame_at(view.width() + 100) == 19


def test_the_keyboard_steps(qtbot, view):
    told = []
    view.frame_clicked.connect(told.append)
    view.mark(195)
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
        qtbot.keyClick(view, key)
    assert told == [194, 196, 185, 199]


def test_the_band_is_drawn_and_the_theme_followed(view):
    image = view.grab().toImage()
    heights = (3 + round(view._curve_height() * (1 - 0.95 * value / 5)) for value in (1, 3))
    band, above = (image.pixelColor(80, height).lightness() for height in heights)
    assert band > above
    view.viewer.theme = "light"
    assert view.grab().toImage().pixelColor(80, 20).lightness() > 200


def test_nothing_to_show(view):
    view.show_recording((0, 1), None, [])
    view.mark(None)
    assert view.grab().height() > 0
    assert view.text_at(200, 5) == ""
