"""Intervals as events of BORIS, the program for coding behaviour by hand: a table that its users' tools read."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from napari_ubam.errors import StudyError
from napari_ubam.files import write_text
from napari_ubam.study.recording import Recording
from napari_ubam.study.table import read_rows

if TYPE_CHECKING:
    from napari_ubam.study.intervals import Interval

_COLUMNS = (
    "Observation id", "Observation date", "Description", "Observation duration", "Observation type", "Source",
    "Time offset (s)", "Media duration (s)", "FPS", "Subject", "Behavior", "Behavioral category", "Modifiers",
    "Behavior type", "Time", "Media file name", "Image index", "Image file path", "Comment",
)  # fmt: skip


def write_boris(
    path: str | Path, intervals: Iterable[Interval], recordings: Mapping[str, tuple[Recording, int, float]]
) -> None:
    """Write intervals as BORIS's *tabular events*: a START and a STOP each, with the recording as the observation.

    Parameters
    ----------
    path : str or Path
        The CSV.
    intervals : iterable of Interval
        What is written, in the order of recordings and time.
    recordings : mapping of str to (Recording, int, float)
        By its name: the recording, how many frames it has, and how many a second.
    """
    rows = []
    for interval in sorted(intervals, key=lambda x: (x.recording, x.start, x.stop)):
        recording, length, fps = recordings[interval.recording]
        file, seconds = str(recording.path), f"{length / fps:.3f}"
        for kind, frame in (("START", interval.start), ("STOP", interval.stop)):
            known = {
                "Observation id": interval.recording, "Observation date": date.today().isoformat(),
                "Observation duration": seconds, "Observation type": "Media file", "Source": file,
                "Time offset (s)": "0", "Media duration (s)": seconds, "FPS": f"{fps:.3f}",
                "Subject": recording.subject, "Behavior": interval.label, "Behavior type": kind,
                "Time": f"{frame / fps:.3f}", "Media file name": file, "Image index": str(frame),
            }  # fmt: skip
            rows.append((interval.recording, frame, kind == "START", known))
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(row[-1] for row in sorted(rows, key=lambda row: row[:3]))  # one stops before the next starts
    write_text(path, out.getvalue())


def holds_events(path: Path) -> bool:
    """Tell whether a file is a table of BORIS's tabular events, by its first row."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return "Behavior type" in file.readline()
    except OSError:  # told where it is read
        return False


def read_events(path: Path, recordings: Collection[str]) -> list[tuple[str, int, int, str]]:
    """Read BORIS's tabular events as intervals.

    Parameters
    ----------
    path : Path
        The CSV.
    recordings : collection of str
        Names of the study's recordings: an observation has the name of one, or of its file.

    Returns
    -------
    list of (str, int, int, str)
        Recording, first frame, the frame after the last, and behaviour. A point event is one frame.

    Raises
    ------
    StudyError
        Naming the row and what is wrong with it.
    """
    found: list[tuple[str, int, int, str]] = []
    began: dict[tuple[str, str, str], tuple[int, str]] = {}
    for number, row in read_rows(path, ("Observation id", "Behavior", "Behavior type")):
        where, label, kind = f"{path}, row {number}", row["Behavior"], row["Behavior type"].upper()
        name, frame = _recording_of(row, recordings, where), _frame_of(row, where)
        event = name, row.get("subject", ""), label
        if kind == "POINT":
            found.append((name, frame, frame + 1, label))
        elif kind == "START" and event in began:
            raise StudyError(f"{where}: {label} starts twice before it stops. Correct it in BORIS.")
        elif kind == "START":
            began[event] = frame, where
        elif kind == "STOP" and event in began:
            start, _ = began.pop(event)
            found.append((name, start, max(frame, start + 1), label))
        else:
            raise StudyError(f"{where}: {label} has no START before this {kind}. Correct it in BORIS.")
    for (_, _, label), (_, where) in began.items():
        raise StudyError(f"{where}: {label} starts and never stops. Correct it in BORIS.")
    return found


def _recording_of(row: Mapping[str, str], recordings: Collection[str], where: str) -> str:
    observation, file = row["Observation id"], row.get("Media file name", "")
    for name in (observation, PureWindowsPath(file).stem):  # which takes both kinds of slashes
        if name in recordings:
            return name
    raise StudyError(
        f"{where}: the study has no recording {observation!r}, nor one named as its file. Give the observation the "
        "recording's name."
    )


def _frame_of(row: Mapping[str, str], where: str) -> int:
    index = row.get("Image index", "")
    try:  # older versions do not write the index
        frame = int(index) if index.isdecimal() else round(float(row["Time"]) * _fps_of(row))
    except (KeyError, ValueError, OverflowError):
        raise StudyError(f"{where}: it says neither 'Image index' nor 'Time' and 'FPS'. Export them as well.") from None
    if frame < 0:
        raise StudyError(f"{where}: it is before the first frame. Correct the observation's time offset in BORIS.")
    return frame


def _fps_of(row: Mapping[str, str]) -> float:
    return float(row.get("FPS") or row["FPS (frame/s)"])
