import math

import numpy as np
import pandas as pd
import pytest

from napari_ubam.analysis.regression import predict_covariate


def cohort(n: int = 40, d: int = 12) -> tuple[np.ndarray, list[str], pd.Series]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n, d))
    return features, [f"s{i}" for i in range(n)], pd.Series(features[:, 0] + 0.3 * rng.normal(size=n))


def test_a_related_covariate_is_predicted_in_unseen_subjects():
    features, subjects, values = cohort()
    found = predict_covariate(features, subjects, values.map(str), n_permutations=19)
    assert found.rank_correlation > 0.7
    assert found.r2 > 0.5
    assert found.p_value == found.smallest_p == 1 / 20
    assert list(found.subjects["subject"]) == subjects
    again = predict_covariate(features, subjects, values, n_permutations=19)
    assert again.rank_correlation == found.rank_correlation


def test_an_unrelated_one_is_not():
    features, subjects, values = cohort()
    found = predict_covariate(features, subjects, values.sample(frac=1, random_state=1), n_permutations=19)
    assert found.p_value > 0.1
    assert found.r2 < 0.2


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (["young"] * 20 + ["old"] * 20, "it is text"),
        (["5"] * 40, "the same in all subjects"),
        (["", "1", "2", "3"] + [""] * 36, "known of fewer than 6 subjects"),
    ],
)
def test_what_cannot_be_predicted_is_said(values, note):
    features, subjects, _ = cohort()
    found = predict_covariate(features, subjects, pd.Series(values))
    assert note in found.note
    assert math.isnan(found.rank_correlation)
    assert math.isnan(found.p_value)


def test_missing_and_infinite_values_are_left_out_and_constant_codes_tell_nothing():
    features, subjects, values = cohort()
    values[:2] = [math.nan, math.inf]
    found = predict_covariate(features, subjects, values, n_permutations=0)
    assert found.note == "2 subjects without a value left out"
    assert len(found.subjects) == 38
    assert math.isnan(found.p_value)  # nothing was shuffled
    constant = predict_covariate(np.ones_like(features), subjects, values, n_permutations=9)
    assert constant.p_value > 0.3
