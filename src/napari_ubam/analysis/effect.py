"""How large a difference between two groups of subjects is, and how surely it is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from napari_ubam.analysis.permutation import batch_size

N_STUDIES = 2000  # that are simulated to find what could be shown
MANY_PAIRS = 900  # of subjects of two groups: more are not simulated


def auc(group: ArrayLike, reference: ArrayLike) -> float:
    """Give the probability that a member of ``group`` scores higher than one of ``reference``; ties count half.

    Parameters
    ----------
    group, reference : array (n,), (m,)
        One score a subject.

    Returns
    -------
    float
        The area under the ROC curve, 0 to 1.
    """
    group, reference = np.asarray(group, float), np.asarray(reference, float)
    ranks = stats.rankdata(np.concatenate([group, reference]))
    n, m = len(group), len(reference)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def auc_interval(estimate: float, n: int, m: int, confidence: float = 0.95) -> tuple[float, float]:
    """Give the confidence interval of an AUC, honest for few subjects and near 0 and 1.

    Newcombe's method 5 (Statistics in Medicine 25, 559-573, 2006): the Hanley-McNeil variance is taken at the
    bound, not at the estimate. Bootstrap and DeLong give the empty interval [1, 1] for separate groups.

    Parameters
    ----------
    estimate : float
        The AUC.
    n, m : int
        The sizes of the two groups.
    confidence : float
        The confidence, 0 to 1.

    Returns
    -------
    low, high : float
        The bounds.
    """
    z = stats.norm.ppf((1 + confidence) / 2)
    pairs = (n + m) / 2 - 1

    def excess(bound: float) -> float:
        shape = 1 + pairs * (1 - bound) / (2 - bound) + pairs * bound / (1 + bound)
        return (bound - estimate) ** 2 - z**2 * bound * (1 - bound) * shape / (n * m)

    nearly = 1e-9  # the bound itself is a root where the estimate is 0 or 1: look for the other one
    low = optimize.brentq(excess, 0, min(estimate, 1 - nearly)) if estimate > 0 else 0.0
    high = optimize.brentq(excess, max(estimate, nearly), 1) if estimate < 1 else 1.0
    return float(low), float(high)


def cliffs_delta(auc: float) -> float:
    """Give Cliff's delta, how much likelier a member of the group scores higher than lower.

    Parameters
    ----------
    auc : float
        The AUC, or a bound of it.

    Returns
    -------
    float
        -1 to 1; 0 is no difference (Cliff, Psychological Bulletin 114, 494-509, 1993).
    """
    return 2 * auc - 1


def hedges_g(group: ArrayLike, reference: ArrayLike) -> float:
    """Give the difference of means in pooled standard deviations, corrected for small groups.

    Parameters
    ----------
    group, reference : array (n,), (m,)
        One score a subject.

    Returns
    -------
    float
        Hedges' g, positive where ``group`` scores higher; NaN where nothing varies, and of fewer than four subjects.
    """
    group, reference = np.asarray(group, float), np.asarray(reference, float)
    freedom = len(group) + len(reference) - 2
    if freedom < 2:  # the correction leaves nothing of it
        return math.nan
    squares = ((group - group.mean()) ** 2).sum() + ((reference - reference.mean()) ** 2).sum()
    if squares == 0:
        return math.nan
    d = (group.mean() - reference.mean()) / math.sqrt(squares / freedom)
    return float(d * (1 - 3 / (4 * freedom - 1)))


def bootstrap_limits(
    samples: Sequence[ArrayLike], *, n_resamples: int = 5000, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Bound a group's mean, or the difference of two groups' means, by drawing subjects anew with replacement.

    Percentiles of the drawn means are taken further out than the confidence says, so that limits of few subjects are
    not too narrow: the expanded percentile interval (Hesterberg, The American Statistician 69, 371-386, 2015).

    Parameters
    ----------
    samples : sequence of one or two arrays (n,)
        One score a subject. Of two, the second is taken off the first.
    n_resamples : int
        How often subjects are drawn.
    confidence : float
        0 to 1.
    seed : int
        Makes it repeatable.

    Returns
    -------
    low, high : float
        NaN where a sample is of a single subject, or none.
    """
    arrays = [np.asarray(x, float) for x in samples]
    sizes = np.array([len(x) for x in arrays])
    if sizes.min() < 2:
        return math.nan, math.nan
    wider = math.sqrt((sizes / (sizes - 1)).mean()) * stats.t.ppf((1 + confidence) / 2, sizes.sum() - len(sizes))
    found = stats.bootstrap(
        arrays, _mean_or_difference, n_resamples=n_resamples, confidence_level=2 * stats.norm.cdf(wider) - 1,
        method="percentile", vectorized=True, batch=batch_size(int(sizes.sum())), rng=np.random.default_rng(seed),
    )  # fmt: skip
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _mean_or_difference(x: NDArray, y: NDArray | None = None, *, axis: int) -> NDArray:
    return x.mean(axis=axis) - (0 if y is None else y.mean(axis=axis))


@lru_cache(maxsize=256)
def detectable_auc(n: int, m: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Say what difference so many subjects could show: the power of the two-sided Mann-Whitney test.

    Studies are simulated in which scores of either group are normal, with one spread and shifted means; of many
    subjects Noether's formula is good enough (Journal of the American Statistical Association 82, 645-647, 1987).

    Parameters
    ----------
    n, m : int
        The sizes of the two groups.
    alpha : float
        A p-value up to this counts as shown.
    power : float
        In which share of the studies it shall be shown.

    Returns
    -------
    float
        The smallest AUC above 0.5 that is shown so often; NaN where not even separate groups could be.
    """
    if min(n, m) < 1 or 2 / math.comb(n + m, n) > alpha:
        return math.nan
    if n * m > MANY_PAIRS:
        z = stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)
        return float(min(1.0, 0.5 + z * math.sqrt((n + m) / (12 * n * m))))
    rng = np.random.default_rng(0)
    group, reference = rng.standard_normal((N_STUDIES, n)), rng.standard_normal((N_STUDIES, m))

    def lacking(shift: float) -> float:
        p_values = stats.mannwhitneyu(group + shift, reference, axis=1, method="exact").pvalue
        return float((p_values <= alpha).mean()) - power

    low, high = 0.0, 12.0
    while high - low > 0.01:
        middle = (low + high) / 2
        low, high = (middle, high) if lacking(middle) < 0 else (low, middle)
    return float(stats.norm.cdf(high / math.sqrt(2)))
