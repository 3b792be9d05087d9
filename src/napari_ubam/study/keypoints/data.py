"""Keypoints of one individual, and which individual of a file is meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from napari_ubam.errors import StudyError

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Keypoints:
    """The keypoints of one individual.

    Attributes
    ----------
    frame : ndarray of int64, shape (T,)
        Absolute frame numbers, ascending; not necessarily all frames of a video.
    names : tuple of str
        The n keypoints.
    xy : ndarray of float64, shape (T, n, 2)
        x and y in the video [px], NaN where a keypoint is missing. The middle of the top left pixel is at (0, 0).
    score : ndarray of float64, shape (T, n), or None
        How sure the program was, mostly 0 to 1; NaN where it does not say, as for points set by hand. None where it
        never does.
    """

    frame: np.ndarray
    names: tuple[str, ...]
    xy: np.ndarray
    score: np.ndarray | None = None

    @classmethod
    def checked(
        cls, where: str, frame: np.ndarray, names: tuple[str, ...], xy: np.ndarray, score: np.ndarray | None = None
    ) -> Keypoints:
        """Make keypoints of what a file says, in any order of frames.

        Parameters
        ----------
        where : str
            The file, and of which individual; the message begins with it.
        frame, names, xy, score
            The attributes.

        Raises
        ------
        StudyError
            If a frame's number is none, or comes twice, or no keypoint is left.
        """
        numbers = np.asarray(frame, np.float64)
        wrong = ~(np.isfinite(numbers) & (numbers >= 0) & (numbers == np.floor(numbers)))
        if wrong.any():
            raise StudyError(f"{where}: {numbers[wrong][0]:g} is not a frame's number. Frames count from 0.")
        unique, first, count = np.unique(numbers, return_index=True, return_counts=True)
        if (count > 1).any():
            raise StudyError(
                f"{where}: frame {unique[count > 1][0]:g} comes twice. Keep the keypoints of this subject, or name its "
                "individuals, so that one can be chosen."
            )
        xy = np.where(np.isfinite(xy).all(-1, keepdims=True), xy, np.nan)[first]
        if not names or np.isnan(xy).all():
            raise StudyError(f"{where} holds no keypoint. Export them again, with x and y in pixels of the video.")
        return cls(unique.astype(np.int64), tuple(names), xy, None if score is None else score[first])

    def confident(self, min_score: float) -> Keypoints:
        """Give the keypoints with those missing that score less; those without a score are kept."""
        if self.score is None:
            return self
        return replace(self, xy=np.where((self.score < min_score)[..., None], np.nan, self.xy))

    def at(self, frame: np.ndarray) -> np.ndarray:
        """Give x and y at these frames (T,): (T, n, 2), NaN where there are none."""
        xy = np.full((len(frame), len(self.names), 2), np.nan)
        known = np.isin(frame, self.frame)
        xy[known] = self.xy[np.searchsorted(self.frame, np.asarray(frame)[known])]
        return xy


def choose_individual(path: Path, individuals: Mapping[str, T], individual: str | None) -> T:
    """Choose one of a file's individuals.

    Parameters
    ----------
    path : Path
        The file.
    individuals : mapping of str to any
        What it says of each; the only one of a file that names none is called ''.
    individual : str or None
        Which; None where there is but one.

    Raises
    ------
    StudyError
        If there are several and none is named, or there is none of that name; the message lists them.
    """
    if individual is not None and individual in individuals:
        return individuals[individual]
    if len(individuals) == 1 and (individual is None or "" in individuals):
        return next(iter(individuals.values()))
    names = ", ".join(name or "(no name)" for name in individuals)
    if individual is None:
        raise StudyError(
            f"{path} has {len(individuals)} individuals: {names}. Write into the table's column 'individual' which of "
            "them the recording is of."
        )
    raise StudyError(f"{path} has no individual {individual!r}. Write one of these into the table: {names}.")
