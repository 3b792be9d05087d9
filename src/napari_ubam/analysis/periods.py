"""Whether a movement repeats itself, and how soon: the period of a recording's codes.

By the normalised square difference function of McLeod and Wyvill (A smarter way to find pitch, International Computer
Music Conference, 2005), here of many entries together: how much a movement is like itself some time later, 1 exactly.
Of all times at which it is most like itself, the first one that is nearly as good as the best is the period.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import find_peaks

LEAST_STRENGTH = 0.4  # of what is called periodic; noise that wanders hardly ever comes near
LEAST_CYCLES = 3  # that a recording must show
SHORTEST = 4.0  # frames of a period: fewer cannot be told from noise of single frames
NEARLY = 0.9  # times the highest peak: the first one so high is the period, as later ones are its multiples


@dataclass(frozen=True)
class Period:
    """How a recording's movement repeats itself.

    Attributes
    ----------
    frames : float
        Length of a cycle [frames]; NaN where the movement is not periodic.
    strength : float
        How much the movement is like itself one cycle later, and two: 1 exactly, 0 not at all.
    note : str
        Why it is not periodic; empty where it is.
    """

    frames: float
    strength: float
    note: str = ""

    @property
    def found(self) -> bool:
        """Whether the movement is periodic."""
        return not self.note


def self_likeness(codes: np.ndarray) -> np.ndarray:
    """Say how much a movement is like itself some frames later.

    2 sum_t x(t) x(t + lag) / sum_t (x(t)^2 + x(t + lag)^2), over the frames that both have.

    Parameters
    ----------
    codes : ndarray, shape (T, d)
        Codes of a recording, their mean taken off; not all 0.

    Returns
    -------
    ndarray, shape (T,)
        -1 to 1, by the lag [frames]; 1 at 0.
    """
    n = len(codes)
    size = next_fast_len(2 * n, real=True)
    spectrum = np.zeros(size // 2 + 1)
    for entry in codes.T:
        spectrum += np.abs(rfft(entry, size)) ** 2
    product = irfft(spectrum, size)[:n]
    energy = (codes**2).sum(1)
    first, last = np.cumsum(energy)[::-1], np.cumsum(energy[::-1])[::-1]
    both = first + last
    return np.divide(2 * product, both, out=np.zeros(n), where=both > 1e-12 * both[0])


def find_period(codes: np.ndarray) -> Period:
    """Tell whether a movement is periodic, and its period.

    Parameters
    ----------
    codes : ndarray, shape (T, d)
        Posture codes of a recording, one row a frame at an even rate.

    Returns
    -------
    Period
        Periods are `SHORTEST` frames to a third of the recording long.
    """
    codes = np.asarray(codes, float)
    if not np.isfinite(codes).all():
        return Period(math.nan, math.nan, "its postures are not all numbers")
    codes = codes - codes.mean(0) if len(codes) else codes
    longest = len(codes) // LEAST_CYCLES
    if longest <= SHORTEST:
        return Period(math.nan, math.nan, f"it has {len(codes)} frames, too few to see {LEAST_CYCLES} cycles")
    if np.abs(codes).max() < 1e-9:
        return Period(math.nan, math.nan, "its posture never changes")
    likeness = self_likeness(codes)
    peaks, _ = find_peaks(likeness[: 2 * longest], prominence=LEAST_STRENGTH)  # one frame is always like the next
    peaks = peaks[(peaks >= SHORTEST) & (peaks <= longest)]
    found = [_between_frames(likeness, lag) for lag in peaks.tolist()]
    strength = [min(height, _highest_near(likeness, 2 * lag)) for lag, height in found]
    best = max(strength, default=0.0)
    if best < LEAST_STRENGTH:
        return Period(math.nan, max(best, 0.0), "its movement does not repeat itself")
    chosen = next(i for i, s in enumerate(strength) if s >= NEARLY * best)
    return Period(found[chosen][0], strength[chosen])


def _between_frames(likeness: np.ndarray, lag: int) -> tuple[float, float]:
    """Give the place and height of a peak between frames, by the parabola through it and its neighbours."""
    before, at, after = likeness[lag - 1 : lag + 2].tolist()
    curvature = before - 2 * at + after
    if curvature >= 0:
        return float(lag), at
    shift = 0.5 * (before - after) / curvature
    return lag + shift, min(at - 0.25 * (before - after) * shift, 1.0)


def _highest_near(likeness: np.ndarray, lag: float) -> float:
    """Give the likeness at about that lag, a tenth more or less: no two cycles last equally long."""
    return float(likeness[int(0.9 * lag) : int(1.1 * lag) + 2].max())
