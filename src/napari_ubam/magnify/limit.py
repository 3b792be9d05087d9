"""How far landmarks are moved at most, so that a large factor does not tear the picture."""

from __future__ import annotations

import numpy as np

FREE = 0.6  # share of the way to the limit that is not shortened
FARTHEST = 1.0  # that a landmark is moved [half the crop's side]
BORDER = 0.95  # landmarks are not moved beyond it [half the crop's side]; towards the crop's edge any change fades out


def limit_movement(now: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Shorten the ways of landmarks smoothly where they become too long, and leave moderate ones as they are.

    A longer way never ends nearer, along either axis, so more of a factor is more of the same change.

    Parameters
    ----------
    now, wanted : ndarray, shape (..., K, 2)
        Landmarks, and where they should be, x and y in [-1, 1] of the crop.

    Returns
    -------
    ndarray, shape (..., K, 2)
        Where they may be: no further away than FARTHEST, and not beyond the crop's border.
    """
    way = wanted - now
    length = np.linalg.norm(way, axis=-1, keepdims=True)
    way = way * (_shorten(length, np.float32(FARTHEST)) / np.maximum(length, 1e-12))
    size = np.abs(way)
    way = np.sign(way) * _shorten(size, np.maximum(BORDER - np.sign(way) * now, 0))
    moderate = (length <= FREE * FARTHEST) & (np.abs(way) == size)
    return np.where(moderate, wanted, now + way)


def _shorten(length: np.ndarray, limit: np.ndarray | np.float32) -> np.ndarray:
    """Bend lengths towards their limit, from a share of it on."""
    free = FREE * limit
    rest = limit - free
    return np.where(length > free, free + rest * np.tanh((length - free) / np.maximum(rest, 1e-12)), length)
