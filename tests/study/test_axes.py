import dask.array
import numpy as np
import pytest
import zarr

from napari_ubam.errors import StudyError
from napari_ubam.study.axes import Axes, TimeFirst, possible_axes

T, Y, X = 30, 48, 64


@pytest.mark.parametrize(
    ("shape", "told", "axes"),
    [
        ((T, Y, X), {"labels": ("time", "y", "x")}, Axes(0, (1, 2))),
        ((Y, X, T), {"labels": ("Y", "X", "T")}, Axes(2, (0, 1))),
        ((Y, T, X), {"labels": ("y", "what", "x")}, Axes(1, (0, 2))),
        ((T, Y, X, 3), {"labels": ("t", "y", "x"), "rgb": True}, Axes(0, (1, 2), 3)),
        ((T, 3, Y, X), {"labels": ("t", "c", "y", "x")}, Axes(0, (2, 3), 1)),
        ((1, T, 1, Y, X), {"labels": ("c", "t", "z", "y", "x")}, Axes(1, (3, 4))),
        ((8, Y, X), {}, Axes(0, (1, 2))),  # else pictures would be 8 px high
        ((Y, X, 8), {"labels": ("-3", "-2", "-1")}, Axes(2, (0, 1))),
        ((8, Y, X, 3), {}, Axes(0, (1, 2), 3)),
        ((8, Y, X, 4), {"rgb": True}, Axes(0, (1, 2), 3)),
    ],
)
def test_where_it_is_clear_which_axis_is_time_there_is_one_choice(shape, told, axes):
    assert possible_axes("walk", shape, **told) == [axes]


@pytest.mark.parametrize(
    ("shape", "told", "times"),
    [
        ((T, Y, X), {}, [0, 1, 2]),
        ((T, Y, X), {"labels": ("-3", "-2", "-1")}, [0, 1, 2]),
        ((T, Y, X, 3), {"rgb": True}, [0, 1, 2]),
        ((1, T, Y, X), {}, [1, 2, 3]),
        ((12, 14, 15), {}, [0]),  # too small for pictures either way: as napari shows it
    ],
)
def test_where_it_is_open_all_that_leave_a_picture_are_choices(shape, told, times):
    assert [axes.time for axes in possible_axes("walk", shape, **told)] == times


@pytest.mark.parametrize(
    ("shape", "told", "words"),
    [
        ((2, T, Y, X), {}, "'walk' has 4 axes besides colour .2 × 30 × 48 × 64.*channels"),
        ((2, T, Y, X, 3), {"rgb": True}, "4 axes besides colour"),
        ((Y, X), {}, "single picture .48 × 64.*several frames"),
        ((Y, X, 3), {"rgb": True}, "single picture"),
        ((1, Y, X), {}, "single picture"),
    ],
)
def test_what_is_no_series_of_pictures_is_refused_with_a_reason(shape, told, words):
    with pytest.raises(StudyError, match=words):
        possible_axes("walk", shape, **told)


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
@pytest.mark.parametrize(
    ("order", "axes"),
    [
        ((0, 1, 2, 3), Axes(0, (1, 2), 3)),
        ((1, 2, 0, 3), Axes(2, (0, 1), 3)),
        ((0, 3, 1, 2), Axes(0, (2, 3), 1)),
        ((3, 1, 2, 0), Axes(3, (1, 2), 0)),
    ],
)
def test_frames_are_read_one_by_one_whatever_the_order(kind, order, axes):
    frames = np.random.default_rng(1).integers(0, 256, (5, 16, 20, 3), dtype=np.uint8)
    data = frames.transpose(order)
    if kind != "numpy":
        data = dask.array.from_array(data) if kind == "dask" else zarr.array(np.ascontiguousarray(data))
    found = TimeFirst(data, axes)
    assert (found.shape, found.dtype) == (frames.shape, np.uint8)
    np.testing.assert_array_equal(np.stack([found[t] for t in range(5)]), frames)


def test_grey_frames_and_axes_of_length_one():
    frames = np.random.default_rng(1).integers(0, 256, (5, 16, 20), dtype=np.uint8)
    found = TimeFirst(frames.transpose(1, 2, 0)[None], Axes(3, (1, 2)))
    assert found.shape == frames.shape
    np.testing.assert_array_equal(found[3], frames[3])
