"""How fast recordings were filmed and how fast subjects move in them: what groups may differ in beside the movement."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d

SMOOTH = 0.05  # s, standard deviation: noise from frame to frame is not speed, least of all at high rates


def movement_speed(posture: np.ndarray, fps: float, trusted: np.ndarray | None = None) -> float:
    """Return how fast the posture changes, whatever the frame rate.

    Parameters
    ----------
    posture : ndarray, shape (T, d)
        A recording's postures.
    fps : float
        Frames per second.
    trusted : ndarray of bool, shape (T,), optional
        Frames that show the subject for sure; only these count, unless there are none.

    Returns
    -------
    float
        Root mean square over frames and entries of the change [units of the code / s], after smoothing in time; NaN
        where there are fewer than 2 frames.
    """
    if len(posture) < 2:
        return math.nan
    smooth = gaussian_filter1d(posture.astype(float), SMOOTH * fps, axis=0, mode="nearest")
    change = np.gradient(smooth, axis=0) * fps
    sure = trusted if trusted is not None and trusted.any() else np.ones(len(posture), bool)
    return float(np.sqrt((change[sure] ** 2).mean()))


def speeds_by_group(recordings: pd.DataFrame) -> pd.DataFrame:
    """Make the table of recordings short enough for a page: one row a group.

    Parameters
    ----------
    recordings : DataFrame
        One row a recording: columns ``group``, ``seconds``, ``fps`` and ``speed``.

    Returns
    -------
    DataFrame
        One row a group, in the order of their names: numbers, and medians with the range where it is not one value.
    """
    rows = [
        {
            "group": group,
            "recordings": len(own),
            "seconds": own["seconds"].sum(),
            "frames per second": _median_and_range(own["fps"]),
            "speed of movement": _median_and_range(own["speed"]),
        }
        for group, own in recordings.groupby("group")
    ]
    return pd.DataFrame(rows)


def never_changing(recordings: pd.DataFrame) -> list[str]:
    """Name the recordings (columns ``recording`` and ``speed``) whose postures never change: no sentence, or one."""
    names = recordings.loc[recordings["speed"] == 0, "recording"].astype(str)
    if names.empty:
        return []
    return [
        f"The posture never changes in {', '.join(names)}. Either nothing moves there, or the region does not show the "
        "subject: its deviation is that of a single posture."
    ]


def _median_and_range(values: pd.Series) -> str:
    known = values.dropna()
    if known.empty:
        return ""
    low, high = (f"{value:.3g}" for value in (known.min(), known.max()))
    return low if low == high else f"{known.median():.3g} ({low} to {high})"
