"""What reference subjects show at the moments of a recording, and how the recording differs from some of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from napari_ubam.analysis.moments import Asked, Library, SomeFrames, Spacing, Track, ask_for_all, match_moments
from napari_ubam.analysis.places import (
    Mixtures,
    landmark_mixtures,
    mean_mixture,
    mean_mixtures,
    shares_of_difference,
    unmix,
)
from napari_ubam.analysis.reference import (
    Alignment,
    comparable,
    expected_posture,
    mean_of_nearest,
    nearest_frames,
    smooth_in_time,
)
from napari_ubam.analysis.threads import in_threads
from napari_ubam.analysis.uncertainty import Match, disagreement
from napari_ubam.models.device import pick_device
from napari_ubam.sampling import spread_rows
from napari_ubam.settings import DeviateSettings

SMALLEST = 0.1  # times the reference subjects' mean size: nobody is enlarged from less
MOMENTS = 500  # of a recording, evenly spread: enough to tell where on the body its landmarks lie


@dataclass(frozen=True, eq=False)
class Movement:
    """What is measured of one recording.

    Attributes
    ----------
    subject, group : str
        Who, and which cohort.
    is_reference : bool
        Whether the group is the reference group.
    posture : ndarray, shape (T, d)
        Posture codes.
    fps : float
        Frames per second.
    trusted : ndarray of bool, shape (T,)
        Whether the frame shows the subject for sure.
    """

    subject: str
    group: str
    is_reference: bool
    posture: np.ndarray
    fps: float
    trusted: np.ndarray

    @property
    def sure(self) -> np.ndarray:
        """Which frames count: those that are trusted, or all where none is."""
        return self.trusted if self.trusted.any() else np.ones(len(self.trusted), bool)


class Matched(Protocol):
    """What the reference subjects, the recording's own left out, show at the moments of a recording.

    Attributes
    ----------
    match : Match
        How well the moments were matched.
    """

    match: Match

    def differences(self, subsets: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Return the differences (T, d) of the aligned postures from what each of several sets of subjects shows."""


