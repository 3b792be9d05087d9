"""At which point of the cycle a movement is, in every frame, the same for all subjects.

The cycle's fundamental is what of the codes goes round once a period. As a complex vector, one entry of the code each,
it says how far the entries swing and which of them lead. Its direction in the code's space is what the subjects of the
reference group have in common (the leading eigenvector of their cross-spectral matrices: Brillinger, Time Series: Data
Analysis and Theory, 1981, chapter 9), and how far every frame has gone round in that direction is its phase. As the
direction is one for all, so is the phase; a subject's own way of moving within the cycle stays in its deviation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve

from napari_ubam.analysis.periods import LEAST_CYCLES, SHORTEST, Period, find_period

WIDTH = 0.75  # periods, standard deviation of the window in which what goes round is measured
LEAST_LIKE = 0.5  # share of what goes round in the direction of the reference group; less is another movement
WEAK = 0.1  # times the power at the best of several periods: what goes round so weakly is none
STILL = 0.25  # times the usual swing of a recording: a frame with less has no phase


@dataclass(frozen=True, eq=False)
class Cycle:
    """Where in its cycle a recording is.

    Attributes
    ----------
    period : Period
        How the movement repeats itself; its note says why a recording has no phases.
    phase : ndarray, shape (T,)
        Of every frame, 0 to 1; NaN where there is none.
    like : float
        Share of what goes round that does so as in the reference group, 0 to 1; NaN where the movement is not periodic.
    """

    period: Period
    phase: np.ndarray
    like: float


def find_cycles(postures: Mapping[str, np.ndarray], references: Mapping[str, str]) -> dict[str, Cycle]:
    """Find out who moves periodically, and at which point of the cycle every frame is.

    Phase 0 is where the entry of the code that swings most in the reference group is highest.

    Parameters
    ----------
    postures : mapping of str to ndarray, shape (T, d)
        Posture codes of every recording, one row a frame at an even rate.
    references : mapping of str to str
        The recordings of the reference group, and whose they are.

    Returns
    -------
    dict of str to Cycle
        By the recording's name. Without a periodic reference recording nobody has a phase.
    """
    centred = {name: _centred(codes) for name, codes in postures.items()}
    periods = {name: find_period(codes) for name, codes in centred.items()}
    direction = _common_direction(centred, periods, references)
    if direction is None:
        return {name: _without(periods[name], codes, "no reference subject moves periodically")
                for name, codes in centred.items()}  # fmt: skip
    # where left and right look alike, half a cycle looks like one: of both, the one that is like the others' counts
    periods = {name: _like_others(codes, periods[name], direction) for name, codes in centred.items()}
    direction = _common_direction(centred, periods, references)
    assert direction is not None  # there are as many periodic ones as before
    return {name: _cycle(codes, periods[name], direction) for name, codes in centred.items()}


def _centred(codes: np.ndarray) -> np.ndarray:
    codes = np.asarray(codes, float)
    return codes - codes.mean(0) if len(codes) else codes


def _going_round(codes: np.ndarray, frames: float) -> np.ndarray:
    """Give what of the codes (T, d) goes round once in so many frames, (T, d) complex: a Morlet wavelet."""
    width = WIDTH * frames
    at = np.arange(-int(3 * width), int(3 * width) + 1)
    window = np.exp(-0.5 * (at / width) ** 2)
    wave = window * np.exp(2j * np.pi * at / frames)
    inside = fftconvolve(np.ones(len(codes)), window, "full")[len(at) // 2 :][: len(codes)]
    found = fftconvolve(codes, wave[:, None], "full", axes=0)[len(at) // 2 :][: len(codes)]
    return 2 * found / inside[:, None]


def _cross_spectrum(codes: np.ndarray, frames: float) -> np.ndarray:
    """Give how entries go round together, (d, d) Hermitian; its trace is the power."""
    round_ = _going_round(codes, frames)
    return round_.T @ round_.conj() / len(round_)


def _common_direction(
    centred: Mapping[str, np.ndarray], periods: Mapping[str, Period], references: Mapping[str, str]
) -> np.ndarray | None:
    """Give the direction (d,) complex of length 1 in which reference subjects go round; all count the same."""
    own: dict[str, list[np.ndarray]] = {}
    for name, subject in references.items():
        if periods[name].found:
            spectrum = _cross_spectrum(centred[name], periods[name].frames)
            own.setdefault(subject, []).append(spectrum / np.trace(spectrum).real)
    if not own:
        return None
    direction = np.linalg.eigh(np.mean([np.mean(parts, 0) for parts in own.values()], 0))[1][:, -1]
    largest = direction[np.abs(direction).argmax()]
    return direction * (largest.conj() / abs(largest))


def _like_others(codes: np.ndarray, period: Period, direction: np.ndarray) -> Period:
    """Give the period, its half or its double: the one whose cycle is most like the others', if it is no weak one."""
    if not period.found:
        return period
    lengths = [
        frames
        for frames in (period.frames, period.frames / 2, period.frames * 2)
        if SHORTEST <= frames <= len(codes) / LEAST_CYCLES
    ]
    projected, like = zip(*(_along(codes, frames, direction) for frames in lengths), strict=True)
    power = [np.mean(np.abs(p) ** 2) for p in projected]
    clear = [i for i in range(len(lengths)) if power[i] >= WEAK * max(power)]
    return Period(lengths[max(clear, key=lambda i: like[i])], period.strength)


def _along(codes: np.ndarray, frames: float, direction: np.ndarray) -> tuple[np.ndarray, float]:
    """Give what goes round in the common direction, (T,) complex, and its share of all that goes round."""
    round_ = _going_round(codes, frames)
    projected = round_ @ direction.conj()
    return projected, float((np.abs(projected) ** 2).sum() / max((np.abs(round_) ** 2).sum(), 1e-30))


def _cycle(codes: np.ndarray, period: Period, direction: np.ndarray) -> Cycle:
    if not period.found:
        return _without(period, codes, period.note)
    projected, like = _along(codes, period.frames, direction)
    if like < LEAST_LIKE:
        return _without(period, codes, "its cycle is another one than that of the reference group", like)
    size, phase = np.abs(projected), np.angle(projected) / (2 * np.pi) % 1
    return Cycle(period, np.where(size >= STILL * np.median(size), phase, np.nan), like)


def _without(period: Period, codes: np.ndarray, note: str, like: float = np.nan) -> Cycle:
    return Cycle(Period(period.frames, period.strength, period.note or note), np.full(len(codes), np.nan), like)
