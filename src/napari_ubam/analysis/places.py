r"""Landmarks that nobody annotated lie at somewhat different places of the body in each subject; bring them to one.

What is the knee of one subject may be a little above it in another, whose clothes the network sees otherwise, or whose
thigh is longer. That is no deviation of the movement, yet it looks like one in every frame. It differs from one
in that the place stays the same share of the way to other landmarks whatever the posture, whereas a movement that
deviates changes how limbs lie to each other. So each landmark is moved, by constant shares, along the lines to the
others, to where another subject shows it at the same moments of the movement,

x'_k = x_k + \sum_j a_kj (x_j - x_k),

with the shares a from a ridge regression over all moments in which a move costs its own mean square. Animators adapt a
recorded movement to another figure with the same aim (Gleicher, Retargetting motion to new characters, SIGGRAPH 1998).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Mixtures = dict[str, np.ndarray]  # of a subject's landmarks, (K, K), by the other subject whose landmarks they lead to
COST = 2.0  # of moving a landmark, in units of what is explained by it


def landmark_mixtures(posture: np.ndarray, shown: np.ndarray, cost: float = COST) -> np.ndarray:
    """Find how landmarks have to be mixed to lie where others show them.

    Parameters
    ----------
    posture : ndarray, shape (T, K * 2)
        A recording's landmarks, aligned with those of the others.
    shown : ndarray, shape (T, n, K * 2)
        What each of n other subjects shows at the same moments.
    cost : float
        The larger, the less the landmarks are moved.

    Returns
    -------
    ndarray, shape (n, K, K)
        For each of the others, each landmark's shares of all landmarks; every row sums to 1. As they depend on what is
        shown linearly, their mean is the mixture that leads to the mean of what the others show.
    """
    x = posture.reshape(len(posture), -1, 2)
    s = shown.reshape(*shown.shape[:2], -1, 2)
    n, k = s.shape[1:3]
    way = s - x[:, None]  # that each landmark has to go
    far = (way**2).sum(-1)
    sure = 1 / (1 + far / (np.median(far, (0, 2))[:, None] + 1e-12))  # what deviates must not say where landmarks lie
    mixtures = np.empty((n, k, k))
    for at in range(k):
        lines = x - x[:, at, None]  # from this landmark to all others, (T, K, 2)
        cost_of = cost * (lines**2).sum(-1).mean(0)
        cost_of += 1e-9 * cost_of.mean() + 1e-12
        both = lines.swapaxes(1, 2).reshape(-1, k)  # x and y count alike, (T * 2, K)
        weighted = both.T * np.repeat(sure[:, :, at] / len(x), 2, 0).T[:, None]  # (n, K, T * 2)
        wanted = weighted @ way[:, :, at].swapaxes(1, 2).reshape(-1, n).T[..., None]
        shares = np.linalg.solve(weighted @ both + np.diag(cost_of), wanted)[..., 0]
        mixtures[:, at] = shares
        mixtures[:, at, at] = 1 - (shares.sum(1) - shares[:, at])
    return mixtures


def mean_mixtures(recordings: Sequence[Mixtures]) -> Mixtures:
    """Give the mean of a subject's recordings."""
    return {other: np.mean([mixtures[other] for mixtures in recordings], 0) for other in recordings[0]}


def mean_mixture(mixtures: Mixtures, subjects: Sequence[str]) -> np.ndarray | None:
    """Give the mixture (K, K) that leads to the mean of some subjects; None where it is known of none of them."""
    known = [mixtures[s] for s in subjects if s in mixtures]
    return np.mean(known, 0) if known else None


def shares_of_difference(
    own: Mixtures, others: Mapping[str, Mixtures], compared: Sequence[str], subjects: Sequence[str]
) -> np.ndarray:
    """Give what a recording differs by from the mean of some subjects, all landmarks brought to where these have them.

    Parameters
    ----------
    own : Mixtures
        Of the recording.
    others : mapping of str to Mixtures
        Of each subject.
    compared : sequence of str
        n subjects, some of which may count.
    subjects : sequence of str
        Those that count.

    Returns
    -------
    ndarray, shape ((1 + n) * K, K)
        The shares, in each landmark's difference, of the recording's landmarks and of those of all compared subjects.
    """
    leads = mean_mixture(own, subjects)
    k = len(next(iter(own.values())))
    parts = [np.eye(k) if leads is None else leads]
    for s in compared:
        leads = mean_mixture(others[s], subjects)
        parts.append(-(np.eye(k) if leads is None else leads) / len(subjects) * (s in subjects))
    return np.concatenate(parts, 1).T


def mix(mixture: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Mix landmarks (..., K * 2) by shares (K, K)."""
    return codes @ np.kron(mixture, np.eye(2)).T.astype(codes.dtype)


def unmix(mixture: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Take a mixture of landmarks (..., K * 2) back."""
    return mix(np.linalg.pinv(mixture), codes)
