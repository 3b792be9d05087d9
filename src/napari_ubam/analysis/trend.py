"""Since when: how scores change over sessions as time, in groups and in single subjects."""

from __future__ import annotations

import itertools
import math
import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM

from napari_ubam.analysis.effect import bootstrap_limits
from napari_ubam.analysis.permutation import adjust_p, paired_p
from napari_ubam.errors import StudyError

TREND_COLUMNS = (
    "group", "n_subjects", "n_sessions", "slope", "slope_low", "slope_high", "p_value", "smallest_p", "p_adjusted",
    "method", "note",
)  # fmt: skip
CHANGE_COLUMNS = (
    "subject", "group", "n_sessions", "last_before", "first_after", "change", "p_value", "p_independent", "smallest_p",
)  # fmt: skip
MIXED, SLOPES = "mixed-effects model", "mean of the subjects' slopes"
N_ORDERS = 5000  # of a subject's sessions, that are tried where there are more
N_DRIFTS, N_ALIKE = 50_000, 1000  # that are simulated, and those of them that scores are compared with
MOST_REMEMBERED = 0.8  # correlation of a session with the next


@dataclass(frozen=True)
class Change:
    """Where a subject's scores change to another level.

    Attributes
    ----------
    first : int
        The first session after the change, in the order of the days.
    size : float
        Mean score after it, minus that before.
    p_value : float
        The larger one of two: of sessions that are independent without a change, and of sessions that drift.
    p_independent : float
        The one of sessions that are independent without a change.
    smallest : float
        The smallest p-value that so many sessions can reach.
    """

    first: int
    size: float
    p_value: float
    p_independent: float
    smallest: float


def session_trends(
    scores: pd.DataFrame, *, measure: str = "deviation", n_permutations: int = 10_000, seed: int = 0
) -> pd.DataFrame:
    """Ask whether the scores of each group rise or fall with the day.

    Slope and limits are those of a linear mixed-effects model with an intercept and a slope of each subject's own
    (statsmodels' MixedLM), limits with Student's t for the number of subjects. Where it does not converge, slopes are
    taken to be alike; where that does not either, the mean of the subjects' least squares slopes is given, with
    bootstrap limits. The p-value relies on none of it: it is of the ranks of the subjects' slopes whose signs are
    flipped.

    Parameters
    ----------
    scores : DataFrame
        One row a subject and session: columns ``subject``, ``group``, ``session`` (the day, a number) and ``measure``.
        Rows without a finite score are left out, and so are subjects with a single session.
    measure : str
        The column whose trend is asked for.
    n_permutations : int
        All ways to flip signs are enumerated where there are at most so many, else so many are drawn.
    seed : int
        Makes it repeatable.

    Returns
    -------
    DataFrame
        One row a group, with the columns `TREND_COLUMNS`; ``slope`` in the measure's unit a unit of the session.

    Raises
    ------
    StudyError
        If a session is no number.
    """
    known = scores.assign(session=days_of(scores["session"]))
    known = known[np.isfinite(known[measure].to_numpy(float))]
    rows = []
    for group in sorted(scores["group"].unique()):
        own = known[known["group"] == group].rename(columns={measure: "score"})
        own = own[own.groupby("subject")["session"].transform("nunique") > 1].sort_values(["subject", "session"])
        slopes = np.array([stats.linregress(x["session"], x["score"]).slope for _, x in own.groupby("subject")])
        row = {"group": group, "n_subjects": len(slopes), "n_sessions": own["session"].nunique(), "note": ""}
        if len(slopes) < 2:
            rows.append({**row, "note": "fewer than two subjects have two sessions"})
            continue
        p_value, smallest = paired_p(slopes, n_permutations, seed)
        rows.append({**row, **_slope(own, slopes, seed), "p_value": p_value, "smallest_p": smallest})
    table = pd.DataFrame(rows, columns=list(TREND_COLUMNS))
    return table.assign(p_adjusted=adjust_p(table["p_value"].to_numpy(float)))


