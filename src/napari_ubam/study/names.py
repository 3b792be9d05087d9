"""Who is seen when and in which group, told by the names of files and folders."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from napari_ubam.errors import StudyError
from napari_ubam.study.editing import EDITABLE, changed
from napari_ubam.study.recording import Recording

_FIELD = re.compile(r"{([^{}/]*)}")


class NamePattern:
    """A pattern such as ``{subject}_{group}_{session}``, or with folders ``{group}/{subject}_day{session}``.

    Parameters
    ----------
    text : str
        Names in braces stand for what is to be found out: ``subject``, ``group``, ``session``, or a further column of
        the table. ``*`` stands for anything. All else is meant literally, upper and lower case being the same. The
        suffix of files is left out.

    Raises
    ------
    StudyError
        If it is none.
    """

    def __init__(self, text: str) -> None:
        parts = _FIELD.split(text.strip())
        self.fields = [name.strip() for name in parts[1::2]]
        twice = {name for name in self.fields if self.fields.count(name) > 1}
        if not self.fields or "" in self.fields or twice or re.search(r"[{}]", "".join(parts[::2])):
            why = f"{{{twice.pop()}}} is in it twice" if twice else "it has no name in braces, or a brace too many"
            raise StudyError(f"{text!r} is no pattern: {why}. Write one such as {{subject}}_{{group}}_{{session}}.")
        literal = [re.escape(part).replace(r"\*", "[^/]*?") for part in parts[::2]]
        found = [f"(?P<f{i}>[^/]+?)" for i in range(len(self.fields))]
        self._regex = re.compile(
            "".join(a + b for a, b in zip(literal, [*found, ""], strict=True)), re.IGNORECASE | re.DOTALL
        )
        self._depth = text.count("/") + 1

    def match(self, path: Path) -> dict[str, str] | None:
        """Give what a file's name tells, by the names in braces; None if it does not fit the pattern."""
        parts = [*path.parts[:-1], path.stem if path.suffix else path.name]
        found = self._regex.fullmatch("/".join(parts[-self._depth :]))
        return None if found is None else {name: found[f"f{i}"].strip() for i, name in enumerate(self.fields)}


def with_names_read(
    recordings: Sequence[Recording], rows: Collection[int], pattern: NamePattern
) -> tuple[Recording, ...]:
    """Write into some rows of the table what their files' names tell; those that do not fit stay as they are.

    Raises
    ------
    StudyError
        If a subject would then be in two groups, or a value cannot be used.
    """
    table = list(recordings)
    for i in rows:
        if found := pattern.match(table[i].path):
            own = {name: text for name, text in found.items() if name in EDITABLE}
            other = {name: text for name, text in found.items() if name not in EDITABLE}
            table[i] = changed(table[i], **own, covariates=table[i].covariates | other)
    groups: dict[str, str] = {}
    for recording in table:
        if groups.setdefault(recording.subject, recording.group) != recording.group:
            raise StudyError(
                f"Subject {recording.subject!r} would be in two groups, {groups[recording.subject]!r} and "
                f"{recording.group!r} (recording {recording.name}). Choose another pattern, or mend the table first."
            )
    return tuple(table)
