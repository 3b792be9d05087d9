"""Frames that follow one another, as stretches of time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def stretches(frames: ArrayLike, step: int = 1, gap: int = 0) -> NDArray[np.int64]:
    """Join frames that follow one another.

    Parameters
    ----------
    frames : array (n,) of int
        Frame numbers, in any order.
    step : int
        Every so many frames could have been chosen: those between two that were count as chosen.
    gap : int
        So many frames that were not chosen do not part two stretches.

    Returns
    -------
    array (k, 2) int64
        First frame, and the frame after the last one, in the order of time.
    """
    frames = np.unique(np.asarray(frames, np.int64))
    if not len(frames):
        return np.zeros((0, 2), np.int64)
    parted = np.flatnonzero(np.diff(frames) > step + gap)
    first = frames[np.r_[0, parted + 1]]
    last = frames[np.r_[parted, len(frames) - 1]]
    return np.stack([first, last + step], axis=1)
