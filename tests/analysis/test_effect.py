import math

import numpy as np
import pytest
from scipy import stats

from napari_ubam.analysis.effect import auc, auc_interval, bootstrap_limits, cliffs_delta, detectable_auc, hedges_g


def test_auc_counts_pairs_and_half_of_ties():
    assert auc([3, 4], [1, 2]) == 1
    assert auc([1, 2], [3, 4]) == 0
    assert auc([1, 3], [1, 2]) == (0.5 + 0 + 1 + 1) / 4


def test_auc_interval_is_honest_for_separate_groups():
    low, high = auc_interval(1.0, 4, 4)
    assert high == 1
    assert 0.5 < low < 0.7
    assert auc_interval(0.0, 4, 4) == pytest.approx((0, 1 - low))


@pytest.mark.parametrize(("n", "m", "shift"), [(4, 4, 1.0), (4, 10, 2.0), (10, 10, 0.0)])
def test_auc_interval_holds_the_truth_as_often_as_it_says(n, m, shift):
    rng = np.random.default_rng(0)
    truth = stats.norm.cdf(shift / math.sqrt(2))
    inside = 0
    for _ in range(300):
        low, high = auc_interval(auc(rng.normal(shift, 1, n), rng.normal(0, 1, m)), n, m)
        inside += low <= truth <= high
    assert 0.9 < inside / 300 < 0.99


def test_hedges_g_by_hand():
    assert hedges_g([3, 5], [0, 2]) == pytest.approx(3 / math.sqrt(2) * (1 - 3 / 7))
    assert math.isnan(hedges_g([1], [2]))
    assert math.isnan(hedges_g([1], [2, 3]))  # the correction would make it 0
    assert math.isnan(hedges_g([1, 1], [1, 1]))


def test_cliffs_delta_counts_pairs():
    assert cliffs_delta(auc([1, 3], [1, 2])) == (2 - 1) / 4  # of four pairs two are higher, one lower, one equal


def test_difference_is_bounded_by_its_subjects():
    rng = np.random.default_rng(0)
    x, y = rng.normal(1, 1, 40), rng.normal(0, 1, 40)
    low, high = bootstrap_limits([x, y])
    middle, half = x.mean() - y.mean(), 1.96 * math.sqrt((x.var() + y.var()) / 40)
    assert (low, high) == pytest.approx((middle - half, middle + half), abs=0.03)
    assert bootstrap_limits([x, y]) == (low, high)
    assert np.isnan(bootstrap_limits([[1], [2, 3]])).all()


def test_limits_of_few_subjects_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    inside = 0
    for i in range(200):
        low, high = bootstrap_limits(rng.standard_normal((2, 6)), n_resamples=500, seed=i)
        inside += low <= 0 <= high
    assert 0.9 < inside / 200 < 0.99


def test_what_could_be_shown_is_shown_in_80_percent_of_studies():
    shift = math.sqrt(2) * stats.norm.ppf(detectable_auc(8, 7))
    rng = np.random.default_rng(5)
    x, y = rng.normal(shift, 1, (3000, 8)), rng.normal(0, 1, (3000, 7))
    shown = stats.mannwhitneyu(x, y, axis=1, method="exact").pvalue <= 0.05
    assert shown.mean() == pytest.approx(0.8, abs=0.03)


def test_more_subjects_show_less_and_too_few_show_nothing():
    assert detectable_auc(4, 4) > detectable_auc(8, 8) > detectable_auc(30, 30) > 0.6
    assert detectable_auc(31, 31) == pytest.approx(detectable_auc(30, 30), abs=0.01)  # formula and simulation
    assert math.isnan(detectable_auc(3, 3))  # p = 0.1 at best
    assert math.isnan(detectable_auc(1, 5))
