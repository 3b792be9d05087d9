import numpy as np
import pytest

from napari_ubam.widgets.embedding.point_raster import diameter_for, rasterise

BLACK = np.zeros(3)


def test_dense_points_are_mixed_and_single_ones_are_discs():
    places = np.array([[5.5] * 20 + [15.5], [5.5] * 21], np.float32)
    colours = np.array([[200.0, 0, 0], [0, 0, 200]] * 10 + [[0, 200, 0]]).T
    drawn = rasterise(places, colours, (20, 10), BLACK, 3)
    assert drawn.shape == (10, 20, 3)
    assert drawn[5, 5] == pytest.approx([100, 0, 100], abs=2)
    assert drawn[5, 15, 1] > 100
    assert drawn[5, 16, 1] > 50
    assert drawn[5, 18, 1] == 0


def test_what_is_outside_is_not_drawn_and_the_background_is_seen():
    far = np.array([[-1.0, 20, 1e12, 5], [5, 5, 5, -0.5]], np.float32)
    drawn = rasterise(far, np.full((3, 4), 255.0), (20, 10), np.array([10.0, 20, 30]))
    assert (drawn == [10, 20, 30]).all()


def test_many_points_are_smaller():
    assert diameter_for(10) > diameter_for(3000) > diameter_for(200_000) == 1
