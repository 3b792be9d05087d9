"""Permutation tests whose unit is the subject: two groups, several groups, and sessions of the same subjects.

All of them look at ranks, because deviations have long tails and one extreme subject must not decide.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

BATCH = 5_000_000  # scores that are looked at at once: 40 MB


def permutation_p(group: ArrayLike, reference: ArrayLike, n_permutations: int, seed: int) -> tuple[float, float]:
    """Test whether two groups' ranks differ, in either direction.

    Parameters
    ----------
    group, reference : array (n,), (m,)
        One score a subject, at least two subjects in each.
    n_permutations : int
        All labelings are enumerated where there are at most so many, else so many are drawn at random.
    seed : int
        Makes random labelings repeatable.

    Returns
    -------
    p_value : float
        The share of labelings whose AUC is at least as far from 0.5 as the observed one.
    smallest : float
        The smallest p-value that these scores can reach in groups of these sizes, with so many permutations.
    """
    n, m = len(np.asarray(group)), len(np.asarray(reference))
    ranks = stats.rankdata(np.concatenate([group, reference]))

    def distance(x: NDArray, y: NDArray, axis: int) -> NDArray:  # |AUC - 0.5| but for a constant; exact in floats
        return np.abs(2 * x.sum(axis=axis) - n * (n + m + 1))

    result = stats.permutation_test(
        (ranks[:n], ranks[n:]),
        distance,
        n_resamples=n_permutations,
        batch=batch_size(n + m),
        alternative="greater",
        vectorized=True,
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue), _smallest_p(ranks, [n, m], n_permutations)


def several_groups_p(groups: Sequence[ArrayLike], n_permutations: int, seed: int) -> tuple[float, float, float]:
    """Test whether several groups' ranks differ: the Kruskal-Wallis test, with permutations of the subjects.

    Parameters
    ----------
    groups : sequence of array (n,)
        One score a subject of every group, at least two groups, and two subjects in each.
    n_permutations : int
        All labelings are enumerated where there are at most so many, else so many are drawn at random.
    seed : int
        Makes random labelings repeatable.

    Returns
    -------
    statistic : float
        Kruskal and Wallis' H, corrected for ties; NaN where all scores are equal.
    p_value : float
        The share of labelings whose H is at least as large; 1 where all scores are equal.
    smallest : float
        The smallest p-value that these scores can reach in groups of these sizes, with so many permutations.
    """
    sizes = [len(np.asarray(group)) for group in groups]
    scores = np.concatenate([np.asarray(group, float) for group in groups])
    smallest = _smallest_p(stats.rankdata(scores), sizes, n_permutations)
    if (scores == scores[0]).all():
        return math.nan, 1.0, smallest
    ranks = np.split(stats.rankdata(scores), np.cumsum(sizes)[:-1])
    result = stats.permutation_test(
        ranks, _spread_of_ranks, n_resamples=n_permutations, batch=batch_size(len(scores)), alternative="greater",
        vectorized=True, rng=np.random.default_rng(seed),
    )  # fmt: skip
    return float(stats.kruskal(*ranks).statistic), float(result.pvalue), smallest


def paired_p(differences: ArrayLike, n_permutations: int, seed: int) -> tuple[float, float]:
    """Test whether subjects changed, in either direction: signed ranks, whose signs are flipped.

    Parameters
    ----------
    differences : array (n,)
        Each subject's score in the one session minus that in the other, of at least two subjects.
    n_permutations : int
        All signs are enumerated where there are at most so many, else so many are drawn at random.
    seed : int
        Makes random signs repeatable.

    Returns
    -------
    p_value : float
        The share of signs whose sum of signed ranks is at least as far from 0 (Wilcoxon's test).
    smallest : float
        The smallest p-value that so many subjects can reach with so many permutations; those without a change tell
        nothing.
    """
    differences = np.asarray(differences, float)
    signed = np.sign(differences) * stats.rankdata(np.abs(differences))
    result = stats.permutation_test(
        (signed,), _distance_from_0, permutation_type="samples", n_resamples=n_permutations,
        batch=batch_size(len(signed)), alternative="greater", vectorized=True, rng=np.random.default_rng(seed),
    )  # fmt: skip
    if 2 ** len(differences) > n_permutations:
        return float(result.pvalue), 1 / (n_permutations + 1)
    return float(result.pvalue), min(1.0, 2 / 2 ** np.count_nonzero(differences))


def adjust_p(p_values: ArrayLike) -> NDArray[np.float64]:
    """Correct p-values for multiple testing: Benjamini and Hochberg's false discovery rate.

    Parameters
    ----------
    p_values : array (n,)
        The p-values; NaN ones were not tested and do not count.

    Returns
    -------
    array (n,)
        The corrected p-values, NaN where there was none.
    """
    p_values = np.asarray(p_values, float)
    adjusted = np.full(p_values.shape, np.nan)
    tested = np.isfinite(p_values)
    if tested.any():
        adjusted[tested] = stats.false_discovery_control(p_values[tested])
    return adjusted


def batch_size(n: int) -> int:
    """Say how many samples of n scores are drawn at once, so that memory does not grow with them."""
    return max(1, min(1000, BATCH // n))


def _spread_of_ranks(*groups: NDArray, axis: int) -> NDArray:
    """Give H but for constants: sums of ranks from their middle, squared, over the groups' sizes."""
    middle = (sum(group.shape[axis] for group in groups) + 1) / 2
    return sum((group - middle).sum(axis=axis) ** 2 / group.shape[axis] for group in groups)


def _smallest_p(ranks: NDArray, sizes: Sequence[int], n_permutations: int) -> float:
    """Give the share of labelings whose groups are parted most clearly: in order, without overlap but for ties."""
    labelings = _ways(sizes)
    if labelings > n_permutations:
        return 1 / (n_permutations + 1)
    ordered = np.sort(ranks)
    tied = np.unique(ordered, return_inverse=True)[1]
    found = {}  # the spread, and the number of labelings, by how many of each rank are in each group
    for order in itertools.permutations(range(len(sizes))):
        counts = np.zeros((tied[-1] + 1, len(sizes)), int)
        np.add.at(counts, (tied, np.repeat(order, [sizes[i] for i in order])), 1)
        groups = [np.repeat(np.unique(ordered), own) for own in counts.T]
        found[counts.tobytes()] = float(_spread_of_ranks(*groups, axis=0)), math.prod(map(_ways, counts))
    most = max(spread for spread, _ in found.values())
    return sum(ways for spread, ways in found.values() if spread >= most - 1e-9) / labelings


def _ways(sizes: Sequence[int] | NDArray) -> int:
    """Give in how many ways things can be shared out to groups of these sizes."""
    return math.factorial(int(sum(sizes))) // math.prod(math.factorial(int(n)) for n in sizes)


def _distance_from_0(signed: NDArray, axis: int) -> NDArray:
    return np.abs(signed.sum(axis=axis))
