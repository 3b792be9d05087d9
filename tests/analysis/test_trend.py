import math

import numpy as np
import pandas as pd
import pytest

from napari_ubam.analysis.trend import MIXED, SLOPES, TREND_COLUMNS, session_trends
from napari_ubam.errors import StudyError


def table(
    slope: float, n: int = 8, own: float = 0.2, days: tuple[float, ...] = (0, 1, 3, 7, 14), noise: float = 1.0
) -> pd.DataFrame:
    """Give scores of subjects that differ in level and a little in slope; sessions are text, as in a table."""
    rng = np.random.default_rng(0)
    rows = [
        (f"s{i}", "treated", str(day), level + (slope + more) * day + noise * rng.normal())
        for i, (level, more) in enumerate(rng.normal(0, [5, own], (n, 2)))
        for day in days
    ]
    return pd.DataFrame(rows, columns=["subject", "group", "session", "deviation"])


def test_a_trend_is_found_within_subjects():
    result = session_trends(table(0.8))
    assert tuple(result.columns) == TREND_COLUMNS
    row = result.iloc[0]
    assert (row["method"], row["n_subjects"], row["n_sessions"]) == (MIXED, 8, 5)
    assert row["slope_low"] < 0.8 < row["slope_high"]
    assert row["slope"] == pytest.approx(0.8, abs=0.2)
    assert row["p_value"] == row["smallest_p"] == 2 / 2**8


def test_no_trend_is_not_found():
    assert session_trends(table(0.0)).iloc[0]["p_value"] > 0.05


def test_where_the_model_does_not_converge_it_is_said():
    """Without noise, and without a difference between subjects, nothing is left for a mixed-effects model."""
    scores = table(0.5)
    row = session_trends(scores.assign(deviation=scores["session"].astype(float) / 2)).iloc[0]
    assert row["method"] == SLOPES
    assert "converged: the mean of the subjects' own slopes" in row["note"]
    assert row["slope_low"] == pytest.approx(0.5) == row["slope_high"]


def test_slopes_that_are_alike_are_said_to_be_taken_so():
    row = session_trends(table(0.5, own=0.0)).iloc[0]
    assert row["method"] == MIXED
    assert "slopes are taken to be alike" in row["note"]


def test_subjects_with_one_session_and_missing_scores_do_not_count():
    scores = table(0.5, n=3)
    scores.loc[scores["subject"] == "s0", "deviation"] = [1, math.nan, math.nan, math.nan, math.nan]
    assert session_trends(scores).iloc[0]["n_subjects"] == 2
    alone = session_trends(scores[scores["subject"] != "s1"]).iloc[0]
    assert alone["note"] == "fewer than two subjects have two sessions"
    assert math.isnan(alone["p_value"])


def test_sessions_that_are_no_days_are_an_error():
    with pytest.raises(StudyError, match="Session 'after' is no number"):
        session_trends(table(0.5).replace({"session": {"14": "after"}}))
