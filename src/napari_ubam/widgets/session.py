"""What the widgets of one viewer share: the study that is open, its unsaved changes, and its training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from qtpy.QtCore import QCoreApplication, QObject, QTimer, Signal
from qtpy.QtGui import QUndoCommand, QUndoStack

from napari_ubam.errors import StudyError, UbamError
from napari_ubam.settings import StudySettings
from napari_ubam.study import Interval, Recording, Study
from napari_ubam.study.drafts import Draft, left_drafts, new_draft_path, write_draft
from napari_ubam.study.study import is_study
from napari_ubam.widgets.remembered import last_widgets
from napari_ubam.widgets.train.training_process import TrainingProcess, TrainingState

if TYPE_CHECKING:
    from napari.viewer import Viewer

NO_STUDY = "No study is open: make or open one in the Study widget."

_DELAY = 1000  # milliseconds from an edit until it is saved

_sessions: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()


@dataclass(frozen=True)
class Table:
    """What is edited: the recordings, and what holds for all of them."""

    recordings: tuple[Recording, ...] = ()
    reference: str = ""
    settings: StudySettings = field(default_factory=StudySettings)


class Session(QObject):
    """The open study of one viewer.

    The table of recordings may be edited before there is a folder and after; ``study`` is
    what lies on disk, which is what the steps read. Every edit can be undone with ``undo``, and is
    saved by itself soon after it was made: to the study, or as a draft as long as it has no folder or cannot be saved
    as it is.

    Attributes
    ----------
    problem : str
        Why the last edits could not be saved by themselves; empty if they were.
    docks, docks_before : list of str
        Our widgets that are open in the viewer, and those that were when napari was closed.
    draft : Path or None
        Where they are kept that are not saved.
    """

    table_changed = Signal()  # recordings or reference group
    study_changed = Signal()  # another study, or none
    study_saved = Signal(object)  # Study: the same one was saved, this is what it was before
    modified_changed = Signal(bool)
    results_changed = Signal()  # models were trained, or embeddings or deviations computed
    chosen_changed = Signal()  # frames were chosen on the map

    def __init__(self) -> None:
        super().__init__()
        self.study: Study | None = None
        self.folder: Path | None = None  # where the study is, or will be when it is saved
        self.table = Table()
        self.undo = QUndoStack(self)
        self.undo.cleanChanged.connect(self._on_clean_changed)
        self.undo.indexChanged.connect(self._on_edited)
        self.problem = ""
        self.draft: Path | None = None
        self._discarded = False
        self._on_disk: object = None  # stamps of the study's files, as we know them
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_DELAY)
        self._soon.timeout.connect(self.save_by_itself)
        if (app := QCoreApplication.instance()) is not None:
            app.aboutToQuit.connect(self.save_by_itself)
        self.docks: list[str] = []
        self.docks_before = last_widgets()
        self.chosen: tuple[Interval, ...] = ()
        self.training = TrainingProcess()
        self.training.state_changed.connect(self._on_training_state_changed)

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """The table's rows."""
        return self.table.recordings

    @property
    def reference(self) -> str:
        """The reference group; empty where there are no recordings."""
        return self.table.reference

    @property
    def settings(self) -> StudySettings:
        """What holds for the whole study."""
        return self.table.settings

    @property
    def modified(self) -> bool:
        """Whether something was changed since the study was saved or opened."""
        return not self.undo.isClean()

    def edit(
        self,
        text: str = "change of the table",
        *,
        recordings: Iterable[Recording] | None = None,
        reference: str | None = None,
        settings: StudySettings | None = None,
    ) -> None:
        """Change the table.

        Parameters
        ----------
        text : str
            What is done, as it goes on after "Undo".
        recordings, reference, settings
            What to replace; None keeps it.
        """
        table = Table(
            self.recordings if recordings is None else tuple(recordings),
            reference or self.reference,
            self.settings if settings is None else settings,
        )
        groups = [recording.group for recording in table.recordings]
        if table.reference not in groups:  # its last recording was removed or renamed
            table = replace(table, reference=groups[0] if groups else "")
        if table != self.table:
            self.undo.push(_Edit(self, table, text))

    def show(self, table: Table) -> None:
        """Take a table as it is; use `edit`, which can be undone."""
        self.table = table
        self.table_changed.emit()

    def clear(self) -> None:
        """Start afresh, with an empty table and no folder."""
        self._load(None, Table())

    def open(self, folder: Path) -> None:
        """Open the study in ``folder``.

        Raises
        ------
        StudyError
            If it is no study, or cannot be read.
        """
        study = Study.open(folder)
        self._load(study, _table_of(study))

    def save(self) -> None:
        """Write the table to the study, or make the study in ``folder`` if there is none yet.

        Raises
        ------
        StudyError
            If something in the table is not right, ``folder`` holds another study already, or the study was moved.
        """
        if self.study is not None:
            if not is_study(self.study.folder):  # else a second one would be made of it
                raise StudyError("the study's folder is gone. Put it back, or Open the study where it is now.")
            study = self.study.replace(recordings=self.recordings, reference=self.reference, settings=self.settings)
            study.save()
        elif self.folder is not None:
            study = Study.create(self.folder, self.recordings, self.reference, self.settings)
        else:
            raise StudyError("The study has no folder yet: save it in the Study widget first.")
        before = self.study
        self.study, self.folder, self.problem = study, study.folder, ""
        self._on_disk = study.stamp()
        self.undo.setClean()
        self._keep_draft()
        if before is None:
            self.study_changed.emit()
        elif before != study:
            self.study_saved.emit(before)

    def save_by_itself(self) -> bool:
        """Save what was edited, if the study has a folder and nobody else has changed its files; else keep a draft.

        Tells whether nothing is left to be saved; what is in the way is told by ``problem``.
        """
        self._soon.stop()
        if self.modified and self.study is not None:
            try:
                if self.study.stamp() not in ((), self._on_disk):  # that it is gone is told when it is saved
                    raise StudyError(
                        "another program has changed the study. Save to write over that, or Open the study again."
                    )
                self.save()
            except UbamError as error:
                self.problem = str(error)
                self.modified_changed.emit(True)
        self._keep_draft()
        return not self.modified

    def discard(self) -> None:
        """Keep no draft of what was edited so far, as the user does not want it."""
        self._discarded = True
        self._keep_draft()

    def restore(self, path: Path, draft: Draft) -> None:
        """Take up what was edited and not saved, as an edit of the study that it belongs to.

        Raises
        ------
        StudyError
            If that study cannot be read; the draft stays.
        """
        if draft.folder is not None and is_study(draft.folder):
            self.open(draft.folder)
        else:
            self.clear()
            self.folder = draft.folder
        text = "taking up what was not saved"
        self.edit(text, recordings=draft.recordings, reference=draft.reference, settings=draft.settings)
        self.save_by_itself()
        path.unlink(missing_ok=True)

    def choose(self, intervals: Iterable[Interval]) -> None:
        """Let these frames be the chosen ones, in all widgets."""
        self.chosen = tuple(intervals)
        self.chosen_changed.emit()

    @property
    def place(self) -> str:
        """Where the study is, from the user's home folder if it lies there; empty without a folder."""
        if self.folder is None:
            return ""
        home = Path.home()
        return str(Path("~") / self.folder.relative_to(home) if self.folder.is_relative_to(home) else self.folder)

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

    def _keep_draft(self) -> None:
        """Keep what is not saved where it survives a crash; what is saved, or not wanted, needs no draft."""
        if self.modified and self.recordings and not self._discarded:
            self.draft = self.draft or new_draft_path()
            table = {"recordings": self.recordings, "reference": self.reference, "settings": self.settings}
            try:
                write_draft(self.draft, Draft(folder=self.folder, **table))
            except UbamError as error:
                self.problem = str(error)
                self.modified_changed.emit(True)
        elif self.draft is not None:
            self.draft.unlink(missing_ok=True)
            self.draft = None

    def _load(self, study: Study | None, table: Table) -> None:
        self._soon.stop()
        self.study, self.folder, self.problem = study, None if study is None else study.folder, ""
        self._on_disk = None if study is None else study.stamp()
        self.undo.clear()
        self._keep_draft()
        self.choose(())
        self.show(table)
        self.study_changed.emit()

    def _on_edited(self) -> None:
        self._discarded = False
        self._soon.start()

    def _on_clean_changed(self, clean: bool) -> None:
        self.modified_changed.emit(not clean)


