"""Compare groups by one score a subject.

The unit is always the subject. Frames and recordings of one subject are not independent, so counting them
as cases would make every difference look certain.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_ubam.analysis.effect import (
    auc,
    auc_interval,
    bootstrap_limits,
    cliffs_delta,
    detectable_auc,
    hedges_g,
)
from napari_ubam.analysis.permutation import adjust_p, permutation_p, several_groups_p
from napari_ubam.errors import StudyError

COLUMNS = (
    "measure", "group", "reference", "n_group", "n_reference", "mean_group", "mean_reference", "median_group",
    "median_reference", "difference", "difference_low", "difference_high", "hedges_g", "auc", "auc_low", "auc_high",
    "cliffs_delta", "cliffs_delta_low", "cliffs_delta_high", "p_value", "smallest_p", "p_adjusted", "detectable_auc",
    "note",
)  # fmt: skip
OVERALL_COLUMNS = ("measure", "groups", "n_subjects", "kruskal_h", "p_value", "smallest_p", "p_adjusted", "note")


def compare_groups(
    scores: pd.DataFrame,
    reference: str,
    *,
    measures: Sequence[str] = ("deviation",),
    n_permutations: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare every group's subjects with the reference group's, and with every other group's.

    The test statistic is the distance of the AUC from 0.5: how far the groups' ranks lie apart in either direction
    (a two-sided Mann-Whitney test with exact or Monte Carlo permutations), because deviations have long tails and
    one extreme subject must not decide.

    Parameters
    ----------
    scores : DataFrame
        One row a subject and group: columns ``subject``, ``group`` and every one of ``measures``.
        Subjects without a finite score are left out, and the note says so.
    reference : str
        The group that comes first; pairs of other groups follow.
    measures : sequence of str
        The columns to compare.
    n_permutations : int
        All labelings of the subjects are enumerated where there are at most so many (the p-value is exact),
        else so many random ones are drawn, and the observed one counts among them.
    seed : int
        Makes random labelings and bootstrap samples repeatable.

    Returns
    -------
    DataFrame
        One row a measure and pair of groups, with the columns `COLUMNS`; ``reference`` is the group that ``group`` is
        compared with. ``difference`` (with bootstrap limits), ``hedges_g`` and ``cliffs_delta`` are positive, and
        ``auc`` (the probability that a member of the group scores higher than one of the reference) is above
        0.5, where the group scores higher; limits hold with 95 % confidence. ``smallest_p`` is the smallest p-value
        that groups of these sizes can reach, ``p_adjusted`` is corrected for the number of rows (Benjamini and
        Hochberg), and ``detectable_auc`` is what they could show with a power of 80 %. Where a group has a single
        subject p-values are NaN, and ``note`` says why.

    Raises
    ------
    StudyError
        If no subject of the reference group has a score, a subject has several rows in one group, or a measure is no
        number.
    """
    groups = _checked(scores, reference, measures)
    rows = []
    for measure in measures:
        for base, group in itertools.combinations([reference, *groups], 2):
            pair = scores[scores["group"].isin([group, base])]
            known = pair[np.isfinite(pair[measure].to_numpy(float))]
            row = _compare(
                _scores_of(known, group, measure),
                _scores_of(known, base, measure),
                n_permutations,
                seed,
            )
            notes = [row.pop("note"), _left_out(len(pair) - len(known))]
            if known["subject"].duplicated().any():
                notes.append(
                    f"{known['subject'].duplicated().sum()} in both groups: the test takes them for different subjects"
                )
            note = "; ".join(filter(None, notes))
            rows.append({"measure": measure, "group": group, "reference": base, **row, "note": note})
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table["p_adjusted"] = adjust_p(table["p_value"].to_numpy(float))
    return table


def compare_all_groups(
    scores: pd.DataFrame,
    reference: str,
    *,
    measures: Sequence[str] = ("deviation",),
    n_permutations: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Ask whether there is any difference among three or more groups, before pairs of them are looked at.

    Parameters
    ----------
    scores, reference, measures, n_permutations, seed
        As for `compare_groups`.

    Returns
    -------
    DataFrame
        One row a measure, with the columns `OVERALL_COLUMNS`: Kruskal and Wallis' H, and its p-value by permutation of
        the subjects. No row where there are fewer than three groups.

    Raises
    ------
    StudyError
        As `compare_groups` does.
    """
    groups = [reference, *_checked(scores, reference, measures)]
    rows = []
    for measure in measures if len(groups) > 2 else ():
        known = scores[np.isfinite(scores[measure].to_numpy(float))]
        samples = {g: _scores_of(known, g, measure) for g in groups}
        tested = {g: x for g, x in samples.items() if len(x) > 1}
        notes = [_left_out(len(scores) - len(known))]
        if small := [g for g in groups if g not in tested]:
            notes.append(f"left out, having fewer than two subjects: {', '.join(small)}")
        row = {"measure": measure, "groups": ", ".join(tested), "n_subjects": sum(map(len, tested.values()))}
        if len(tested) < 3:
            notes.append("fewer than three groups are left: see the pairs of groups")
        else:
            statistic, p_value, smallest = several_groups_p(list(tested.values()), n_permutations, seed)
            row |= {"kruskal_h": statistic, "p_value": p_value, "smallest_p": smallest}
        rows.append({**row, "note": "; ".join(filter(None, notes))})
    table = pd.DataFrame(rows, columns=list(OVERALL_COLUMNS))
    table["p_adjusted"] = adjust_p(table["p_value"].to_numpy(float))
    return table


def _checked(scores: pd.DataFrame, reference: str, measures: Sequence[str]) -> list[str]:
    """Give the other groups, sorted, after seeing that there is one score a subject."""
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
    for measure in measures:
        if not pd.api.types.is_numeric_dtype(scores[measure]):
            raise StudyError(f"The measure {measure!r} is text and cannot be compared. Give it as numbers.")
    return groups


def _scores_of(known: pd.DataFrame, group: str, measure: str) -> NDArray[np.float64]:
    return np.sort(known.loc[known["group"] == group, measure].to_numpy(float))  # draws do not depend on rows' order


def _left_out(n: int) -> str:
    return f"{n} without a score left out" if n else ""


def _compare(group: NDArray, reference: NDArray, n_permutations: int, seed: int) -> dict:
    n, m = len(group), len(reference)
    row: dict = {"n_group": n, "n_reference": m, "p_value": math.nan, "smallest_p": math.nan, "note": ""}
    if min(n, m) == 0:
        return {**row, "note": "no scores to compare"}
    estimate = auc(group, reference)
    low, high = auc_interval(estimate, n, m)
    least, most = bootstrap_limits([group, reference], seed=seed)
    row |= {
        "mean_group": group.mean(),
        "mean_reference": reference.mean(),
        "median_group": np.median(group),
        "median_reference": np.median(reference),
        "difference": group.mean() - reference.mean(),
        "difference_low": least,
        "difference_high": most,
        "hedges_g": hedges_g(group, reference),
        "auc": estimate,
        "auc_low": low,
        "auc_high": high,
        "cliffs_delta": cliffs_delta(estimate),
        "cliffs_delta_low": cliffs_delta(low),
        "cliffs_delta_high": cliffs_delta(high),
        "detectable_auc": detectable_auc(n, m),
    }
    if min(n, m) == 1:
        return {**row, "note": "a single subject cannot be tested as a group: see its own p-value"}
    if len({*group, *reference}) == 1:
        row["note"] = "all subjects score the same"
    p_value, smallest = permutation_p(group, reference, n_permutations, seed)
    return {**row, "p_value": p_value, "smallest_p": smallest}
