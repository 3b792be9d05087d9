import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent

from napari_ubam.widgets.embedding.map_frame import MapFrame
from napari_ubam.widgets.embedding.map_scene import MAX_PIXELS
from napari_ubam.widgets.embedding.map_view import MARK, MapView


@pytest.fixture
def view(qtbot):
    """Give a map of nine points: a grid of -1, 0 and 1; all red, the last one blue."""
    view = MapView(ViewerModel())
    qtbot.addWidget(view, before_close_func=MapView.close_thread)
    view.resize(300, 240)
    x, y = np.meshgrid([-1, 0, 1], [-1, 0, 1])
    colours = np.array([[255, 0, 0]] * 8 + [[0, 0, 255]], np.uint8)
    view.show_points(np.stack([x.ravel(), y.ravel()], 1).astype(np.float32), colours, np.ones(9, bool))
    view.show()
    return view


def at(view, row):
    return QPoint(*np.round(view.frame.to_pixels(view.position[[row]])[0]).astype(int).tolist())


def pixels(qtbot, view):
    qtbot.waitUntil(lambda: view.is_drawn)
    image = view.grab().toImage().convertToFormat(view.grab().toImage().Format.Format_RGB888)
    data = np.frombuffer(image.constBits().asstring(image.sizeInBytes()), np.uint8)
    return data.reshape(image.height(), image.bytesPerLine())[:, : 3 * image.width()].reshape(image.height(), -1, 3)


def drag(view, places, modifiers=Qt.KeyboardModifier.NoModifier):
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    for i, place in enumerate(places):
        kind = QEvent.Type.MouseButtonPress if i == 0 else QEvent.Type.MouseMove
        handle = view.mousePressEvent if i == 0 else view.mouseMoveEvent
        handle(QMouseEvent(kind, QPointF(*place), QPointF(*place), left if i == 0 else none, left, modifiers))
    end = QPointF(*places[-1])
    view.mouseReleaseEvent(QMouseEvent(QEvent.Type.MouseButtonRelease, end, end, left, none, modifiers))


def test_every_point_is_drawn_in_its_colour_where_it_is_clicked(qtbot, view):
    drawn = pixels(qtbot, view)
    for row, colour in ((0, 0), (4, 0), (8, 2)):
        place = at(view, row)
        shown = drawn[place.y(), place.x()]
        assert shown[colour] > 150
        assert shown[2 - colour] < 80
    assert at(view, 0).y() > at(view, 8).y()  # up is up


def test_a_picture_of_a_large_screen_is_drawn_coarser(qtbot, view):
    view.resize(2000, 1000)
    qtbot.waitUntil(lambda: view.is_drawn)
    picture, frame = view._picture
    assert (frame.width, frame.height) == (2000, 1000)
    assert picture.width() * picture.height() <= MAX_PIXELS * 1.01
    assert picture.width() / picture.height() == pytest.approx(2, abs=0.01)


def test_the_picture_moves_with_the_map_before_it_is_drawn_anew(qtbot, view):
    qtbot.waitUntil(lambda: view.is_drawn)
    view._painter.ask = lambda call: None  # the thread is busy
    before = at(view, 8)
    view.look(view.frame.moved(np.array([-40, 25])))
    assert at(view, 8) == before + QPoint(-40, 25)
    shown = pixels(qtbot, view)[at(view, 8).y(), at(view, 8).x()]
    assert shown[2] > 150


def test_a_single_place_can_be_looked_at():
    frame = MapFrame.around(np.array([[3.0, 4.0]]), 200, 100)
    assert frame.to_pixels(np.array([[3.0, 4.0]]))[0] == pytest.approx([100, 50])
    assert frame.to_map(np.array([100, 50])) == pytest.approx([3, 4])


def test_clicks_tell_the_nearest_point_and_clicks_beside_them_nothing(qtbot, view):
    clicked, hovered = [], []
    view.point_clicked.connect(clicked.append)
    view.point_hovered.connect(hovered.append)
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=at(view, 2) + QPoint(4, 3))
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=(at(view, 0) + at(view, 4)) / 2)
    assert clicked == [2]
    qtbot.mouseMove(view, at(view, 7))
    qtbot.waitUntil(lambda: hovered[-1:] == [7])
    view.leaveEvent(QEvent(QEvent.Type.Leave))
    assert hovered[-1] == -1


