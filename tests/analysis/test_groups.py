import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from napari_ubam.analysis.groups import (
    COLUMNS,
    adjust_holm,
    auc,
    auc_interval,
    compare_groups,
    describe_covariates,
    hedges_g,
    permutation_p,
)
from napari_ubam.errors import StudyError


def table(**groups):
    rows = [
        {"subject": f"{group}{i}", "group": group, "deviation": value}
        for group, values in groups.items()
        for i, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


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
    assert math.isnan(hedges_g([1, 1], [1, 1]))


def test_p_value_of_tiny_groups_is_exact():
    # of the 20 ways to choose 3 of 6, the observed and its mirror image are as extreme
    assert permutation_p([4, 5, 6], [1, 2, 3], 10_000, 0) == (2 / 20, 2 / 20)
    exact = stats.mannwhitneyu([4, 6, 3], [1, 2, 5], method="exact").pvalue
    assert permutation_p([4, 6, 3], [1, 2, 5], 10_000, 0)[0] == pytest.approx(exact)


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


def test_holm_by_hand():
    assert adjust_holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    np.testing.assert_allclose(adjust_holm([0.5, math.nan, 0.02]), [0.5, math.nan, 0.04])
    assert adjust_holm([0.9, 0.8]).max() == 1
    assert adjust_holm([]).shape == (0,)


def test_compare_gives_a_row_a_group_and_measure():
    scores = table(healthy=[1, 2, 3, 4], impaired=[5, 6, 7, 8], treated=[1.5, 2.5, 3.5, 4.5])
    scores["speed"] = np.arange(12.0)[::-1]
    result = compare_groups(scores, "healthy", measures=["deviation", "speed"])
    assert tuple(result.columns) == COLUMNS
    assert result[["measure", "group"]].to_numpy().tolist() == [
        ["deviation", "impaired"],
        ["deviation", "treated"],
        ["speed", "impaired"],
        ["speed", "treated"],
    ]
    first = result.iloc[0]
    assert (first["n_group"], first["n_reference"]) == (4, 4)
    assert (first["mean_group"], first["median_reference"], first["difference"]) == (6.5, 2.5, 4)
    assert first["auc"] == 1
    assert first["p_value"] == first["smallest_p"] == pytest.approx(2 / 70)
    assert result["auc"].iloc[2] == 0
    assert result["p_adjusted"].iloc[0] == pytest.approx(4 * 2 / 70)
    pd.testing.assert_frame_equal(result, compare_groups(scores, "healthy", measures=["deviation", "speed"]))


def test_rows_in_another_order_give_the_same():
    scores = table(healthy=[1, 2, 3, 4.5, 7], impaired=[5, 6, 7, 8])
    shuffled = scores.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(compare_groups(scores, "healthy"), compare_groups(shuffled, "healthy"))


def test_a_single_subject_is_described_not_tested():
    result = compare_groups(table(healthy=[1, 2, 3], impaired=[9]), "healthy").iloc[0]
    assert math.isnan(result["p_value"])
    assert math.isnan(result["p_adjusted"])
    assert result["auc"] == 1
    assert "single subject" in result["note"]


def test_two_groups_with_one_subject_each_do_not_crash():
    result = compare_groups(table(healthy=[1], impaired=[9]), "healthy").iloc[0]
    assert result["difference"] == 8
    assert math.isnan(result["hedges_g"])
    assert math.isnan(result["p_value"])


def test_missing_scores_are_left_out_and_noted():
    result = compare_groups(table(healthy=[1, 2, math.nan], impaired=[5, 6]), "healthy").iloc[0]
    assert result["n_reference"] == 2
    assert "1 without a score" in result["note"]
    nothing = compare_groups(table(healthy=[1, 2], impaired=[math.nan]), "healthy").iloc[0]
    assert nothing["note"].startswith("no scores to compare")


def test_only_the_reference_group_gives_an_empty_table():
    result = compare_groups(table(healthy=[1, 2]), "healthy")
    assert len(result) == 0
    assert tuple(result.columns) == COLUMNS


def test_a_subject_in_both_groups_is_noted():
    scores = table(before=[1, 2, 3], after=[4, 5, 6])
    scores["subject"] = ["a", "b", "c"] * 2
    assert "3 in both groups" in compare_groups(scores, "before")["note"].iloc[0]


def test_missing_reference_and_repeated_subjects_are_errors():
    with pytest.raises(StudyError, match=r"'control'.*healthy, impaired"):
        compare_groups(table(healthy=[1], impaired=[2]), "control")
    scores = pd.concat([table(healthy=[1, 2])] * 2)
    with pytest.raises(StudyError, match="healthy0"):
        compare_groups(scores, "healthy")


def test_covariates_are_described_and_large_differences_marked():
    subjects = pd.DataFrame(
        {
            "group": ["healthy"] * 3 + ["impaired"] * 3,
            "age": ["30", "31", "32", "60", "61", ""],
            "sex": ["f", "m", "f", "f", "m", "f"],
            "room": ["a", "a", "a", "b", "b", "b"],
        }
    )
    result = describe_covariates(subjects, "healthy", ["age", "sex", "room"]).set_index("covariate")
    assert list(result.columns) == ["healthy", "impaired", "imbalance", "differs"]
    assert result.loc["age", "healthy"] == "31 ± 1"
    assert result.loc["sex", "impaired"] == "f 2, m 1"
    assert result["differs"].tolist() == [True, False, True]
    assert result.loc["room", "imbalance"] == 1
    assert len(describe_covariates(subjects, "healthy", [])) == 0
