"""How far each frame and each subject is from its reference, calibrated on the reference subjects themselves.

Everyone is measured against the same number of reference subjects, never itself: a reference subject against all
others, anyone else against all but one, in turn, of which the mean is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from napari_ubam.analysis.reference import (
    Alignment,
    expected_posture,
    match_frames,
    mean_of_nearest,
    movement_context,
    nearest_frames,
    smooth_deviation,
)
from napari_ubam.settings import DeviateSettings

SMALLEST = 0.1  # times the reference subjects' mean size: nobody is enlarged from less
NORMAL = 95.0  # percentile of the reference subjects' deviations up to which a part's deviation is normal
FAR = 99.0  # percentile of the reference subjects' matching distances beyond which a reference is not good


@dataclass(frozen=True, eq=False)
class Movement:
    """What is measured of one recording.

    Attributes
    ----------
    subject, group : str
        Who, and which cohort.
    is_reference : bool
        Whether the group is the reference group.
    posture : ndarray, shape (T, d)
        Posture codes.
    fps : float
        Frames per second.
    trusted : ndarray of bool, shape (T,)
        Whether the frame shows the subject for sure.
    """

    subject: str
    group: str
    is_reference: bool
    posture: np.ndarray
    fps: float
    trusted: np.ndarray


@dataclass(frozen=True, eq=False)
class Deviation:
    """What was measured of one recording.

    Attributes
    ----------
    reference : ndarray, shape (T, d)
        The reference posture, at the subject's own place and size.
    score : ndarray, shape (T,)
        Deviation from it; about 1 is the root mean square over the reference subjects' frames.
    percentile : ndarray, shape (T,)
        Percentage of the reference subjects' frames (without the subject's own) that deviate less.
    reliable : ndarray of bool, shape (T,)
        Whether a good reference was found.
    """

    reference: np.ndarray
    score: np.ndarray
    percentile: np.ndarray
    reliable: np.ndarray


def measure_deviation(
    movements: Mapping[str, Movement], settings: DeviateSettings, *, points: bool,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[dict[str, Deviation], np.ndarray]:  # fmt: skip
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
        Called with how many recordings of how many are done.

    Returns
    -------
    deviations : dict of str to Deviation
        By the recording's name.
    spread : ndarray, shape (K,) for landmarks or (d,)
        How far reference subjects deviate, per landmark (or entry): the 95th percentile, in units of the code.
    """
    sure = {name: m.trusted if m.trusted.any() else np.ones(len(m.trusted), bool) for name, m in movements.items()}
    own = {name: Alignment.of(m.posture[sure[name]], points) for name, m in movements.items()}
    common = Alignment.mean([own[name] for name, m in movements.items() if m.is_reference])
    own = {name: alignment.at_least(SMALLEST * common.size) for name, alignment in own.items()}
    aligned = {name: own[name].move(m.posture, common) for name, m in movements.items()}
    subjects = list(dict.fromkeys(m.subject for m in movements.values() if m.is_reference))
    centre = {name: aligned[name][sure[name]].mean(0) for name in movements}
    pool = np.concatenate([(aligned[n] - centre[n])[sure[n]] for n, m in movements.items() if m.is_reference])
    scale = pool.std(0) + 1e-6
    context = {
        name: movement_context(aligned[name], centre[name], scale, m.fps, settings.context)
        for name, m in movements.items()
    }
    of_subject = {s: [name for name, m in movements.items() if m.subject == s] for s in subjects}
    library = {
        s: (np.concatenate([context[n][sure[n]] for n in names]), np.concatenate([aligned[n][sure[n]] for n in names]))
        for s, names in of_subject.items()
    }

    def of_group(group: str) -> np.ndarray:
        return np.concatenate([aligned[name][sure[name]] for name, m in movements.items() if m.group == group])

    differences: dict[str, np.ndarray] = {}  # (subsets, T, d)
    distances: dict[str, np.ndarray] = {}
    for i, (name, m) in enumerate(movements.items()):
        tell(i, len(movements))
        others = [s for s in subjects if s != m.subject]
        everyone = range(len(others))
        subsets = [list(everyone)] if m.is_reference else [[j for j in everyone if j != out] for out in everyone]
        q = aligned[name]
        if settings.reference == "nearest":
            codes = [library[s][1] for s in others]
            differences[name], distances[name] = _from_nearest(q, of_group(m.group), codes, subsets)
            continue
        found = [match_frames(context[name], *library[s], settings.n_nearest) for s in others]
        shown = np.stack([posture for posture, _ in found], 1)
        distances[name] = np.median([distance for _, distance in found], 0)
        differences[name] = np.stack(
            [q - smooth_deviation(q, expected_posture(q, shown[:, s]), m.fps, settings.smooth) for s in subsets]
        )
    tell(len(movements), len(movements))
    return _calibrate(movements, own, common, differences, distances, sure, points)


