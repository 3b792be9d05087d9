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
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from napari_ubam.analysis.search import nearest
from napari_ubam.analysis.threads import in_threads

LARGEST = 3.0  # standard deviations of an entry: one limb that is far off must not choose the match alone
N_NEAREST = 5  # frames that Brattoli et al. average
STRETCH = 32  # frames that are smoothed at once
ENTRIES = 2**16  # shares at once, so that what is computed of them stays near the processor
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
    posture: np.ndarray, shown: np.ndarray, subsets: Sequence[Sequence[int]], shrinkage: float = SHRINKAGE,
    device: torch.device | str = "cpu",
) -> np.ndarray:  # fmt: skip
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
    device : torch.device or str
        Where to compute.

    Returns
    -------
    ndarray, shape (m, T, d)
    """
    means = torch.zeros((shown.shape[1], len(subsets)), dtype=torch.from_numpy(posture).dtype, device=device)
    for i, subset in enumerate(subsets):
        means[list(subset), i] = 1 / len(subset)
    expected = np.empty((len(subsets), *posture.shape), posture.dtype)
    n_rows = max(1, ENTRIES // means.numel())

    def expect(first: int) -> None:
        rows = slice(first, first + n_rows)
        others = torch.as_tensor(shown[rows], device=device)
        mean = others.mean(1, keepdim=True)
        apart = others - mean
        own = torch.as_tensor(posture[rows, None], device=device) - mean
        shares = _shares(apart @ apart.mT, apart @ own.mT, means, shrinkage / posture.shape[1])
        expected[:, rows] = (shares.mT @ apart + mean).transpose(0, 1).cpu().numpy()

    in_threads(expect, range(0, len(posture), n_rows), device)
    return expected


def _shares(products: Tensor, own: Tensor, means: Tensor, shrinkage: float) -> Tensor:
    """Give the shares (T, n, m) of n subjects in a posture, from m subsets of them at once.

    By conjugate gradients, to the precision of the numbers: no eigenvalue is below tau^2, and all of them together are
    d / `SHRINKAGE` times that, so few steps do, which all subsets take with the same products.

    Parameters
    ----------
    products : Tensor, shape (T, n, n)
        Of what the subjects show.
    own : Tensor, shape (T, n, 1)
        Of what they show and the posture.
    means : Tensor, shape (n, m)
        Each subset's shares in its mean: 0 of those who are no part of it.
    shrinkage : float
        tau^2 in units of the trace of S.
    """
    inside, precision = (means > 0).to(means.dtype), torch.finfo(means.dtype)
    variance = products.diagonal(dim1=1, dim2=2)
    unit = variance.mean(1)[:, None, None] + precision.tiny  # so that products of small numbers are no 0
    products, own = products / unit, own / unit

    def centre(values: Tensor) -> Tensor:
        return (values - (means * values).sum(1, keepdim=True)) * inside

    to_mean = products @ means
    trace = (variance / unit[..., 0]) @ inside - inside.sum(0) * (means * to_mean).sum(1)
    noise = (shrinkage * trace + precision.eps)[:, None]
    left = centre(own - to_mean)
    weights, direction, square = torch.zeros_like(left), left, (left**2).sum(1, keepdim=True)
    enough = (10 * precision.eps) ** 2 * square
    for _ in range(len(means)):
        ahead = centre(products @ direction).addcmul_(noise, direction)
        step = square / ((direction * ahead).sum(1, keepdim=True) + precision.tiny)
        weights.addcmul_(step, direction)
        left = torch.addcmul(left, step, ahead, value=-1)
        before, square = square, (left**2).sum(1, keepdim=True)
        if (square <= enough).all():
            break
        direction = torch.addcmul(left, square / (before + precision.tiny), direction)
    return weights + means


def smooth_in_time(values: np.ndarray, fps: float, seconds: float) -> np.ndarray:
    """Smooth values (T, ...) with a Gaussian of that standard deviation, cut off at four of them.

    As SciPy's `gaussian_filter1d` with the ends repeated, but by products with the matrix that smooths `STRETCH`
    frames, which takes a seventh of the time.
    """
    width = seconds * fps
    if width < 0.1:
        return values
    reach = int(4 * width + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    matrix = np.zeros((STRETCH, STRETCH + 2 * reach), values.dtype)
    for row in range(STRETCH):
        matrix[row, row : row + len(weights)] = weights / weights.sum()
    flat = values.reshape(len(values), -1)
    padded = np.pad(flat, ((reach, reach - len(flat) % -STRETCH), (0, 0)), mode="edge")
    stretches = sliding_window_view(padded, matrix.shape[1], axis=0)[::STRETCH].swapaxes(1, 2)
    return (matrix @ stretches).reshape(-1, flat.shape[1])[: len(flat)].reshape(values.shape)
