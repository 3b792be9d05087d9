import numpy as np
import pytest

from napari_ubam.magnify.limit import BORDER, FARTHEST, FREE, limit_movement

FACTORS = np.linspace(1, 8, 60)


@pytest.fixture(params=range(5))
def ways(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    """Give 200 landmarks and their deviations, small and large, some at the crop's border or beside it."""
    rng = np.random.default_rng(request.param)
    now = rng.uniform(-1.05, 1.05, (200, 2)).astype(np.float32)
    return now, (rng.normal(size=(200, 2)) * rng.choice([1e-6, 0.02, 0.1, 0.5], (200, 1))).astype(np.float32)


def test_more_of_the_factor_is_more_of_the_same_change(ways: tuple[np.ndarray, np.ndarray]):
    now, deviation = ways
    moved = limit_movement(now, now + (FACTORS[:, None, None] - 1) * deviation) - now
    along = moved * np.sign(deviation)
    assert (along >= -1e-6).all()
    assert (np.diff(along, axis=0) >= -1e-6).all()
    assert np.linalg.norm(moved, axis=-1).max() <= FARTHEST + 1e-6


def test_no_landmark_leaves_the_crop(ways: tuple[np.ndarray, np.ndarray]):
    now, deviation = ways
    moved = limit_movement(now, now + 7 * deviation)
    inside = np.abs(now).max(-1) <= BORDER
    assert np.abs(moved[inside]).max() <= BORDER + 1e-6
    assert (np.abs(moved[~inside]) <= np.maximum(np.abs(now[~inside]), BORDER) + 1e-6).all()


def test_moderate_ways_are_left_to_the_last_bit():
    rng = np.random.default_rng(0)
    now = rng.uniform(-0.4, 0.4, (30, 7, 2)).astype(np.float32)
    wanted = now + rng.uniform(-0.2, 0.2, now.shape).astype(np.float32)
    np.testing.assert_array_equal(limit_movement(now, wanted), wanted)


def test_far_from_the_border_the_direction_stays():
    now, deviation = np.zeros((1, 2)), np.array([[0.2, -0.1]])
    moved = limit_movement(now, now + FACTORS[:, None, None] * deviation)
    np.testing.assert_allclose(moved[..., 0], -2 * moved[..., 1], rtol=0.1)


def test_a_landmark_on_the_border_still_moves_along_it():
    now = np.array([[0.3, BORDER], [0.3, BORDER]])
    deviation = np.array([[0.2, 1e-6], [0.2, -1e-6]])
    np.testing.assert_allclose(limit_movement(now, now + deviation)[:, 0], 0.5)


def test_the_limit_sets_in_smoothly():
    now, step = np.zeros((1, 2)), 1e-3
    lengths = np.arange(0, 3, step)
    moved = np.array([limit_movement(now, np.array([[length, 0.0]]))[0, 0] for length in lengths])
    slope = np.diff(moved) / step
    assert (np.diff(slope) <= 1e-9).all()
    assert np.abs(np.diff(slope)).max() < 0.01
    assert slope[: int(FREE * BORDER / step) - 2] == pytest.approx(1)
    assert 0.8 < moved[-1] <= BORDER
