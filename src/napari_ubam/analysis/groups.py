"""Compare groups by one score a subject: effect sizes, permutation tests, and what else the groups differ in.

The unit is always the subject. Frames and recordings of one subject are not independent, so counting them
as cases would make every difference look certain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from napari_ubam.errors import StudyError

COLUMNS = (
    "measure", "group", "reference", "n_group", "n_reference", "mean_group", "mean_reference", "median_group",
    "median_reference", "difference", "hedges_g", "auc", "auc_low", "auc_high", "p_value", "smallest_p",
    "p_adjusted", "note",
)  # fmt: skip
MAX_IMBALANCE = {"numbers": 0.5, "categories": 0.25}  # standard deviations; share of the subjects


def compare_groups(
    scores: pd.DataFrame,
    reference: str,
    *,
    measures: Sequence[str] = ("deviation",),
    n_permutations: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare every other group's subjects with the reference group's.

    The test statistic is the distance of the AUC from 0.5: how far the groups' ranks lie apart in either direction
    (a two-sided Mann-Whitney test with exact or Monte Carlo permutations), because deviations have long tails and
    one extreme subject must not decide.

    Parameters
    ----------
    scores : DataFrame
        One row a subject and group: columns ``subject``, ``group`` and every one of ``measures``.
        Subjects with a missing score are left out, and the note says so.
    reference : str
        The group that the others are compared with.
    measures : sequence of str
        The columns to compare.
    n_permutations : int
        All labelings of the subjects are enumerated where there are at most so many (the p-value is exact),
        else so many random ones are drawn, and the observed one counts among them.
    seed : int
        Makes random labelings repeatable.

    Returns
    -------
    DataFrame
        One row a measure and group, with the columns `COLUMNS`. ``difference`` and ``hedges_g`` are positive, and
        ``auc`` (the probability that a member of the group scores higher than one of the reference group) is above
        0.5, where the group scores higher; ``auc_low`` and ``auc_high`` bound it with 95 % confidence.
        ``smallest_p`` is the smallest p-value that groups of these sizes can reach, ``p_adjusted`` is corrected
        for the number of rows (Holm). Where a group has a single subject p-values are NaN, and ``note`` says why.

    Raises
    ------
    StudyError
        If no subject of the reference group has a score, or a subject has several rows in one group.
    """
    repeated = scores.duplicated(["subject", "group"])
    if repeated.any():
        raise StudyError(
            f"Subject {scores['subject'][repeated].iloc[0]!r} has several scores in one group. "
            "Groups are compared by one score a subject: average its recordings first."
        )
    groups = sorted(str(group) for group in scores["group"].unique() if group != reference)
    if reference not in set(scores["group"]):
        raise StudyError(
            f"No subject of the reference group {reference!r} has a score; groups that have one: "
            f"{', '.join(groups) or 'none'}. Choose one of them as the reference group, "
            "or see why its recordings were left out."
        )
    rows = []
    for measure in measures:
        for group in groups:
            pair = scores[scores["group"].isin([group, reference])]
            known = pair[np.isfinite(pair[measure].to_numpy(float))]
            row = _compare(
                known.loc[known["group"] == group, measure].to_numpy(float),
                known.loc[known["group"] == reference, measure].to_numpy(float),
                n_permutations,
                seed,
            )
            notes = [row.pop("note")]
            if len(known) < len(pair):
                notes.append(f"{len(pair) - len(known)} without a score left out")
            if known["subject"].duplicated().any():
                notes.append(
                    f"{known['subject'].duplicated().sum()} in both groups: the test takes them for different subjects"
                )
            note = "; ".join(filter(None, notes))
            rows.append({"measure": measure, "group": group, "reference": reference, **row, "note": note})
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table["p_adjusted"] = adjust_holm(table["p_value"].to_numpy(float))
    return table


def _compare(group: NDArray, reference: NDArray, n_permutations: int, seed: int) -> dict:
    n, m = len(group), len(reference)
    row: dict = {"n_group": n, "n_reference": m, "p_value": math.nan, "smallest_p": math.nan, "note": ""}
    if min(n, m) == 0:
        return {**row, "note": "no scores to compare"}
    low, high = auc_interval(auc(group, reference), n, m)
    row |= {
        "mean_group": group.mean(),
        "mean_reference": reference.mean(),
        "median_group": np.median(group),
        "median_reference": np.median(reference),
        "difference": group.mean() - reference.mean(),
        "hedges_g": hedges_g(group, reference),
        "auc": auc(group, reference),
        "auc_low": low,
        "auc_high": high,
    }
    if min(n, m) == 1:
        return {**row, "note": "a single subject cannot be tested as a group: see its own p-value"}
    p_value, smallest = permutation_p(group, reference, n_permutations, seed)
    return {**row, "p_value": p_value, "smallest_p": smallest}


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
    differences = np.subtract.outer(np.asarray(group, float), np.asarray(reference, float))
    return float((np.sign(differences).mean() + 1) / 2)


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


