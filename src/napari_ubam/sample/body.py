"""A subject's build, and where its joints are when it holds given angles.

Lengths are in units of the picture's side; x points to the right (forward), y down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from napari_ubam.sample.gait import SIDE_ANGLES, SIDES, flat_on_floor, in_swing

JOINTS = (
    "head",
    "neck",
    "hip",
    *(f"{side}_{joint}" for side in SIDES for joint in ("knee", "ankle", "toe", "elbow", "hand")),
)
FLOOR = 0.905  # where the near foot stands
_ROUNDING = 0.002  # of the change from one supporting foot to the other
FAR_SHIFT = np.array([0.006, -0.014])  # the far limbs are drawn further up: we look down on the belt a little

# shares of the body's height
_LENGTHS = {
    "thigh": 0.245,
    "shank": 0.235,
    "ankle": 0.042,
    "foot": 0.15,
    "trunk": 0.30,
    "neck": 0.10,
    "head": 0.074,
    "upper_arm": 0.172,
    "forearm": 0.145,
    "hand": 0.066,
}
_WIDTHS = {
    "thigh": 0.05,
    "knee": 0.035,
    "ankle": 0.023,
    "trunk": 0.066,
    "shoulder": 0.033,
    "elbow": 0.026,
    "wrist": 0.02,
}
HEEL, BALL, TOE = -0.27, 0.46, 0.73  # along the sole, from the ankle forward, in lengths of the foot


@dataclass(frozen=True)
class Build:
    """Lengths and half widths of a subject's body, and where it walks.

    Attributes
    ----------
    length, width : dict of str to float
        Lengths and half widths [picture's side].
    belly, chest : float
        Roundness of the trunk's front, 1 for an average person.
    x : float
        Where the hip is on average.
    """

    length: dict[str, float]
    width: dict[str, float]
    belly: float
    chest: float
    x: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Build:
        """Draw a subject's build."""
        height = 0.78 * rng.uniform(0.92, 1.06)
        stout = rng.uniform(0.85, 1.25)
        return cls(
            length={part: height * share * rng.uniform(0.95, 1.05) for part, share in _LENGTHS.items()},
            width={part: height * share * stout * rng.uniform(0.93, 1.07) for part, share in _WIDTHS.items()},
            belly=rng.uniform(0.85, 1.25),
            chest=rng.uniform(0.9, 1.15),
            x=rng.normal(0.475, 0.012),
        )


@dataclass(frozen=True)
class Pose:
    """Where the body is in every frame.

    Attributes
    ----------
    joints : dict of str to array (T, 2)
        Position of each of `JOINTS`, and of ``right_hip``, ``right_shoulder`` and so on [picture's side].
    direction : dict of str to array (T, 2)
        Unit vectors along the rigid parts: ``trunk``, ``head``, ``right_thigh``, ``right_shank``, ``right_foot``,
        ``right_toes``, ``right_upper_arm``, ``right_forearm`` and the same for the left.
    """

    joints: dict[str, np.ndarray]
    direction: dict[str, np.ndarray]

    def joint_array(self) -> np.ndarray:
        """Positions (T, J, 2) in the order of `JOINTS`."""
        return np.stack([self.joints[name] for name in JOINTS], axis=1)


def pose(build: Build, angles: np.ndarray, phase: np.ndarray) -> Pose:
    """Put the body on the floor with given joint angles.

    The lower foot carries the body and lies flat while it does. No foot reaches into the floor: one that drops during
    its swing drags over it.

    Parameters
    ----------
    build : Build
        The subject's build.
    angles : array (T, 11)
        Joint angles in the order of `gait.ANGLES` [degrees].
    phase : array (T,)
        Phase of the right leg's stride; the left is half a stride later.

    Returns
    -------
    Pose
        Joints and directions in every frame.
    """
    n = build.length
    legs = {}
    for i, side in enumerate(SIDES):
        hip, knee, ankle, *_ = np.deg2rad(angles[:, 5 * i : 5 * i + len(SIDE_ANGLES)].T)
        p = (phase + 0.5 * i) % 1
        pitch = (hip - knee + ankle) * (1 - flat_on_floor(p))  # of the foot, toe up
        legs[side] = (hip, hip - knee, pitch, in_swing(p))

    below_hip = _soft_max(np.concatenate([_reach(build, *leg) for leg in legs.values()]))
    hip_y = FLOOR - below_hip
    middle = np.stack([np.full_like(hip_y, build.x), hip_y], axis=-1)

    lean = np.deg2rad(angles[:, -1])
    trunk, head = _up(lean), _up(0.5 * lean + 0.06)
    neck = middle + n["trunk"] * trunk
    joints = {"hip": middle, "neck": neck, "head": neck + n["neck"] * head}
    direction = {"trunk": trunk, "head": head}

    turn = (legs["right"][0] - legs["left"][0]) / np.pi  # of the pelvis; the shoulders turn against it
    for i, side in enumerate(SIDES):
        thigh, shank, pitch, _ = legs[side]
        sign, shift = (1, 0 * FAR_SHIFT) if side == "right" else (-1, FAR_SHIFT)
        at_hip = middle + shift + sign * 0.06 * n["trunk"] * turn[:, None] * [1, 0]
        knee = at_hip + n["thigh"] * _down(thigh)
        ankle = knee + n["shank"] * _down(shank)
        floor = FLOOR + shift[1]
        pitch = np.maximum(pitch, _lowest_pitch(build, floor - ankle[:, 1]))
        foot, sole = _foot_axes(pitch)
        ball = ankle + BALL * n["foot"] * foot + n["ankle"] * sole
        toe_length = (TOE - BALL) * n["foot"]
        toes, below_toes = _foot_axes(np.maximum(pitch, -np.arcsin(np.clip((floor - ball[:, 1]) / toe_length, 0, 1))))

        at_shoulder = neck + 0.5 * shift - 0.12 * n["trunk"] * trunk - sign * 0.12 * n["trunk"] * turn[:, None] * [1, 0]
        shoulder, elbow = np.deg2rad(angles[:, 5 * i + 3 : 5 * i + 5].T)
        upper, fore = _down(shoulder), _down(shoulder + elbow)
        at_elbow = at_shoulder + n["upper_arm"] * upper
        at = {
            "hip": at_hip,
            "knee": knee,
            "ankle": ankle,
            "ball": ball,
            "toe": ball + 0.85 * toe_length * toes - 0.4 * n["ankle"] * below_toes,
            "shoulder": at_shoulder,
            "elbow": at_elbow,
            "hand": at_elbow + (n["forearm"] + 0.5 * n["hand"]) * fore,
        }
        along = {
            "thigh": _down(thigh),
            "shank": _down(shank),
            "foot": foot,
            "toes": toes,
            "upper_arm": upper,
            "forearm": fore,
        }
        joints |= {f"{side}_{name}": xy for name, xy in at.items()}
        direction |= {f"{side}_{name}": d for name, d in along.items()}
    return Pose(joints, direction)


def _reach(build: Build, thigh: np.ndarray, shank: np.ndarray, pitch: np.ndarray, swing: np.ndarray) -> np.ndarray:
    """How far heel, ball and ankle reach below the hip, (3, T); a swinging foot may bend its ball out of the way."""
    n = build.length
    ankle = n["thigh"] * np.cos(thigh) + n["shank"] * np.cos(shank)
    heel, ball = (ankle - x * n["foot"] * np.sin(pitch) + n["ankle"] * np.cos(pitch) for x in (HEEL, BALL))
    return np.stack([heel, ball - n["foot"] * swing, ankle + n["ankle"]])


def _lowest_pitch(build: Build, height: np.ndarray) -> np.ndarray:
    """Give the foot's pitch at which its ball just touches the floor, for ankles at ``height`` above it."""
    forward, down = BALL * build.length["foot"], build.length["ankle"]
    reach = np.hypot(forward, down)
    return np.arccos(np.clip(height / reach, -1, 1)) - np.arctan2(forward, down)


def _soft_max(values: np.ndarray) -> np.ndarray:
    """Maximum along the first axis, rounded where one value takes over from another."""
    return _ROUNDING * logsumexp(values / _ROUNDING, axis=0) - _ROUNDING * np.log(3)


def _down(angle: np.ndarray) -> np.ndarray:
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1)


def _up(angle: np.ndarray) -> np.ndarray:
    return np.stack([np.sin(angle), -np.cos(angle)], axis=-1)


def _foot_axes(pitch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give unit vectors along the foot, and from the ankle to the sole."""
    return np.stack([np.cos(pitch), -np.sin(pitch)], axis=-1), np.stack([np.sin(pitch), np.cos(pitch)], axis=-1)
