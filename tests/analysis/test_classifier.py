import math

import numpy as np
import pytest

from napari_ubam.analysis.classifier import classify_subjects, summarise_codes
from napari_ubam.errors import StudyError


def cohort(shift, n=8, d=6, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(2 * n, d))
    features[n:, 0] += shift
    groups = ["healthy"] * n + ["impaired"] * n
    return features, groups, [f"s{i}" for i in range(2 * n)]


def test_groups_that_differ_are_told_apart():
    result = classify_subjects(*cohort(6.0), n_permutations=10)
    assert result.accuracy > 0.9
    assert result.chance == 0.5
    assert result.p_value == 1 / 11
    assert list(result.subjects.columns) == ["subject", "group", "predicted"]
    assert (result.subjects["group"] == result.subjects["predicted"]).mean() > 0.9


def test_groups_that_do_not_differ_are_not():
    p_values = [classify_subjects(*cohort(0.0, seed=seed), n_permutations=9).p_value for seed in range(4)]
    assert np.mean(p_values) > 0.2


def test_recordings_of_a_subject_are_never_on_both_sides():
    # each subject has its own look, the same in all of its recordings, and groups mean nothing
    rng = np.random.default_rng(0)
    looks = 10 * rng.normal(size=(10, 20))
    subjects = [f"s{i}" for i in range(10) for _ in range(10)]
    groups = ["healthy" if i % 2 else "impaired" for i in range(10) for _ in range(10)]
    features = np.repeat(looks, 10, axis=0) + 0.01 * rng.normal(size=(100, 20))
    result = classify_subjects(features, groups, subjects, n_permutations=3)
    assert len(result.subjects) == 10
    assert result.accuracy < 0.85


def test_same_seed_same_result():
    first, second = (classify_subjects(*cohort(1.0), n_permutations=4, seed=3) for _ in range(2))
    assert (first.accuracy, first.p_value) == (second.accuracy, second.p_value)
    assert first.subjects.equals(second.subjects)


def test_small_groups_are_left_out_with_a_note():
    features, groups, subjects = cohort(6.0, n=4)
    result = classify_subjects([*features, features[0]], [*groups, "rare"], [*subjects, "x"], n_permutations=5)
    assert "rare" in result.note
    assert len(result.subjects) == 8
    alone = classify_subjects(np.eye(2), ["a", "b"], ["s", "t"])
    assert math.isnan(alone.accuracy)
    assert "fewer than two groups" in alone.note


def test_a_subject_in_two_groups_is_an_error():
    with pytest.raises(StudyError, match="'s'"):
        classify_subjects(np.eye(3), ["a", "b", "a"], ["s", "s", "t"])


def test_summary_is_mean_and_spread():
    assert summarise_codes([[0, 1], [2, 1]]).tolist() == [1, 1, 1, 0]
