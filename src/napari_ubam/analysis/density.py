"""Where on a map one group is found more often than another."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter

BINS = 128
_SMOOTH = 0.02  # standard deviation of the smoothing, as a share of the map's longer side


def density_difference(
    positions: ArrayLike, subjects: ArrayLike, one: ArrayLike, other: ArrayLike
) -> tuple[NDArray[np.float32], tuple[float, float, float, float]]:
    """Compare where on a map the frames of two groups lie.

    Every subject counts the same, however many frames it has.

    Parameters
    ----------
    positions : array (n, 2)
        Where the frames lie.
    subjects : array (n,)
        Whose they are.
    one, other : array (n,) of bool
        The frames of either group.

    Returns
    -------
    difference : array (BINS, BINS) float32
        Density of the one group minus that of the other, its largest value scaled to 1; rows run along y, upwards.
    extent : tuple of float
        Left, right, bottom and top of the map that it covers.

    Raises
    ------
    ValueError
        If a group has no frame.
    """
    positions, subjects = np.asarray(positions, float), np.asarray(subjects)
    one, other = np.asarray(one, bool), np.asarray(other, bool)
    if not one.any() or not other.any():
        raise ValueError("Both groups need frames on the map.")
    chosen = positions[one | other]
    low, high = chosen.min(0), chosen.max(0)
    side = max(float((high - low).max()), 1e-9)
    middle, half = (low + high) / 2, side * (0.5 + 4 * _SMOOTH)  # room for what the smoothing spreads
    ranges = [(m - half, m + half) for m in middle.tolist()]

    def density(group: NDArray) -> NDArray:
        found = []
        for subject in np.unique(subjects[group]):
            x, y = positions[group & (subjects == subject)].T
            found.append(np.histogram2d(x, y, BINS, ranges, density=True)[0].T)
        return gaussian_filter(np.mean(found, axis=0), _SMOOTH * BINS * side / (2 * half))

    difference = density(one) - density(other)
    (left, right), (bottom, top) = ranges
    return (difference / max(np.abs(difference).max(), 1e-12)).astype(np.float32), (left, right, bottom, top)
