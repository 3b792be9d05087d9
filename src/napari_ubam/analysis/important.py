"""In how many of its frames a subject deviates importantly (Brattoli et al. 2021, Extended Data)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from napari_ubam.analysis.effect import bootstrap_limits


def important_frames(frames: pd.DataFrame, reference: str, error_rate: float = 0.05) -> pd.DataFrame:
    """Count each subject's frames that deviate more than reference subjects' frames usually do.

    The threshold is the deviation that reference subjects exceed in a share ``error_rate`` of their frames, each
    subject counting the same. It is never set on the subject itself: for a reference subject on all others, for anyone
    else on all reference subjects but one, in turn, of which the mean is taken.

    Parameters
    ----------
    frames : DataFrame
        One row a frame: columns ``subject``, ``group``, ``deviation``, ``reliable``. Unreliable frames do not count,
        unless a subject has no others.
    reference : str
        The reference group; at least two subjects.
    error_rate : float
        Share of the frames of reference subjects, 0 to 1.

    Returns
    -------
    DataFrame
        One row a subject: ``subject``, ``group``, ``important`` (share of its frames [%]), ``threshold`` (of the
        deviation; the mean where there are several).
    """
    counted = counted_frames(frames, ["subject"])
    scores = {s: own["deviation"].to_numpy(float) for s, own in counted.groupby("subject", sort=False)}
    group = frames.drop_duplicates("subject").set_index("subject")["group"]
    references = [s for s in scores if group[s] == reference]

    def threshold(left_out: str) -> float:
        kept = [scores[s] for s in references if s != left_out]
        weights = np.concatenate([np.full(len(x), 1 / len(x)) for x in kept])
        return float(np.quantile(np.concatenate(kept), 1 - error_rate, weights=weights, method="inverted_cdf"))

    thresholds = {s: threshold(s) for s in references}
    rows = []
    for subject, own in scores.items():
        used = [thresholds[subject]] if subject in thresholds else list(thresholds.values())
        share = 100 * np.mean([(own > t).mean() for t in used])
        rows.append((subject, group[subject], share, np.mean(used)))
    return pd.DataFrame(rows, columns=["subject", "group", "important", "threshold"])


def counted_frames(frames: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Keep the frames that count: the reliable ones, or all of a subject (or other ``keys``) that has none."""
    reliable = frames["reliable"].astype(bool)
    return frames[reliable | ~reliable.groupby([frames[key] for key in keys]).transform("any")]


def group_means(
    subjects: pd.DataFrame, measures: list[str], *, n_resamples: int = 5000, confidence: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """Give every group's mean of some measures, with bootstrap intervals over subjects.

    Parameters
    ----------
    subjects : DataFrame
        One row a subject: ``group`` and every one of ``measures``. Missing values are left out.
    measures : list of str
        The columns to average.
    n_resamples : int
        How often subjects are drawn anew, with replacement.
    confidence : float
        0 to 1, of the limits (`napari_ubam.analysis.effect.bootstrap_limits`).
    seed : int
        Makes it repeatable.

    Returns
    -------
    DataFrame
        One row a group and measure: ``group``, ``measure``, ``n``, ``mean``, ``low``, ``high``; NaN bounds for a single
        subject.
    """
    rows = []
    for group, own in subjects.groupby("group", sort=False):
        for measure in measures:
            values = own[measure].dropna().to_numpy(float)
            low, high = bootstrap_limits([values], n_resamples=n_resamples, confidence=confidence, seed=seed)
            mean = values.mean() if len(values) else math.nan
            rows.append((group, measure, len(values), mean, low, high))
    return pd.DataFrame(rows, columns=["group", "measure", "n", "mean", "low", "high"])


def worst_frame(frames: pd.DataFrame) -> pd.Series:
    """Find the frame that deviates most, among those with a good reference if there are any.

    Parameters
    ----------
    frames : DataFrame
        One row a frame: columns ``deviation`` and ``reliable``; at least one row.

    Returns
    -------
    Series
        Its row; the first of those that deviate equally.
    """
    good = frames[frames["reliable"].astype(bool)]
    frames = good if len(good) else frames
    return frames.loc[frames["deviation"].idxmax()]
