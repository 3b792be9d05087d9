import numpy as np
import pytest

from napari_ubam.analysis.recovery import Outcome, judge_recovery
from napari_ubam.sample.sessions import FATES, walk_on_days

OUTCOMES = dict(zip(FATES, (Outcome.RETURNED, Outcome.PARTIAL, Outcome.COMPENSATED), strict=True))


def cycle(offset: float = 0.0, aside: float = 0.0, n: int = 200) -> np.ndarray:
    """Give codes of a movement that repeats itself, held in another way."""
    phase = 2 * np.pi * np.arange(n) / 31
    noise = np.random.default_rng(n).normal(0, 0.1, (n, 2))
    return np.column_stack([np.sin(phase) + offset, np.cos(phase) + aside]) + noise


@pytest.mark.parametrize(
    ("last", "outcome"),
    [
        (cycle(0.0, n=170), Outcome.RETURNED),
        (cycle(0.5, n=230), Outcome.PARTIAL),
        (cycle(1.0, n=210), Outcome.LASTING),
        (cycle(0.1, 1.0, n=190), Outcome.COMPENSATED),
        (cycle(-1.0, n=190), Outcome.COMPENSATED),  # on the other side of the baseline
    ],
)
def test_what_became_of_an_impairment(last: np.ndarray, outcome: Outcome):
    found = judge_recovery(cycle(), cycle(1.0, n=260), last)
    assert found.outcome == outcome
    assert found.size > 5


def test_without_an_impairment_there_is_no_recovery():
    found = judge_recovery(cycle(), cycle(n=170), cycle(3.0))
    assert found.outcome == Outcome.NONE
    still = np.ones((20, 3))
    assert judge_recovery(still, still, still).outcome == Outcome.NONE


@pytest.mark.parametrize("fate", FATES)
def test_fates_of_sample_subjects_are_told_apart_by_their_joints(fate):
    for number in range(2):
        days = walk_on_days(fate, number, 3, 300, 64, seed=3, severity=1.0)
        baseline, impaired, last = (walker.pose(1.0).joint_array().reshape(300, -1) for walker in days)
        assert judge_recovery(baseline, impaired, last).outcome == OUTCOMES[fate]
