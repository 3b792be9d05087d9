"""Intervals of recordings in which something was on, such as stimulation: a CSV that any program writes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from napari_ubam.errors import StudyError
from napari_ubam.files import write_text
from napari_ubam.study.boris import holds_events, read_events
from napari_ubam.study.recording import NAME_COLUMN
from napari_ubam.study.table import read_rows

_COLUMNS = (NAME_COLUMN, "start", "stop", "label")


@dataclass(frozen=True)
class Interval:
    """Frames [start, stop) of a recording's file, and what was on in them."""

    recording: str
    start: int
    stop: int
    label: str


def read_intervals(path: str | Path, recordings: Iterable[str]) -> list[Interval]:
    """Read a table of intervals: columns ``recording, start, stop, label``, frames counted from 0 in the file.

    BORIS's tabular events are read as well.

    Parameters
    ----------
    path : str or Path
        The CSV.
    recordings : iterable of str
        Names of the study's recordings.

    Returns
    -------
    list of Interval
        In the table's order.

    Raises
    ------
    StudyError
        Naming the row and what is wrong with it.
    """
    path, names = Path(path), set(recordings)
    if holds_events(path):
        return [Interval(*event) for event in read_events(path, names)]
    found = []
    for number, row in read_rows(path, _COLUMNS):
        where = f"{path}, row {number}"
        if row[NAME_COLUMN] not in names:
            raise StudyError(f"{where}: the study has no recording {row[NAME_COLUMN]!r}. Correct its name.")
        if not row["label"]:
            raise StudyError(f"{where}, column 'label': it is empty. Write what was on.")
        try:
            start, stop = int(row["start"]), int(row["stop"])
        except ValueError:
            raise StudyError(f"{where}: start and stop must be whole numbers of frames, counted from 0.") from None
        if not 0 <= start < stop:
            raise StudyError(f"{where}: no frame is left: start is {start} and stop is {stop} (which is left out).")
        found.append(Interval(row[NAME_COLUMN], start, stop, row["label"]))
    return found


def replace_intervals(path: str | Path, intervals: Iterable[Interval], recordings: Iterable[str]) -> None:
    """Write intervals to a table, in place of those of the same recording and label; others in it stay.

    Parameters
    ----------
    path : str or Path
        The CSV; made if it is not there.
    intervals : iterable of Interval
        What is new.
    recordings : iterable of str
        Names of the study's recordings.

    Raises
    ------
    StudyError
        If the table that is there cannot be read, or is BORIS's: it says more than would be written.
    """
    if holds_events(Path(path)):
        raise StudyError(f"{path} holds BORIS's events, which are not written over. Move it, or name it otherwise.")
    new = list(intervals)
    replaced = {(interval.recording, interval.label) for interval in new}
    old = read_intervals(path, recordings) if Path(path).exists() else []
    write_intervals(path, [x for x in old if (x.recording, x.label) not in replaced] + new)


def write_intervals(path: str | Path, intervals: Iterable[Interval]) -> None:
    """Write a table that `read_intervals` reads."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(astuple(interval) for interval in intervals)
    write_text(path, out.getvalue())