class _Edit(QUndoCommand):
    """One change of the table; changes of the settings alone that follow one another are undone together."""

    _SETTINGS = 1

    def __init__(self, session: Session, table: Table, text: str) -> None:
        super().__init__(text)
        self._session, self._before, self.after = session, session.table, table
        self._only_settings = replace(table, settings=session.settings) == session.table

    def redo(self) -> None:
        self._session.show(self.after)

    def undo(self) -> None:
        self._session.show(self._before)

    def id(self) -> int:
        return self._SETTINGS if self._only_settings else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        assert isinstance(other, _Edit)  # by its id
        self.after = other.after
        return True


def offered_drafts() -> dict[Path, Draft]:
    """Give what was edited and not saved in sessions that are over, the newest first."""
    return left_drafts([session.draft for session in _sessions.values() if session.draft is not None])


def same_frames(one: Study, other: Study) -> bool:
    """Tell whether two states of a study have the same frames in the same crops: at most who is seen there differs."""
    said = {"subject", "group", "session", "covariates"}
    ones, others = ([x.model_dump(exclude=said) for x in study.recordings] for study in (one, other))
    return ones == others and one.settings == other.settings


def _table_of(study: Study) -> Table:
    return Table(study.recordings, study.reference, study.settings)


def session_of(viewer: Viewer) -> Session:
    """Give the session of a viewer; the widgets of the same viewer get the same one."""
    viewer = getattr(viewer, "__wrapped__", viewer)  # napari gives plugins a proxy of its own
    if viewer not in _sessions:
        _sessions[viewer] = Session()
    return _sessions[viewer]
