from collections.abc import Iterator

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from threadpoolctl import threadpool_limits

from napari_ubam.analysis import reference
from napari_ubam.analysis.reference import (
    Alignment,
    comparable,
    expected_posture,
    mean_of_nearest,
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


def test_one_limb_that_is_far_off_does_not_count_more_than_three_deviations():
    codes = np.array([[1.0, 50.0], [3.0, 1.0]])
    found = comparable(codes, np.array([1.0, 1.0]), np.array([2.0, 0.5]))
    assert found.tolist() == [[0, 3], [1, 0]]


def test_expected_posture_follows_the_build_but_not_the_deviation(rng: np.random.Generator):
    """What differs among reference subjects is kept in part, what none of them shows is taken off."""
    build, deviation = np.array([1.0, 0, 0, 0]), np.array([0, 0, 0, 1.0])
    shown = (rng.normal(size=(12, 1)) * build)[None]
    posture = (shown.mean(1) + 2 * build + 2 * deviation).reshape(1, 4)
    expected = expected_posture(posture, shown, [range(12)], shrinkage=0.1)[0]
    assert expected[0, 0] - shown[0, :, 0].mean() > 1.5
    assert abs(expected[0, 3]) < 1e-9


def test_expected_posture_is_the_formula(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reference, "ENTRIES", 36)  # two frames at once
    shown, posture = rng.normal(size=(3, 6, 4)), rng.normal(size=(3, 4))
    subsets = [range(6), [0, 2, 5], [4]]
    found = expected_posture(posture, shown, subsets, shrinkage=2.0)
    for i, subset in enumerate(subsets[:2]):
        for t in range(3):
            some = shown[t, list(subset)]
            covariance, mean = np.cov(some.T), some.mean(0)
            tau = 2.0 * np.trace(covariance) / 4
            wanted = mean + covariance @ np.linalg.solve(covariance + tau * np.eye(4), posture[t] - mean)
            np.testing.assert_allclose(found[i, t], wanted, atol=1e-8)
    np.testing.assert_allclose(found[2], shown[:, 4])


def test_expected_posture_is_the_mean_where_reference_subjects_tell_no_more(rng: np.random.Generator):
    posture, one = rng.normal(size=(3, 4)), rng.normal(size=(3, 1, 4))
    np.testing.assert_allclose(expected_posture(posture, one, [[0]])[0], one[:, 0])
    alike = np.repeat(one, 5, 1)
    np.testing.assert_allclose(expected_posture(posture, alike, [range(5)])[0], one[:, 0], rtol=1e-5)


def test_expected_posture_in_single_precision(rng: np.random.Generator):
    """Of many subjects, one of whom moves far more than the others, wherever the postures lie."""
    shown = 7 + rng.normal(size=(5, 40, 16))
    shown[:, 3] *= 30
    posture, subsets = shown[:, 0] + 3, [range(40), [i for i in range(40) if i != 3], range(0, 40, 7)]
    exact = expected_posture(posture, shown, subsets)
    found = expected_posture(posture.astype(np.float32), shown.astype(np.float32), subsets)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact, atol=2e-4)


@pytest.mark.parametrize("n_frames", [1, 31, 32, 33, 200])
@pytest.mark.parametrize("width", [0.2, 3.0, 40.0])
def test_smoothing_is_scipys(n_frames: int, width: float, rng: np.random.Generator):
    values = rng.normal(size=(n_frames, 3, 2))
    np.testing.assert_allclose(
        smooth_in_time(values, width, 1.0), gaussian_filter1d(values, width, axis=0, mode="nearest"), atol=1e-12
    )
    assert smooth_in_time(values[:, 0, 0].astype(np.float32), width, 1.0).dtype == np.float32


def test_smoothing_takes_off_the_flicker(rng: np.random.Generator):
    steady = 0.5 * np.sin(np.arange(90) / 30)[:, None]
    noisy = steady + 0.2 * rng.normal(size=steady.shape)
    smooth = smooth_in_time(noisy, 30.0, 0.1)
    assert np.abs(smooth - steady).mean() < 0.4 * np.abs(noisy - steady).mean()
    assert smooth_in_time(noisy, 30.0, 0.0) is noisy


@pytest.mark.parametrize("n_frames", [1, 2])
def test_recordings_of_a_frame_or_two(n_frames: int, rng: np.random.Generator):
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
