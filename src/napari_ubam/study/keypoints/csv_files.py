"""Keypoints in CSV files: of DeepLabCut and Lightning Pose, of SLEAP, and plain tables."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from napari_ubam.errors import StudyError
from napari_ubam.study.keypoints.data import Keypoints

Kind = Literal["DeepLabCut", "SLEAP", "table", "VIA", "unknown"]

_DLC_ROWS = ("scorer", "individuals", "bodyparts", "coords")
_NAMES = {  # what the columns of a table may be called
    "frame": ("frame",),
    "keypoint": ("keypoint", "node", "bodypart"),
    "x": ("x",),
    "y": ("y",),
    "score": ("score", "confidence", "likelihood"),
    "individual": ("individual", "track"),
}
_NUMBER_AT_END = re.compile(r"(\d+)(?:\.\w+)?$")
_READABLE = (
    "It must be a CSV of DeepLabCut, an analysis CSV of SLEAP, or a table with the columns frame, keypoint, x, y and, "
    "if known, score and individual, separated by commas."
)


def kind_of_csv(path: Path) -> Kind:
    """Tell by a CSV's first row which program wrote it; ``unknown`` where it is no CSV of keypoints or tracks."""
    try:
        header = [cell.strip().lower() for cell in next(iter(_first_rows(path, 1)), [])]
    except StudyError:
        return "unknown"
    if header and header[0] == "scorer":
        return "DeepLabCut"
    if "frame_idx" in header and any(cell.endswith(".x") for cell in header):
        return "SLEAP"
    if "region_shape_attributes" in header:
        return "VIA"
    if all(set(_NAMES[column]) & set(header) for column in ("frame", "keypoint", "x", "y")):
        return "table"
    return "unknown"


def read_csv_keypoints(path: Path) -> dict[str, Keypoints]:
    """Read the keypoints of all individuals of a CSV, by their names ('' where there is none).

    Raises
    ------
    StudyError
        Naming the file and what to do.
    """
    _first_rows(path, 1)  # is it text?
    match kind_of_csv(path):
        case "DeepLabCut":
            if not (found := dict(_deeplabcut(path))):
                raise StudyError(f"{path} holds no keypoint. Export it again from DeepLabCut.")
            return found
        case "SLEAP":
            return dict(_sleap(path))
        case "table":
            return dict(_table(path))
    raise StudyError(f"{path} holds no keypoints that can be read. {_READABLE}")


def _deeplabcut(path: Path) -> Iterator[tuple[str, Keypoints]]:
    """Three header rows, or four with several individuals; one row a frame, or an image that was labelled by hand."""
    header: dict[str, list[str]] = {}
    for row in _first_rows(path, len(_DLC_ROWS)):
        if row and row[0].strip() in _DLC_ROWS:
            header[row[0].strip()] = [cell.strip() for cell in row]
    missing = [row for row in ("bodyparts", "coords") if row not in header]
    coords = header.get("coords", [])
    if missing or not {"x", "y"} <= set(coords):
        raise StudyError(f"{path} looks like DeepLabCut's, but its rows of names are damaged. Export it again.")
    if "z" in coords:
        raise StudyError(f"{path} has keypoints in space (x, y, z). Give those in pixels of the video.")
    n_index = next(i for i, cell in enumerate(coords) if cell in ("x", "y", "likelihood"))
    cells = _cells(path, len(header), [str(i) for i in range(len(coords))])
    frame = _frames(path, cells.iloc[:, n_index - 1])
    values = _numbers(path, cells.iloc[:, n_index:], len(header))
    individuals = header.get("individuals", [""] * len(coords))
    columns: dict[str, dict[str, dict[str, int]]] = {}
    for i in range(n_index, len(coords)):
        columns.setdefault(individuals[i], {}).setdefault(header["bodyparts"][i], {})[coords[i]] = i - n_index
    for individual, parts in columns.items():
        if any(not {"x", "y"} <= set(part) for part in parts.values()):
            raise StudyError(f"{path} has a keypoint without x and y. Export it again from DeepLabCut.")
        xy = np.stack([values[:, [part["x"], part["y"]]] for part in parts.values()], axis=1)
        if np.isnan(xy).all():
            continue  # DeepLabCut leaves room for individuals that were never seen
        scored = all("likelihood" in part for part in parts.values())
        score = values[:, [part["likelihood"] for part in parts.values()]] if scored else None
        yield individual, Keypoints.checked(_of(path, individual), frame, tuple(parts), xy, score)


