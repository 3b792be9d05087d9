import math

import numpy as np
import pandas as pd
import pytest

from napari_ubam.analysis.paired import PAIRED_COLUMNS, compare_sessions, session_key
from napari_ubam.errors import StudyError


def table(**sessions):
    """One column a session, of subjects a, b, c, …"""
    rows = [
        {"subject": "abcdefgh"[i], "group": "treated", "session": session.lstrip("_"), "deviation": value}
        for session, values in sessions.items()
        for i, value in enumerate(values)
        if value is not None
    ]
    return pd.DataFrame(rows)


def test_sessions_are_compared_within_subjects():
    """Subjects differ by far more than they change: only pairs can show it."""
    before = np.array([10.0, 20, 30, 40, 50, 60, 70])
    result = compare_sessions(table(_2=before - [1, 2, 1.5, 1.2, 0.8, 1.1, 1.4], _10=before))
    assert tuple(result.columns) == PAIRED_COLUMNS
    row = result.iloc[0]
    assert (row["baseline"], row["session"]) == ("2", "10")  # by number, not by text
    assert row["difference"] == pytest.approx(9 / 7)
    assert 0.8 < row["difference_low"] < row["difference"] < row["difference_high"] < 2
    assert row["rank_biserial"] == 1
    assert row["p_value"] == row["smallest_p"] == row["p_adjusted"] == 2 / 2**7


def test_only_who_has_both_sessions_counts():
    row = compare_sessions(table(_1=[1, 2, 3, None], _2=[2, 3, None, 9])).iloc[0]
    assert row["n_subjects"] == 2
    assert row["note"] == "2 without both sessions left out"
    alone = compare_sessions(table(_1=[1, math.nan], _2=[2, 3])).iloc[0]
    assert math.isnan(alone["p_value"])
    assert alone["note"] == "fewer than two subjects have both sessions"


def test_no_change_at_all_is_no_difference():
    row = compare_sessions(table(_1=[1, 2, 3], _2=[1, 2, 3])).iloc[0]
    assert (row["p_value"], row["difference"], row["rank_biserial"]) == (1, 0, 0)


def test_every_two_sessions_of_every_group():
    one = table(before=[1, 2, 3], after=[2, 3, 4], later=[1, 2, 3])
    two = one.assign(group="control", subject=one["subject"].str.upper())
    result = compare_sessions(pd.concat([one, two]))
    assert result[["group", "baseline", "session"]].drop_duplicates().shape == (6, 3)
    assert compare_sessions(table(_1=[1, 2, 3])).empty


def test_a_subject_twice_in_a_session_is_an_error():
    with pytest.raises(StudyError, match=r"'a' has several scores in session '1'"):
        compare_sessions(pd.concat([table(_1=[1], _2=[2])] * 2))


def test_sessions_are_ordered_by_number_then_by_name():
    assert sorted(["week 1", "10", "2", "-1", "after"], key=session_key) == ["-1", "2", "10", "after", "week 1"]
