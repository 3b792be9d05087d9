"""The recordings' table: a CSV that any program opens."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from napari_ubam.errors import StudyError
from napari_ubam.files import write_text
from napari_ubam.study.recording import NAME_COLUMN, REGION, Recording, file_name

REQUIRED = ("path", "subject", "group")
OPTIONAL = ("session", "side", *REGION, "boxes", "keypoints", "individual", "start", "stop")
_PATHS = ("path", "boxes", "keypoints")


def read_table(path: str | Path) -> list[Recording]:
    """Read a table of recordings.

    The table is a CSV in UTF-8, separated by commas, with one row a recording. Its columns ``path, subject, group``
    are required, ``session, side, x, y, width, height, boxes, keypoints, individual, start, stop`` optional, in any
    order and case; further ones are covariates, kept where they are not empty. Paths are relative to the table's
    folder. A recording is named by its file's stem, made unique (``clip``, ``clip_2``), or by the optional column
    ``recording``, which a study's own table has so that names stay when rows go.

    Parameters
    ----------
    path : str or Path
        The CSV.

    Returns
    -------
    list of Recording
        In the table's order. Whether their videos exist is not looked at.

    Raises
    ------
    StudyError
        Naming the file, the row, the column and what to do.
    """
    path = Path(os.path.abspath(path))
    rows = list(read_rows(path, REQUIRED))
    names = _names(path, [(number, row["path"], row.get(NAME_COLUMN, "")) for number, row in rows])
    return [_recording(path, number, row, name) for (number, row), name in zip(rows, names, strict=True)]


def write_table(path: str | Path, recordings: Iterable[Recording]) -> None:
    """Write a table that `read_table` reads, atomically.

    Parameters
    ----------
    path : str or Path
        The CSV. Videos' paths are written relative to its folder where they share one with it.
    recordings : iterable of Recording
        One row each. Optional columns that no recording uses are left out.
    """
    folder = Path(os.path.abspath(path)).parent
    rows = [_row(recording, folder) for recording in recordings]
    used = {column for row in rows for column, value in row.items() if value}
    covariates = dict.fromkeys(
        column for row in rows for column in row if column not in (*REQUIRED, *OPTIONAL, NAME_COLUMN)
    )
    columns = [*REQUIRED, "session", *(c for c in OPTIONAL[1:] if c in used), NAME_COLUMN, *covariates]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_rows(path: Path, required: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Read a CSV's rows as text, with the messages that all our tables share.

    Parameters
    ----------
    path : Path
        The CSV.
    required : sequence of str
        The columns that must be there.

    Yields
    ------
    number : int
        The row as a spreadsheet numbers it: the header is row 1.
    row : dict of str to str
        The cells by column; known columns in lower case.

    Raises
    ------
    StudyError
        If the file cannot be read, lacks columns, or holds no row.
    """
    lines = _cells(path)
    header = _header(path, lines[0] if lines else [], required)
    filled = [(number, cells) for number, cells in enumerate(lines[1:], start=2) if any(c.strip() for c in cells)]
    if not filled:
        raise StudyError(f"{path} is empty: below its header there is no row. Write one row for each entry.")
    for number, cells in filled:
        if any(c.strip() for c, column in zip(cells, [*header, *[""] * len(cells)], strict=False) if not column):
            raise StudyError(
                f"{path}, row {number} has more cells than there are columns. "
                'Put values that hold a comma in quotes ("a, b"), or name the column.'
            )
        texts = [c.strip() for c in cells] + [""] * (len(header) - len(cells))
        yield number, {column: text for column, text in zip(header, texts, strict=False) if column}


def portable_path(path: Path, folder: Path) -> str:
    """Write ``path`` relative to ``folder``, with ``/``, where they share a folder other than the root."""
    try:
        shared = Path(os.path.commonpath([path, folder]))
    except ValueError:  # different drives
        return path.as_posix()
    return path.as_posix() if shared == Path(shared.anchor) else Path(os.path.relpath(path, folder)).as_posix()


