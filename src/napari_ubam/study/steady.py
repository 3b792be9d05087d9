"""Boxes that do not shake: of one size, and smoothed in time, wherever the subject was found by."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import gaussian_filter1d

from napari_ubam.settings import TrackSettings
from napari_ubam.study.boxes import Boxes

_USUAL = 98  # percentile of a subject's reach that the boxes hold


def steady_boxes(
    frame: np.ndarray,
    centre: np.ndarray,
    reach: np.ndarray,
    angle: np.ndarray | None,
    fps: float,
    settings: TrackSettings,
) -> Boxes:
    """Make boxes of where a subject was seen: squares of one size, places and angles smoothed in time.

    Parameters
    ----------
    frame : ndarray of int, shape (n,)
        Absolute numbers of the frames in which it was seen, ascending.
    centre : ndarray, shape (n, 2)
        x and y of its middle in the video [px].
    reach : ndarray, shape (n,)
        How far it extends from there along x or y [px].
    angle : ndarray, shape (n,), or None
        Where the head points [radians, clockwise from up]; NaN where that is not known.
    fps : float
        Frames per second.
    settings : TrackSettings
        How much is smoothed, and how large the boxes are.

    Returns
    -------
    Boxes
        Of the same frames.
    """
    width = fps * settings.smooth
    centre = smooth_between(frame, centre, width)
    side = settings.side or max(1, math.ceil(2 * (1 + settings.margin) * np.percentile(reach, _USUAL)))
    box = np.concatenate([centre - side / 2, np.full((len(centre), 2), float(side))], axis=1)
    if angle is None or np.isnan(angle).all():
        return Boxes(frame, box)
    known = ~np.isnan(angle)
    turned = np.full(len(frame), np.nan)
    turned[known] = smooth_between(frame[known], np.unwrap(angle[known])[:, None], width)[:, 0]
    return Boxes(frame, box, (np.degrees(turned) + 180) % 360 - 180)


def smooth_between(frame: np.ndarray, values: np.ndarray, width: float) -> np.ndarray:
    """Smooth values (n, k) of some frames (n,) in time, as if those between were on straight lines.

    The Gaussian's standard deviation is ``width`` [frames]. Returns (n, k).
    """
    every = np.arange(frame[0], frame[-1] + 1)
    between = np.stack([np.interp(every, frame, value) for value in values.T], axis=1)
    margin = min(round(4 * width), len(every) - 1)
    if not margin:
        return values
    beyond = np.pad(between, ((margin, margin), (0, 0)), mode="reflect", reflect_type="odd")  # who moves goes on moving
    return gaussian_filter1d(beyond, width, axis=0)[margin:-margin][frame - frame[0]]
