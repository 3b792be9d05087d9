"""Behaviour: the embedding of a short clip of postures (the paper's E_beta)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn


class BehaviourEncoder(nn.Module):
    """A clip of standardised postures to a code, and whether it is in its true order.

    (B, L, d) -> (B, dimension) and logits (B,). Convolutions over time look at speed and order; the
    average over time at the end makes it indifferent to small shifts.

    Parameters
    ----------
    posture_dimension : int
        d, length of a posture code.
    dimension : int
        Length of the behaviour code.
    seconds, stride : float
        Length of a clip, and time between two of its samples [s]. The defaults are those of models that do not tell.
    """

    def __init__(
        self, posture_dimension: int, dimension: int = 32, width: int = 96,
        seconds: float = 0.6, stride: float = 0.04,
    ) -> None:  # fmt: skip
        super().__init__()
        self.dimension, self.seconds, self.stride = dimension, seconds, stride
        self.register_buffer("mean", torch.zeros(posture_dimension))
        self.register_buffer("scale", torch.ones(posture_dimension))
        self.body = nn.Sequential(
            nn.Conv1d(2 * posture_dimension, width, 3, padding=1), nn.GELU(),
            nn.Conv1d(width, width, 3, padding=1, stride=2), nn.GELU(),
            nn.Conv1d(width, width, 3, padding=1, stride=2), nn.GELU(),
        )  # fmt: skip
        self.head = nn.Linear(2 * width, dimension)
        self.order = nn.Linear(dimension, 1)

    mean: torch.Tensor
    scale: torch.Tensor

    def forward(self, clips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the behaviour codes, and the logits for "true order"."""
        x = ((clips - self.mean) / self.scale).transpose(1, 2)
        speed = torch.diff(x, dim=-1, prepend=x[..., :1])
        x = self.body(torch.cat([x, speed], 1))
        code = self.head(torch.cat([x.mean(-1), x.amax(-1)], 1))
        return code, self.order(code)[:, 0]


def clip_samples(seconds: float, stride: float) -> int:
    """Return how many samples a clip of that length has, both ends included."""
    return round(seconds / stride) + 1


def clips_around(
    codes: np.ndarray, centre: np.ndarray, fps: float, seconds: float, samples: int, pace: ArrayLike = 1.0
) -> np.ndarray:
    """Return the clips around moments of a recording, resampled in time, its ends repeated.

    Parameters
    ----------
    codes : ndarray, shape (T, d)
        A recording's posture codes.
    centre : ndarray, shape (n,)
        Moments, as (fractional) rows of ``codes``.
    fps : float
        Rows a second.
    seconds, samples : float, int
        Length of a clip, and how many samples it has.
    pace : float or array_like, shape (n,)
        How fast each clip is played: 2 shows twice as much of the movement in the same number of samples, -1 plays it
        backwards.

    Returns
    -------
    ndarray of float32, shape (n, samples, d)
    """
    offsets = np.linspace(-0.5, 0.5, samples) * seconds * fps
    at = centre[:, None] + offsets * np.reshape(pace, (-1, 1))
    at = np.clip(at, 0, len(codes) - 1)
    low = np.floor(at).astype(int)
    share = (at - low)[..., None]
    high = np.minimum(low + 1, len(codes) - 1)
    return (codes[low] * (1 - share) + codes[high] * share).astype(np.float32)


def reaches_beyond(n_frames: int, fps: float, seconds: float) -> np.ndarray:
    """Tell which frames' clips reach beyond the recording, so that its ends are repeated in them: bool (n_frames,)."""
    half = 0.5 * seconds * fps - 1e-6
    at = np.arange(n_frames)
    return (at < half) | (at > n_frames - 1 - half)