class Matcher:
    """Compares recordings with the reference subjects, all brought to one place, one size, and one body.

    Parameters
    ----------
    movements : mapping of str to Movement
        By the recording's name.
    settings : DeviateSettings
        How frames are matched, and where it is computed.
    points : bool
        Whether the codes are landmarks.
    tell : callable, optional
        Called with how many recordings of how many were brought to one body.

    Attributes
    ----------
    subjects : list of str
        The reference subjects.
    """

    def __init__(
        self, movements: Mapping[str, Movement], settings: DeviateSettings, points: bool,
        tell: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:  # fmt: skip
        self._movements, self._settings = movements, settings
        references = [name for name, m in movements.items() if m.is_reference]
        own = {name: Alignment.of(m.posture[m.sure], points) for name, m in movements.items()}
        self._common = Alignment.mean([own[name] for name in references])
        self._own = {name: alignment.at_least(SMALLEST * self._common.size) for name, alignment in own.items()}
        self._aligned = {name: self._own[name].move(m.posture, self._common) for name, m in movements.items()}
        self._centre = {name: self._aligned[name][m.sure].mean(0) for name, m in movements.items()}
        pool = [(self._aligned[name] - self._centre[name])[movements[name].sure] for name in references]
        self._scale = np.concatenate(pool).std(0) + 1e-6
        self.subjects = list(dict.fromkeys(movements[name].subject for name in references))
        of_subject = {s: [name for name, m in movements.items() if m.subject == s] for s in self.subjects}
        self._device = pick_device(settings.device)
        sure = {name: self._aligned[name][m.sure] for name, m in movements.items() if m.is_reference}
        self._codes = {s: np.concatenate([sure[n] for n in names]) for s, names in of_subject.items()}
        self._libraries: dict[str, Library] = {}
        if settings.reference == "context":
            for s, names in of_subject.items():
                self._libraries[s] = Library([self._track(n) for n in names], settings.n_moments, self._device)
        self._mixtures: dict[str, Mixtures] = {name: {} for name in movements}
        if points and settings.reference == "context":
            for done, name in enumerate(movements):
                tell(done, len(movements))
                self._mixtures[name] = self._find_mixtures(name)
        self._of_subject = {s: mean_mixtures([self._mixtures[n] for n in names]) for s, names in of_subject.items()}

    def match(self, name: str) -> Matched:
        """Find what the reference subjects show at the moments of a recording."""
        m, q = self._movements[name], self._aligned[name]
        others = [s for s in self.subjects if s != m.subject]
        if self._settings.reference == "nearest":
            of_group = [n for n, other in self._movements.items() if other.group == m.group]
            own_group = np.concatenate([self._aligned[n][self._movements[n].sure] for n in of_group])
            return _NearestFrames(q, own_group, {s: self._codes[s] for s in others}, m.fps, self._device)
        found = self._shown(ask_for_all(self._track(name), self._device), others)
        # of two, a reference subject is compared with one alone, so none says what is usual
        means = np.stack([self._codes[s].mean(0) for s in others]) if len(self.subjects) > 2 else None
        return _SameMoments(
            q, found, means, self._mixtures[name], self._of_subject, m.fps, self._settings.smooth, self._device
        )

    def as_own(self, name: str, difference: np.ndarray) -> np.ndarray:
        """Bring differences between aligned postures to the recording's own landmarks and their size."""
        mixture = mean_mixture(self._mixtures[name], self.subjects)
        difference = difference if mixture is None else unmix(mixture, difference)
        return difference * (self._own[name].size / self._common.size)

    def _find_mixtures(self, name: str) -> Mixtures:
        """Find how a recording's landmarks have to be mixed to lie where each of the other subjects has them."""
        m = self._movements[name]
        rows = np.flatnonzero(m.sure)
        rows = rows[spread_rows(len(rows), MOMENTS)]
        others = [s for s in self.subjects if s != m.subject]
        asked = SomeFrames(self._track(name), rows, self._device)
        shown = np.stack([posture for posture, _ in self._shown(asked, others).values()], 1)
        return dict(zip(others, landmark_mixtures(self._aligned[name][rows], shown), strict=True))

    def _shown(self, asked: Asked, subjects: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Give what each of some reference subjects shows at moments like these, and how far the matches are."""

        def match(subject: str) -> tuple[np.ndarray, np.ndarray]:
            return match_moments(asked, self._libraries[subject], self._settings.n_nearest)

        return dict(zip(subjects, in_threads(match, subjects, self._device), strict=True))

    def _track(self, name: str) -> Track:
        m = self._movements[name]
        codes = comparable(self._aligned[name], self._centre[name], self._scale)
        return Track(codes, self._aligned[name], m.sure, Spacing.of(m.fps, self._settings.context))


class _SameMoments:
    """The reference ``context``: what a normal subject of this build shows at the same point of the movement."""

    def __init__(
        self, posture: np.ndarray, found: dict[str, tuple[np.ndarray, np.ndarray]], means: np.ndarray | None,
        own: Mixtures, others: dict[str, Mixtures], fps: float, smooth: float, device: torch.device,
    ) -> None:  # fmt: skip
        self._posture, self._own, self._others, self._fps, self._smooth = posture, own, others, fps, smooth
        self._device, self._subjects = device, list(found)
        self._shown = np.stack([shown for shown, _ in found.values()], 1)
        disagree = np.zeros_like(posture) if means is None else disagreement(self._shown, means)
        self.match = Match(np.median([distance for _, distance in found.values()], 0), disagree, fps)

    def differences(self, subsets: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Return the differences, smoothed in time: the reference keeps the movement's own quickness."""
        difference = self._from_mean() if self._own else self._from_expected(subsets)

        def smooth(i: int) -> np.ndarray:
            return smooth_in_time(difference(i, subsets[i]), self._fps, self._smooth)

        return in_threads(smooth, range(len(subsets)), "cpu")

    def _from_mean(self) -> Callable[[int, Sequence[str]], np.ndarray]:
        """Compare with the mean, all landmarks where some subjects have them; nobody else has a say in it.

        Landmarks that are moved there, after being aligned, differ no more by build; to expect the subject's build on
        top of it, as of other codes, took a third of the deviations for build.
        """
        codes = np.concatenate([self._posture[:, None], self._shown], 1)  # (T, 1 + n, K * 2)
        x, y = (np.ascontiguousarray(codes[..., i::2]).reshape(len(codes), -1) for i in range(2))

        def difference(_: int, subjects: Sequence[str]) -> np.ndarray:
            shares = shares_of_difference(self._own, self._others, self._subjects, subjects).astype(x.dtype)
            return np.stack([x @ shares, y @ shares], -1).reshape(len(x), -1)

        return difference

    def _from_expected(self, subsets: Sequence[Sequence[str]]) -> Callable[[int, Sequence[str]], np.ndarray]:
        """Compare with what a subject of this build would show: entries that are no landmarks cannot be moved."""
        of = [[self._subjects.index(s) for s in subjects] for subjects in subsets]
        expected = expected_posture(self._posture, self._shown, of, device=self._device)
        return lambda i, _: self._posture - expected[i]


class _NearestFrames:
    """The reference ``nearest``, Brattoli et al.'s: means of the nearest frames of the own group and of the others."""

    def __init__(
        self, query: np.ndarray, own_group: np.ndarray, codes: dict[str, np.ndarray], fps: float, device: torch.device
    ) -> None:
        own = nearest_frames(query, [own_group], device=device)  # the frame itself is one of them
        self._shown = mean_of_nearest(*own, own_group)
        self._subjects, self._codes = list(codes), np.concatenate(list(codes.values()))
        self._distance, self._index = nearest_frames(query, list(codes.values()), device=device)
        self.match = Match(self._distance[..., 0].min(1), np.zeros_like(query), fps)  # there is always a nearest frame

    def differences(self, subsets: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Return the differences, one frame at a time."""
        some = [[self._subjects.index(s) for s in subjects] for subjects in subsets]
        return [self._shown - mean_of_nearest(self._distance[:, s], self._index[:, s], self._codes) for s in some]
