"""Changes of the table of recordings, each with what has to change with it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from napari_ubam.study.recording import Recording

EDITABLE = ("subject", "group", "session")  # and covariates


def edited(recordings: Sequence[Recording], rows: Collection[int], column: str, value: str) -> tuple[Recording, ...]:
    """Write one value into a column of some rows, and change what must change with it: a subject is in one group.

    Parameters
    ----------
    recordings : sequence of Recording
        The table.
    rows : collection of int
        Whose cells are changed.
    column : str
        ``subject``, ``group``, ``session``, or the name of a covariate, whose empty cells are left out.
    value : str
        What was typed.

    Returns
    -------
    tuple of Recording
        The whole table. A new group is that of all recordings of the rows' subjects; recordings
        that are given to a known subject join that subject's group.

    Raises
    ------
    StudyError
        If the value cannot be used.
    """
    value = value.strip()
    table = list(recordings)
    if column not in EDITABLE:
        for i in rows:
            others = {name: text for name, text in table[i].covariates.items() if name != column}
            table[i] = changed(table[i], covariates=others | ({column: value} if value else {}))
        return tuple(table)
    changes = {column: value}
    if column == "subject":
        groups = {other.subject: other.group for i, other in enumerate(table) if i not in rows}
        changes["group"] = groups.get(value, table[min(rows)].group)
    subjects = {table[i].subject for i in rows}
    for i, recording in enumerate(table):
        if i in rows or (column == "group" and recording.subject in subjects):
            table[i] = changed(recording, **changes)
    return tuple(table)


def changed(recording: Recording, **changes: object) -> Recording:
    """Give a recording with other values, checked.

    Raises
    ------
    StudyError
        If they cannot be used, naming the recording.
    """
    return Recording.checked(f"Recording {recording.name}", **(recording.model_dump() | changes))
