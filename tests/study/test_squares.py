import numpy as np
import pytest

from napari_ubam.study.squares import cut_square, resize_square


@pytest.fixture
def gradient():
    """A picture whose red is x and whose green is y, in steps of 4."""
    y, x = np.mgrid[:40, :60]
    return np.stack([4 * x, 4 * y, 0 * x], axis=2).astype(np.uint8)


def test_whole_pixels_are_cut_exactly(gradient):
    np.testing.assert_array_equal(cut_square(gradient, (10, 5, 20)), gradient[5:25, 10:30])


def test_fractions_of_a_pixel_are_interpolated(gradient):
    cut = cut_square(gradient, (10.5, 5.25, 20))
    assert cut.shape == (20, 20, 3)
    np.testing.assert_array_equal(cut[0, :, 0], 4 * np.arange(10, 30) + 2)
    np.testing.assert_array_equal(cut[:, 0, 1], 4 * np.arange(5, 25) + 1)


@pytest.mark.parametrize("x", [-8, -8.5])
def test_the_edge_is_repeated_outside_the_picture(gradient, x):
    cut = cut_square(gradient, (x, -4, 80))
    assert cut.shape == (80, 80, 3)
    assert (cut[:, :8, 0] == 0).all()
    assert (cut[:, -8:, 0] == 4 * 59).all()
    assert (cut[:4, :, 1] == 0).all()
    assert (cut[-8:, :, 1] == 4 * 39).all()


def test_a_square_outside_the_picture_shows_its_edge(gradient):
    np.testing.assert_array_equal(cut_square(gradient, (100, 100, 8)), np.full((8, 8, 3), (236, 156, 0)))


@pytest.mark.parametrize(("angle", "turns"), [(90, 1), (180, 2), (-90, 3), (360, 0)])
def test_quarter_turns_are_exact(gradient, angle, turns):
    expected = np.rot90(gradient[5:25, 10:30], turns)
    np.testing.assert_array_equal(cut_square(gradient, (10, 5, 20, angle)), expected)


@pytest.mark.parametrize("angle", [30, 75, -140])
def test_the_upper_side_is_where_the_head_points(gradient, angle):
    """The picture's colours are its coordinates, so that each pixel of the crop says where it comes from."""
    n, side, centre = 12, 12.0, np.array([29.0, 21.0])
    cut = cut_square(gradient, (*(centre - side / 2), side, angle)).astype(float)[..., :2] / 4
    at = np.arange(n) + 0.5 - n / 2
    x, y = np.meshgrid(at, at)
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    expected = np.stack([cos * x - sin * y, sin * x + cos * y], -1) + centre - 0.5
    np.testing.assert_allclose(cut, expected, atol=0.2)
    up = cut[0].mean(0) - cut[-1].mean(0)
    np.testing.assert_allclose(up / np.linalg.norm(up), (sin, -cos), atol=0.03)


def test_shrinking_averages():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    np.testing.assert_array_equal(resize_square(stripes, 32), 100)
    assert resize_square(stripes, 64) is stripes
    assert resize_square(stripes, 96).shape == (96, 96, 3)
