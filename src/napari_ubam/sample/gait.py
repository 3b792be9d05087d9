"""How a subject walks: joint angles over the phase of the stride, and how an impaired subject deviates.

Angles are in degrees, one column for each of `ANGLES`. A hip angle is the thigh's angle to the vertical,
a trunk angle the trunk's; the others are relative to the limb above. Flexion and forward are positive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.signal import lfilter

SIDES = ("right", "left")  # subjects walk to the right of the picture: the right side is the near one
SIDE_ANGLES = ("hip", "knee", "ankle", "shoulder", "elbow")
ANGLES = (*(f"{side}_{angle}" for side in SIDES for angle in SIDE_ANGLES), "trunk")

TRUNK_LEAN = 3.5
LEFT_SHARE = 0.35  # of the deviation: impaired subjects deviate more on the right
_JITTER = np.array([*(1.0, 1.2, 1.0, 1.3, 1.5) * 2, 0.7])  # standard deviation over time
_JITTER_SMOOTHING = 0.7  # per frame
_LIMITS = np.array([*((-60, 90), (0, 130), (-55, 35), (-80, 120), (2, 140)) * 2, (-20, 60)]).T


def _curve(percent: list[float], degrees: list[float]) -> CubicSpline:
    """Fit a periodic curve through values at percentages of the stride."""
    phase = np.array([*percent, percent[0] + 100]) / 100
    return CubicSpline(phase, [*degrees, degrees[0]], bc_type="periodic")


_TENTHS = [0.0, 10, 20, 30, 40, 50, 60, 70, 80, 90]
_HIP = _curve(_TENTHS, [25, 21, 13, 4, -6, -15, -12, 5, 20, 27])
_KNEE = _curve(_TENTHS, [5, 14, 15, 9, 6, 16, 36, 60, 52, 20])
_FOOT = _curve([0, 7, 12, *_TENTHS[2:], 96], [18, 3, 0, 0, 0, -3, -17, -50, -54, -18, 8, 17])  # to the floor


def normal_angles(phase: np.ndarray) -> np.ndarray:
    """Joint angles of one side of an average healthy walker.

    Parameters
    ----------
    phase : array (T,)
        Phase of the stride of that side in [0, 1); the heel strikes at 0.

    Returns
    -------
    array (T, 5)
        Angles in the order of `SIDE_ANGLES` [degrees].
    """
    phase = np.asarray(phase, float) % 1
    hip, knee = _HIP(phase), _KNEE(phase)
    swing = np.cos(2 * np.pi * phase)  # the arm swings against the leg of its side
    return np.stack([hip, knee, _FOOT(phase) - (hip - knee), -3 - 21 * swing, 22 - 10 * swing], axis=-1)


_MEAN_ANGLES = normal_angles(np.linspace(0, 1, 100, endpoint=False)).mean(axis=0)


def in_swing(phase: np.ndarray) -> np.ndarray:
    """How far the foot is in its swing: 0 while it carries weight, 1 in the middle of the swing."""
    phase = np.asarray(phase, float) % 1
    return np.sin(np.pi * np.clip((phase - 0.6) / 0.4, 0, 1)) ** 2


def flat_on_floor(phase: np.ndarray) -> np.ndarray:
    """How far the foot must lie flat because the body's weight rests on it: 0 to 1."""
    phase = np.asarray(phase, float) % 1
    return _smooth_step((phase - 0.04) / 0.06) * _smooth_step((0.46 - phase) / 0.08)


def _smooth_step(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


@dataclass(frozen=True)
class Gait:
    """A subject's way of walking.

    Attributes
    ----------
    period : float
        Frames per stride.
    start : float
        Phase in the first frame.
    offset, gain : array (5,)
        What this subject adds to the normal angles [degrees], and how much larger its movements are.
    impairment : array (6,)
        Weights of stiff knee, foot drop, reduced hip swing, reduced arm swing, bent elbow and leaning trunk, all 0
        for a healthy subject.
    """

    period: float
    start: float
    offset: np.ndarray
    gain: np.ndarray
    impairment: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator, severity: float) -> Gait:
        """Draw a subject's gait; how it would walk if healthy does not depend on ``severity``."""
        return cls(
            period=rng.uniform(27, 37),
            start=rng.random(),
            offset=rng.normal(0, [1.2, 1.5, 1.2, 2.5, 3]),
            gain=rng.normal(1, [0.05, 0.05, 0.05, 0.1, 0.1]),
            impairment=severity * rng.uniform(0.75, 1.25, 6),
        )

    def phase(self, n_frames: int) -> np.ndarray:
        """Phase of the right leg's stride in every frame, (T,) in [0, 1)."""
        return (self.start + np.arange(n_frames) / self.period) % 1

    def healthy(self, phase: np.ndarray) -> np.ndarray:
        """Angles without the deviation, (T, 11) [degrees]."""
        sides = [_MEAN_ANGLES + self._swing(p) + self.offset for p in _both_sides(phase)]
        trunk = TRUNK_LEAN + 0.8 * np.cos(4 * np.pi * phase)
        return np.column_stack([*sides, trunk])

    def deviation(self, phase: np.ndarray) -> np.ndarray:
        """Give what the impairment adds to the healthy angles, (T, 11) [degrees]."""
        knee, foot, hip, arm, elbow, trunk = self.impairment
        gain = np.array([-0.2 * hip, -0.34 * knee, 0, -0.3 * arm, 0])
        sides = []
        for p, share in zip(_both_sides(phase), (1, LEFT_SHARE), strict=True):
            added = gain * self._swing(p)
            added[:, 0] -= 2 * hip
            added[:, 2] -= 13 * foot * in_swing(p - 0.05)
            added[:, 4] += 9 * elbow
            sides.append(share * added)
        return np.column_stack([*sides, np.full(len(phase), 6 * trunk)])

    def _swing(self, phase: np.ndarray) -> np.ndarray:
        return self.gain * (normal_angles(phase) - _MEAN_ANGLES)


def jitter(rng: np.random.Generator, n_frames: int) -> np.ndarray:
    """Smooth random variation of the angles, (T, 11) [degrees]; the first frames do not depend on ``n_frames``."""
    warm_up = 30
    a = _JITTER_SMOOTHING
    noise = rng.normal(0, 1, (warm_up + n_frames, len(ANGLES)))
    unit_variance = np.sqrt((1 - a**2) ** 3 / (1 + a**2))
    return _JITTER * lfilter([unit_variance], [1, -2 * a, a * a], noise, axis=0)[warm_up:]


def within_limits(angles: np.ndarray) -> np.ndarray:
    """Keep angles (T, 11) [degrees] to what joints can do, so that magnified knees never bend the wrong way."""
    return np.clip(angles, *_LIMITS)


def _both_sides(phase: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return phase % 1, (phase + 0.5) % 1
