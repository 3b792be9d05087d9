"""Very many points as one picture: the mean colour where they are dense, single discs where they are not."""

from __future__ import annotations

import cv2
import numpy as np

_OPACITY = 0.7  # of one point; where many lie on one another, the picture is as good as opaque


def rasterise(
    places: np.ndarray, colours: np.ndarray, size: tuple[int, int], background: np.ndarray, diameter: int = 1
) -> np.ndarray:
    """Draw points as discs.

    Parameters
    ----------
    places : ndarray, shape (2, n)
        x and y [px]; those outside are left out.
    colours : ndarray of float, shape (3, n)
        Red, green and blue, 0 to 255.
    size : tuple of int
        Width and height [px].
    background : ndarray, shape (3,)
        Colour where there is no point.
    diameter : int
        Of the discs [px].

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
    """
    width, height = size
    x, y = places
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    with np.errstate(invalid="ignore"):  # far outside, where no number of a pixel is
        at = np.where(inside, y.astype(np.int32) * width + x.astype(np.int32), width * height)
    sums = [_summed(at, None, width, height), *(_summed(at, colour, width, height) for colour in colours)]
    if diameter > 1:
        disc = _disc(diameter)
        sums = [cv2.filter2D(each, -1, disc, borderType=cv2.BORDER_CONSTANT) for each in sums]
    n = sums[0]
    bare = cv2.exp(n * np.float32(np.log(1 - _OPACITY)))
    share = (1 - bare) / np.maximum(n, np.float32(1e-3))
    return cv2.merge(
        [(each * share + bare * np.float32(b)).astype(np.uint8) for each, b in zip(sums[1:], background, strict=True)]
    )


def diameter_for(n: int) -> int:
    """Say how large the discs of so many points are, so that they can be told apart [px]."""
    return int(np.clip(round(160 / np.sqrt(max(n, 1))), 1, 9))


def _summed(at: np.ndarray, values: np.ndarray | None, width: int, height: int) -> np.ndarray:
    """Sum up what lies in every pixel; what is outside has a number of its own."""
    sums = np.bincount(at, values, minlength=width * height + 1)[:-1]
    return sums.astype(np.float32).reshape(height, width)


def _disc(diameter: int) -> np.ndarray:
    """Give a disc with a soft edge."""
    at = np.arange(diameter) - (diameter - 1) / 2
    return np.clip(diameter / 2 + 0.5 - np.hypot(at[:, None], at), 0, 1).astype(np.float32)
