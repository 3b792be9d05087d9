"""Has the posture code collapsed? A look at the codes of a few fixed frames, while it is trained and at the end.

A code that says the same of every frame, or that moves along one line only, has learned nothing of posture, and the
loss alone does not show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_ubam.models.encode import encode_postures
from napari_ubam.models.landmarks import LandmarkEncoder
from napari_ubam.sampling import spread_rows
from napari_ubam.training.bank import Footage

LOOK_EVERY = 250  # steps; a look costs less than a step
LOOK_FROM = 0.3  # share of the training before which a code may yet be anything
N_RECORDINGS, N_FRAMES = 8, 8  # in the sample, of each recording
# Of the sample cohort, contrastive codes have 0.15 and 5 after 60 steps, and those of `order` 0.01 and 16 at chance.
SMALLEST_SPREAD, SMALLEST_RANK = 0.005, 1.5


@dataclass(frozen=True)
class Health:
    """How much a code tells of the frames within a recording.

    Attributes
    ----------
    spread : float
        Root mean square distance of a recording's codes from their mean, over the codes' own root mean square; for
        landmarks over half the crop's side.
    rank : float
        Effective rank: in how many directions the codes differ from their recording's mean.
    """

    spread: float
    rank: float

    @property
    def collapsed(self) -> bool:
        """Whether the code says next to nothing."""
        return self.spread < SMALLEST_SPREAD or self.rank < SMALLEST_RANK

    @property
    def warning(self) -> str:
        """What to tell the user; empty if all is well."""
        if not self.collapsed:
            return ""
        return (
            f"The posture code has collapsed: within a recording it varies by {100 * self.spread:.2g} %, "
            f"in {self.rank:.1f} directions (less than {100 * SMALLEST_SPREAD:g} %, or {SMALLEST_RANK:g})."
        )


ADVICE = (  # what to say at the end
    "Look whether the regions show the subject, and whether it moves in them; then train longer (another preset), with "
    "another seed, or with another posture objective."
)


class CodeSample:
    """The frames that are looked at: some of each of some recordings, evenly spread.

    Parameters
    ----------
    footage : sequence of Footage
        What is trained on.
    """

    def __init__(self, footage: Sequence[Footage]) -> None:
        self.parts = [
            (footage[r].frames[spread_rows(len(footage[r].frames), N_FRAMES)], footage[r].background)
            for r in spread_rows(len(footage), N_RECORDINGS).tolist()
        ]

    def look(self, posture: Any) -> Health:
        """Return how healthy the codes of a posture encoder are; neither it nor chance is changed by that."""
        training = posture.training
        device = next(posture.parameters()).device
        posture.eval()
        codes = [encode_postures(posture, frames, background, device) for frames, background in self.parts]
        posture.train(training)
        return health(codes, 1.0 if isinstance(posture, LandmarkEncoder) else None)


def health(codes: Sequence[np.ndarray], size: float | None = None) -> Health:
    """Measure codes (T, d) of some recordings, each within its recording: what differs between them may be looks.

    Codes that are not numbers say nothing. ``size`` is what their spread is compared with, if not their own size.
    """
    apart = np.concatenate([code - code.mean(0) for code in codes]).astype(np.float64)
    if not np.isfinite(apart).all():
        return Health(0.0, 0.0)
    if size is None:
        size = float(np.sqrt(np.mean(np.concatenate(codes).astype(np.float64) ** 2)))
    spread = np.sqrt(np.mean(apart**2)) / size if size else 0.0
    return Health(float(spread), effective_rank(apart))


def effective_rank(codes: np.ndarray) -> float:
    """Return the effective rank of codes (n, d): the exponential of the entropy of their singular values.

    After Roy and Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO 2007. It is k for codes
    that differ equally in k directions, and less the more unequal these are; 0 if they do not differ.
    """
    values = np.linalg.svd(codes, compute_uv=False)
    if not values.sum():
        return 0.0
    share = values / values.sum()
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))