def _sleap(path: Path) -> Iterator[tuple[str, Keypoints]]:
    """One row an instance: ``track, frame_idx, instance.score, NAME.x, NAME.y, NAME.score, …``."""
    header = _first_rows(path, 1)[0]
    cells = _cells(path, 1, header, text=("track",))
    names = tuple(column[:-2] for column in header if column.endswith(".x"))
    needed = [f"{name}.{axis}" for name in names for axis in ("x", "y")]
    scores = [f"{name}.score" for name in names if f"{name}.score" in header]
    if absent := [column for column in needed if column not in header]:
        raise StudyError(f"{path} has no column {absent[0]}. Export it again from SLEAP.")
    xy = _numbers(path, cells[needed], 1).reshape(len(cells), len(names), 2)
    score = _numbers(path, cells[scores], 1) if len(scores) == len(names) else None
    frame = _numbers(path, cells[["frame_idx"]], 1)[:, 0]
    tracks = cells["track"].fillna("") if "track" in header else pd.Series("", cells.index)
    for track in tracks.unique():
        mine = (tracks == track).to_numpy()
        where = _of(path, track)
        yield track, Keypoints.checked(where, frame[mine], names, xy[mine], None if score is None else score[mine])


def _table(path: Path) -> Iterator[tuple[str, Keypoints]]:
    """One row a keypoint of a frame."""
    header = [cell.strip().lower() for cell in _first_rows(path, 1)[0]]
    called = {column: next((n for n in names if n in header), None) for column, names in _NAMES.items()}
    own = called["individual"]
    cells = _cells(path, 1, header, text=(called["keypoint"], own))
    numbers = [column for column in ("frame", "x", "y", "score") if called[column]]
    values = pd.DataFrame(_numbers(path, cells[[called[column] for column in numbers]], 1), columns=numbers)
    values["keypoint"] = cells[called["keypoint"]].fillna("").to_numpy()
    values["individual"] = cells[own].fillna("").to_numpy() if own else ""
    if (again := values.duplicated(["individual", "frame", "keypoint"])).any():
        row = values[again].iloc[0]
        raise StudyError(
            f"{path}, row {again.idxmax() + 2}: frame {row['frame']:g} has the keypoint {row['keypoint']!r} twice. "
            "Keep the one of this subject, or name the individuals in a column 'individual'."
        )
    for individual, part in values.groupby("individual", sort=False):
        row_of, frame = pd.factorize(part["frame"], sort=True)
        column_of, names = pd.factorize(part["keypoint"])
        filled = np.full((len(frame), len(names), 3), np.nan)
        filled[row_of, column_of] = part[["x", "y"]].assign(score=part.get("score")).to_numpy(float)
        score = filled[..., 2] if "score" in numbers else None
        where = _of(path, str(individual))
        yield str(individual), Keypoints.checked(where, np.asarray(frame), tuple(names), filled[..., :2], score)


def _first_rows(path: Path, n: int) -> list[list[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(islice(csv.reader(file), n))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StudyError(f"{path} cannot be read as a CSV: {error}. {_READABLE}") from error


def _cells(path: Path, n_header: int, columns: list[str], text: Collection[str | None] = ()) -> pd.DataFrame:
    """Read what is below the header; columns of ``text``, and cells that are no numbers, stay text."""
    kept = {i: str for i, column in enumerate(columns) if column in text}
    try:
        cells = pd.read_csv(path, skiprows=n_header, header=None, dtype=kept, encoding="utf-8-sig", low_memory=False)
    except (ValueError, OSError) as error:  # pandas' parser raises kinds of ValueError
        raise StudyError(f"{path} cannot be read below its header: {error}. Export it again.") from error
    if cells.shape[1] != len(columns):
        raise StudyError(
            f"{path} has {len(columns)} columns in its header, and {cells.shape[1]} below it. Export it again."
        )
    return cells.set_axis(columns, axis=1)


def _numbers(path: Path, cells: pd.DataFrame, n_header: int) -> np.ndarray:
    values = cells.apply(pd.to_numeric, errors="coerce")
    wrong = (values.isna() & cells.notna()).to_numpy()
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise StudyError(
            f"{path}, row {row + n_header + 1}: {cells.iat[row, column]!r} is not a number. Write one, or leave it "
            "empty where a keypoint is missing."
        )
    return values.to_numpy(float)


def _frames(path: Path, index: pd.Series) -> np.ndarray:
    """Give the frames' numbers, of images from their names: ``labeled-data/video/img0042.png`` is frame 42."""
    if pd.api.types.is_numeric_dtype(index):
        return index.to_numpy(float)
    found = index.astype(str).str.extract(_NUMBER_AT_END)[0]
    if found.isna().any():
        raise StudyError(
            f"{path}: {index[found.isna()].iloc[0]!r} does not say which frame it is, as img0042.png does."
        )
    return found.to_numpy(float)


def _of(path: Path, individual: str) -> str:
    return f"{path}, individual {individual!r}" if individual else str(path)
