"""The log of a training: the losses of every stage as a table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from napari_ubam.files import atomic_path

if TYPE_CHECKING:
    from napari_ubam.training.collapse import Health  # which loads torch

COLUMNS = ("stage", "step", "loss", "seconds", "spread", "effective_rank")


class Point(NamedTuple):
    """What the log tells of one step: its loss, and the seconds since its stage was begun or resumed."""

    step: int
    loss: float
    seconds: float


def read_log(path: Path) -> dict[str, list[Point]]:
    """Read a log, by stage; rows that are cut off are left out, and a missing log is empty."""
    points: dict[str, list[Point]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.reader(file):
                try:
                    points.setdefault(row[0], []).append(Point(int(row[1]), float(row[2]), float(row[3])))
                except (IndexError, ValueError):  # the header, or the end of a file that is just written
                    continue
    except OSError:
        return {}
    return {stage: some for stage, some in points.items() if some}


def elapsed(points: Sequence[Point]) -> float:
    """Add up how long a stage was trained [s], also if it was stopped and resumed."""
    seconds = [0.0, *(point.seconds for point in points)]
    return sum(now - before if now >= before else now for before, now in pairwise(seconds))


class Log:
    """A CSV file with a row every some steps; steps that are trained once more are in it once.

    Parameters
    ----------
    path : Path
        The file; one that is there is gone on with.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self, stage: str, step: int) -> None:
        """Leave out what is there of a stage after ``step``, as it goes on from there."""
        rows = [row for row in self._rows() if row[0] != stage or int(row[1]) <= step]
        with atomic_path(self._path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *rows])

    def add(self, stage: str, step: int, loss: float, seconds: float, health: Health | None = None) -> None:
        """Write a row; the last two columns are empty where the posture code was not looked at."""
        looked = [f"{health.spread:.4g}", f"{health.rank:.4g}"] if health is not None else ["", ""]
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow([stage, step, f"{loss:.6g}", f"{seconds:.1f}", *looked])

    def _rows(self) -> list[list[str]]:
        if not self._path.exists():
            return []
        with self._path.open(newline="", encoding="utf-8") as file:
            return [row for row in csv.reader(file) if len(row) == len(COLUMNS)][1:]  # the last may be cut off
