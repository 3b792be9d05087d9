"""What a subject looks like: skin, hair and clothes, cut to fit its build."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from napari_ubam.sample.body import BALL, HEEL, TOE, Build
from napari_ubam.sample.shapes import Shape, blob, limb, polygon

_SKIN = (
    (250, 214, 188),
    (236, 190, 156),
    (222, 170, 134),
    (196, 140, 104),
    (160, 108, 78),
    (118, 76, 54),
    (88, 58, 44),
)
_HAIR = ((34, 28, 26), (62, 42, 30), (104, 68, 40), (150, 104, 58), (206, 168, 104), (168, 168, 172), (150, 70, 36))
_CLOTHS = (
    *((196, 62, 58), (224, 122, 60), (236, 190, 84), (104, 158, 90), (44, 106, 88), (58, 152, 164), (66, 116, 190)),
    *((38, 56, 104), (112, 84, 160), (190, 96, 140), (240, 236, 226), (60, 62, 70), (150, 154, 160), (130, 90, 62)),
    *((232, 158, 146), (128, 38, 58)),
)
_HAIRCUTS = ("short", "bun", "ponytail", "long", "bald")

# Outlines in units of the head's half height: along the neck, and towards the face.
_HEAD = (
    *((-0.98, 0.62), (-0.80, 0.80), (-0.52, 0.76), (-0.36, 0.84), (-0.22, 1.00), (-0.08, 0.86), (0.12, 0.76)),
    *((0.50, 0.74), (0.88, 0.42), (1.00, 0.00), (0.90, -0.50), (0.50, -0.82), (0.00, -0.84), (-0.45, -0.60)),
    *((-0.85, -0.35), (-1.05, 0.10)),
)
_EYE = ((-0.02, 0.56), (0.08, 0.63), (0.18, 0.56), (0.08, 0.49))
_EAR = ((-0.22, -0.05), (0.02, 0.06), (0.16, -0.08), (0.02, -0.20), (-0.16, -0.16))
_SHORT_HAIR = (
    *((0.52, 0.74), (0.95, 0.50), (1.10, 0.00), (0.98, -0.58), (0.52, -0.92), (-0.05, -0.92), (-0.40, -0.66)),
    *((-0.15, -0.40), (0.15, -0.05), (0.45, 0.15)),
)
_LONG_HAIR = (
    *((0.52, 0.74), (0.95, 0.52), (1.12, 0.00), (1.00, -0.62), (0.50, -1.00), (-0.20, -1.08), (-0.90, -1.10)),
    *((-1.40, -0.95), (-1.35, -0.45), (-0.60, -0.15), (0.10, 0.00), (0.45, 0.22)),
)
_SPARSE_HAIR = ((0.30, -0.88), (0.00, -0.93), (-0.35, -0.74), (-0.30, -0.45), (0.05, -0.30), (0.20, -0.55))
_TAILS = {
    "bun": ((0.62, -0.80), (0.95, -0.92), (0.98, -1.25), (0.66, -1.36), (0.40, -1.15)),
    "ponytail": (
        *((0.55, -0.75), (0.50, -1.20), (0.10, -1.45), (-0.50, -1.50), (-0.95, -1.30), (-0.45, -1.20)),
        *((0.00, -1.05), (0.20, -0.80)),
    ),
}
# In units of the hand's length.
_HAND = (
    *((-0.15, 0.25), (0.20, 0.42), (0.55, 0.50), (0.60, 0.30), (1.00, 0.22), (1.02, -0.10), (0.50, -0.30)),
    (-0.10, -0.25),
)
# Along the foot in its lengths, and down in heights of the ankle; from the ankle, or for the toes from the ball's sole.
_SHOE = (
    *((HEEL, 1.0), (1.12 * HEEL, 0.35), (0.8 * HEEL, -0.45), (0.10, -0.5), (0.30, 0.0), (BALL, 0.2)),
    *((BALL + 0.06, 0.6), (BALL, 1.0), (0.10, 1.0)),
)
_TOES = ((-0.10, -0.7), (0.06, -0.75), (0.20, -0.6), (TOE - BALL, -0.3), (0.9 * (TOE - BALL), 0.0), (0.0, 0.0))
_SOLE = ((1.05 * HEEL, 0.76), (BALL, 0.76), (BALL, 1.0), (HEEL, 1.0))
_TOE_SOLE = ((-0.03, -0.24), (TOE - BALL, -0.24), (0.94 * (TOE - BALL), 0.0), (-0.03, 0.0))


@dataclass(frozen=True)
class Look:
    """The parts that a subject is drawn from.

    Attributes
    ----------
    shapes : dict of str to Shape
        The parts of the body.
    short_sleeves, shorts : bool
        Whether the forearms, and the shanks, are bare.
    """

    shapes: dict[str, Shape]
    short_sleeves: bool
    shorts: bool

    @classmethod
    def draw(cls, rng: np.random.Generator, build: Build, wall: np.ndarray) -> Look:
        """Draw clothes that stand out from the wall, skin and hair, and cut them to fit the build."""
        skin = np.array(_SKIN[rng.integers(len(_SKIN))], float)
        hair = np.array(_HAIR[rng.integers(len(_HAIR))], float) * rng.uniform(0.85, 1.1)
        shirt = _cloth(rng, [wall, skin])
        trousers = _cloth(rng, [wall, shirt])
        shoe = 255 * np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, 0.6), rng.uniform(0.15, 0.95)))
        haircut = _HAIRCUTS[rng.integers(len(_HAIRCUTS))]
        short_sleeves, shorts = bool(rng.random() < 0.6), bool(rng.random() < 0.3)
        shapes = {
            **_head(build, skin, hair, haircut),
            **_trunk_and_arms(build, skin, shirt, trousers, short_sleeves),
            **_leg(build, trousers, skin if shorts else trousers, shoe),
        }
        return cls(shapes, short_sleeves, shorts)


def _cloth(rng: np.random.Generator, others: list[np.ndarray]) -> np.ndarray:
    """Draw a colour that differs from ``others``: of a few, the one whose nearest is furthest."""
    draws = np.array(_CLOTHS)[rng.choice(len(_CLOTHS), 4, replace=False)] * rng.normal(1, 0.05, (4, 3))
    return max(draws, key=lambda colour: min(np.linalg.norm(colour - other) for other in others))


def _head(build: Build, skin: np.ndarray, hair: np.ndarray, haircut: str) -> dict[str, Shape]:
    size = build.length["head"]
    outline = {"long": _LONG_HAIR, "bald": _SPARSE_HAIR}.get(haircut, _SHORT_HAIR)
    shapes = {
        "neck": limb(0.7 * build.length["neck"], [0.42 * size] * 2, [0.5 * size] * 2, skin),
        "head": blob(_HEAD, size, skin),
        "eye": blob(_EYE, size, np.array([42.0, 34, 32])),
        "ear": blob(_EAR, size, 0.9 * skin),
        "hair": blob(outline, size, hair),
    }
    if haircut in _TAILS:
        shapes["tail"] = blob(_TAILS[haircut], size, 0.95 * hair)
    return shapes


def _trunk_and_arms(
    build: Build, skin: np.ndarray, shirt: np.ndarray, trousers: np.ndarray, short_sleeves: bool
) -> dict[str, Shape]:
    n, w = build.length, build.width
    trunk, shoulder, elbow, wrist = (w[part] for part in ("trunk", "shoulder", "elbow", "wrist"))
    front = [0.86, 0.92 * build.belly, 0.95 * build.belly, 1.06 * build.chest, 0.98 * build.chest, 0.45]
    back = [0.98, 0.84, 0.80, 0.98, 1.04, 0.62]
    upper_arm = [1.05 * shoulder, 0.95 * shoulder, elbow]
    forearm = [0.95 * elbow, elbow, wrist], [0.90 * elbow, 0.95 * elbow, wrist]
    return {
        "pelvis": limb(0.16 * n["trunk"], [0.84 * trunk] * 2, [1.05 * trunk, 0.95 * trunk], trousers, cap=0.8),
        "trunk": limb(0.94 * n["trunk"], [trunk * x for x in front], [trunk * x for x in back], shirt, cap=0.45),
        "upper_arm": limb(n["upper_arm"], upper_arm, upper_arm, shirt),
        "forearm": limb(n["forearm"], *forearm, skin if short_sleeves else shirt),
        "hand": blob(_HAND, n["hand"], skin),
    }


def _leg(build: Build, trousers: np.ndarray, below_knee: np.ndarray, shoe: np.ndarray) -> dict[str, Shape]:
    n, w = build.length, build.width
    thigh, knee, ankle = (w[part] for part in ("thigh", "knee", "ankle"))
    quadriceps, hamstrings = [thigh, 1.05 * thigh, knee, 0.95 * knee], [1.15 * thigh, thigh, 0.95 * knee, 0.9 * knee]
    shin, calf = [0.92 * knee, 0.8 * knee, 0.9 * ankle, 0.9 * ankle], [0.88 * knee, 1.15 * knee, 1.15 * ankle, ankle]
    sole = np.full(3, 232.0 if shoe.mean() < 150 else 70.0)
    units = n["foot"], n["ankle"]
    return {
        "thigh": limb(n["thigh"], quadriceps, hamstrings, trousers),
        "shank": limb(n["shank"], shin, calf, below_knee),
        "shoe": blob(_SHOE, units, shoe),
        "toes": blob(_TOES, units, shoe),
        "sole": polygon(_SOLE, units, sole),
        "toe_sole": polygon(_TOE_SOLE, units, sole),
    }
