"""What the study's table shows beside what was typed: lengths, pictures and states, found in threads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

import numpy as np
from qtpy.QtCore import QObject, Qt, QTimer, Signal
from qtpy.QtGui import QImage

from napari_ubam.errors import UbamError
from napari_ubam.study import Recording, Study
from napari_ubam.study.state import State, states
from napari_ubam.video.glance import Glance, glance
from napari_ubam.widgets.latest_call import LatestCall
from napari_ubam.widgets.notices import tell_error
from napari_ubam.widgets.session import Session, Table

PICTURE = 256  # px: the longer side of the region's picture
_AT_ONCE = 4  # files
_DELAY = 200  # milliseconds: what is changed in a row is looked at once


@dataclass(frozen=True, eq=False)
class Facts:
    """What a look at a recording's file told.

    Attributes
    ----------
    missing : bool
        There is no such file.
    problem : str
        Why it cannot be read; empty if it can.
    frames : int
        About how many frames count.
    fps : float
        Frames per second; 0 if unknown.
    picture : QImage or None
        The region of interest in the first frame.
    """

    missing: bool = False
    problem: str = ""
    frames: int = 0
    fps: float = 0.0
    picture: QImage | None = None

    @property
    def length(self) -> str:
        """The length in words, such as ``1:20 min``."""
        if not self.fps:
            return f"{self.frames} frames" if self.frames else ""
        seconds = self.frames / self.fps
        if seconds < 60:
            return f"{seconds:.1f} s"
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes}:{rest:02} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02} h"


_Key = tuple[object, ...]
_Found = tuple[object, Facts]  # with the stamp of the file that they were found in


class StudyFacts(QObject):
    """Looks at the files of a session's recordings, and how far they are, whenever something may have changed.

    What its threads do knows nothing of it: an object of Qt must not be let go of by a thread.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._facts: dict[_Key, _Found] = {}
        self._states: dict[str, State] = {}
        self._todo: list[Recording] = []
        self._closed = Event()
        self._files, self._judged = LatestCall(self), LatestCall(self)
        self._files.done.connect(self._on_looked)
        self._files.failed.connect(self._on_failed)
        self._judged.done.connect(self._on_judged)
        self._judged.failed.connect(tell_error)
        self._later, self._told = _timer(self, self._look), _timer(self, self.changed.emit)
        for signal in (session.table_changed, session.study_changed, session.results_changed):
            signal.connect(self.look_again)
        self.look_again()

    def of(self, recording: Recording) -> Facts | None:
        """Give what is known of a recording's file so far."""
        known = self._facts.get(_key(recording))
        return None if known is None else known[1]

    def state(self, recording: Recording) -> State | None:
        """Give how far a recording is, where that is known so far: without a study nothing was done."""
        if self._session.study is None:
            facts = self.of(recording)
            return State(missing=facts.problem if facts is not None and facts.missing else "")
        return self._states.get(recording.name)

    def missing(self) -> list[Recording]:
        """Give the recordings whose file is known to be missing."""
        return [x for x in self._session.recordings if (facts := self.of(x)) is not None and facts.missing]

    def look_again(self) -> None:
        """Look soon; what has not changed costs little."""
        if not self._closed.is_set():
            self._later.start()

    def close(self) -> None:
        """Look no more; whatever is just being looked at is forgotten. The session may be gone by then."""
        self._closed.set()
        self._later.stop()
        self._told.stop()
        self._files.close()
        self._judged.close()

    def _look(self) -> None:
        self._todo = list(self._session.recordings)
        self._look_at_some()
        study = self._session.study
        if study is not None and self._session.recordings:
            self._judged.ask(partial(_judge, study, self._session.table, self._closed))
        elif self._states:
            self._on_judged({})

    def _look_at_some(self) -> None:
        """Look at the next files, unless some are looked at already."""
        if self._todo and not self._files.busy:
            some, self._todo = self._todo[:_AT_ONCE], self._todo[_AT_ONCE:]
            known = {_key(x): self._facts.get(_key(x)) for x in some}
            self._files.ask(partial(_look_at, some, known))

    def _on_looked(self, found: dict[_Key, _Found]) -> None:
        self._facts |= found
        if found and not self._told.isActive():
            self._told.start()
        self._look_at_some()

    def _on_failed(self, error: Exception) -> None:
        tell_error(error)
        self._look_at_some()

    def _on_judged(self, found: dict[str, State]) -> None:
        if found != self._states:
            self._states = found
            self.changed.emit()


def _look_at(recordings: Iterable[Recording], known: Mapping[_Key, _Found | None]) -> dict[_Key, _Found]:
    """Look at files that are new or have changed; in a thread."""
    found: dict[_Key, _Found] = {}
    for recording in recordings:
        stamp, before = _stamp(recording.path), known[_key(recording)]
        if before is None or before[0] != stamp:
            found[_key(recording)] = stamp, _facts_of(recording)
    return found


def _judge(study: Study, table: Table, closed: Event) -> dict[str, State]:
    """Say how far a table's recordings are; in a thread."""
    found = {}
    try:
        edited = study.replace(recordings=table.recordings, reference=table.reference, settings=table.settings)
    except UbamError:  # such a table cannot be saved, which is told elsewhere
        return {}
    for name, state in states(edited):
        if closed.is_set():
            break
        found[name] = state
    return found


def _timer(parent: QObject, on_timeout: object) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(_DELAY)
    timer.timeout.connect(on_timeout)
    return timer


def _key(recording: Recording) -> _Key:
    return recording.path, recording.region, recording.start, recording.stop


def _stamp(path: Path) -> object:
    """Give what tells whether a file has changed; None if it is missing."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _facts_of(recording: Recording) -> Facts:
    if not recording.path.exists():
        return Facts(missing=True, problem=f"{recording.path} is missing.")
    try:
        seen = glance(recording.path)
        return Facts(frames=len(recording.frames(seen.length)), fps=seen.fps, picture=_region_picture(seen, recording))
    except UbamError as error:
        return Facts(problem=str(error))


def _region_picture(seen: Glance, recording: Recording) -> QImage:
    picture = seen.picture
    if recording.region is not None:
        x, y, width, height = recording.region
        inside = picture[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
        picture = inside if inside.size else picture  # that it lies beside the picture is told by the steps
    pixels = np.ascontiguousarray(picture)
    height, width = pixels.shape[:2]
    image = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    return image.scaled(PICTURE, PICTURE, keep, smooth)  # a copy: the pixels may go
