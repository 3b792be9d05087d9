"""Compare sessions of the same subjects, such as before and after a treatment."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from napari_ubam.analysis.effect import bootstrap_limits
from napari_ubam.analysis.permutation import adjust_p, paired_p
from napari_ubam.errors import StudyError

PAIRED_COLUMNS = (
    "measure", "group", "session", "baseline", "n_subjects", "mean_session", "mean_baseline", "difference",
    "difference_low", "difference_high", "rank_biserial", "p_value", "smallest_p", "p_adjusted", "note",
)  # fmt: skip


def compare_sessions(
    scores: pd.DataFrame,
    *,
    measures: Sequence[str] = ("deviation",),
    n_permutations: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare every two sessions of each group within subjects: only those count who have both.

    Parameters
    ----------
    scores : DataFrame
        One row a subject and session: columns ``subject``, ``group``, ``session`` (numbers or text) and every one of
        ``measures``.
    measures : sequence of str
        The columns to compare.
    n_permutations : int
        All ways to flip the signs of the subjects' differences are enumerated where there are at most so many, else
        so many are drawn.
    seed : int
        Makes it repeatable.

    Returns
    -------
    DataFrame
        One row a measure, group and pair of sessions, with the columns `PAIRED_COLUMNS`. ``difference`` is the mean of
        session minus baseline, with 95 % bootstrap limits over subjects; ``rank_biserial`` the signed ranks' sum over
        the ranks' sum, -1 to 1 (Kerby, Comprehensive Psychology 3, 2014). ``p_value`` is of signed ranks whose signs
        are flipped, in either direction, ``p_adjusted`` corrected for the number of rows (Benjamini and Hochberg).

    Raises
    ------
    StudyError
        If a subject has several rows in one session.
    """
    repeated = scores.duplicated(["subject", "session"])
    if repeated.any():
        first = scores[repeated].iloc[0]
        raise StudyError(
            f"Subject {first['subject']!r} has several scores in session {first['session']!r}. "
            "Sessions are compared by one score a subject and session: average its recordings first."
        )
    rows = []
    for measure, group in itertools.product(measures, sorted(scores["group"].unique())):
        own = scores[scores["group"] == group].pivot(index="subject", columns="session", values=measure)
        sessions = sorted(own.columns, key=session_key)
        for baseline, session in itertools.combinations(sessions, 2):
            both = own[[baseline, session]].replace([np.inf, -np.inf], np.nan).dropna()
            row = {"measure": measure, "group": group, "session": session, "baseline": baseline}
            row |= {"n_subjects": len(both), "note": ""}
            if len(both) < 2:
                rows.append({**row, "note": "fewer than two subjects have both sessions"})
                continue
            change = (both[session] - both[baseline]).to_numpy()
            low, high = bootstrap_limits([change], seed=seed)
            ranks = stats.rankdata(np.abs(change))
            p_value, smallest = paired_p(change, n_permutations, seed)
            row |= {
                "mean_session": both[session].mean(),
                "mean_baseline": both[baseline].mean(),
                "difference": change.mean(),
                "difference_low": low,
                "difference_high": high,
                "rank_biserial": float((np.sign(change) * ranks).sum() / ranks.sum()),
                "p_value": p_value,
                "smallest_p": smallest,
            }
            if len(both) < own.notna().any(axis=1).sum():
                row["note"] = f"{own.notna().any(axis=1).sum() - len(both)} without both sessions left out"
            rows.append(row)
    table = pd.DataFrame(rows, columns=list(PAIRED_COLUMNS))
    table["p_adjusted"] = adjust_p(table["p_value"].to_numpy(float))
    return table


def session_key(session: object) -> tuple[float, str]:
    """Order sessions by number where they are numbers, others after them by name."""
    text = str(session)
    number = pd.to_numeric(text, errors="coerce")
    return (float(number) if np.isfinite(number) else np.inf, text)
