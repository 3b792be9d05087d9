from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from napari_ubam.analysis.reference import (
    Alignment,
    expected_posture,
    match_frames,
    mean_of_nearest,
    movement_context,
    nearest_frames,
    smooth_in_time,
)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with threadpool_limits(1):  # so small arrays are faster so
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def context(codes: np.ndarray, fps: float = 30.0, seconds: float = 0.3) -> np.ndarray:
    return movement_context(codes, codes.mean(0), np.ones(codes.shape[1]), fps, seconds)


def test_alignment_takes_off_place_and_size(rng: np.random.Generator):
    codes = rng.normal(size=(20, 8))
    larger = (codes.reshape(20, 4, 2) * 1.5 + (0.3, -0.2)).reshape(20, 8)
    common = Alignment.of(codes, points=True)
    np.testing.assert_allclose(Alignment.of(larger, points=True).move(larger, common), codes, atol=1e-9)


def test_alignment_of_codes_takes_off_their_mean_and_spread(rng: np.random.Generator):
    codes = rng.normal(size=(20, 8))
    other = codes * 2 + rng.normal(size=8)
    common = Alignment.of(codes, points=False)
    np.testing.assert_allclose(Alignment.of(other, points=False).move(other, common), codes, atol=1e-9)


def test_alignment_keeps_the_posture(rng: np.random.Generator):
    """Stretched in one direction only is another posture, not another size."""
    codes = rng.normal(size=(20, 4, 2))
    taller = codes * (1.0, 1.5)
    common = Alignment.of(codes.reshape(20, 8), points=True)
    moved = Alignment.of(taller.reshape(20, 8), points=True).move(taller.reshape(20, 8), common)
    assert np.abs(moved - codes.reshape(20, 8)).max() > 0.1


def test_what_does_not_move_is_not_enlarged(rng: np.random.Generator):
    codes = 1e-7 * rng.normal(size=(20, 8))
    common = Alignment(np.zeros(8), 1.0)
    still = Alignment.of(codes, points=False)
    assert np.abs(still.move(codes, common)).max() > 0.1
    assert np.abs(still.at_least(0.1).move(codes, common)).max() < 1e-5
    assert Alignment.mean([Alignment(np.zeros(8), 0.0)]).size > 0


def test_context_sees_the_same_movement_at_any_frame_rate():
    def swing(fps: float) -> np.ndarray:
        t = np.arange(int(3 * fps)) / fps
        return np.stack([np.sin(5 * t), np.cos(5 * t)], 1)

    fast, slow = context(swing(60), 60)[::2], context(swing(30), 30)
    middle = slice(12, -12)
    np.testing.assert_allclose(fast[middle], slow[middle], atol=0.02)


def test_context_tells_two_moments_apart_that_look_alike():
    """A pendulum passes its middle in both directions: the picture is the same, the movement is not."""
    t = np.arange(120) / 30
    codes = np.sin(2 * np.pi * t)[:, None]
    rising, falling = 30, 45
    assert np.abs(codes[rising] - codes[falling]).max() < 1e-6
    contexts = context(codes)
    assert np.abs(contexts[rising] - contexts[falling]).max() > 1
    alone = context(codes, seconds=0)
    np.testing.assert_allclose(alone[rising], alone[falling], atol=1e-6)


def test_match_finds_the_same_moment_of_the_movement():
    t = np.arange(120) / 30
    phase = 2 * np.pi * t
    codes = np.stack([np.sin(phase), np.cos(phase)], 1)
    shifted = np.roll(codes, 10, axis=0)
    found, distance = match_frames(context(codes), context(shifted), shifted, 3)
    middle = slice(15, -15)
    np.testing.assert_allclose(found[middle], codes[middle], atol=0.05)
    assert distance[middle].max() < 0.05


def test_match_in_fewer_frames_than_are_averaged(rng: np.random.Generator):
    codes = rng.normal(size=(3, 4))
    found, distance = match_frames(rng.normal(size=(5, 6)), rng.normal(size=(3, 6)), codes, 8)
    np.testing.assert_allclose(found, np.tile(codes.mean(0), (5, 1)))
    assert distance.shape == (5,)


def test_distance_is_that_of_the_nearest_frame():
    contexts = np.array([[0.0, 0.0], [3.0, 3.0]])
    _, distance = match_frames(np.array([[1.0, 1.0]]), contexts, np.zeros((2, 2)), 2)
    assert distance == pytest.approx([1.0])


def test_expected_posture_follows_the_build_but_not_the_deviation(rng: np.random.Generator):
    """What differs among reference subjects is kept in part, what none of them shows is taken off."""
    build, deviation = np.array([1.0, 0, 0, 0]), np.array([0, 0, 0, 1.0])
    shown = (rng.normal(size=(12, 1)) * build)[None]
    posture = (shown.mean(1) + 2 * build + 2 * deviation).reshape(1, 4)
    expected = expected_posture(posture, shown, shrinkage=0.1)
    assert expected[0, 0] - shown[0, :, 0].mean() > 1.5
    assert abs(expected[0, 3]) < 1e-9


def test_expected_posture_is_the_formula(rng: np.random.Generator):
    shown, posture = rng.normal(size=(3, 6, 4)), rng.normal(size=(3, 4))
    for t in range(3):
        covariance = np.cov(shown[t].T)
        tau = 2.0 * np.trace(covariance) / 4
        mean = shown[t].mean(0)
        wanted = mean + covariance @ np.linalg.solve(covariance + tau * np.eye(4), posture[t] - mean)
        np.testing.assert_allclose(expected_posture(posture, shown, shrinkage=2.0)[t], wanted, atol=1e-8)


def test_expected_posture_is_the_mean_where_reference_subjects_tell_no_more(rng: np.random.Generator):
    posture, one = rng.normal(size=(3, 4)), rng.normal(size=(3, 1, 4))
    np.testing.assert_allclose(expected_posture(posture, one), one[:, 0])
    alike = np.repeat(one, 5, 1)
    np.testing.assert_allclose(expected_posture(posture, alike), one[:, 0])


def test_smoothing_takes_off_the_flicker(rng: np.random.Generator):
    steady = 0.5 * np.sin(np.arange(90) / 30)[:, None]
    noisy = steady + 0.2 * rng.normal(size=steady.shape)
    smooth = smooth_in_time(noisy, 30.0, 0.1)
    assert np.abs(smooth - steady).mean() < 0.4 * np.abs(noisy - steady).mean()
    assert smooth_in_time(noisy, 30.0, 0.0) is noisy


@pytest.mark.parametrize("n_frames", [1, 2])
def test_recordings_of_a_frame_or_two(n_frames: int, rng: np.random.Generator):
    codes = rng.normal(size=(n_frames, 4))
    assert np.isfinite(context(codes)).all()
    assert smooth_in_time(np.ones((n_frames, 4)), 30.0, 0.1) == pytest.approx(1)


def test_nearest_frames_are_averaged_whosoever_they_are():
    libraries = [np.array([[0.0], [10.0], [2.0]]), np.array([[1.0]])]
    distance, index = nearest_frames(np.array([[0.0], [9.0]]), libraries, 2)
    assert distance.tolist() == [[[0, 2], [1, np.inf]], [[1, 7], [8, np.inf]]]
    codes = np.concatenate(libraries)
    assert codes[index[0, 0], 0].tolist() == [0, 2]
    assert index[0, 1, 0] == 3
    assert mean_of_nearest(distance, index, codes)[:, 0].tolist() == [0.5, 6.0]
    assert mean_of_nearest(distance[:, [1]], index[:, [1]], codes)[:, 0].tolist() == [1, 1]  # all there are
