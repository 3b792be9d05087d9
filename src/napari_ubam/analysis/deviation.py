"""How far each frame and each subject is from its reference, calibrated on the reference subjects themselves.

Everyone is measured against the same number of reference subjects, never itself: a reference subject against all
others, anyone else against all but one, in turn, of which the mean is taken.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from napari_ubam.analysis.matching import Matcher, Movement
from napari_ubam.analysis.norm import Moments, Norm, beyond_normal, normal_limit, of_all
from napari_ubam.analysis.reference import smooth_in_time
from napari_ubam.analysis.threads import in_threads
from napari_ubam.analysis.uncertainty import Match, rate_references
from napari_ubam.settings import DeviateSettings


@dataclass(frozen=True, eq=False)
class Deviation:
    """What was measured of one recording.

    Attributes
    ----------
    reference : ndarray, shape (T, d)
        The reference posture, at the subject's own place and size: what of the difference is no more than reference
        subjects show is not taken away.
    score : ndarray, shape (T,)
        Deviation from it; about 1 is the root mean square over the reference subjects' frames.
    parts : ndarray of float32, shape (T, K) for landmarks or (T, d)
        How far each landmark, or entry, deviates; 1 is what three in four reference subjects, each measured by the
        others, stay below in 95 % of their frames.
    percentile : ndarray, shape (T,)
        Percentage of the reference subjects' frames (without the subject's own) that deviate less.
    uncertainty : ndarray, shape (T,)
        How much the reference subjects disagree about the reference; 1 is usual.
    reliable : ndarray of bool, shape (T,)
        Whether a good reference was found, and the frame shows the subject for sure.
    """

    reference: np.ndarray
    score: np.ndarray
    parts: np.ndarray
    percentile: np.ndarray
    uncertainty: np.ndarray
    reliable: np.ndarray


@threadpool_limits.wrap(limits=1, user_api="blas")  # each of our own threads uses one
def measure_deviation(
    movements: Mapping[str, Movement], settings: DeviateSettings, *, points: bool,
    tell: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> dict[str, Deviation]:  # fmt: skip
    """Measure every frame of every recording against the reference subjects.

    Parameters
    ----------
    movements : mapping of str to Movement
        By the recording's name; at least two reference subjects.
    settings : DeviateSettings
        How frames are matched.
    points : bool
        Whether the codes are landmarks.
    tell : callable, optional
        Called with what is done, and for how many recordings of how many it was.

    Returns
    -------
    dict of str to Deviation
        By the recording's name.
    """
    matcher = Matcher(movements, settings, points, partial(tell, "comparing bodies"))
    subjects, n_done = matcher.subjects, 0
    references = [name for name, m in movements.items() if m.is_reference]
    difference: dict[str, np.ndarray] = {}
    matches: dict[str, Match] = {}
    moments: defaultdict[tuple[str, str], list[Moments]] = defaultdict(list)
    for name in references:
        tell("measuring", n_done, len(movements))
        m, matched = movements[name], matcher.match(name)
        others = [s for s in subjects if s != m.subject]
        rest = [[s for s in others if s != out] or others for out in others]
        (difference[name], *of_rest), matches[name] = matched.differences([others, *rest]), matched.match
        for out, of_some in zip(others, of_rest, strict=True):
            moments[out, m.subject].append(Moments.of(of_some[m.sure]))
        n_done += 1
    # Whoever is measured has no part in the unit: neither its own deviation, nor that of others from it. Otherwise
    # reference subjects would seem to deviate less than equal subjects of other groups, and p-values be too small.
    norm_of = Norm.apart if settings.reference == "nearest" else Norm.of
    norms = {out: norm_of([moments[out, s] for s in subjects if s != out]) for out in subjects}

    measured: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name in references:
        norm, m = norms[movements[name].subject], movements[name]
        measured[name] = _measure([difference[name]], [norm], m.sure, points)
    for name in [name for name, m in movements.items() if not m.is_reference]:
        tell("measuring", n_done, len(movements))
        m, matched = movements[name], matcher.match(name)
        found = matched.differences([[s for s in subjects if s != out] for out in subjects])
        measured[name] = _measure(found, [norms[out] for out in subjects], m.sure, points)
        difference[name], matches[name] = np.mean(found, 0), matched.match
        n_done += 1
    tell("measuring", len(movements), len(movements))

    sure = {n: measured[n][1][movements[n].sure] for n in references}
    of_subjects = [np.concatenate([sure[n] for n in sure if movements[n].subject == s]) for s in subjects]
    normal = normal_limit(of_subjects)
    (normal_of_all,) = normal_limit([of_all(parts / normal) for parts in of_subjects])
    rated = rate_references(matches, references, settings.smooth)
    result = {}
    for name, m in movements.items():
        score, parts = measured[name]
        ranked = np.sort(np.concatenate([measured[n][0] for n in references if movements[n].subject != m.subject]))
        parts = smooth_in_time(parts / normal, m.fps, settings.smooth)
        beyond = difference[name]
        if settings.reference != "nearest":
            beyond = beyond_normal(beyond, parts, normal_of_all)
        reference = m.posture - matcher.as_own(name, beyond)
        uncertainty, reliable = rated[name]
        result[name] = Deviation(
            reference=reference.astype(np.float32),
            score=score,
            parts=parts.astype(np.float32),
            percentile=100 * np.searchsorted(ranked, score) / len(ranked),
            uncertainty=uncertainty,
            reliable=m.trusted & reliable,
        )
    return result


def _measure(
    differences: list[np.ndarray], norms: list[Norm], sure: np.ndarray, points: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Put differences (T, d) from subsets of the reference subjects into units: the score (T,) and the parts (T, K)."""

    def measure(pair: tuple[np.ndarray, Norm]) -> np.ndarray:
        difference, norm = pair
        return _of_parts(norm.measure(difference, difference[sure].mean(0)), points)

    parts = in_threads(measure, zip(differences, norms, strict=True), "cpu")
    return np.mean([np.sqrt((part**2).mean(-1)) for part in parts], 0), np.mean(parts, 0)


