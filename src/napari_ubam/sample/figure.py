"""Draw a subject in a pose."""

from __future__ import annotations

import numpy as np

from napari_ubam.sample.body import FLOOR, Build, Pose
from napari_ubam.sample.gait import SIDES
from napari_ubam.sample.look import Look
from napari_ubam.sample.shapes import Placed, paint

_SHADE = {"right": 1.0, "left": 0.66}  # the far limbs are darker
_HANGING = ("thigh", "shank", "arm")  # point down; trunk and head point up, feet forward


def draw_figure(canvas: np.ndarray, look: Look, build: Build, pose: Pose, t: int) -> None:
    """Draw the subject as it is in frame ``t``, far limbs first.

    Parameters
    ----------
    canvas : uint8 array (N, N, 3)
        The room; painted in place.
    look, build : Look, Build
        The subject.
    pose : Pose
        Where its joints are.
    t : int
        Frame of the pose.
    """
    joints = {name: xy[t] for name, xy in pose.joints.items()}
    along = {name: d[t] for name, d in pose.direction.items()}

    def place(shape: str, origin: str, direction: str) -> Placed:
        d = along[direction]
        front = np.array([d[1], -d[0]] if direction.endswith(_HANGING) else [-d[1], d[0]])
        return look.shapes[shape], joints[origin], d, front

    def leg(side: str) -> None:
        shoe = [place(name, f"{side}_ball", f"{side}_toes") for name in ("toes", "toe_sole")]
        shoe += [place(name, f"{side}_ankle", f"{side}_foot") for name in ("shoe", "sole")]
        thigh = place("thigh", f"{side}_hip", f"{side}_thigh")
        shank = place("shank", f"{side}_knee", f"{side}_shank")
        for group in ([shank], shoe, [thigh]) if look.shorts else (shoe, [thigh, shank]):
            paint(canvas, group, _SHADE[side])

    def arm(side: str) -> None:
        upper = place("upper_arm", f"{side}_shoulder", f"{side}_upper_arm")
        fore = place("forearm", f"{side}_elbow", f"{side}_forearm")
        hand = (look.shapes["hand"], fore[1] + build.length["forearm"] * fore[2], fore[2], fore[3])
        for group in ([fore, hand], [upper]) if look.short_sleeves else ([hand], [upper, fore]):
            paint(canvas, group, _SHADE[side])

    _cast_shadow(canvas, joints, build)
    right, left = SIDES
    arm(left)
    leg(left)
    leg(right)
    paint(canvas, [place("pelvis", "hip", "trunk")])
    paint(canvas, [place("neck", "neck", "head")], 0.9)
    paint(canvas, [place("trunk", "hip", "trunk")])
    for name in ("tail", "head", "eye", "hair", "ear"):
        if name in look.shapes:
            paint(canvas, [place(name, "head", "head")])
    arm(right)


def _cast_shadow(canvas: np.ndarray, joints: dict[str, np.ndarray], build: Build) -> None:
    """Darken the belt under the feet, more under a foot that stands on it, and a little under the body."""
    side = len(canvas)
    top, bottom = int((FLOOR - 0.035) * side), int((FLOOR + 0.02) * side)
    x, y = np.arange(side) / side, np.arange(top, bottom) / side
    darkness = 0.18 * np.exp(-(((x - joints["hip"][0]) / 0.16) ** 2))
    for name in SIDES:
        foot = (joints[f"{name}_ankle"] + joints[f"{name}_toe"]) / 2
        height = max(FLOOR - foot[1] - build.length["ankle"] / 2, 0)
        spread = 0.55 * build.length["foot"] * (1 + 5 * height)
        darkness = np.maximum(darkness, 0.5 * np.exp(-height / 0.05) * np.exp(-(((x - foot[0]) / spread) ** 4)))
    depth = np.exp(-(((y - FLOOR + 0.006) / 0.014) ** 2))
    strip = canvas[top:bottom]
    strip[:] = strip * (1 - depth[:, None, None] * darkness[None, :, None])
