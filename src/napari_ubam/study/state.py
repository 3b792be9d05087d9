"""What is up to date: the one place that says so, for the steps and for those who show it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_ubam.errors import StudyError, VideoError
from napari_ubam.study.crops import crops_changes, crops_key, is_background_empty, key_changes
from napari_ubam.study.embeddings import fingerprint, read_embedding, read_provenance
from napari_ubam.study.recording import Recording
from napari_ubam.study.results import read_reference_provenance
from napari_ubam.study.study import Study

MODELS = ("posture", "behaviour")  # that embeddings are made with
_MOST_NAMED = 5  # recordings in a message
_FORMAT = 2  # of what is written beside the codes, and of how they are computed; raise it when either changes
_STEPS = {"cropped": "Train", "embedded": "Embedding", "measured": "Embedding"}  # and the widget that does it


@dataclass(frozen=True)
class State:
    """How far a recording is.

    Attributes
    ----------
    missing : str
        Which of its files is missing, and what to do; empty if none is.
    cropped, embedded, measured : tuple of str or None
        What has changed since that was done: nothing if it is up to date. None if it was not done.
    held : bool
        Whether the subject is in the background, while others' backgrounds are without theirs.
    """

    missing: str = ""
    cropped: tuple[str, ...] | None = None
    embedded: tuple[str, ...] | None = None
    measured: tuple[str, ...] | None = None
    held: bool = False

    @property
    def word(self) -> str:
        """Say it in a word or two."""
        done = [step for step in _STEPS if getattr(self, step) is not None]
        if self.missing:
            return "missing"
        if any(getattr(self, step) for step in done):
            return "out of date"
        return (done[-1] if done else "new") + (", background differs" if self.held else "")

    def __str__(self) -> str:
        """Say it in full: one line a step, with what to do."""
        if self.missing:
            return self.missing
        lines = []
        for step, widget in _STEPS.items():
            changes = getattr(self, step)
            if changes is None:
                lines.append(f"{step}: not yet (see the {widget} widget)")
            elif changes:
                lines.append(f"{step}: out of date, as {' and '.join(changes)} changed since (see the {widget} widget)")
            else:
                lines.append(f"{step}: yes")
        if self.held:
            lines.append(backgrounds_differ())
        return "\n".join(lines)


def states(study: Study) -> Iterator[tuple[str, State]]:
    """Tell of every recording how far it is, as the steps would see it now.

    Parameters
    ----------
    study : Study
        As it is to be judged; it need not be saved.

    Yields
    ------
    name : str
        The recording's.
    state : State
    """
    models = model_fingerprints(study)
    embedded = {x.name: embedding_changes(study, x, models) for x in study.recordings}
    codes = {name: codes_fingerprint(study, name) for name, changes in embedded.items() if changes is not None}
    used = [x for x in study.recordings if study.is_reference(x) and embedded[x.name] == ()]
    reference = reference_fingerprint((x.subject, codes[x.name]) for x in used)
    cropped, missing = _cropped(study)
    current = (name for name, changes in cropped.items() if changes == ())
    held = holding_subject(study, {name: is_background_empty(study, name) for name in current})
    for name in (recording.name for recording in study.recordings):
        if name in missing:
            yield name, State(missing=missing[name])
            continue
        measured = _reference_changes(study, name, codes.get(name, ""), reference)
        if measured is not None and embedded[name] != ():
            measured = ("its embedding",)
        yield name, State("", cropped[name], embedded[name], measured, name in held)


def holding_subject(study: Study, is_empty: Mapping[str, bool | None]) -> list[str]:
    """Name the recordings in whose background the subject is, where it could be taken out of that of others.

    Parameters
    ----------
    study : Study
        Has the setting ``background``: nobody is taken out but with ``auto``.
    is_empty : mapping of str to bool or None
        By the recording's name, whether nothing of the subject is in its background; None if it has none.
    """
    held = [name for name, empty in is_empty.items() if empty is False]
    return held if study.settings.background == "auto" and any(is_empty.values()) else []


def made_of(study: Study, recording: Recording, models: dict[str, str]) -> dict[str, Any]:
    """Say what an embedding of the recording as it is, made with these models, depends on.

    Raises
    ------
    VideoError, StudyError
        If the video is missing, or the boxes are.
    """
    return {"format": _FORMAT, "crops": crops_key(study, recording), **models}


def embedding_changes(study: Study, recording: Recording, models: dict[str, str]) -> tuple[str, ...] | None:
    """Say what has changed since the recording was embedded, if it is to be embedded with these models.

    Returns
    -------
    tuple of str or None
        Empty if the embedding is up to date, None if there is none, or its video is missing.
    """
    about = read_provenance(study, recording.name)
    try:
        now = made_of(study, recording, models)
    except (VideoError, StudyError):
        return None
    if not about:
        return None
    before = about.get("made_of", {})
    if before == now:
        return ()
    changes = key_changes(before.get("crops", {}), now["crops"])
    if any(before.get(model) != models.get(model) for model in MODELS):
        changes = ("the training", *changes)
    return changes or ("the version of napari-ubam",)


def codes_fingerprint(study: Study, name: str) -> str:
    """Give the fingerprint of a recording's postures; empty if it has no embedding."""
    codes = read_provenance(study, name).get("codes")
    try:
        return codes or fingerprint(read_embedding(study, name).posture)  # older ones do not say
    except StudyError:
        return ""


def reference_fingerprint(recordings: Iterable[tuple[str, str]]) -> str:
    """Give a short text that changes with whom deviations are measured from.

    Parameters
    ----------
    recordings : iterable of (str, str)
        Subject, and fingerprint of the postures, of each recording of the reference group.
    """
    return hashlib.sha256("\n".join(sorted(map(" ".join, recordings))).encode()).hexdigest()[:16]


def model_fingerprints(study: Study) -> dict[str, str]:
    """Give a short text for each model of the study that embeddings are made with, if it is trained."""
    files = {model: study.models_folder / model / "model.safetensors" for model in MODELS}
    return {model: file_fingerprint(file) for model, file in files.items() if file.is_file()}


def file_fingerprint(path: Path) -> str:
    """Give a short text that is another one where a file's content is."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def backgrounds_differ(held: Sequence[str] = ()) -> str:
    """Warn of the recordings in whose background the subject is, where others' are without it; of this one by itself
    if none is named.
    """
    names = ", ".join(held[:_MOST_NAMED]) + (f" and {len(held) - _MOST_NAMED} more" if len(held) > _MOST_NAMED else "")
    return (
        f"A subject that never leaves its place could not be taken out of the background of {names or 'this one'}, as "
        "it was in the other recordings, which may look like deviation. Draw the region so that more of the room is in "
        'it, or set background = "median" in the settings of the study (study.toml), so that all are alike; then train '
        "again."
    )


def _cropped(study: Study) -> tuple[dict[str, tuple[str, ...] | None], dict[str, str]]:
    """Say of every recording what has changed since it was cropped; or, of some, which of its files is missing."""
    cropped, missing = {}, {}
    for recording in study.recordings:
        try:
            cropped[recording.name] = crops_changes(study, recording)
        except (VideoError, StudyError) as error:
            missing[recording.name] = str(error)
    return cropped, missing


def _reference_changes(study: Study, name: str, codes: str, reference: str) -> tuple[str, ...] | None:
    about = read_reference_provenance(study, name)
    if not about:
        return None
    if about.get("embedding") != codes:
        return ("its embedding",)
    return ("the reference group",) if (about.get("reference") or reference) != reference else ()