def _of_parts(entries: np.ndarray, points: bool) -> np.ndarray:
    """Turn the deviation of each entry (T, d) into that of each landmark (T, K), where they are landmarks."""
    if not points:
        return entries
    return np.sqrt((entries.reshape(len(entries), -1, 2) ** 2).mean(-1))


def subject_table(movements: Mapping[str, Movement], deviations: Mapping[str, Deviation]) -> pd.DataFrame:
    """Sum up each subject, and say how it ranks among the reference subjects.

    Returns
    -------
    DataFrame
        ``subject``, ``group``, ``deviation`` (mean over reliable frames, over all frames where none is), ``rank`` (1:
        deviates more than every reference subject it is compared with), ``p_value`` (share of reference subjects,
        itself counted, that deviate at least as much; the smallest possible is 1 / (n_reference + 1)), ``n_reference``.
    """
    rows: dict[str, tuple[str, bool, float]] = {}
    for subject in dict.fromkeys(m.subject for m in movements.values()):
        names = [name for name, m in movements.items() if m.subject == subject]
        score = np.concatenate([deviations[n].score for n in names])
        good = np.concatenate([deviations[n].reliable for n in names])
        first = movements[names[0]]
        rows[subject] = (first.group, first.is_reference, float((score[good] if good.any() else score).mean()))
    table = []
    for subject, (group, _, own) in rows.items():
        others = [s for other, (_, is_reference, s) in rows.items() if is_reference and other != subject]
        rank = 1 + sum(s >= own for s in others)
        table.append((subject, group, own, rank, rank / (len(others) + 1), len(others)))
    return pd.DataFrame(table, columns=["subject", "group", "deviation", "rank", "p_value", "n_reference"])


def reference_band(frames: pd.DataFrame, reference: str, subject: str = "") -> tuple[float, float]:
    """Say what reference subjects show in nine of ten frames.

    Parameters
    ----------
    frames : DataFrame
        ``subject``, ``group``, ``deviation`` and ``reliable``, one row a frame.
    reference : str
        The reference group.
    subject : str
        Left out, for it is not compared with itself.

    Returns
    -------
    low, high : float
        5th and 95th percentile of the reliable frames' deviations (of all, where none is); every subject counts the
        same. NaN where there is no other reference subject.
    """
    own = frames[(frames["group"] == reference) & (frames["subject"] != subject)]
    own = own[own["reliable"]] if own["reliable"].any() else own
    if own.empty:
        return float("nan"), float("nan")
    limits = own.groupby("subject")["deviation"].quantile([0.05, 0.95]).unstack().mean()
    return float(limits.iloc[0]), float(limits.iloc[1])
