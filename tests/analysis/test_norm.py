import numpy as np
import pytest

from napari_ubam.analysis.norm import (
    CLEAR,
    LASTING,
    LEAST_SHRINKAGE,
    USUAL,
    Moments,
    Norm,
    beyond_normal,
    normal_limit,
    parts_beyond_usual,
    whitening,
)

D, T = 4, 400


def subject(seed: int, lasting: float = 0.2) -> np.ndarray:
    """Differences (T, D) of a subject: the first two entries go together, the third hardly varies."""
    rng = np.random.default_rng(seed)
    passing = rng.normal(size=(T, D)) * (1, 1, 0.1, 1)
    passing[:, 1] = passing[:, 0] + 0.1 * passing[:, 1]
    return passing + lasting * rng.normal(size=D)


def norm(n: int = 40) -> Norm:
    return Norm.of([[Moments.of(subject(seed))] for seed in range(n)])


def score(of: Norm, difference: np.ndarray) -> float:
    return float(np.sqrt((of.measure(difference, difference.mean(0)) ** 2).mean()))


def test_subjects_like_those_of_the_norm_are_at_1():
    assert np.mean([score(norm(), subject(seed)) for seed in range(100, 120)]) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(("shrinkage", "times"), [(0.3, 1.5), (LEAST_SHRINKAGE, 1.4)])
def test_what_goes_together_counts_less_than_what_does_not(monkeypatch, shrinkage: float, times: float):
    monkeypatch.setattr("napari_ubam.analysis.norm.LEAST_SHRINKAGE", shrinkage)
    sign = np.where(np.arange(T) % 2, 1.0, -1.0)[:, None]  # nothing lasts
    together, against = sign * [1.0, 1.0, 0, 0], sign * [1.0, -1.0, 0, 0]
    assert score(norm(), against) > times * score(norm(), together)


def test_what_lasts_counts_more_than_what_passes():
    passes = np.zeros((T, D))
    passes[:, 3] = np.where(np.arange(T) % 2, 1.0, -1.0)
    assert score(norm(), np.abs(passes)) > 1.5 * score(norm(), passes)


def test_every_part_stays_where_it_is():
    measured = norm().measure(np.tile([0, 0, 0, 1.0], (T, 1)), np.array([0, 0, 0, 1.0])).mean(0)
    assert measured.argmax() == 3
    assert measured[:3].max() < 0.3 * measured[3]


def test_subjects_count_the_same_however_long_they_were_filmed():
    short, long = subject(0), 3 * subject(1)
    once = Norm.of([[Moments.of(short)], [Moments.of(long)]])
    often = Norm.of([[Moments.of(short)] * 5, [Moments.of(long)]])
    np.testing.assert_allclose(often.moment, once.moment)
    np.testing.assert_allclose(often.lasting, once.lasting)


def test_one_subject_is_enough_for_a_norm_and_none_that_differs_gives_finite_units():
    assert np.isfinite(Norm.of([[Moments.of(subject(0))]]).measure(subject(1), subject(1).mean(0))).all()
    nothing = Norm.of([[Moments.of(np.zeros((5, D)))]])
    np.testing.assert_array_equal(nothing.measure(np.zeros((3, D)), np.zeros(D)), 0)


def test_entries_apart_have_their_own_units_and_nothing_lasts():
    of = Norm.apart([[Moments.of(subject(seed))] for seed in range(10)])
    difference = np.tile([0, 0, 1.0, 0], (T, 1))
    np.testing.assert_array_equal(of.measure(difference, difference[0]), of.measure(difference, np.zeros(D)))
    assert np.count_nonzero(of.moment) == D


def test_normal_is_what_most_reference_subjects_show_and_one_with_a_part_elsewhere_does_not_set_it():
    rng = np.random.default_rng(0)
    parts = [np.abs(rng.normal(size=(T, 3))) for _ in range(12)]
    alike = normal_limit(parts)
    np.testing.assert_allclose(alike, 1.96, rtol=0.15)  # of a normal distribution's size, 95 % are below
    parts[4][:, 1] += 5
    apart = normal_limit(parts)
    np.testing.assert_array_equal(apart[[0, 2]], alike[[0, 2]])
    assert apart[1] < 1.1 * alike[1]
    assert np.percentile(np.concatenate(parts), 95, axis=0)[1] > 2 * alike[1]


def test_a_part_that_no_reference_subject_moves_has_a_limit_all_the_same():
    assert (normal_limit([np.array([[0.0, 1.0]] * 3)] * 2) > 0).all()
    assert (normal_limit([np.zeros((3, 2))]) > 0).all()


def test_only_what_is_beyond_normal_is_kept_of_a_difference():
    difference = np.array([[3.0, -3.0] * 4])
    parts = np.array([[0.1, 1, 1.5, CLEAR]])
    kept = beyond_normal(difference, parts, 0.7).reshape(4, 2)
    np.testing.assert_array_equal(kept[:2], 0)
    assert 0 < kept[2, 0] < 3
    np.testing.assert_allclose(kept[:, 1], -kept[:, 0])
    np.testing.assert_allclose(kept[3], difference[0, :2])
    np.testing.assert_allclose(beyond_normal(difference, 50 * np.ones((1, 4)), 1.0), difference)
    np.testing.assert_array_equal(beyond_normal(difference, np.zeros((1, 4)), 1.0), 0)


@pytest.mark.parametrize(("limit", "steepest"), [(0.1, 3), (1.0, 7)])
def test_who_deviates_more_keeps_more(limit, steepest):
    parts = np.linspace(0, 4, 1000)[:, None]
    kept = beyond_normal(parts, parts, limit)
    assert (np.diff(kept, axis=0) >= 0).all()
    assert np.diff(kept, axis=0).max() < steepest * np.diff(parts, axis=0).max()  # nothing jumps as a limit is passed


def test_one_part_a_little_beyond_its_limit_is_chance_where_the_others_are_not_and_no_chance_where_they_are():
    difference, limit = np.ones((1, 32)), 0.7
    alone, among = np.full((1, 16), 0.4), np.full((1, 16), 1.3)
    alone[0, 0] = among[0, 0] = 1.5
    assert beyond_normal(difference, alone, limit)[0, 0] == 0
    assert beyond_normal(difference, among, limit)[0, 0] > 0.5
    alone[0, 0] = 6  # a wing out: one part, but far beyond what is normal
    assert beyond_normal(difference, alone, limit)[0, 0] == 1
    assert (beyond_normal(difference, alone, limit)[0, 2:] == 0).all()


def test_what_is_usual_is_not_marked_and_the_normal_limit_stays_one():
    parts = np.array([[0.0, USUAL, 1.0, 100.0], [0.3, 0.7, 2.0, 5.0]])
    marked = parts_beyond_usual(parts)
    np.testing.assert_array_equal(marked > 0, parts > USUAL)
    assert marked[0, 2] == pytest.approx(1)
    assert (np.diff(marked, axis=1) >= 0).all()


def test_whitening_turns_a_covariance_into_the_identity_as_far_as_it_is_not_shrunk():
    covariance = np.cov(subject(0).T)
    root = whitening(covariance, 0.0)
    np.testing.assert_allclose(root @ covariance @ root, np.eye(D), atol=1e-6)
    np.testing.assert_allclose(root, root.T, atol=1e-9)
    np.testing.assert_allclose(whitening(covariance, 1.0), np.eye(D) / np.sqrt(np.trace(covariance) / D), atol=1e-9)
    assert 0 < LASTING < 1
    assert 0 < LEAST_SHRINKAGE < 1
