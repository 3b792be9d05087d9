"""How sure a reference posture is: whether the reference subjects agree on it.

How far the best matching moments are cannot tell a missing reference from a deviation: a wing that is held out makes
the whole context far from everything that reference subjects show, although they all show the same for the rest of the
body. But where a movement matches nothing, what each reference subject shows is some moment of its own, and they
disagree. In trials with movements of known kind: held out, 1.1 times the usual disagreement; walking backwards 8 times,
standing still 4 times; and the distance was 5 to 7 times the usual one in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_ubam.analysis.reference import smooth_in_time

DISAGREE, FAR = 97.5, 99.0  # percentiles of the reference subjects' frames beyond which it is not normal


@dataclass(frozen=True, eq=False)
class Match:
    """How well the moments of one recording were matched.

    Attributes
    ----------
    distance : ndarray, shape (T,)
        How far the best matches are.
    disagreement : ndarray, shape (T, d)
        How much reference subjects disagree about what is shown, from `disagreement`.
    fps : float
        Frames per second.
    """

    distance: np.ndarray
    disagreement: np.ndarray
    fps: float


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


def rate_references(
    matches: Mapping[str, Match], references: Sequence[str], seconds: float
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Tell how uncertain the references of recordings are, and which frames have a good one.

    A reference is good where the movement was matched, or where the subjects agree although it was not.

    Parameters
    ----------
    matches : mapping of str to Match
        By the recording's name.
    references : sequence of str
        The recordings of reference subjects, each measured by the others: they say what is usual.
    seconds : float
        Both are smoothed in time (standard deviation), so that neighbouring frames are not told apart by chance.

    Returns
    -------
    dict of str to (ndarray, ndarray of bool), shapes (T,)
        The uncertainty, 1 being usual, and whether the frame has a good reference.
    """
    usual = usual_disagreement([matches[name].disagreement for name in references])
    uncertainty, distance = {}, {}
    for name, m in matches.items():
        uncertainty[name] = smooth_in_time(reference_uncertainty(m.disagreement, usual), m.fps, seconds)
        distance[name] = smooth_in_time(m.distance, m.fps, seconds)
    unsure, far = (np.concatenate([of[name] for name in references]) for of in (uncertainty, distance))
    return {
        name: (uncertainty[name], find_reliable(uncertainty[name], distance[name], unsure, far)) for name in matches
    }


def find_reliable(
    uncertainty: np.ndarray, distance: np.ndarray, normal_uncertainty: np.ndarray, normal_distance: np.ndarray
) -> np.ndarray:
    """Tell which frames have a good reference: their movement was matched, or the subjects agree although it was not.

    Parameters
    ----------
    uncertainty, distance : ndarray, shape (T,)
        How much the reference subjects disagree, and how far the context is from those that match it.
    normal_uncertainty, normal_distance : ndarray, shape (N,)
        The same of the reference subjects' own frames, each measured by the others.

    Returns
    -------
    ndarray of bool, shape (T,)
    """
    disagree = uncertainty > np.percentile(normal_uncertainty, DISAGREE)
    far = distance > np.percentile(normal_distance, FAR)
    return ~(disagree & far)
