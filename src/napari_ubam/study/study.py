"""The study: a folder that holds the recordings' table, settings, models, embeddings and results."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from napari_ubam import __version__
from napari_ubam.errors import StudyError
from napari_ubam.files import write_text
from napari_ubam.settings import StudySettings
from napari_ubam.study.recording import Recording
from napari_ubam.study.table import read_table, write_table

FORMAT_VERSION = 1  # of the files in a study's folder; raise it when an older napari-ubam could not read them
SETTINGS_FILE, TABLE_FILE, LAYERS_FOLDER = "study.toml", "recordings.csv", "recordings"
_KEYS = ("format_version", "version", "reference", "settings")


def is_study(folder: Path) -> bool:
    """Tell whether a folder holds a study."""
    return (folder / SETTINGS_FILE).is_file()


@dataclass(frozen=True)
class Study:
    """What is compared with what, and where it lies on disk.

    Attributes
    ----------
    folder : Path
        Where the study lies, absolute.
    settings : StudySettings
        What holds for the whole study.
    reference : str
        The group that deviations are measured from.
    recordings : tuple of Recording
        In the table's order; names are unique, and each subject is in one group.
    """

    folder: Path
    settings: StudySettings
    reference: str
    recordings: tuple[Recording, ...]

    def __post_init__(self) -> None:
        _check_recordings(self.recordings, self.folder)
        if self.reference not in self.groups:
            raise StudyError(
                f"No recording of the study {self.folder} is in the reference group {self.reference!r}. "
                f"Choose one of its groups: {self.describe_groups()}."
            )

    @classmethod
    def create(
        cls,
        folder: str | Path,
        recordings: Iterable[Recording],
        reference: str,
        settings: StudySettings | None = None,
    ) -> Study:
        """Make a study and write it to a folder.

        Parameters
        ----------
        folder : str or Path
            A folder that holds no study yet; it is made where it does not exist.
        recordings : iterable of Recording
            At least one.
        reference : str
            The group that deviations are measured from.
        settings : StudySettings, optional
            What holds for the whole study.

        Raises
        ------
        StudyError
            If a study is there already, no recording is in the reference group, a subject is in two groups,
            or two recordings have one name.
        """
        folder = Path(folder).resolve()
        if (folder / SETTINGS_FILE).exists():
            raise StudyError(f"There is a study in {folder} already. Open it, or choose another folder.")
        if folder.exists() and not folder.is_dir():
            raise StudyError(f"{folder} is a file. Choose a folder for the study.")
        study = cls(folder, settings or StudySettings(), reference, tuple(recordings))
        study.save()
        return study

    @classmethod
    def open(cls, folder: str | Path) -> Study:
        """Read a study from its folder.

        Parameters
        ----------
        folder : str or Path
            The folder that holds ``study.toml``.

        Raises
        ------
        StudyError
            If there is no study, a newer napari-ubam made it, or a file of it is not as it should be.
        """
        folder = Path(folder).resolve()
        path = folder / SETTINGS_FILE
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (FileNotFoundError, NotADirectoryError) as error:
            raise StudyError(
                f"{folder} is not a study: it has no {SETTINGS_FILE}. Choose a study's folder, or make one with: "
                f"napari-ubam init {folder} --recordings TABLE.csv --reference GROUP"
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise StudyError(f"{path} cannot be read: {error}. Restore it, or make the study again.") from error
        content = _parse(path, text)
        return cls(folder, content["settings"], content["reference"], tuple(read_table(folder / TABLE_FILE)))

    def save(self) -> None:
        """Write ``recordings.csv`` and ``study.toml``, each atomically."""
        content = {
            "format_version": FORMAT_VERSION,
            "version": __version__,
            "reference": self.reference,
            "settings": self.settings.model_dump(),
        }
        write_table(self.folder / TABLE_FILE, self.recordings)
        write_text(self.folder / SETTINGS_FILE, tomli_w.dumps(content))  # last: it is what makes a folder a study

    def stamp(self) -> tuple[tuple[int, int], ...]:
        """Give what tells whether the files that `save` writes were changed: their times [ns] and sizes [bytes]."""
        paths = [self.folder / name for name in (SETTINGS_FILE, TABLE_FILE)]
        return tuple((path.stat().st_mtime_ns, path.stat().st_size) for path in paths if path.exists())

    def replace(
        self,
        *,
        recordings: Iterable[Recording] | None = None,
        reference: str | None = None,
        settings: StudySettings | None = None,
    ) -> Study:
        """Give the study with other content; nothing is written until `save`.

        Parameters
        ----------
        recordings, reference, settings
            What to replace; None keeps it.

        Raises
        ------
        StudyError
            As `create` does.
        """
        return replace(
            self,
            recordings=self.recordings if recordings is None else tuple(recordings),
            reference=self.reference if reference is None else reference,
            settings=self.settings if settings is None else settings,
        )

    def recording(self, name: str) -> Recording:
        """Find a recording by its name.

        Raises
        ------
        StudyError
            If there is none, naming the closest ones.
        """
        names = [recording.name for recording in self.recordings]
        if name in names:
            return self.recordings[names.index(name)]
        close = difflib.get_close_matches(name, names, cutoff=0.5)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"Its recordings are: {', '.join(names[:10])}."
        raise StudyError(f"The study {self.folder} has no recording {name!r}. {hint}")

    def is_reference(self, recording: Recording) -> bool:
        """Tell whether a recording's subject is in the reference group."""
        return recording.group == self.reference

    @property
    def groups(self) -> list[str]:
        """All groups, in the order of their first recording."""
        return list(dict.fromkeys(recording.group for recording in self.recordings))

    @property
    def subjects(self) -> dict[str, str]:
        """Each subject's group, in the order of their first recording."""
        return {recording.subject: recording.group for recording in self.recordings}

    def describe_groups(self) -> str:
        """Say how many subjects each group has, as in ``healthy (12 subjects), impaired (1 subject)``."""
        counts = Counter(self.subjects.values())
        return ", ".join(f"{group} ({n} subject{'s' if n > 1 else ''})" for group, n in counts.items())

    @property
    def cache_folder(self) -> Path:
        """Where crops are kept; may be deleted at any time."""
        return self.folder / "cache"

    @property
    def boxes_folder(self) -> Path:
        """Where the boxes of tracked recordings lie."""
        return self.folder / "boxes"

    @property
    def models_folder(self) -> Path:
        """Where trained models and the training log lie."""
        return self.folder / "models"

    @property
    def layers_folder(self) -> Path:
        """Where layers that had no file are copied to."""
        return self.folder / LAYERS_FOLDER

    @property
    def embeddings_folder(self) -> Path:
        """Where embeddings lie, one Zarr group a recording."""
        return self.folder / "embeddings"

    @property
    def results_folder(self) -> Path:
        """Where tables, figures, reports and magnified videos lie."""
        return self.folder / "results"


