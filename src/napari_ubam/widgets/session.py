"""What the widgets of one viewer share: the study that is open, its unsaved changes, and its training."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from qtpy.QtCore import QObject, Signal

from napari_ubam.errors import StudyError
from napari_ubam.settings import StudySettings
from napari_ubam.study import Interval, Recording, Study
from napari_ubam.widgets.training_process import TrainingProcess, TrainingState

if TYPE_CHECKING:
    from napari.viewer import Viewer

NO_STUDY = "No study is open: make or open one in the Study widget."

_sessions: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()


class Session(QObject):
    """The open study of one viewer.

    The table of recordings may be edited before there is a folder and after; ``study`` is
    what lies on disk, which is what the steps read.
    """

    table_changed = Signal()  # recordings or reference group
    study_changed = Signal()  # another study, or the same one saved
    modified_changed = Signal(bool)
    results_changed = Signal()  # models were trained, or embeddings or deviations computed
    chosen_changed = Signal()  # frames were chosen on the map

    def __init__(self) -> None:
        super().__init__()
        self.study: Study | None = None
        self.folder: Path | None = None  # where the study is, or will be when it is saved
        self.recordings: tuple[Recording, ...] = ()
        self.reference = ""
        self.settings = StudySettings()
        self.modified = False
        self.chosen: tuple[Interval, ...] = ()
        self.training = TrainingProcess()
        self.training.state_changed.connect(self._on_training_state_changed)

    def edit(
        self,
        *,
        recordings: Iterable[Recording] | None = None,
        reference: str | None = None,
        settings: StudySettings | None = None,
    ) -> None:
        """Change the table; the study on disk stays as it is until `save`."""
        if recordings is not None:
            self.recordings = tuple(recordings)
        if settings is not None:
            self.settings = settings
        groups = [recording.group for recording in self.recordings]
        self.reference = reference or self.reference
        if self.reference not in groups:  # its last recording was removed or renamed
            self.reference = groups[0] if groups else ""
        self._set_modified(True)
        self.table_changed.emit()

    def clear(self) -> None:
        """Start afresh, with an empty table and no folder."""
        self.study, self.folder = None, None
        self.recordings, self.reference, self.settings = (), "", StudySettings()
        self._after_load()

    def open(self, folder: Path) -> None:
        """Open the study in ``folder``.

        Raises
        ------
        StudyError
            If it is no study, or cannot be read.
        """
        self._take(Study.open(folder))

    def save(self) -> None:
        """Write the table to the study, or make the study in ``folder`` if there is none yet.

        Raises
        ------
        StudyError
            If something in the table is not right, or ``folder`` holds another study already.
        """
        if self.study is not None:
            study = self.study.replace(recordings=self.recordings, reference=self.reference, settings=self.settings)
            study.save()
        elif self.folder is not None:
            study = Study.create(self.folder, self.recordings, self.reference, self.settings)
        else:
            raise StudyError("The study has no folder yet: save it in the Study widget first.")
        self._take(study)

    def choose(self, intervals: Iterable[Interval]) -> None:
        """Let these frames be the chosen ones, in all widgets."""
        self.chosen = tuple(intervals)
        self.chosen_changed.emit()

    @property
    def hint(self) -> str:
        """What has to be done before any step, if anything."""
        return "" if self.study is not None else NO_STUDY

    def saved_study(self) -> Study:
        """Give the study as the steps will read it; changes of the table are saved first.

        Raises
        ------
        StudyError
            If no study is open, or its table cannot be saved as it is.
        """
        if self.study is None:
            raise StudyError(NO_STUDY)
        if self.modified:
            self.save()
        return self.study

    def _on_training_state_changed(self, state: TrainingState) -> None:
        if state is TrainingState.DONE:
            self.results_changed.emit()

    def _take(self, study: Study) -> None:
        self.study, self.folder, self.recordings = study, study.folder, study.recordings
        self.reference, self.settings = study.reference, study.settings
        self._after_load()

    def _after_load(self) -> None:
        self._set_modified(False)
        self.choose(())
        self.table_changed.emit()
        self.study_changed.emit()

    def _set_modified(self, modified: bool) -> None:
        self.modified = modified
        self.modified_changed.emit(modified)


def session_of(viewer: Viewer) -> Session:
    """Give the session of a viewer; the widgets of the same viewer get the same one."""
    viewer = getattr(viewer, "__wrapped__", viewer)  # napari gives plugins a proxy of its own
    if viewer not in _sessions:
        _sessions[viewer] = Session()
    return _sessions[viewer]
