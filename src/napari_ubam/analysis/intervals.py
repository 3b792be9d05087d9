"""On and off within a recording, such as stimulation: told apart within subjects, and in subjects never seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from napari_ubam.analysis.effect import auc
from napari_ubam.analysis.permutation import adjust_p, paired_p

BLOCKS = 5  # of time, that are left out in turn within a subject
LEAST = 10  # frames, on and off, of a subject
INTERVAL_COLUMNS = ("label", "subject", "group", "n_on", "n_off", "auc_within", "auc_unseen", "note")
SUMMARY_COLUMNS = (
    "label", "n_subjects", "auc_within", "auc_unseen", "p_value", "smallest_p", "p_adjusted", "note"
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Marked:
    """A subject's frames of which it is known whether something was on.

    Attributes
    ----------
    group : str
        The subject's group.
    codes : array (n, d)
        Codes of its frames, in the order of time.
    on : array of bool (n,)
        Whether it was on.
    """

    group: str
    codes: NDArray[np.float64]
    on: NDArray[np.bool_]


def compare_intervals(
    marked: Mapping[str, Marked], label: str, *, n_permutations: int = 10_000, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tell on from off by linear discriminants, never on frames that were fitted.

    Within a subject, fifths of its on frames and of its off frames (each a stretch of time, so that a frame's
    neighbours are left out with it) are left out in turn. In unseen subjects, all frames of the subject are.

    Parameters
    ----------
    marked : mapping of str to Marked
        By subject.
    label : str
        What was on.
    n_permutations, seed
        Of the test over subjects.

    Returns
    -------
    subjects : DataFrame
        One row a subject, with the columns `INTERVAL_COLUMNS`; NaN where it has fewer than 10 frames on or off.
    summary : DataFrame
        One row, with the columns `SUMMARY_COLUMNS`: mean AUCs over subjects; the p-value is of the subjects' AUCs when
        unseen (within, for fewer than two others), each of which would be above or below 0.5 by chance.
    """
    enough = {s: m for s, m in marked.items() if min(m.on.sum(), (~m.on).sum()) >= LEAST}
    rows = []
    for subject, own in marked.items():
        row = {"label": label, "subject": subject, "group": own.group, "n_on": own.on.sum(), "n_off": (~own.on).sum()}
        if subject not in enough:
            rows.append({**row, "note": f"fewer than {LEAST} frames on or off"})
            continue
        others = [m for s, m in enough.items() if s != subject]
        unseen = math.nan
        if others:
            fitted = _fit(np.concatenate([m.codes for m in others]), np.concatenate([m.on for m in others]))
            unseen = _auc(fitted.decision_function(own.codes), own.on)
        rows.append({**row, "auc_within": _within(own), "auc_unseen": unseen, "note": ""})
    table = pd.DataFrame(rows, columns=list(INTERVAL_COLUMNS))
    which = "auc_unseen" if len(enough) > 2 else "auc_within"
    aucs = table[which].dropna().to_numpy(float)
    summary = {"label": label, "n_subjects": len(aucs), "note": "" if len(aucs) > 1 else "fewer than two subjects"}
    summary |= {name: table[name].mean() for name in ("auc_within", "auc_unseen")}
    if len(aucs) > 1:
        summary["p_value"], summary["smallest_p"] = paired_p(aucs - 0.5, n_permutations, seed)
    result = pd.DataFrame([summary], columns=list(SUMMARY_COLUMNS))
    return table, result.assign(p_adjusted=adjust_p(result["p_value"].to_numpy(float)))


def _within(own: Marked) -> float:
    """Give the AUC of a subject's frames, scored by what was fitted to other stretches of its time."""
    block = np.empty(len(own.on), int)
    for side in (own.on, ~own.on):
        block[side] = np.arange(side.sum()) * BLOCKS // side.sum()
    score = np.empty(len(own.on))
    for left_out in range(BLOCKS):
        test = block == left_out
        score[test] = _fit(own.codes[~test], own.on[~test]).decision_function(own.codes[test])
    return _auc(score, own.on)


def _fit(codes: NDArray, on: NDArray) -> LinearDiscriminantAnalysis:
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[0.5, 0.5])
    return model.fit(codes, on)


def _auc(score: NDArray, on: NDArray) -> float:
    return auc(score[on], score[~on])
