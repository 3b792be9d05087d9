"""Intervals as events of BORIS, the program for coding behaviour by hand: a table that its users' tools read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from napari_ubam.files import write_text
from napari_ubam.study.intervals import Interval
from napari_ubam.study.recording import Recording

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
