"""Back to healthy: does a subject return to its own baseline, or find another way to move?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

BLOCKS = 4  # of a recording's time: how they differ says how surely its mean is known
LITTLE, MUCH = 0.25, 0.75  # of the impairment that is left: returned, and not recovered
SURELY = 1.5  # size over chance of an impairment that is one


class Outcome(StrEnum):
    """What became of an impairment."""

    NONE = "not impaired"
    RETURNED = "returned"
    PARTIAL = "partial return"
    COMPENSATED = "compensated"
    LASTING = "not recovered"


@dataclass(frozen=True)
class Recovery:
    """How a subject moves at last, against its own baseline and its impairment.

    Attributes
    ----------
    left : float
        How much of the impairment is left: 0 none, 1 all of it.
    aside : float
        How far from the baseline it moves in other ways than the impairment's, in units of the impairment; what chance
        alone makes of it is taken off.
    size : float
        Size of the impairment over what chance would make of it; up to 1 there is none.
    outcome : Outcome
        In a word.
    """

    left: float
    aside: float
    size: float
    outcome: Outcome


def judge_recovery(baseline: NDArray, impaired: NDArray, last: NDArray) -> Recovery:
    """Judge whether a subject returned to its own baseline.

    The difference of the last session from the baseline is taken apart: along the impairment (the difference of the
    impaired session from the baseline), and aside of it. A subject that returned shows neither; one that returned in
    part shows some of the impairment; one that compensates has lost most of it, but moves in another way than before.

    Parameters
    ----------
    baseline, impaired, last : array (n, d), (m, d), (k, d)
        Descriptions of clips (see `napari_ubam.analysis.classifier.describe_codes`, or codes whose means matter) of the
        same subject before, while impaired, and at last, in the order of time, at least 8 each.

    Returns
    -------
    Recovery
        The judgement.
    """
    means, noises = zip(*(_mean_and_noise(clips) for clips in (baseline, impaired, last)), strict=True)
    impairment, difference = means[1] - means[0], means[2] - means[0]
    chance = noises[0] + noises[1]
    length = impairment @ impairment
    size = float(np.sqrt(length / chance)) if chance > 0 else (np.inf if length > 0 else 0.0)
    true_length = max(length - chance, 1e-12)  # chance makes every difference longer
    if size <= SURELY:
        return Recovery(0.0, 0.0, size, Outcome.NONE)
    left = float((difference @ impairment - noises[0]) / true_length)  # both share the baseline's chance
    away = difference - max(left, 0.0) * impairment  # beyond the baseline, on its other side, is another way too
    by_chance = (1 - max(left, 0.0)) ** 2 * noises[0] + max(left, 0.0) ** 2 * noises[1] + noises[2]
    aside = float(np.sqrt(max(away @ away - by_chance, 0.0) / true_length))
    return Recovery(left, aside, size, _in_a_word(left, aside))


def _in_a_word(left: float, aside: float) -> Outcome:
    if aside > max(0.5, left):
        return Outcome.COMPENSATED
    if left < LITTLE:
        return Outcome.RETURNED
    return Outcome.PARTIAL if left < MUCH else Outcome.LASTING


def _mean_and_noise(clips: NDArray) -> tuple[NDArray, float]:
    """Give a session's mean, and its expected squared distance from what an endless recording would show.

    Both fade in and out (Hann's window), so that a cycle of the movement that is cut off does not count.
    """
    clips = np.asarray(clips, float)
    length = 2 * len(clips) // (BLOCKS + 1)  # of blocks that overlap by half
    starts = np.linspace(0, len(clips) - length, BLOCKS).astype(int)
    window = np.hanning(length + 2)[1:-1]
    blocks = np.array([np.average(clips[i : i + length], axis=0, weights=window) for i in starts])
    return blocks.mean(0), float(blocks.var(0, ddof=1).sum() / BLOCKS)