def _check_recordings(recordings: Iterable[Recording], folder: Path) -> None:
    names: set[str] = set()
    group_of: dict[str, str] = {}
    for recording in recordings:
        if recording.name.casefold() in names:
            raise StudyError(
                f"The study {folder} has two recordings with the name {recording.name!r}. "
                "Give one of them another name."
            )
        names.add(recording.name.casefold())
        group = group_of.setdefault(recording.subject, recording.group)
        if group != recording.group:
            raise StudyError(
                f"Subject {recording.subject!r} is in two groups of the study {folder}: {group!r} and "
                f"{recording.group!r} (recording {recording.name!r}). Give each subject one group; "
                "for visits or days use the column 'session'."
            )
    if not names:
        raise StudyError(f"The study {folder} has no recording. Add at least one.")


def _parse(path: Path, text: str) -> dict[str, Any]:
    """Read study.toml; its settings come back as StudySettings."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path} is not valid TOML: {error}. Correct that line.") from error
    made_by = f"napari-ubam {content.get('version', 'of unknown version')}"
    version = content.get("format_version")
    if not isinstance(version, int) or version < 1:
        where = _at(path, text, "format_version")
        raise StudyError(f"{where}: there must be a line 'format_version = {FORMAT_VERSION}'.")
    if version > FORMAT_VERSION:
        raise StudyError(
            f"The study {path.parent} was made by {made_by} (study format {version}); this is napari-ubam "
            f"{__version__}, which reads formats up to {FORMAT_VERSION}. "
            "Upgrade with: pip install --upgrade napari-ubam"
        )
    for key in content:
        if key not in _KEYS:
            raise StudyError(f"{_at(path, text, key)}: {key!r} is not known. Remove it, or correct its spelling.")
    if not isinstance(content.get("reference"), str):
        raise StudyError(f"{_at(path, text, 'reference')}: there must be a line 'reference = \"GROUP\"'.")
    try:
        return content | {"settings": StudySettings.model_validate(content.get("settings", {}))}
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else "settings"
        hint = "Remove it, or correct its spelling" if first["type"] == "extra_forbidden" else first["msg"]
        raise StudyError(f"{_at(path, text, key)}: {key} = {first['input']!r} cannot be used. {hint}.") from error


def _at(path: Path, text: str, key: str) -> str:
    """Name the file and, where it is found, the line of a key."""
    found = re.search(rf"^[ \t\[]*[\"']?{re.escape(key)}[\"']?[ \t]*[=\].]", text, re.MULTILINE)
    return f"{path}, line {text.count(chr(10), 0, found.start()) + 1}" if found else str(path)