def test_the_wheel_zooms_around_the_mouse_and_a_drag_moves(qtbot, view):
    fixed = at(view, 8)
    wheel = QWheelEvent(
        QPointF(fixed), QPointF(fixed), QPoint(), QPoint(0, 240), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    apart = at(view, 4) - fixed
    view.wheelEvent(wheel)
    assert (at(view, 8) - fixed).manhattanLength() <= 2
    assert (at(view, 4) - fixed).manhattanLength() > 1.3 * apart.manhattanLength()
    clicked = []
    view.point_clicked.connect(clicked.append)
    before = at(view, 8)
    drag(view, [(before.x(), before.y()), (before.x() - 30, before.y() + 20)])
    assert (at(view, 8) - before - QPoint(-30, 20)).manhattanLength() <= 1
    assert clicked == []
    view.mouseDoubleClickEvent(None)
    assert at(view, 8) == fixed


def test_the_keyboard_zooms_and_moves(qtbot, view):
    before = at(view, 0)
    qtbot.keyClick(view, Qt.Key.Key_Left)
    assert at(view, 0).x() > before.x()
    qtbot.keyClick(view, Qt.Key.Key_Home)
    assert at(view, 0) == before
    qtbot.keyClick(view, Qt.Key.Key_Minus)
    assert at(view, 0).x() > before.x()


def test_points_are_encircled_but_not_hidden_ones(view):
    told = []
    view.encircled.connect(lambda rows: told.append(rows.tolist()))
    a, b = at(view, 0), at(view, 4)
    loop = [(a.x() - 10, a.y() + 10), (b.x() + 10, a.y() + 10), (b.x() + 10, b.y() - 10), (a.x() - 10, b.y() - 10)]
    drag(view, loop, Qt.KeyboardModifier.ShiftModifier)
    assert told == [[0, 1, 3, 4]]
    view.encircling = True
    shown = np.ones(9, bool)
    shown[[0, 3]] = False
    view.show_points(view.position, np.zeros((9, 3), np.uint8), shown)
    drag(view, loop)
    assert told[-1] == [1, 4]


def test_the_mark_is_a_ring_with_a_trail_and_leaves_the_picture_of_the_points_alone(qtbot, view):
    before = pixels(qtbot, view)
    kept = view._picture
    view.mark(4, np.array([3]))
    after = pixels(qtbot, view)
    assert view._picture is kept
    columns = np.flatnonzero((after != before).any((0, 2)))
    assert columns.min() >= at(view, 3).x() - 2
    assert columns.max() <= at(view, 4).x() + 9
    ring = at(view, 4) + QPoint(6, 0)
    assert after[ring.y(), ring.x()] == pytest.approx([int(MARK[i : i + 2], 16) for i in (1, 3, 5)], abs=60)
    view.mark(None)
    assert (pixels(qtbot, view) == before).all()


def test_the_map_follows_the_theme_and_may_be_empty(qtbot, view):
    dark = pixels(qtbot, view)[2, 2].mean()
    view.viewer.theme = "light"
    assert pixels(qtbot, view)[2, 2].mean() > dark
    view.show_points(np.zeros((0, 2), np.float32), np.zeros((0, 3), np.uint8), np.zeros(0, bool))
    assert view.point_at(np.array([5, 5])) is None
    assert len(np.unique(pixels(qtbot, view)[3:-3, 3:-3].reshape(-1, 3), axis=0)) == 1


def test_what_is_not_chosen_fades_and_a_line_joins_points(qtbot, view):
    view.select(np.array([0, 8]))
    drawn = pixels(qtbot, view)
    assert drawn[at(view, 0).y(), at(view, 0).x(), 0] > 150
    assert drawn[at(view, 1).y(), at(view, 1).x(), 0] < 80
    between = (at(view, 0) + at(view, 1)) / 2
    assert drawn[between.y(), between.x()].max() < 60
    view.join(np.array([0, 1, 2]))
    assert pixels(qtbot, view)[between.y(), between.x()].max() > 100
    view.join(np.zeros(0, int))
    view.select(np.zeros(0, int))
    drawn = pixels(qtbot, view)
    assert drawn[at(view, 1).y(), at(view, 1).x(), 0] > 150
    assert drawn[between.y(), between.x()].max() < 60


def test_values_lie_where_the_points_are_up_is_up_and_points_can_be_clicked(qtbot, view):
    values = np.zeros((20, 20), np.float32)
    values[10:, 10:] = 1  # upper right
    values[:10, :10] = -1
    view.show_values(values, (-1, 1, -1, 1))
    drawn = pixels(qtbot, view)

    def colour(x, y):
        column, row = np.round(view.frame.to_pixels(np.array([[x, y]]))[0]).astype(int)
        return drawn[row, column].astype(int)

    assert colour(0.5, 0.5)[0] > 150 > colour(0.5, 0.5)[2]
    assert colour(-0.5, -0.5)[2] > 150 > colour(-0.5, -0.5)[0]
    assert colour(0.5, -0.5).max() < 60
    with qtbot.waitSignal(view.point_clicked) as clicked:
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=at(view, 4))
    assert clicked.args == [4]
    view.show_values(None)
    assert pixels(qtbot, view)[at(view, 1).y(), at(view, 1).x(), 0] > 150