def hedges_g(group: ArrayLike, reference: ArrayLike) -> float:
    """Give the difference of means in pooled standard deviations, corrected for small groups.

    Parameters
    ----------
    group, reference : array (n,), (m,)
        One score a subject.

    Returns
    -------
    float
        Hedges' g, positive where ``group`` scores higher; NaN where nothing varies or nothing can vary.
    """
    group, reference = np.asarray(group, float), np.asarray(reference, float)
    freedom = len(group) + len(reference) - 2
    if freedom < 1:
        return math.nan
    squares = ((group - group.mean()) ** 2).sum() + ((reference - reference.mean()) ** 2).sum()
    if squares == 0:
        return math.nan
    d = (group.mean() - reference.mean()) / math.sqrt(squares / freedom)
    return float(d * (1 - 3 / (4 * freedom - 1)))


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
        The smallest p-value that groups of these sizes can reach with so many permutations.
    """
    n, m = len(np.asarray(group)), len(np.asarray(reference))
    ranks = stats.rankdata(np.concatenate([group, reference]))

    def distance(x: NDArray, y: NDArray, axis: int) -> NDArray:  # |AUC - 0.5| but for a constant; exact in floats
        return np.abs(2 * x.sum(axis=axis) - n * (n + m + 1))

    result = stats.permutation_test(
        (ranks[:n], ranks[n:]),
        distance,
        n_resamples=n_permutations,
        batch=1000,
        alternative="greater",
        vectorized=True,
        rng=np.random.default_rng(seed),
    )
    labelings = math.comb(n + m, n)
    smallest = 2 / labelings if labelings <= n_permutations else 1 / (n_permutations + 1)
    return float(result.pvalue), smallest


def adjust_holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Correct p-values for multiple testing by Holm's method.

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
    tested = np.flatnonzero(np.isfinite(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1) if len(order) else []
    return adjusted


def describe_covariates(subjects: pd.DataFrame, reference: str, covariates: Sequence[str]) -> pd.DataFrame:
    """Describe how groups differ in what else is known of their subjects, such as age or sex.

    Parameters
    ----------
    subjects : DataFrame
        One row a subject: column ``group`` and every one of ``covariates``. Values may be text; a column of
        numbers written as text counts as numbers.
    reference : str
        The group that the others are compared with.
    covariates : sequence of str
        The columns to describe.

    Returns
    -------
    DataFrame
        One row a covariate: ``covariate``, one column a group (mean ± standard deviation, or counts), ``imbalance``,
        the largest difference of any group from the reference group (in pooled standard deviations for numbers, as
        share of the subjects, 0 to 1, for categories), and ``differs``, whether that is above `MAX_IMBALANCE` and
        may explain a deviation too.
    """
    groups = [reference, *sorted(set(subjects["group"]) - {reference})]
    rows = []
    for covariate in covariates:
        values = subjects[covariate].replace("", np.nan)
        numbers = pd.to_numeric(values, errors="coerce")
        kind = "numbers" if numbers.notna().equals(values.notna()) and numbers.notna().any() else "categories"
        if kind == "numbers":
            by_group = {group: numbers[subjects["group"] == group].dropna().to_numpy(float) for group in groups}
            text = {group: _mean_and_sd(x) for group, x in by_group.items()}
            imbalances = [abs(_standardised(by_group[group], by_group[reference])) for group in groups[1:]]
        else:
            shares = pd.crosstab(subjects["group"], values.fillna("unknown").astype(str))
            text = {g: ", ".join(f"{name} {n}" for name, n in shares.loc[g].items() if n) for g in groups}
            shares = shares.div(shares.sum(axis=1), axis=0)
            imbalances = [float((shares.loc[g] - shares.loc[reference]).abs().max()) for g in groups[1:]]
        imbalance = max((x for x in imbalances if not math.isnan(x)), default=math.nan)
        differs = imbalance > MAX_IMBALANCE[kind]
        rows.append({"covariate": covariate, **text, "imbalance": imbalance, "differs": differs})
    table = pd.DataFrame(rows, columns=["covariate", *groups, "imbalance", "differs"])
    return table.astype({"differs": bool})


def _mean_and_sd(x: NDArray) -> str:
    if len(x) == 0:
        return "unknown"
    return f"{x.mean():.3g} ± {x.std(ddof=1):.2g}" if len(x) > 1 else f"{x.mean():.3g}"


def _standardised(x: NDArray, y: NDArray) -> float:
    if min(len(x), len(y)) == 0:
        return math.nan
    g = hedges_g(x, y)
    if math.isnan(g) and x.mean() != y.mean():
        return math.inf
    return 0.0 if math.isnan(g) else g
