"""Where magnifying changes a picture: inside the subject, as it should, or outside.

After Brattoli et al. 2021 (Extended Data).
"""

from __future__ import annotations

import cv2
import numpy as np

from napari_ubam.models.objectives import FOREGROUND

REACH = 0.06  # share of the picture's side around the subject that still counts as inside: limbs move there


def subject_mask(frames: np.ndarray, background: np.ndarray, reach: float = REACH) -> np.ndarray:
    """Tell the subject, and what lies within its reach, from the background.

    Parameters
    ----------
    frames : ndarray of uint8, shape (T, S, S, 3)
        A recording's crops.
    background : ndarray of uint8, shape (S, S, 3)
        Its own background.
    reach : float
        How far around the subject still counts as the subject, as a share of S.

    Returns
    -------
    ndarray of bool, shape (T, S, S)
    """
    side = 2 * round(reach * frames.shape[1]) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    still = background.astype(np.float32)
    contrast = (np.abs(frame - still).mean(-1) / 127.5 for frame in frames)
    masks = [cv2.dilate((c > FOREGROUND).astype(np.uint8), kernel) > 0 for c in contrast]
    return np.array(masks, bool).reshape(frames.shape[:3])


def change_inside_outside(
    before: np.ndarray, after: np.ndarray, subject: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Measure how much frames change inside and outside the subject.

    Parameters
    ----------
    before, after : ndarray of uint8, shape (T, Y, X, 3)
        The same frames before and after magnification.
    subject : ndarray of bool, shape (T, Y, X)
        Where the subject is, before.

    Returns
    -------
    inside, outside : ndarray, shape (T,)
        Mean squared change of each frame [1e-4 of full scale squared]; NaN where nothing is inside, or outside.
    """
    change = 1e4 * ((after.astype(np.float32) - before) ** 2).mean(-1) / 255**2
    with np.errstate(invalid="ignore"):
        inside, outside = ((change * part).sum((1, 2)) / part.sum((1, 2)) for part in (subject, ~subject))
    return inside, outside
