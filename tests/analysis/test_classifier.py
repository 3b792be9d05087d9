import math

import numpy as np
import pandas as pd
import pytest

from napari_ubam.analysis.classifier import (
    MODELS,
    TABLE_COLUMNS,
    classify_subjects,
    describe_codes,
    extreme_clips,
)
from napari_ubam.errors import StudyError


def cohort(shift, n=8, d=6, seed=0, n_clips=3):
    """Give clips of healthy subjects, and of impaired ones whose first code is shifted."""
    rng = np.random.default_rng(seed)
    features = np.repeat(rng.normal(size=(2 * n, d)), n_clips, 0) + 0.3 * rng.normal(size=(2 * n * n_clips, d))
    features[n * n_clips :, 0] += shift
    groups = np.repeat(["healthy", "impaired"], n * n_clips)
    return features, list(groups), [f"s{i:02d}" for i in range(2 * n) for _ in range(n_clips)], "healthy"


@pytest.mark.parametrize("model", MODELS)
def test_groups_that_differ_are_told_apart(model):
    features, *rest = cohort(6.0)
    result = classify_subjects(features, *rest, model=model, n_permutations=9)
    assert min(result.accuracy, result.balanced_accuracy, result.auc) > 0.9
    assert result.chance == 0.5
    assert result.smallest_p == 1 / 10
    assert result.p_value <= 0.2
    assert result.auc_low < result.auc <= result.auc_high
    assert (result.subjects["group"] == result.subjects["predicted"]).mean() > 0.9
    assert result.confusion()["subjects"].tolist() == pytest.approx([8, 0, 0, 8], abs=1)
    row = result.row("behaviour", model)
    assert tuple(row) == TABLE_COLUMNS
    assert 0.25 < row["shuffled_accuracy"] < 0.75


@pytest.mark.parametrize("model", MODELS)
def test_the_score_of_a_subject_is_the_mean_of_its_clips(model):
    features, groups, subjects, reference = cohort(2.0)
    result = classify_subjects(features, groups, subjects, reference, model=model, n_permutations=1)
    means = pd.Series(result.clips).groupby(subjects).mean()
    np.testing.assert_allclose(means[result.subjects["subject"]], result.subjects["score"])


def test_groups_that_do_not_differ_are_not():
    p_values = [classify_subjects(*cohort(0.0, seed=seed), n_permutations=5).p_value for seed in range(3)]
    assert np.mean(p_values) > 0.2


def test_recordings_of_a_subject_are_never_on_both_sides():
    # each subject has its own look, the same in all of its recordings, and groups mean nothing
    rng = np.random.default_rng(0)
    looks = 10 * rng.normal(size=(10, 20))
    subjects = [f"s{i}" for i in range(10) for _ in range(10)]
    groups = ["healthy" if i % 2 else "impaired" for i in range(10) for _ in range(10)]
    features = np.repeat(looks, 10, axis=0) + 0.01 * rng.normal(size=(100, 20))
    result = classify_subjects(features, groups, subjects, "healthy", n_permutations=0)
    assert len(result.subjects) == 10
    assert result.balanced_accuracy < 0.85


@pytest.mark.parametrize("model", MODELS)
def test_three_groups_have_a_confusion_by_group(model):
    features, groups, subjects, reference = cohort(8.0)
    third = np.add(features[:24], [0, 8, 0, 0, 0, 0])
    result = classify_subjects(
        np.concatenate([features, third]),
        groups + ["other"] * 24,
        subjects + [s + "x" for s in subjects[:24]],
        reference,
        model=model,
        n_permutations=1,
    )
    assert result.chance == pytest.approx(1 / 3)
    assert result.balanced_accuracy > 0.8
    assert result.auc > 0.8
    assert result.confusion()["subjects"].sum() == 24
    assert result.confusion().shape == (9, 3)


def test_same_seed_same_result():
    first, second = (classify_subjects(*cohort(1.0), n_permutations=4, seed=3) for _ in range(2))
    assert (first.auc, first.p_value) == (second.auc, second.p_value)
    assert first.subjects.equals(second.subjects)


def test_small_groups_are_left_out_with_a_note():
    features, groups, subjects, reference = cohort(6.0, n=4)
    result = classify_subjects(
        [*features, features[0]], [*groups, "rare"], [*subjects, "x"], reference, n_permutations=0
    )
    assert "rare" in result.note
    assert len(result.subjects) == 8
    assert math.isnan(result.clips[-1])
    assert math.isnan(result.p_value)  # nothing was shuffled
    alone = classify_subjects(np.eye(2), ["a", "b"], ["s", "t"], "a")
    assert math.isnan(alone.auc)
    assert math.isnan(alone.row("behaviour", "LDA")["shuffled_accuracy"])
    assert "need 3 subjects" in alone.note


def test_constant_codes_tell_nothing_and_do_not_crash():
    features, *rest = cohort(0.0)
    for model in MODELS:
        result = classify_subjects(np.ones_like(features), *rest, model=model, n_permutations=1)
        assert result.auc == 0.5


def test_codes_that_are_no_numbers_are_an_error():
    features, *rest = cohort(1.0)
    features[4, 2] = math.nan
    with pytest.raises(StudyError, match="Codes of subject 's01' are not finite"):
        classify_subjects(features, *rest)


def test_a_subject_in_two_groups_is_an_error():
    with pytest.raises(StudyError, match="'s'"):
        classify_subjects(np.eye(3), ["a", "b", "a"], ["s", "s", "t"], "a")


def test_clips_say_where_codes_lie_and_how_far_they_spread():
    clips = describe_codes([[0, 1], [2, 1]])
    assert clips.tolist() == [[0, 1, 1, 0], [2, 1, 1, 0]]


def test_extreme_clips_are_one_a_subject():
    clips = pd.DataFrame({"subject": list("aabbc"), "frame": range(5), "score": [5, 4, 1, 2, math.nan]})
    found = extreme_clips(clips, 2)
    assert found[["extreme", "subject", "frame"]].to_numpy().tolist() == [
        ["highest", "a", 0], ["highest", "b", 3], ["lowest", "b", 2], ["lowest", "a", 1],
    ]  # fmt: skip
