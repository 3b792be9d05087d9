"""Tables that could not be saved yet, kept in the user's state folder so that a crash loses nothing."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from platformdirs import user_state_path
from pydantic import BaseModel, ConfigDict, Field

from napari_ubam.files import write_text
from napari_ubam.processes import find_process, this_process
from napari_ubam.settings import StudySettings
from napari_ubam.study.recording import Recording

FOLDER_VARIABLE = "NAPARI_UBAM_STATE"  # of the environment: where to keep them instead


class Draft(BaseModel):
    """A table as it was edited: of a study without a folder, or one that could not be saved as it was.

    Attributes
    ----------
    folder : Path or None
        Where the study is, or will be; None if nobody has said so yet.
    recordings, reference, settings
        As of a `Study`, but for what must be right in one.
    when : float
        When it was written, in seconds since 1970.
    process : dict of str to float
        Which process wrote it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = 1
    folder: Path | None = None
    recordings: tuple[Recording, ...]
    reference: str
    settings: StudySettings
    when: float = Field(default_factory=time.time)
    process: dict[str, float] = Field(default_factory=this_process)


def drafts_folder() -> Path:
    """Give the folder that drafts are kept in."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    return (Path(chosen) if chosen else user_state_path("napari-ubam", appauthor=False)) / "drafts"


def new_draft_path() -> Path:
    """Give a draft a name of its own."""
    return drafts_folder() / f"{uuid.uuid4().hex}.json"


def write_draft(path: Path, draft: Draft) -> None:
    """Keep a draft, in place of an older one.

    Raises
    ------
    UbamError
        If it cannot be written.
    """
    write_text(path, draft.model_dump_json(indent=1) + "\n")


def left_drafts(kept: Collection[Path] = ()) -> dict[Path, Draft]:
    """Read the drafts that nobody works on any more, the newest first; damaged ones are passed over.

    Parameters
    ----------
    kept : collection of Path
        Those that this process works on. Those of other processes are left when these have ended.
    """
    drafts = {path: draft for path in drafts_folder().glob("[!.]*.json") if (draft := _read(path)) is not None}
    ours = this_process()
    left = [
        (path, draft)
        for path, draft in drafts.items()
        if (path not in kept if draft.process == ours else find_process(draft.process) is None)
    ]
    return dict(sorted(left, key=lambda item: item[1].when, reverse=True))


def _read(path: Path) -> Draft | None:
    try:
        return Draft.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
