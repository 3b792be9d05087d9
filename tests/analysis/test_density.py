import numpy as np
import pytest

from napari_ubam.analysis.density import BINS, density_difference


def test_the_difference_is_positive_where_the_one_group_is_and_negative_where_the_other_is():
    rng = np.random.default_rng(0)
    positions = np.concatenate([rng.normal([0, 0], 0.3, (500, 2)), rng.normal([4, 2], 0.3, (900, 2))])
    one = np.arange(1400) < 500
    found, (left, right, bottom, top) = density_difference(positions, np.where(one, "a", "b"), one, ~one)
    assert found.shape == (BINS, BINS)
    assert np.abs(found).max() == pytest.approx(1)

    def at(x, y):
        column, row = (x - left) / (right - left) * BINS, (y - bottom) / (top - bottom) * BINS
        return found[int(row), int(column)]

    assert at(0, 0) > 0.5
    assert at(4, 2) < -0.5
    assert abs(at(4, 0)) < 0.05


def test_a_subject_with_more_frames_does_not_count_more():
    rng = np.random.default_rng(0)
    places = {"a": (-2, 1), "b": (2, 1), "c": (-2, 10), "d": (2, 1)}  # where, and how many times as many frames
    subjects = np.concatenate([[name] * 300 * n for name, (_, n) in places.items()])
    positions = np.concatenate([rng.normal([x, 0], 0.5, (300 * n, 2)) for x, n in places.values()])
    one = np.isin(subjects, ["a", "b"])
    found, _ = density_difference(positions, subjects, one, ~one)
    left, right = found[:, : BINS // 2].sum(), found[:, BINS // 2 :].sum()
    assert abs(left) < 0.05 * np.abs(found).sum()
    assert abs(right) < 0.05 * np.abs(found).sum()


def test_a_group_without_frames_is_an_error():
    with pytest.raises(ValueError, match="Both groups"):
        density_difference(np.zeros((3, 2)), ["a"] * 3, [True] * 3, [False] * 3)
