"""The reference posture: what the reference group shows at the same point of the same movement.

Brattoli et al. 2021 (Methods, "Magnification") average the nearest healthy frames, one frame at a time. Here, frames
are matched together with the movement around them, every reference subject has its say, and the build of the subject
is taken into account: by aligning place and size, then by where landmarks lie on the body (`places`), or, of codes that
are no landmarks, by how reference subjects differ among themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from napari_ubam.analysis.search import nearest

LARGEST = 3.0  # standard deviations of an entry: one limb that is far off must not choose the match alone
N_NEAREST = 5  # frames that Brattoli et al. average
ROWS = 512  # frames at once, so that what is computed of them stays near the processor
SHRINKAGE = 10.0  # tau^2, in units of the reference subjects' mean variance


@dataclass(frozen=True, eq=False)
class Alignment:
    """Where a recording's postures lie and how large they are, so that subjects can be compared.

    Attributes
    ----------
    place : ndarray, shape (2,) or (d,)
        Mean position of all landmarks; for codes that are not landmarks, the mean code.
    size : float
        Root mean square distance from it.
    """

    place: np.ndarray
    size: float

    @classmethod
    def of(cls, codes: np.ndarray, points: bool) -> Alignment:
        """Find the alignment of a recording's codes (T, d); ``points``: they are landmarks (T, K * 2)."""
        shaped = codes.reshape(len(codes), -1, 2) if points else codes[:, None]
        place = shaped.mean((0, 1))
        return cls(place, float(np.sqrt(((shaped - place) ** 2).sum(-1).mean())))

    @classmethod
    def mean(cls, alignments: list[Alignment]) -> Alignment:
        """Give the mean of several; its size is never 0."""
        return cls(np.mean([a.place for a in alignments], 0), float(np.mean([a.size for a in alignments])) or 1.0)

    def at_least(self, size: float) -> Alignment:
        """Give the alignment with at least that size, so that noise where nothing moves is not enlarged."""
        return replace(self, size=max(self.size, size))

    def move(self, codes: np.ndarray, to: Alignment) -> np.ndarray:
        """Shift and scale codes (..., d) from this alignment to another."""
        shaped = codes.reshape(*codes.shape[:-1], -1, len(self.place))
        return ((shaped - self.place) * (to.size / self.size) + to.place).reshape(codes.shape)


def comparable(codes: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Put postures into the units in which movements are compared, the recording's mean taken off, up to `LARGEST`.

    Parameters
    ----------
    codes : ndarray, shape (T, d)
        A recording's postures.
    centre, scale : ndarray, shape (d,)
        Mean of each entry in the recording, and its standard deviation in all.

    Returns
    -------
    ndarray of float32, shape (T, d)
    """
    return np.clip((codes - centre) / scale, -LARGEST, LARGEST).astype(np.float32)


def nearest_frames(
    query: np.ndarray, libraries: list[np.ndarray], n: int = N_NEAREST, device: torch.device | str = "cpu"
) -> tuple[np.ndarray, np.ndarray]:
    """Find the most similar single frames of each of several subjects.

    Parameters
    ----------
    query : ndarray, shape (T, d)
        Postures of the frames in question.
    libraries : list of ndarray, shapes (N_i, d)
        Postures of each of m subjects.
    n : int
        How many frames of each.
    device : torch.device or str
        Where to compare them.

    Returns
    -------
    distance : ndarray, shape (T, m, n)
        Infinite where a subject has fewer frames.
    index : ndarray of int, shape (T, m, n)
        Rows of the concatenated libraries.
    """
    distance = np.full((len(query), len(libraries), n), np.inf)
    index = np.zeros(distance.shape, int)
    first = 0
    for i, codes in enumerate(libraries):
        k = min(n, len(codes))
        distance[:, i, :k], index[:, i, :k] = nearest(query, codes, k, device)
        index[:, i] += first
        first += len(codes)
    return distance, index


def mean_of_nearest(distance: np.ndarray, index: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Average the nearest frames of several subjects together, as Brattoli et al. do.

    Parameters
    ----------
    distance, index : ndarray, shape (T, m, n)
        As from `nearest_frames`, or of some of its subjects.
    codes : ndarray, shape (N, d)
        The concatenated libraries.

    Returns
    -------
    ndarray, shape (T, d)
        Mean of the n frames that are nearest whosoever they are, or of all where there are fewer.
    """
    flat = distance.reshape(len(distance), -1)
    n = min(distance.shape[2], int(np.isfinite(flat[0]).sum()))
    nearest = np.argsort(flat, axis=1, kind="stable")[:, :n]
    return codes[np.take_along_axis(index.reshape(flat.shape), nearest, 1)].mean(1)


def expected_posture(
    posture: np.ndarray, shown: np.ndarray, subsets: Sequence[Sequence[int]], shrinkage: float = SHRINKAGE
) -> np.ndarray:
    r"""Give what a normal subject of this build would show, by some of the reference subjects.

    r = mu + S (S + tau^2 I)^-1 (q - mu), with mu and S the mean and the covariance over reference subjects at
    that moment, computed in the space of the n subjects (Woodbury): r is a mixture of what they show.

    Parameters
    ----------
    posture : ndarray, shape (T, d)
        q, aligned to the reference.
    shown : ndarray, shape (T, n, d)
        What each of n reference subjects shows at the same moments.
    subsets : sequence of sequences of int
        Which of them to go by, m times; their products are computed once.
    shrinkage : float
        tau^2 in units of the mean variance; the larger, the closer to the plain mean.

    Returns
    -------
    ndarray, shape (m, T, d)
    """
    expected = np.empty((len(subsets), *posture.shape), posture.dtype)
    for first in range(0, len(posture), ROWS):
        rows = slice(first, first + ROWS)
        mean = shown[rows].mean(1, keepdims=True)
        apart = np.concatenate([shown[rows], posture[rows, None]], 1) - mean
        products = apart @ apart.swapaxes(1, 2)
        shares = np.stack([_shares(products, subset, shrinkage / posture.shape[1]) for subset in subsets], 1)
        expected[:, rows] = (shares @ apart[:, :-1] + mean).swapaxes(0, 1)
    return expected


def _shares(products: np.ndarray, subset: Sequence[int], shrinkage: float) -> np.ndarray:
    """Give the shares (T, n) of subjects in a posture, from all products (T, n + 1, n + 1), the posture itself last."""
    n, m = products.shape[1] - 1, len(subset)
    mean = np.zeros(n + 1, products.dtype)
    mean[list(subset)] = 1 / m
    if m < 2:
        return np.tile(mean[:n], (len(products), 1))
    to_mean = products @ mean
    centred = products - to_mean[:, :, None] - to_mean[:, None] + (to_mean @ mean)[:, None, None]
    centred *= (mean > 0)[:, None]
    gram = centred[:, :n, :n] * (mean[:n] > 0) / (m - 1)
    noise = shrinkage * np.trace(gram, axis1=1, axis2=2) + 1e-12
    gram[:, range(n), range(n)] += noise[:, None]
    weights = np.linalg.solve(gram, centred[:, :n, n:])[..., 0] / (m - 1)
    return weights + mean[:n] * (1 - weights.sum(1, keepdims=True))


def smooth_in_time(values: np.ndarray, fps: float, seconds: float) -> np.ndarray:
    """Smooth values (T, ...) with a Gaussian of that standard deviation."""
    width = seconds * fps
    return gaussian_filter1d(values, width, axis=0, mode="nearest") if width >= 0.1 else values
