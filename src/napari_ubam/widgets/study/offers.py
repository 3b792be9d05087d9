"""What the *Study* widget offers to go on with: the last study, and what could not be saved before napari ended."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.theme import get_theme
from qtpy.QtCore import QMargins, Qt, Signal
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_ubam.study.drafts import Draft
from napari_ubam.study.study import is_study
from napari_ubam.widgets.notices import errors_shown
from napari_ubam.widgets.remembered import last_study, remember_study
from napari_ubam.widgets.session import Session, offered_drafts

if TYPE_CHECKING:
    from napari.viewer import Viewer

_RESTORE, _DISCARD, _WIDGETS, _FORGET = "restore", "discard", "widgets", "forget"


class Offers(QWidget):
    """Links that are shown as long as there is nothing that would be replaced.

    Attributes
    ----------
    last : QLabel
        Offers the study that was open last, or says that it is gone.
    draft : QLabel
        Offers the table that was not saved: of the study that is open, or the newest where none is.
    """

    study_requested = Signal(object)  # Path: the last study
    widgets_requested = Signal(object)  # list of str: names of those that were open then

    def __init__(self, session: Session, viewer: Viewer) -> None:
        super().__init__()
        self.session, self.viewer = session, viewer
        self.last, self.draft = _link_label("Last study"), _link_label("Table that was not saved")
        self._drafts: dict[Path, Draft] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(QMargins())
        column.addWidget(self.last)
        column.addWidget(self.draft)
        self.last.linkActivated.connect(self._on_last_taken)
        self.draft.linkActivated.connect(self._on_draft_answered)
        session.study_changed.connect(self._on_study_changed)
        session.table_changed.connect(self._show)
        session.modified_changed.connect(self._show)
        viewer.events.theme.connect(self._on_theme_changed)
        self._on_study_changed()

    def _on_study_changed(self) -> None:
        self._drafts = offered_drafts()
        self._show()

    def _on_theme_changed(self) -> None:
        self._show()

    def _link(self, to: str, text: str) -> str:
        """Write a link in the theme's colour of text: Qt's own blue is not to be read on dark ground."""
        return f'<a href="{to}" style="color: {get_theme(self.viewer.theme).text.as_hex()}">{escape(text)}</a>'

    def _on_last_taken(self, link: str) -> None:
        last = last_study()
        if link == _FORGET:
            remember_study(None)
        elif last is not None and is_study(last):
            self.study_requested.emit(last)
            if link == _WIDGETS:
                self.widgets_requested.emit(self._widgets())
        self._show()

    def _widgets(self) -> list[str]:
        """Name the widgets that were open last, and are not now."""
        return [name for name in self.session.docks_before if name not in (*self.session.docks, "Study")]

    def _on_draft_answered(self, answer: str) -> None:
        if (path := self._offered()) is not None:
            draft = self._drafts.pop(path)
            if answer == _DISCARD:
                path.unlink(missing_ok=True)
            else:
                with errors_shown():
                    self.session.restore(path, draft)
        self._show()

    def _offered(self) -> Path | None:
        here, is_empty = self.session.folder, not self.session.recordings
        if self.session.modified or (self.session.study is None and not is_empty):
            return None
        return next((path for path, draft in self._drafts.items() if here is None or draft.folder == here), None)

    def _show(self) -> None:
        last = last_study() if self.session.study is None and not self.session.recordings else None
        if last is not None:
            self.last.setText(self._offer_of(last) if is_study(last) else self._told_of_gone(last))
            self.last.setToolTip(str(last))
        path = self._offered()
        if path is not None:
            restore, discard = self._link(_RESTORE, _RESTORE), self._link(_DISCARD, _DISCARD)
            self.draft.setText(f"{_described(self._drafts[path])}: {restore} or {discard} it.")
        self.last.setVisible(last is not None)
        self.draft.setVisible(path is not None)
        self.setVisible(last is not None or path is not None)

    def _offer_of(self, last: Path) -> str:
        text = f"Go on with the last study: {self._link(last.as_uri(), last.name)}"
        if widgets := self._widgets():
            text += f", or {self._link(_WIDGETS, f'with {_in_words(widgets)} as then')}"
        return text

    def _told_of_gone(self, last: Path) -> str:
        where = escape(str(last)).replace(os.sep, f"{os.sep}&#8203;")  # so that a long one is wrapped
        forget = self._link(_FORGET, "forget it")
        return f"The last study is not in {where} any more. If it was moved, Open… it there, or {forget}."


def _link_label(name: str) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setAccessibleName(name)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)  # by mouse and by keys
    return label


def _described(draft: Draft) -> str:
    when = time.strftime("%d %b %H:%M", time.localtime(draft.when))
    of = f" of the study {escape(draft.folder.name)}" if draft.folder is not None else ""
    return f"A table{of} with {len(draft.recordings)} recordings was not saved ({when})"


def _in_words(names: Sequence[str]) -> str:
    """Join names, as in "Train, Embedding and Magnify"."""
    *some, last = names
    return f"{', '.join(some)} and {last}" if some else last
