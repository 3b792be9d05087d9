import math

import numpy as np
import pytest
from scipy import stats

from napari_ubam.analysis.permutation import adjust_p, paired_p, permutation_p, several_groups_p


def test_p_value_of_tiny_groups_is_exact():
    # of the 20 ways to choose 3 of 6, the observed and its mirror image are as extreme
    assert permutation_p([4, 5, 6], [1, 2, 3], 10_000, 0) == (2 / 20, 2 / 20)
    exact = stats.mannwhitneyu([4, 6, 3], [1, 2, 5], method="exact").pvalue
    assert permutation_p([4, 6, 3], [1, 2, 5], 10_000, 0)[0] == pytest.approx(exact)


def test_no_p_value_of_tied_scores_is_below_the_smallest():
    """Two who are first can be so in one way only, where those who would be last are tied; or in none."""
    assert permutation_p([2, 3], [0, 0, 0, 0, 1], 1000, 0) == (1 / 21, 1 / 21)
    assert permutation_p([1, 0], [1, 0, 0, 1], 1000, 0)[1] == pytest.approx(2 * 3 / 15)
    assert permutation_p([1, 1], [1, 1], 1000, 0) == (1, 1)
    assert several_groups_p([[2, 3], [0, 0, 0, 0, 1]], 1000, 0)[1:] == (1 / 21, 1 / 21)
    assert several_groups_p([[1, 1], [1, 1], [2, 2]], 1000, 0)[1:] == pytest.approx((18 / 90, 18 / 90))
    assert paired_p([1, 2, 0, 0, 3], 1000, 0) == (2 / 8, 2 / 8)
    assert paired_p([0, 0], 1000, 0) == (1, 1)


def test_random_permutations_are_close_to_exact_and_never_zero():
    rng = np.random.default_rng(1)
    group, reference = rng.normal(1, 1, 9), rng.normal(0, 1, 8)
    exact = stats.mannwhitneyu(group, reference, method="exact").pvalue
    p_value, smallest = permutation_p(group, reference, 5000, 0)
    assert p_value == pytest.approx(exact, abs=0.01)
    assert smallest == 1 / 5001
    assert permutation_p(np.arange(20) + 100, np.arange(20), 200, 0)[0] == 1 / 201


def test_p_values_are_uniform_where_there_is_no_difference():
    rng = np.random.default_rng(2)
    p_values = [permutation_p(*rng.normal(size=(2, 5)), 1000, 0)[0] for _ in range(200)]
    assert np.mean(np.array(p_values) <= 0.1) < 0.16
    assert 0.4 < np.mean(p_values) < 0.65


def test_several_groups_of_tiny_size_are_exact():
    # of the 90 ways to label 6 subjects, 6 (the orders of the groups) part them as clearly
    statistic, p_value, smallest = several_groups_p([[1, 2], [5, 6], [3, 4]], 1000, 0)
    assert statistic == pytest.approx(stats.kruskal([1, 2], [5, 6], [3, 4]).statistic)
    assert (p_value, smallest) == pytest.approx((6 / 90, 6 / 90))
    assert several_groups_p([[1, 1], [1, 1], [1, 1]], 1000, 0)[1] == 1


def test_several_groups_with_ties_and_random_labels_are_close_to_kruskal_wallis():
    rng = np.random.default_rng(3)
    samples = [np.round(rng.normal(shift, 1, 30), 1) for shift in (0, 0.3, 0.6)]
    _, p_value, smallest = several_groups_p(samples, 5000, 0)
    assert p_value == pytest.approx(stats.kruskal(*samples).pvalue, abs=0.02)
    assert smallest == 1 / 5001


def test_paired_p_is_exact_where_few_and_close_to_wilcoxons_where_many():
    assert paired_p([1, 2, 3, 4, 5], 1000, 0) == (2 / 32, 2 / 32)
    assert paired_p([0.0, 0, 0], 1000, 0)[0] == 1
    differences = np.random.default_rng(4).normal(0.4, 1, 30)
    p_value, smallest = paired_p(differences, 5000, 0)
    assert p_value == pytest.approx(stats.wilcoxon(differences).pvalue, abs=0.02)
    assert smallest == 1 / 5001


def test_one_extreme_subject_does_not_decide():
    assert paired_p([1000, -1, -2, 1, 2, -3, 3, -1], 1000, 0)[0] > 0.5


def test_benjamini_hochberg_by_hand():
    assert adjust_p([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.04, 0.04])
    np.testing.assert_allclose(adjust_p([0.5, math.nan, 0.02]), [0.5, math.nan, 0.04])
    assert adjust_p([]).shape == (0,)
