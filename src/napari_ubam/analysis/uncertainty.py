"""How sure a reference posture is: whether the reference subjects agree on it.

How far the best matching moments are cannot tell a missing reference from a deviation: a wing that is held out makes
the whole context far from everything that reference subjects show, although they all show the same for the rest of the
body. But where a movement matches nothing, what each reference subject shows is some moment of its own, and they
disagree. In trials with movements of known kind: held out, 1.1 times the usual disagreement; walking backwards 8 times,
standing still 4 times; and the distance was 5 to 7 times the usual one in all of them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.ndimage import gaussian_filter1d

RARE = 99.0  # percentile of the reference subjects' frames beyond which disagreement and distance are not normal


def usual_spread(centred: Iterable[np.ndarray]) -> np.ndarray:
    """Give how much reference subjects usually disagree about each entry of the code.

    Parameters
    ----------
    centred : iterable of ndarray, shapes (T_i, n_i, d)
        For each recording of a reference subject what each of n_i others shows at the same moments, less its own mean
        posture: subjects may differ in build without disagreeing about the movement.

    Returns
    -------
    ndarray, shape (d,)
        Root mean square standard deviation over subjects; never 0.
    """
    variance = np.concatenate([_variance(one) for one in centred]).mean(0)
    return np.sqrt(np.maximum(variance, 1e-6 * variance.mean() + 1e-12))


def reference_uncertainty(centred: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Give how much reference subjects disagree about a recording's reference postures, in units of what is usual.

    Parameters
    ----------
    centred : ndarray, shape (T, n, d)
        What each of n reference subjects shows at the same moments, less its own mean posture.
    usual : ndarray, shape (d,)
        From `usual_spread`.

    Returns
    -------
    ndarray, shape (T,)
        About 1 where they agree as usual; 0 where there are fewer than two subjects, who cannot disagree.
    """
    return np.sqrt((_variance(centred) / usual**2).mean(-1))


def find_reliable(
    uncertainty: np.ndarray, distance: np.ndarray, normal_uncertainty: np.ndarray, normal_distance: np.ndarray,
    width: float = 0.0,
) -> np.ndarray:  # fmt: skip
    """Tell which frames have a good reference: their movement was matched, or the subjects agree although it was not.

    Parameters
    ----------
    uncertainty, distance : ndarray, shape (T,)
        How much the reference subjects disagree, and how far the context is from those that match it.
    normal_uncertainty, normal_distance : ndarray, shape (N,)
        The same of the reference subjects' own frames, each measured by the others.
    width : float
        Smooth in time by this standard deviation [frames], so that neighbouring frames are not told apart by chance.

    Returns
    -------
    ndarray of bool, shape (T,)
    """
    if width > 0:
        uncertainty, distance = (gaussian_filter1d(x, width, mode="nearest") for x in (uncertainty, distance))
    disagree = uncertainty > np.percentile(normal_uncertainty, RARE)
    far = distance > np.percentile(normal_distance, RARE)
    return ~(disagree & far)


def _variance(centred: np.ndarray) -> np.ndarray:
    """Variance over subjects (T, n, d) -> (T, d)."""
    if centred.shape[1] < 2:
        return np.zeros((centred.shape[0], centred.shape[2]))
    return centred.var(1, ddof=1)