def unique_name(name: str, taken: Iterable[str]) -> str:
    """Append ``_2``, ``_3``, … to ``name`` until no other has it, upper and lower case being the same."""
    folded = {other.casefold() for other in taken}
    unique, number = name, 2
    while unique.casefold() in folded:
        unique, number = f"{name}_{number}", number + 1
    return unique


def _cells(path: Path) -> list[list[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.reader(file))
    except FileNotFoundError as error:
        raise StudyError(f"{path} does not exist. Give the path of a CSV file.") from error
    except UnicodeDecodeError as error:
        raise StudyError(f"{path} is not text in UTF-8. Save it as 'CSV UTF-8 (comma delimited)'.") from error
    except (OSError, csv.Error) as error:
        raise StudyError(f"{path} cannot be read as a CSV: {error}. Give a text file separated by commas.") from error


def _header(path: Path, cells: list[str], required: Sequence[str]) -> list[str]:
    """Check the columns' names; the known ones in lower case."""
    known = {*REQUIRED, *OPTIONAL, NAME_COLUMN, *required}
    header = [c.strip().lower() if c.strip().lower() in known else c.strip() for c in cells]
    missing = [column for column in required if column not in header]
    if missing and len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        found = "semicolons" if ";" in header[0] else "tabs"
        raise StudyError(f"{path} is separated by {found}. Save it as a CSV separated by commas.")
    if missing:
        raise StudyError(
            f"{path} has no column {' and no column '.join(missing)}. Its first row must name the columns "
            f"{', '.join(required)}; found: {', '.join(header) or 'nothing'}."
        )
    twice = [column for column, n in Counter(header).items() if column and n > 1]
    if twice:
        raise StudyError(f"{path} has the column {twice[0]} twice. Keep one of them, or give the other another name.")
    return header


def _recording(table: Path, number: int, row: dict[str, str], name: str) -> Recording:
    given = {column: row[column] for column in (*REQUIRED, *OPTIONAL) if row.get(column) or column in REQUIRED}
    for column in _PATHS:
        if column in given:
            given[column] = _absolute(table.parent, given[column])
    if "side" in given:
        given["side"] = given["side"].lower()
    known = (*REQUIRED, *OPTIONAL, NAME_COLUMN)
    covariates = {column: text for column, text in row.items() if text and column not in known}
    return Recording.checked(f"{table}, row {number}", name=name, covariates=covariates, **given)


def _absolute(folder: Path, text: str) -> str:
    """Find a path that the table gives; tables made on Windows may have backslashes."""
    path = folder / text
    if "\\" in text and os.sep == "/" and not path.exists():
        path = folder / text.replace("\\", "/")
    return os.path.abspath(path)


def _names(table: Path, rows: Sequence[tuple[int, str, str]]) -> list[str]:
    """Name each recording: as the table says, else by the file's stem, made unique."""
    taken: list[str] = []
    for number, path, given in rows:
        if not path:
            raise StudyError(f"{table}, row {number}, column 'path': it is empty. Write the video's path into it.")
        if given and unique_name(given, taken) != given:
            raise StudyError(
                f"{table}, row {number}, column '{NAME_COLUMN}': another row has the name {given!r} already. "
                "Give this one another name."
            )
        if given:
            taken.append(given)
    stems = [file_name(Path(path.replace("\\", "/")).stem) or "recording" for _, path, _ in rows]
    names = [given for *_, given in rows]
    # The first of each stem keeps it, so that clip.mp4, clip.avi and clip_2.mp4 become clip, clip_3 and clip_2.
    for i, stem in enumerate(stems):
        if not names[i] and unique_name(stem, taken) == stem:
            names[i] = stem
            taken.append(stem)
    for i, stem in enumerate(stems):
        if not names[i]:
            names[i] = unique_name(stem, taken)
            taken.append(names[i])
    return names


def _row(recording: Recording, folder: Path) -> dict[str, str]:
    values = {column: getattr(recording, column) for column in (*REQUIRED, *OPTIONAL)}
    values |= {column: portable_path(values[column], folder) for column in _PATHS if values[column] is not None}
    values["start"] = recording.start or None
    texts = {column: "" if value is None else str(value) for column, value in values.items()}
    return texts | {NAME_COLUMN: recording.name} | recording.covariates
