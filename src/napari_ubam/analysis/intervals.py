"""On and off within a recording, such as stimulation: told apart within subjects, and in subjects never seen."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from napari_ubam.analysis.effect import auc
from napari_ubam.analysis.permutation import adjust_p

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
    mirrored : array (n, d), optional
        Codes of the frames' mirror images, where something is on in these as well: further examples.
    """

    group: str
    codes: NDArray[np.float64]
    on: NDArray[np.bool_]
    mirrored: NDArray[np.float64] | None = None

    @classmethod
    def together(cls, parts: Sequence[Marked]) -> Marked:
        """Put a subject's recordings together, all of which have mirror images, or none."""
        mirrored = [part.mirrored for part in parts if part.mirrored is not None]
        return cls(
            parts[0].group, np.concatenate([part.codes for part in parts]), np.concatenate([part.on for part in parts]),
            np.concatenate(mirrored) if mirrored else None,
        )  # fmt: skip

    @property
    def examples(self) -> NDArray[np.float64]:
        """All codes of its frames, (1 or 2, n, d); the first are those of the frames themselves."""
        return np.stack([self.codes] if self.mirrored is None else [self.codes, self.mirrored])


def compare_intervals(
    marked: Mapping[str, Marked], label: str, *, n_permutations: int = 99, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tell on from off by linear discriminants, never on frames that were fitted.

    Within a subject, fifths of its on frames and of its off frames (each a stretch of time, so that a frame's
    neighbours are left out with it) are left out in turn. In unseen subjects, all frames of the subject are.

    Subjects' AUCs are no independent values, as each is of a model that was fitted to the others; so they are not
    tested as such. Instead the intervals of every subject are moved round its recording by lot, which keeps how long
    they are and how slowly the movement changes, and all is fitted anew.

    Parameters
    ----------
    marked : mapping of str to Marked
        By subject.
    label : str
        What was on.
    n_permutations : int
        How often intervals are moved; 0: no p-value.
    seed : int
        Makes it repeatable.

    Returns
    -------
    subjects : DataFrame
        One row a subject, with the columns `INTERVAL_COLUMNS`; NaN where it has fewer than 10 frames on or off.
    summary : DataFrame
        One row, with the columns `SUMMARY_COLUMNS`: mean AUCs over subjects; the p-value is the share of moved
        intervals that are told apart as well in unseen subjects, the true ones counted.
    """
    enough = {s: m for s, m in marked.items() if min(m.on.sum(), (~m.on).sum()) >= LEAST}
    examples, on = [m.examples for m in enough.values()], [m.on for m in enough.values()]
    several = len(enough) > 1
    unseen = dict(zip(enough, _unseen(examples, on) if several else [math.nan] * len(enough), strict=True))
    rows = []
    for subject, own in marked.items():
        row = {"label": label, "subject": subject, "group": own.group, "n_on": own.on.sum(), "n_off": (~own.on).sum()}
        if subject not in enough:
            rows.append({**row, "note": f"fewer than {LEAST} frames on or off"})
            continue
        rows.append({**row, "auc_within": _within(own), "auc_unseen": unseen[subject], "note": ""})
    table = pd.DataFrame(rows, columns=list(INTERVAL_COLUMNS))
    note = "" if several else "fewer than two subjects"
    summary: dict[str, object] = {"label": label, "n_subjects": len(enough), "note": note}
    summary |= {name: table[name].mean() for name in ("auc_within", "auc_unseen")}
    if several and n_permutations:
        rng = np.random.default_rng(seed)
        moved = [
            np.mean(_unseen(examples, [np.roll(x, rng.integers(len(x))) for x in on])) for _ in range(n_permutations)
        ]
        as_well = (np.array(moved) >= table["auc_unseen"].mean() - 1e-12).sum()
        summary["p_value"], summary["smallest_p"] = (1 + as_well) / (n_permutations + 1), 1 / (n_permutations + 1)
    result = pd.DataFrame([summary], columns=list(SUMMARY_COLUMNS))
    return table, result.assign(p_adjusted=adjust_p(result["p_value"].to_numpy(float)))


def _unseen(examples: list[NDArray], on: list[NDArray]) -> list[float]:
    """Give every subject's AUC by what was fitted to all others."""
    found = []
    for i, ((own, *_), truth) in enumerate(zip(examples, on, strict=True)):
        others = [k for k in range(len(examples)) if k != i]
        fitted = _fit([examples[k] for k in others], [on[k] for k in others])
        found.append(_auc(fitted.decision_function(own), truth))
    return found


def _within(own: Marked) -> float:
    """Give the AUC of a subject's frames, scored by what was fitted to other stretches of its time."""
    block = np.empty(len(own.on), int)
    for side in (own.on, ~own.on):
        block[side] = np.arange(side.sum()) * BLOCKS // side.sum()
    score = np.empty(len(own.on))
    for left_out in range(BLOCKS):
        test = block == left_out
        score[test] = _fit([own.examples[:, ~test]], [own.on[~test]]).decision_function(own.codes[test])
    return _auc(score, own.on)


def _fit(examples: list[NDArray], on: list[NDArray]) -> LinearDiscriminantAnalysis:
    """Fit to subjects' examples, each (1 or 2, n, d), of which it is known whether something was on, (n,)."""
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[0.5, 0.5])
    known = [np.tile(truth, len(own)) for own, truth in zip(examples, on, strict=True)]
    return model.fit(np.concatenate([*itertools.chain(*examples)]), np.concatenate(known))


def _auc(score: NDArray, on: NDArray) -> float:
    return auc(score[on], score[~on])
