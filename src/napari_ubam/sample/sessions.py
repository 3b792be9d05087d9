"""Subjects over many days whose recovery is known: healthy, impaired on one day, and then better or not."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from napari_ubam.sample.cohort import SampleRecording, Walker, record
from napari_ubam.sample.gait import jitter

Fate = Literal["return", "partial", "compensation"]
FATES: tuple[Fate, ...] = ("return", "partial", "compensation")
INJURY = 1  # the day on which subjects are impaired; on day 0 they are healthy
PARTIAL = 0.5  # share of the impairment that stays
_NEW = np.array([0.0, 0, 0, -1.2, 1.8, -1.2])  # what who compensates finds instead: other arms, and leaning back


def make_sessions(
    fate: Fate, number: int = 0, n_days: int = 6, n_frames: int = 60, size: int = 128, seed: int = 0,
    severity: float = 1.0,
) -> list[SampleRecording]:  # fmt: skip
    """Render one subject on several days: the same body, look and room, another walk through the same movement.

    Day 0 is healthy, on day 1 the subject is impaired, and until the last day it changes evenly toward its fate:
    ``return`` (the impairment goes), ``partial`` (half of it stays), or ``compensation`` (it goes, and another way of
    holding trunk and arms comes in its place).

    Parameters
    ----------
    fate : {"return", "partial", "compensation"}
        What becomes of the subject.
    number : int
        Which subject; the same number has the same body, look and impairment whatever its fate.
    n_days : int
        At least 3.
    n_frames, size, seed, severity
        As in `napari_ubam.sample.make_cohort`.

    Returns
    -------
    list of SampleRecording
        One a day, named ``r01_day0`` and so on.

    Raises
    ------
    ValueError
        If a number makes no sense.
    """
    walkers = walk_on_days(fate, number, n_days, n_frames, size, seed, severity)
    subject = f"r{number + 1:02d}"
    return [
        record(f"{subject}_day{day}", subject, "recovering", walker, float(np.abs(walker.gait.impairment).mean()))
        for day, walker in enumerate(walkers)
    ]


def walk_on_days(
    fate: Fate, number: int, n_days: int, n_frames: int, size: int, seed: int, severity: float
) -> list[Walker]:  # fmt: skip
    """Draw the same subject on several days, see `make_sessions`, without filming it."""
    if fate not in FATES or n_days < 3 or min(number, seed) < 0 or n_frames < 1 or size < 16 or severity < 0:
        raise ValueError(
            f"Sessions need a fate out of {', '.join(FATES)}, at least 3 days, 1 frame and 16 px, and no negative "
            f"number, not {fate=}, {number=}, {n_days=}, {n_frames=}, {size=}, {seed=}, {severity=}."
        )
    first = Walker.draw((seed, 2, number), severity, n_frames, size)
    impairment = first.gait.impairment
    end = {"return": 0 * impairment, "partial": PARTIAL * impairment, "compensation": severity * _NEW}[fate]
    walkers = []
    for day in range(n_days):
        done = max(day - INJURY, 0) / (n_days - 1 - INJURY)
        now = impairment + done * (end - impairment) if day else 0 * impairment
        walkers.append(_on_day(first, day, now, n_frames, (seed, 2, number, 8, day)))
    return walkers


def _on_day(walker: Walker, day: int, impairment: np.ndarray, n_frames: int, seed: tuple[int, ...]) -> Walker:
    """Give the same subject on another day: another start of the stride, other small variations, other noise."""
    rng = np.random.default_rng(seed)
    gait = replace(walker.gait, start=rng.random(), impairment=impairment)
    phase = gait.phase(n_frames)
    return replace(
        walker,
        gait=gait,
        camera=replace(walker.camera, seed=(*walker.camera.seed, day)),
        phase=phase,
        healthy_angles=gait.healthy(phase) + jitter(rng, n_frames),
        deviation=gait.deviation(phase),
    )
