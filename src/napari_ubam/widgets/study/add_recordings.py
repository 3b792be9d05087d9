"""From files and layers to rows of the study's table."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_ubam.errors import UbamError
from napari_ubam.progress import Progress, Report
from napari_ubam.study import Recording, unique_name
from napari_ubam.study.layers import save_layer
from napari_ubam.video import VIDEO_SUFFIXES
from napari_ubam.video.glance import glance

NEW_GROUP = "unassigned"  # of a recording whose group nobody has said yet


@dataclass(frozen=True)
class Source:
    """A file, and what is known of it already.

    Attributes
    ----------
    path : Path
        A video file, multi-page TIFF or folder of images.
    known : dict of str to str
        ``subject``, ``group`` or ``session``, as far as somebody said so.
    """

    path: Path
    known: dict[str, str] = field(default_factory=dict)


def recordings_of(sources: Iterable[Source], table: Sequence[Recording]) -> list[Recording]:
    """Make a recording of every file that the table does not hold yet.

    Parameters
    ----------
    sources : iterable of Source
        The files.
    table : sequence of Recording
        What is there already.

    Returns
    -------
    list of Recording
        Named by the file's stem, which is also taken as the subject where that is not known.
    """
    added: list[Recording] = []
    for source in sources:
        path = source.path.resolve()
        names = [recording.name for recording in (*table, *added)]
        if path in (recording.path for recording in (*table, *added)):
            continue
        name = unique_name(path.stem.strip(". ") or "recording", names)
        values = {"subject": name, "group": NEW_GROUP} | source.known
        added.append(Recording.checked(str(path), name=name, path=path, **values))
    return added


def videos_in(paths: Iterable[Path], report: Report) -> list[Path]:
    """Give the videos in folders, and in the folders within; a folder without any may be one of numbered images."""
    found: list[Path] = []
    for path in paths:
        videos = []
        for folder, folders, names in os.walk(path):  # gives nothing for a file
            report(Progress(f"looking for videos in {path.name}", 0, 0))
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            videos += [Path(folder, name) for name in sorted(names) if name.lower().endswith(VIDEO_SUFFIXES)]
        found += [video for video in videos if not video.name.startswith(".")] or [path]
    return found


@dataclass(frozen=True)
class Looked:
    """What a look at files told.

    Attributes
    ----------
    recordings : list of Path
        Those that can be read, and the videos in folders.
    problems : dict of Path to str
        Why others cannot.
    """

    recordings: list[Path]
    problems: dict[Path, str]


def look_at(coming: list[Path], report: Report) -> Looked:
    """Tell which files are recordings, in a thread.

    They are taken out of ``coming``, so that none is looked at again whatever happens; those that come meanwhile stay.
    """
    paths = list(coming)
    del coming[: len(paths)]
    looked = Looked([], {})
    videos = videos_in(paths, report)
    for i, path in enumerate(videos):
        report(Progress("looking at files", i, len(videos)))
        try:
            glance(path)
            looked.recordings.append(path)
        except UbamError as error:
            looked.problems[path] = str(error)
    return looked


def known_of(attributes: Mapping[str, object]) -> dict[str, str]:
    """Pick what a layer's metadata say of a recording: its subject, group and session."""
    return {name: str(attributes[name]) for name in ("subject", "group", "session") if name in attributes}


def merged(table: Sequence[Recording], imported: Iterable[Recording]) -> tuple[Recording, ...]:
    """Put imported rows into the table; a row that shows the same part of the same file is replaced."""
    rows = {_part(recording): recording for recording in table}
    for recording in imported:
        known = rows.get(_part(recording))
        name = known.name if known else unique_name(recording.name, [other.name for other in rows.values()])
        rows[_part(recording)] = recording.model_copy(update={"name": name})
    return tuple(rows.values())


def _part(recording: Recording) -> tuple[object, ...]:
    whose = recording.individual if recording.boxes is not None else None
    return recording.path, recording.region, recording.boxes, whose, recording.start, recording.stop


def copy_layer(folder: Path, name: str, frames: Any, fps: float, report: Report) -> Path:
    """Copy a layer's frames without loss into a study's folder; ``report`` may stop it.

    Raises
    ------
    UbamError
        If the layer is no series of 8-bit pictures, or cannot be written.
    """
    return save_layer(folder, name, _Watched(frames, name, report), fps)


class _Watched:
    """Frames that report each time one of them is read."""

    def __init__(self, frames: Any, name: str, report: Report) -> None:
        self.shape, self.dtype = frames.shape, frames.dtype
        self._frames, self._name, self._report = frames, name, report

    def __getitem__(self, frame: int) -> Any:
        self._report(Progress(f"copying {self._name}", frame, self.shape[0]))
        return self._frames[frame]
