"""What else than posture tells groups apart: covariates, and how recordings were made."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from napari_ubam.analysis.effect import hedges_g

MAX_IMBALANCE = {"numbers": 0.5, "categories": 0.25}  # standard deviations; share of the subjects
NUISANCE_COLUMNS = (
    "measure", "group", "reference", "nuisance", "n_group", "n_reference", "separation", "p_value",
    "posture_separation", "as_well", "note",
)  # fmt: skip


def compare_nuisances(
    subjects: pd.DataFrame,
    comparison: pd.DataFrame,
    nuisances: Sequence[str],
    *,
    n_permutations: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Ask how well something other than posture would tell groups apart, beside the measure that is compared.

    Parameters
    ----------
    subjects : DataFrame
        One row a subject: column ``group`` and every one of ``nuisances``, as numbers, or text for categories.
    comparison : DataFrame
        The result of `napari_ubam.analysis.groups.compare_groups`.
    nuisances : sequence of str
        The columns to look at, such as recording length, frame rate, speed, brightness, size, side, camera.
    n_permutations : int
        How often labels are shuffled over subjects.
    seed : int
        Makes it repeatable.

    Returns
    -------
    DataFrame
        One row a comparison and nuisance, with the columns `NUISANCE_COLUMNS`. ``separation`` is the AUC in the better
        direction (for categories, in the better order), 0.5 to 1; ``p_value`` the share of shuffled labels that reach
        it; ``posture_separation`` the measure's own. ``as_well``: the nuisance separates the groups beyond chance
        (p up to 0.05), and as well as the measure within its confidence interval: it may be the reason.
    """
    rows = []
    for row in comparison.to_dict("records"):
        pair = subjects[subjects["group"].isin([row["group"], row["reference"]])]
        clearer = max(row["auc"], 1 - row["auc"])
        least = row["auc_low"] if row["auc"] >= 0.5 else 1 - row["auc_high"]
        for nuisance in nuisances:
            values = as_numbers(pair[nuisance])
            is_number = pd.api.types.is_numeric_dtype(values)
            ranks = _ranks(values, is_number)
            known = ~np.isnan(ranks)
            in_group = (pair["group"] == row["group"]).to_numpy()[known]
            n, m = int(in_group.sum()), int((~in_group).sum())
            made = {**{c: row[c] for c in ("measure", "group", "reference")}, "nuisance": nuisance}
            made |= {"n_group": n, "n_reference": m, "posture_separation": clearer}
            if min(n, m) < 2 or len(set(ranks[known])) < 2:
                note = "known of fewer than two subjects of a group" if min(n, m) < 2 else "the same in all subjects"
                rows.append({**made, "separation": math.nan, "p_value": math.nan, "as_well": False, "note": note})
                continue
            found, p_value = _separation(ranks[known], in_group, is_number, n_permutations, seed)
            as_well = p_value <= 0.05 and not found < least  # least is NaN where the measure has no score
            rows.append({**made, "separation": found, "p_value": p_value, "as_well": as_well, "note": ""})
    return pd.DataFrame(rows, columns=list(NUISANCE_COLUMNS)).astype({"as_well": bool})


def as_numbers(values: pd.Series) -> pd.Series:
    """Read numbers that are written as text, if all known values are numbers; else give categories as text.

    Parameters
    ----------
    values : Series
        Empty texts are unknown.

    Returns
    -------
    Series
        Of float, NaN where unknown or infinite; or of text, None where unknown.
    """
    known = values.replace("", np.nan)
    numbers = pd.to_numeric(known, errors="coerce")
    if numbers.notna().equals(known.notna()) and numbers.notna().any():
        return numbers.astype(float).replace([np.inf, -np.inf], np.nan)
    return known.where(known.notna(), None).astype(object)


def _ranks(values: pd.Series, is_number: bool) -> NDArray[np.float64]:
    """Give the rank of every number, or the number of every category; NaN where unknown."""
    if is_number:
        return stats.rankdata(values.to_numpy(float), nan_policy="omit")
    codes = pd.Categorical(values.map(lambda value: None if value is None else str(value))).codes.astype(float)
    codes[codes < 0] = np.nan
    return codes


def _separation(
    ranks: NDArray, in_group: NDArray, is_number: bool, n_permutations: int, seed: int
) -> tuple[float, float]:
    """Give the AUC in the better direction or order, and the share of shuffled labels that reach it."""
    n, m = in_group.sum(), (~in_group).sum()
    labels = np.tile(in_group, (n_permutations + 1, 1))
    labels[1:] = np.random.default_rng(seed).permuted(labels[1:], axis=1)
    if is_number:
        u = (labels * ranks).sum(1) - n * (n + 1) / 2
        aucs = np.maximum(u, n * m - u) / (n * m)
    else:
        kinds = ranks[:, None] == np.unique(ranks)
        ours, theirs = labels @ kinds.astype(float), ~labels @ kinds.astype(float)
        order = np.argsort(-ours / (ours + theirs), axis=1, kind="stable")  # those of the group first: the best order
        ours, theirs = np.take_along_axis(ours, order, 1) / n, np.take_along_axis(theirs, order, 1) / m
        aucs = (ours * (1 - np.cumsum(theirs, 1) + theirs / 2)).sum(1)
    return float(aucs[0]), float((aucs >= aucs[0] - 1e-12).mean())


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
        values = as_numbers(subjects[covariate])
        kind = "numbers" if pd.api.types.is_numeric_dtype(values) else "categories"
        if kind == "numbers":
            by_group = {group: values[subjects["group"] == group].dropna().to_numpy(float) for group in groups}
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
