"""Whoever else comes into a region that moves with its subject: find them, and hide them from the networks.

The subject is in the middle of its region. What reaches into it from outside, such as the other animal of a pair, is
not the subject, even where the two touch.
"""

from __future__ import annotations

import cv2
import numpy as np

_N_SAMPLES = 64  # pictures that the threshold is found on
_MIDDLE = 0.3  # radius within which what is there is the subject [half the picture's side]
_RIM = 1 / 32  # width of the rim through which others come in [side]
_THICK = 1 / 20  # what touches the subject is somebody else only if half as thick as this at the rim: no limb is [side]
_KEPT, _FADED = 0.7, 1.0  # radii within which a picture is kept, and beyond which it is gone [half its side]


def find_threshold(pictures: np.ndarray, colour: np.ndarray) -> float:
    """Find how much a pixel must differ from the floor to be somebody.

    Parameters
    ----------
    pictures : ndarray of uint8, shape (T, S, S, 3)
        Of one recording.
    colour : ndarray of uint8, shape (3,)
        The floor's.

    Returns
    -------
    float
        Half of Otsu's threshold [grey levels], so that wings and limbs count, which are fainter than bodies.
    """
    sample = pictures[:: max(1, len(pictures) // _N_SAMPLES)]
    contrasts = np.concatenate([_contrast(picture, colour) for picture in sample])
    return cv2.threshold(contrasts, 0, 255, cv2.THRESH_OTSU)[0] / 2


def find_others(picture: np.ndarray, colour: np.ndarray, threshold: float) -> np.ndarray:
    """Find everybody who comes in from outside.

    Connected shapes at the rim that do not reach the middle are others. One that does is parted by a watershed
    (Meyer, 1994, as in OpenCV) between the middle and where it is thick at the rim.

    Parameters
    ----------
    picture : ndarray of uint8, shape (S, S, 3)
        The crop.
    colour : ndarray of uint8, shape (3,)
        The floor's.
    threshold : float
        See `find_threshold`.

    Returns
    -------
    ndarray of bool, shape (S, S)
        True where they are.
    """
    side = len(picture)
    there = (cv2.GaussianBlur(_contrast(picture, colour), (0, 0), 1) > threshold).astype(np.uint8)
    _, shapes = cv2.connectedComponents(there)
    rim = np.ones((side, side), bool)
    width = max(1, round(side * _RIM))
    rim[width:-width, width:-width] = False
    far = _distance_from_middle(side)
    middle = np.unique(shapes[(far < _MIDDLE) & (there > 0)])
    others = np.isin(shapes, np.setdiff1d(shapes[rim & (there > 0)], middle))

    subject = np.isin(shapes, middle) & (there > 0)
    margin = max(2, round(side / 8))  # beyond the picture's border they go on
    wider = cv2.copyMakeBorder(there, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    thickness = cv2.distanceTransform(wider, cv2.DIST_L2, 3)[margin:-margin, margin:-margin]
    touching = subject & rim & (thickness > side * _THICK)
    if touching.any():
        seeds = np.zeros((side, side), np.int32)
        seeds[there == 0] = 1
        seeds[subject & (far < _MIDDLE) & (thickness > side / 40)] = 2
        seeds[touching] = 3
        others |= cv2.watershed(np.ascontiguousarray(picture), seeds) == 3
    return others


def hide_others(pictures: np.ndarray, colour: np.ndarray, threshold: float) -> np.ndarray:
    """Paint others in the floor's colour, and fade the pictures towards their corners, where only others are.

    Parameters
    ----------
    pictures : ndarray of uint8, shape (T, S, S, 3)
        Crops of a region that moves with its subject.
    colour : ndarray of uint8, shape (3,)
        The floor's.
    threshold : float
        See `find_threshold`.

    Returns
    -------
    ndarray of uint8, shape (T, S, S, 3)
        The subject alone.
    """
    share = np.clip((_FADED - _distance_from_middle(pictures.shape[1])) / (_FADED - _KEPT), 0, 1).astype(np.float32)
    shown = np.stack([share * (1 - _soft(find_others(picture, colour, threshold))) for picture in pictures])[..., None]
    return np.round(colour + shown * (pictures.astype(np.float32) - colour)).astype(np.uint8)


def _contrast(picture: np.ndarray, colour: np.ndarray) -> np.ndarray:
    return cv2.absdiff(picture, np.broadcast_to(colour, picture.shape)).max(-1)


def _soft(mask: np.ndarray) -> np.ndarray:
    """Grow a mask a little, and soften its edge: what is painted over must not leave an outline."""
    if not mask.any():
        return mask.astype(np.float32)
    return cv2.GaussianBlur(cv2.dilate(mask.astype(np.float32), np.ones((5, 5), np.uint8)), (0, 0), 1)


def _distance_from_middle(side: int) -> np.ndarray:
    at = (np.arange(side) + 0.5) * 2 / side - 1
    return np.hypot(at[:, None], at)
