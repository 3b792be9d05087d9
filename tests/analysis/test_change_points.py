import math

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from napari_ubam.analysis.change_points import CHANGE_COLUMNS, change_point, change_points

SESSIONS = np.arange(10)


def drifts(n: int, like: float, seed: int = 0) -> np.ndarray:
    """Give scores (n, 10) of unit variance whose sessions are correlated with the next by ``like``."""
    noise = np.random.default_rng(seed).standard_normal((n, 40)) * math.sqrt(1 - like**2)
    return lfilter([1.0], [1.0, -like], noise)[:, 30:]


def test_a_change_point_is_where_the_level_changes():
    scores = np.array([5.0, 5.1, 4.9, 5.05, 2, 2.1, 1.9, 2.05])
    found = change_point(np.arange(8), scores)
    assert (found.first, found.size) == (4, pytest.approx(-3))
    assert found.p_independent == pytest.approx(2 / math.comb(8, 4), abs=0.01)
    assert found.smallest == 1 / 5001 < found.p_value <= 0.05
    mixed = np.random.default_rng(0).permutation(8)
    assert change_point(mixed, scores[mixed]).first == 4
    assert change_point([0, 1, 2], [1, 1, 1]).p_value == 1


@pytest.mark.parametrize(("like", "most"), [(0.0, 0.08), (0.5, 0.16)])
def test_sessions_without_a_change_rarely_have_a_change_point(like: float, most: float):
    found = [change_point(SESSIONS, own) for own in drifts(80, like)]
    assert np.mean([c.p_value <= 0.05 for c in found]) <= most
    if like:
        assert np.mean([c.p_independent <= 0.05 for c in found]) > most


def test_a_step_of_three_standard_deviations_is_found_in_most_subjects():
    found = [change_point(SESSIONS, own + 3 * (SESSIONS >= 5)) for own in drifts(40, 0.2)]
    assert np.mean([c.p_value <= 0.05 for c in found]) > 0.5
    assert np.mean([c.first == 5 for c in found]) > 0.6


def test_a_slow_rise_is_taken_for_a_drift():
    rng = np.random.default_rng(0)
    found = change_point(SESSIONS, 0.5 * SESSIONS + 0.3 * rng.standard_normal(10))
    assert found.p_independent < 0.01 < 0.05 < found.p_value


def test_unit_level_and_direction_do_not_matter():
    scores = drifts(1, 0)[0] + 2 * (SESSIONS >= 6)
    found, turned = change_point(SESSIONS, scores), change_point(SESSIONS, 700 - 50 * scores)
    assert (turned.first, turned.p_value) == (found.first, found.p_value)
    assert turned.size == pytest.approx(-50 * found.size)


def test_no_p_value_is_below_the_smallest_possible_one():
    scores = [0.0, 0.1, 3.0, 3.2, 3.1]
    found = change_point(range(5), scores)
    assert found.smallest == pytest.approx(2 / math.factorial(5))
    assert found.p_value >= found.smallest
    assert change_point(range(4), scores[:4]).smallest > 0.05


def test_change_points_have_a_row_a_subject_with_four_sessions():
    rng = np.random.default_rng(0)
    days = np.array([0, 1, 3, 7, 14])
    scores = pd.DataFrame(
        {"subject": np.repeat(["s0", "s1"], 5), "group": "treated", "session": np.tile(days, 2).astype(str),
         "deviation": rng.normal(0, 0.1, 10) + np.tile(3.0 * (days >= 7), 2)}
    )  # fmt: skip
    result = change_points(scores[:-2])
    assert tuple(result.columns) == CHANGE_COLUMNS
    assert result[["subject", "last_before", "first_after"]].to_numpy().tolist() == [["s0", 3, 7]]