def _from_nearest(
    query: np.ndarray, own_group: np.ndarray, others: list[np.ndarray], subsets: list[list[int]]
) -> tuple[np.ndarray, np.ndarray]:
    """Measure postures (T, d) as Brattoli et al. do, one frame at a time, against each subset of other subjects.

    Returns
    -------
    differences : ndarray, shape (subsets, T, d)
        Of the mean of the nearest frames of the own group (the frame itself is one) and of the reference subjects.
    distances : ndarray, shape (T,)
        To the nearest frame of a reference subject.
    """
    shown = mean_of_nearest(*nearest_frames(query, [own_group]), own_group)
    distance, index = nearest_frames(query, others)
    codes = np.concatenate(others)
    differences = [shown - mean_of_nearest(distance[:, s], index[:, s], codes) for s in subsets]
    return np.stack(differences), distance[..., 0].min(1)


def _calibrate(
    movements: Mapping[str, Movement], own: dict[str, Alignment], common: Alignment,
    differences: dict[str, np.ndarray], distances: dict[str, np.ndarray],
    sure: dict[str, np.ndarray], points: bool,
) -> tuple[dict[str, Deviation], np.ndarray]:  # fmt: skip
    """Put deviations into units of what reference subjects show.

    The units of a subset of reference subjects come from that subset alone. Were a reference subject's own deviation in
    its unit, it would seem to deviate less than an equal subject of another group, and p-values would be too small.
    """
    references = [name for name, m in movements.items() if m.is_reference]
    subjects = list(dict.fromkeys(movements[name].subject for name in references))
    lengths = {name: _lengths(d, points) for name, d in differences.items()}  # (subsets, T, K)
    squares = {n: (lengths[n][0] ** 2)[sure[n]] for n in references}

    def spread_of(names: list[str]) -> np.ndarray:
        found = np.sqrt(np.mean(np.concatenate([squares[n] for n in names]), 0))
        return np.maximum(found, 1e-3 * found.max() + 1e-9)

    spread = np.percentile(np.concatenate([lengths[n][0][sure[n]] for n in references]), NORMAL, axis=0)
    spread = np.maximum(spread, 1e-3 * spread.max() + 1e-9)
    units = {s: _steady(spread_of([n for n in references if movements[n].subject != s])) for s in subjects}
    scores: dict[str, np.ndarray] = {}
    for name, length in lengths.items():
        m = movements[name]
        left_out = [m.subject] if m.is_reference else subjects  # in each of the subsets
        in_units = [row / units[s] for row, s in zip(length, left_out, strict=True)]
        scores[name] = np.mean([np.sqrt((row**2).mean(-1)) for row in in_units], 0)
    far = np.percentile(np.concatenate([distances[n] for n in references]), FAR)
    result = {}
    for name, m in movements.items():
        normal = np.sort(np.concatenate([scores[n] for n in references if movements[n].subject != m.subject]))
        reference = m.posture - differences[name].mean(0) * (own[name].size / common.size)
        result[name] = Deviation(
            reference=reference.astype(np.float32),
            score=scores[name],
            percentile=100 * np.searchsorted(normal, scores[name]) / len(normal),
            reliable=(distances[name] <= far) & m.trusted,
        )
    return result, spread


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


def _steady(spread: np.ndarray) -> np.ndarray:
    """Take a landmark's unit half from all landmarks: few reference subjects tell little of each."""
    return np.sqrt((spread**2 + (spread**2).mean()) / 2)


def _lengths(differences: np.ndarray, points: bool) -> np.ndarray:
    """Return the length of each landmark's deviation, or the size of each entry's."""
    if not points:
        return np.abs(differences)
    return np.linalg.norm(differences.reshape(*differences.shape[:-1], -1, 2), axis=-1)
