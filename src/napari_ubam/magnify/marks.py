"""What points at the deviation in a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Marks:
    """What points at the deviation in one frame, whatever the factor.

    Attributes
    ----------
    heatmap : ndarray of float32, shape (Y, X)
        How far each pixel's part deviates: 0 up to what is usual; 1 is the normal limit of the reference subjects,
        each measured by the others.
    vectors : ndarray of float32, shape (n, 2, 2)
        The deviation's direction: arrows from where a part would be in the reference posture to where it is, start and
        direction as y and x [px]. None (n = 0) from a generator without a flow.
    """

    heatmap: np.ndarray
    vectors: np.ndarray


def no_marks(height: int, width: int) -> Marks:
    """Give a dark heatmap and no arrows."""
    return Marks(np.zeros((height, width), np.float32), np.zeros((0, 2, 2), np.float32))
