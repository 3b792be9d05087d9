import math

import numpy as np
import pandas as pd
import pytest

from napari_ubam.analysis.groups import COLUMNS, OVERALL_COLUMNS, compare_all_groups, compare_groups
from napari_ubam.errors import StudyError


def table(**groups):
    rows = [
        {"subject": f"{group}{i}", "group": group, "deviation": value}
        for group, values in groups.items()
        for i, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_compare_gives_a_row_a_group_and_measure():
    scores = table(healthy=[1, 2, 3, 4], impaired=[5, 6, 7, 8], treated=[1.5, 2.5, 3.5, 4.5])
    scores["speed"] = np.arange(12.0)[::-1]
    result = compare_groups(scores, "healthy", measures=["deviation", "speed"])
    assert tuple(result.columns) == COLUMNS
    assert result[["measure", "group", "reference"]].to_numpy().tolist() == [
        [measure, *pair]
        for measure in ("deviation", "speed")
        for pair in (("impaired", "healthy"), ("treated", "healthy"), ("treated", "impaired"))
    ]
    first = result.iloc[0]
    assert (first["n_group"], first["n_reference"]) == (4, 4)
    assert (first["mean_group"], first["median_reference"], first["difference"]) == (6.5, 2.5, 4)
    assert first["auc"] == 1
    assert first["p_value"] == first["smallest_p"] == pytest.approx(2 / 70)
    assert (first["cliffs_delta"], first["cliffs_delta_high"]) == (1, 1)
    assert first["difference_low"] < 4 < first["difference_high"]
    assert first["detectable_auc"] > 0.9
    assert result["auc"].iloc[3] == 0
    assert result["p_adjusted"].iloc[0] == pytest.approx(6 * 2 / 70 / 5)  # five of six are as small
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


def test_text_and_infinite_scores_are_no_silent_numbers():
    scores = table(healthy=[1, 2, 3], impaired=[4, math.inf, 6])
    row = compare_groups(scores, "healthy").iloc[0]
    assert row["n_group"] == 2
    assert "1 without a score" in row["note"]
    with pytest.raises(StudyError, match="'mood' is text"):
        compare_groups(scores.assign(mood="good"), "healthy", measures=["mood"])


def test_equal_scores_are_noted():
    row = compare_groups(table(healthy=[1, 1, 1], impaired=[1, 1, 1]), "healthy").iloc[0]
    assert row["p_value"] == 1
    assert row["note"] == "all subjects score the same"


def test_three_groups_are_tested_as_a_whole():
    scores = table(healthy=[1, 2, 3, 4], impaired=[5, 6, 7, 8], treated=[1.5, 2.5, 3.5, 4.5], rare=[9])
    result = compare_all_groups(scores, "healthy")
    assert tuple(result.columns) == OVERALL_COLUMNS
    row = result.iloc[0]
    assert row["groups"] == "healthy, impaired, treated"
    assert row["n_subjects"] == 12
    assert row["p_value"] < 0.02
    assert row["note"] == "left out, having fewer than two subjects: rare"
    assert len(compare_all_groups(scores[scores["group"] != "rare"][:8], "healthy")) == 0
    two = compare_all_groups(scores[scores["group"] != "treated"], "healthy").iloc[0]
    assert np.isnan(two["p_value"])
    assert "rare; fewer than three groups are left: see the pairs" in two["note"]


def test_many_subjects_are_no_trouble():
    rng = np.random.default_rng(0)
    scores = table(healthy=rng.normal(size=10_000), impaired=rng.normal(0.1, 1, size=10_000))
    assert compare_groups(scores, "healthy", n_permutations=100).iloc[0]["p_value"] < 0.05
