"""How the scores of groups rise or fall over sessions as time."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM

from napari_ubam.analysis.effect import bootstrap_limits
from napari_ubam.analysis.permutation import adjust_p, paired_p
from napari_ubam.errors import StudyError

TREND_COLUMNS = (
    "group", "n_subjects", "n_sessions", "slope", "slope_low", "slope_high", "p_value", "smallest_p", "p_adjusted",
    "method", "note",
)  # fmt: skip
MIXED, SLOPES = "mixed-effects model", "mean of the subjects' slopes"


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
