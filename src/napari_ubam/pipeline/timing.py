"""Sessions as time: trends, change points, and whether subjects return to how they moved at first."""

from __future__ import annotations

import numpy as np
import pandas as pd

from napari_ubam.analysis.change_points import change_points
from napari_ubam.analysis.classifier import describe_codes
from napari_ubam.analysis.recovery import Recovery, judge_recovery
from napari_ubam.analysis.trend import days_of, session_trends
from napari_ubam.errors import StudyError
from napari_ubam.pipeline.classifying import Clips
from napari_ubam.progress import Progress, Report

RECOVERY_COLUMNS = (
    "subject",
    "group",
    "baseline",
    "impaired_session",
    "last_session",
    "left",
    "aside",
    "size",
    "outcome",
)
LEAST_CLIPS = 8  # of a session, to judge how surely its mean is known


def over_time(
    scores: pd.DataFrame, clips: list[Clips], report: Report, *, n_permutations: int, seed: int
) -> dict[str, pd.DataFrame]:
    """Look at sessions as days; without days, all tables are empty.

    Parameters
    ----------
    scores : DataFrame
        One row a subject and session: ``subject``, ``group``, ``session``, ``deviation``.
    clips : list of Clips
        Of every recording.
    report : callable
        Told where sessions are no days.
    n_permutations, seed
        As for `napari_ubam.analysis.trend.session_trends`.

    Returns
    -------
    dict of str to DataFrame
        ``trends``, ``change_points`` and ``recovery``, for which the first session is the subject's baseline, and the
        one that differs most from it the impaired one.
    """
    several = scores[scores.groupby("subject")["session"].transform("nunique") > 1]
    try:
        days_of(several["session"])
    except StudyError as error:
        report(Progress("comparing sessions", 1, 1, str(error)))
        several = several[:0]
    return {
        "trends": session_trends(several, n_permutations=n_permutations, seed=seed),
        "change_points": change_points(several, seed=seed),
        "recovery": _recovery(set(several["subject"]), clips),
    }


def _recovery(subjects: set[str], clips: list[Clips]) -> pd.DataFrame:
    rows = []
    for subject in sorted(subjects):
        sessions: dict[float, list[np.ndarray]] = {}
        own = [c for c in clips if c.recording.subject == subject]
        for c in own:
            sessions.setdefault(float(c.recording.session), []).append(describe_codes(c.behaviour))
        days = {day: np.concatenate(sessions[day]) for day in sorted(sessions)}
        if len(days) < 3 or min(map(len, days.values())) < LEAST_CLIPS:
            continue
        baseline, *_, last = days
        impaired = max(list(days)[1:-1], key=lambda day: np.linalg.norm(days[day].mean(0) - days[baseline].mean(0)))
        found: Recovery = judge_recovery(days[baseline], days[impaired], days[last])
        about = (subject, own[0].recording.group, baseline, impaired, last)
        rows.append((*about, found.left, found.aside, found.size, str(found.outcome)))
    return pd.DataFrame(rows, columns=list(RECOVERY_COLUMNS))
