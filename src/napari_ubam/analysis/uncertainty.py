"""How sure a reference posture is: whether the reference subjects agree on it.

How far the best matching moments are cannot tell a missing reference from a deviation: a wing that is held out makes
the whole context far from everything that reference subjects show, although they all show the same for the rest of the
body. But where a movement matches nothing, what each reference subject shows is some moment of its own, and they
disagree. In trials with movements of known kind: held out, 1.1 times the usual disagreement; walking backwards 8 times,
standing still 4 times; and the distance was 5 to 7 times the usual one in all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

DISAGREE, FAR = 97.5, 99.0  # percentiles of the reference subjects' frames beyond which it is not normal


def disagreement(shown: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Give how much reference subjects disagree about what is shown at the moments of a recording.

    Parameters
    ----------
    shown : ndarray, shape (T, n, d)
        What each of n reference subjects shows at the same moments.
    means : ndarray, shape (n, d)
        Their mean postures: subjects may differ in build without disagreeing about the movement.

    Returns
    -------
    ndarray, shape (T, d)
        Variance over subjects; 0 where there are fewer than two, who cannot disagree.
    """
    if shown.shape[1] < 2:
        return np.zeros((shown.shape[0], shown.shape[2]))
    return (shown - means).var(1, ddof=1)


def usual_disagreement(found: Sequence[np.ndarray]) -> np.ndarray:
    """Give the mean disagreement about each entry of the code, (d,), never 0, over reference subjects' recordings.

    Parameters
    ----------
    found : sequence of ndarray, shapes (T_i, d)
        From `disagreement`, each recording being compared with the others.
    """
    variance = np.concatenate(found).mean(0)
    return np.maximum(variance, 1e-6 * variance.mean() + 1e-12)


def reference_uncertainty(found: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Give how uncertain each reference posture is, (T,): 1 where subjects disagree (T, d) as is usual (d,)."""
    return np.sqrt((found / usual).mean(-1))


def find_reliable(
    uncertainty: np.ndarray, distance: np.ndarray, normal_uncertainty: np.ndarray, normal_distance: np.ndarray
) -> np.ndarray:
    """Tell which frames have a good reference: their movement was matched, or the subjects agree although it was not.

    Parameters
    ----------
    uncertainty, distance : ndarray, shape (T,)
        How much the reference subjects disagree, and how far the context is from those that match it; both smoothed in
        time, so that neighbouring frames are not told apart by chance.
    normal_uncertainty, normal_distance : ndarray, shape (N,)
        The same of the reference subjects' own frames, each measured by the others.

    Returns
    -------
    ndarray of bool, shape (T,)
    """
    disagree = uncertainty > np.percentile(normal_uncertainty, DISAGREE)
    far = distance > np.percentile(normal_distance, FAR)
    return ~(disagree & far)
