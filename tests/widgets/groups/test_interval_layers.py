import numpy as np
import pytest
from napari.layers import Image, Labels, Points, Shapes

from napari_ubam.errors import StudyError
from napari_ubam.progress import silent
from napari_ubam.study import Interval
from napari_ubam.widgets.groups.interval_layers import intervals_drawn, read_drawn


@pytest.fixture
def video() -> Image:
    return Image(np.zeros((20, 8, 8), np.uint8), name="walk")


def drawn_frames(layer, video) -> list[Interval]:
    return intervals_drawn(read_drawn(layer, video), "walk", silent)


def test_every_label_is_an_interval_of_its_own(video):
    data = np.zeros((20, 8, 8), np.uint8)
    data[3:6, 2, 2] = 1
    data[9, 0, 0] = 1
    data[5:7, 7, 7] = 4
    assert drawn_frames(Labels(data, name="light"), video) == [
        Interval("walk", 3, 6, "light 1"), Interval("walk", 9, 10, "light 1"), Interval("walk", 5, 7, "light 4"),
    ]  # fmt: skip
    data[data == 4] = 0
    assert {x.label for x in drawn_frames(Labels(data, name="a {light}"), video)} == {"a {light}"}


def test_layers_that_begin_later_or_run_slower_are_brought_to_the_videos_frames(video):
    data = np.zeros((4, 8, 8), np.uint8)
    data[1:3] = 1
    late = Labels(data, name="on", translate=(10, 0, 0))
    assert drawn_frames(late, video) == [Interval("walk", 11, 13, "on")]
    video.scale, late.scale, late.translate = (2, 1, 1), (2, 1, 1), (20, 0, 0)
    assert drawn_frames(late, video) == [Interval("walk", 11, 13, "on")]


def test_a_shape_is_on_from_its_first_to_its_last_frame(video):
    square = np.array([[0, 1, 1], [0, 1, 5], [0, 5, 5], [0, 5, 1]], float)
    later, long = square + np.array([4, 0, 0]), square.copy()
    long[:, 0] = [10, 12, 12, 10]
    shapes = Shapes([square, later, later + np.array([1, 0, 0]), long], name="on", shape_type="polygon")
    assert [(x.start, x.stop) for x in drawn_frames(shapes, video)] == [(0, 1), (4, 6), (10, 13)]


def test_what_cannot_be_an_interval_is_told(video):
    with pytest.raises(StudyError, match="no labels and no shapes"):
        read_drawn(Points(np.zeros((1, 3)), name="points"), video)
    with pytest.raises(StudyError, match="no time of its own"):
        read_drawn(Labels(np.ones((8, 8), int), name="flat"), video)
    with pytest.raises(StudyError, match="Nothing is drawn"):
        drawn_frames(Labels(np.zeros((20, 8, 8), int), name="empty"), video)
    beyond = Labels(np.ones((2, 8, 8), int), name="late", translate=(50, 0, 0))
    with pytest.raises(StudyError, match="Nothing is drawn"):
        drawn_frames(beyond, video)