def change_point(days: ArrayLike, scores: ArrayLike, *, seed: int = 0) -> Change:
    """Find the session after which a subject's scores are on another level.

    The level may change once, where that explains most of the variance: least squares for one change, tested by
    permutation as in Pettitt (Applied Statistics 28, 126-135, 1979), but of the scores themselves. That supposes that
    without a change one session says nothing of the next. Sessions that drift up and down seem to change far too often,
    so what a change explains is also compared with what it explains in drifts, of which what is left is as smooth as
    here; any correlation of a session with the next, up to `MOST_REMEMBERED`, is taken to be equally likely.

    Parameters
    ----------
    days, scores : array (n,)
        At least three sessions, in any order.
    seed : int
        Makes random orders repeatable, which are drawn where there are more than 5000.

    Returns
    -------
    Change
    """
    order = np.argsort(np.asarray(days, float), kind="stable")
    values = np.asarray(scores, float)[order]
    n = len(values)
    if math.factorial(n) <= N_ORDERS:
        orders = np.array(list(itertools.permutations(range(n))))
    else:
        drawn = np.random.default_rng(seed).permuted(np.tile(np.arange(n), (N_ORDERS, 1)), axis=1)
        orders = np.concatenate([np.arange(n)[None], drawn])
    explained = _explained(values[orders])
    first = int(explained[0].argmax()) + 1
    best = explained.max(1)
    p_independent = float((best >= best[0] * (1 - 1e-9)).mean())
    return Change(
        first=first,
        size=float(values[first:].mean() - values[:first].mean()),
        p_value=max(p_independent, _p_among_drifts(values)),
        p_independent=p_independent,
        smallest=max(2 / math.comb(n, n // 2), 1 / len(orders)),  # either side of a change may be in any order
    )


def _p_among_drifts(values: NDArray) -> float:
    """Give the share of drifts, of those that are as smooth as the scores (n,), of which a change explains as much."""
    if np.ptp(values) == 0:
        return 1.0
    (smoothness,), (explained,) = _likeness(values[None])
    known, of_drifts = _drifts(len(values))
    first = min(max(int(np.searchsorted(known, smoothness)) - N_ALIKE // 2, 0), N_DRIFTS - N_ALIKE)
    more = of_drifts[first : first + N_ALIKE] >= explained
    return float((1 + more.sum()) / (1 + N_ALIKE))


@lru_cache(maxsize=8)
def _drifts(n: int) -> tuple[NDArray, NDArray]:
    """Give smoothness and what a change explains, for many drifts over n sessions, the roughest first.

    They are autoregressions of first order, correlated from session to session by anything up to `MOST_REMEMBERED`.
    """
    rng = np.random.default_rng(0)
    remembered = rng.uniform(0, MOST_REMEMBERED, N_DRIFTS)
    values = rng.standard_normal((N_DRIFTS, n))
    for i in range(1, n):
        values[:, i] = remembered * values[:, i - 1] + np.sqrt(1 - remembered**2) * values[:, i]
    smoothness, explained = _likeness(values)
    order = smoothness.argsort()
    return smoothness[order], explained[order]


def _likeness(values: NDArray) -> tuple[NDArray, NDArray]:
    """Fit a change: how smooth is what is left, and which share does the change explain? (m, n) to (m,) each.

    Smoothness is the correlation of each session with the next.
    """
    apart = values - values.mean(1, keepdims=True)
    explained = _explained(apart)
    late = np.arange(values.shape[1]) > explained.argmax(1)[:, None]
    left = apart.copy()
    for side in (late, ~late):
        left -= side * (apart * side).sum(1, keepdims=True) / side.sum(1, keepdims=True)
    smoothness = (left[:, 1:] * left[:, :-1]).sum(1) / np.maximum((left**2).sum(1), 1e-300)
    return smoothness, explained.max(1) / (apart**2).sum(1)


def change_points(scores: pd.DataFrame, *, measure: str = "deviation", seed: int = 0) -> pd.DataFrame:
    """Find every subject's change point, where it has at least four sessions.

    Parameters
    ----------
    scores, measure, seed
        As for `session_trends`.

    Returns
    -------
    DataFrame
        One row a subject, with the columns `CHANGE_COLUMNS`; ``last_before`` and ``first_after`` are sessions.

    Raises
    ------
    StudyError
        If a session is no number.
    """
    known = scores.assign(session=days_of(scores["session"]))
    known = known[np.isfinite(known[measure].to_numpy(float))].sort_values("session")
    rows = []
    for subject, own in known.groupby("subject", sort=False):
        if len(own) < 4:
            continue
        found = change_point(own["session"], own[measure], seed=seed)
        before, after = own["session"].to_numpy()[found.first - 1 : found.first + 1]
        p_values = (found.p_value, found.p_independent, found.smallest)
        rows.append((subject, own["group"].iloc[0], len(own), before, after, found.size, *p_values))
    return pd.DataFrame(rows, columns=list(CHANGE_COLUMNS))


def days_of(sessions: pd.Series) -> pd.Series:
    """Read sessions as days.

    Raises
    ------
    StudyError
        If one is no number.
    """
    days = pd.to_numeric(sessions, errors="coerce")
    bad = sessions[~np.isfinite(days.to_numpy(float))]
    if len(bad):
        raise StudyError(
            f"Session {str(bad.iloc[0])!r} is no number, so there is no time between sessions. Write days into the "
            "column 'session' to see trends."
        )
    return days.astype(float)


def _slope(own: pd.DataFrame, slopes: NDArray, seed: int) -> dict[str, object]:
    """Give the slope and its limits by a mixed-effects model, or where there is none by the subjects' slopes."""
    fixed = np.column_stack([np.ones(len(own)), own["session"]])
    for random, note in ((fixed, ""), (fixed[:, :1], "subjects' slopes are taken to be alike: with own ones the "
                                       "mixed-effects model did not converge")):  # fmt: skip
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # statsmodels warns where it did not converge
                fitted = MixedLM(own["score"].to_numpy(), fixed, own["subject"].to_numpy(), exog_re=random).fit()
                slope, error = float(fitted.params[1]), float(fitted.bse[1])
        except (Warning, np.linalg.LinAlgError, ValueError):
            continue
        if fitted.converged and math.isfinite(slope) and error > 0:
            half = stats.t.ppf(0.975, len(slopes) - 1) * error
            return {
                "slope": slope, "slope_low": slope - half, "slope_high": slope + half, "method": MIXED, "note": note
            }  # fmt: skip
    low, high = bootstrap_limits([slopes], seed=seed)
    note = "no mixed-effects model converged: the mean of the subjects' own slopes is given instead"
    return {"slope": slopes.mean(), "slope_low": low, "slope_high": high, "method": SLOPES, "note": note}


def _explained(values: NDArray) -> NDArray:
    """Give the sum of squares that a change after each session explains: (m, n) to (m, n - 1)."""
    n = values.shape[1]
    before = np.arange(1, n)
    total = values.sum(1, keepdims=True)
    sums = np.cumsum(values, 1)[:, :-1]
    difference = (total - sums) / (n - before) - sums / before
    return difference**2 * before * (n - before) / n
