"""Since when a single subject's scores are on another level."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import toeplitz
from scipy.special import logsumexp

from napari_ubam.analysis.trend import days_of

CHANGE_COLUMNS = (
    "subject", "group", "n_sessions", "last_before", "first_after", "change", "p_value", "p_independent", "smallest_p",
)  # fmt: skip
N_ORDERS = 5000  # of a subject's sessions, that are tried where there are more
# How much sessions are like the ones before: where there is a change, and in drifts, which may look like one
AROUND_CHANGE, IN_DRIFTS = (0.0, 0.1), (0.2, 0.4, 0.6)
STEP = 3.0  # standard deviation of the changes that are looked for, over that of the scores without one


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
        How rarely a change stands out so among these sessions in any order, and is no mere drift.
    p_independent : float
        The same by how much the change explains, where drifts are taken for changes.
    smallest : float
        The smallest p-value that so many sessions can reach.
    """

    first: int
    size: float
    p_value: float
    p_independent: float
    smallest: float


def change_point(days: ArrayLike, scores: ArrayLike, *, seed: int = 0) -> Change:
    """Find the session after which a subject's scores are on another level.

    Where the level changes is where one change explains most (least squares). Whether it does is asked by permutation,
    as in Pettitt (Applied Statistics 28, 126-135, 1979): among all orders of these sessions, how rarely does a change
    stand out so? Sessions that drift up and down seem to change far too often if what counts is how much the change
    explains. So what counts is how much likelier the scores are with a change, among sessions that are hardly like the
    ones before (correlated by `AROUND_CHANGE`), than without one, in a drift (`IN_DRIFTS`): the ratio of their mean
    likelihoods, of normal scores whose level and scale are unknown, over the places of the change and the
    correlations. If sessions are independent, no distribution is supposed; if they drift, there are more false alarms.

    Parameters
    ----------
    days, scores : array (n,)
        At least three sessions, in any order.
    seed : int
        Makes random orders repeatable, which are drawn where there are more than `N_ORDERS`.

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
    return Change(
        first=first,
        size=float(values[first:].mean() - values[:first].mean()),
        p_value=_share_as_high(_ratios(values[orders])),
        p_independent=_share_as_high(explained.max(1)),
        smallest=max(2 / math.factorial(n), 1 / len(orders)),  # a drift is as likely backwards
    )


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


def _share_as_high(found: NDArray) -> float:
    """Give the share of orders (m,) that reach the first one."""
    return float((found >= found[0] - 1e-9 * np.ptp(found)).mean())


def _ratios(values: NDArray) -> NDArray:
    """Give how much likelier series (m, n) are with a change than in a drift without one, as logarithms (m,)."""
    m, n = values.shape
    if np.ptp(values[0]) == 0:
        return np.zeros(m)
    values = (values - values[0].mean()) / values[0].std()  # all of them have the same scores
    changes = np.arange(n)[:, None] > np.arange(n - 1)  # (n, n - 1), one a column
    with_change, without = [], []
    for like in sorted({*AROUND_CHANGE, *IN_DRIFTS}):
        correlation = toeplitz(like ** np.arange(n))
        precision = np.linalg.inv(correlation)
        weight = precision.sum(0)
        precision -= np.outer(weight, weight) / weight.sum()  # whatever the level
        scale = -0.5 * (np.linalg.slogdet(correlation)[1] + np.log(weight.sum()))
        left = ((values @ precision) * values).sum(1, keepdims=True)
        if like in IN_DRIFTS:
            without.append(scale - 0.5 * (n - 1) * np.log(left[:, 0]))
        if like in AROUND_CHANGE:
            seen = precision @ changes
            spread = 1 + STEP**2 * (changes * seen).sum(0)
            rest = np.maximum(left - STEP**2 * (values @ seen) ** 2 / spread, 1e-12)
            with_change.append(scale - 0.5 * (np.log(spread) + (n - 1) * np.log(rest)))
    return logsumexp(with_change, axis=(0, 2)) - logsumexp(without, axis=0)


def _explained(values: NDArray) -> NDArray:
    """Give the sum of squares that a change after each session explains: (m, n) to (m, n - 1)."""
    n = values.shape[1]
    before = np.arange(1, n)
    total = values.sum(1, keepdims=True)
    sums = np.cumsum(values, 1)[:, :-1]
    difference = (total - sums) / (n - before) - sums / before
    return difference**2 * before * (n - before) / n
