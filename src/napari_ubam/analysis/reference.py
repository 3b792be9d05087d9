"""The reference posture: what the reference group shows at the same point of the same movement.

Brattoli et al. 2021 (Methods, "Magnification") average the nearest healthy frames, one frame at a time. Here, frames
are matched together with the movement around them, every reference subject has its say, and the build of the subject
is taken into account: first by aligning place and size, then by how reference subjects differ among themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from napari_ubam.analysis.search import nearest
from napari_ubam.models.behaviour import clips_around

CONTEXT_SAMPLES = 9
LARGEST = 3.0  # standard deviations of an entry of a context: one limb that is far off must not choose the match alone
N_NEAREST = 5  # frames that Brattoli et al. average
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


def movement_context(
    codes: np.ndarray, centre: np.ndarray, scale: np.ndarray, fps: float, seconds: float
) -> np.ndarray:
    """Describe every frame by the movement around it, the recording's mean taken off, up to `LARGEST`.

    Parameters
    ----------
    codes : ndarray, shape (T, d)
        A recording's postures.
    centre, scale : ndarray, shape (d,)
        Mean of each entry in the recording, and its standard deviation in all.
    fps : float
        Frames per second.
    seconds : float
        How far before and after the frame to look.

    Returns
    -------
    ndarray, shape (T, CONTEXT_SAMPLES * d)
    """
    centred = np.clip((codes - centre) / scale, -LARGEST, LARGEST)
    clips = clips_around(centred, np.arange(len(codes), dtype=float), fps, 2 * seconds, CONTEXT_SAMPLES)
    return clips.reshape(len(codes), -1)


def match_frames(
    query: np.ndarray, contexts: np.ndarray, codes: np.ndarray, n: int, device: torch.device | str = "cpu"
) -> tuple[np.ndarray, np.ndarray]:
    """Find what one reference subject shows at the same points of the movement.

    Parameters
    ----------
    query : ndarray, shape (T, m)
        Contexts of the frames in question.
    contexts, codes : ndarray, shapes (N, m) and (N, d)
        The reference subject's contexts and postures.
    n : int
        How many nearest frames to average.
    device : torch.device or str
        Where to compare them.

    Returns
    -------
    posture : ndarray, shape (T, d)
    distance : ndarray, shape (T,)
        To the nearest frame, root mean square over the context's entries.
    """
    distance, index = nearest(query, contexts, n, device)
    return codes[index].mean(1), distance[:, 0] / np.sqrt(query.shape[1])


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


def expected_posture(posture: np.ndarray, shown: np.ndarray, shrinkage: float = SHRINKAGE) -> np.ndarray:
    r"""Give what a normal subject of this build would show.

    r = mu + S (S + tau^2 I)^-1 (q - mu), with mu and S the mean and the covariance over reference subjects at
    that moment, computed in the space of the n subjects (Woodbury).

    Parameters
    ----------
    posture : ndarray, shape (T, d)
        q, aligned to the reference.
    shown : ndarray, shape (T, n, d)
        What each of n reference subjects shows at the same moments.
    shrinkage : float
        tau^2 in units of the mean variance; the larger, the closer to the plain mean.

    Returns
    -------
    ndarray, shape (T, d)
    """
    mean = shown.mean(1)
    n = shown.shape[1]
    if n < 2:
        return mean
    spread = (shown - mean[:, None]) / np.sqrt(n - 1)
    gram = spread @ spread.swapaxes(1, 2)
    noise = shrinkage * np.trace(gram, axis1=1, axis2=2) / posture.shape[1] + 1e-12
    gram += noise[:, None, None] * np.eye(n)
    weights = np.linalg.solve(gram, spread @ (posture - mean)[..., None])
    return mean + (weights.swapaxes(1, 2) @ spread)[:, 0]


def smooth_in_time(values: np.ndarray, fps: float, seconds: float) -> np.ndarray:
    """Smooth values (T, ...) with a Gaussian of that standard deviation."""
    width = seconds * fps
    return gaussian_filter1d(values, width, axis=0, mode="nearest") if width >= 0.1 else values
