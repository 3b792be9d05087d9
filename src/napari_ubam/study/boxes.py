"""Boxes: where a subject is that moves through the picture, and how it is turned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_ubam.errors import StudyError
from napari_ubam.files import write_text
from napari_ubam.study.table import read_rows

COLUMNS = ("x", "y", "width", "height")


@dataclass(frozen=True, eq=False)
class Boxes:
    """Where a subject is in those frames in which it was found.

    Attributes
    ----------
    frame : ndarray of int64, shape (n,)
        Absolute frame numbers, ascending.
    box : ndarray of float64, shape (n, 4)
        x and y of the top left corner, width and height [px]. Pixel i covers [i, i + 1).
    angle : ndarray of float64, shape (n,), or None
        Where the head points [degrees], clockwise from up: 90 is to the right. NaN where that is not known; None where
        it is known of no frame.
    """

    frame: np.ndarray
    box: np.ndarray
    angle: np.ndarray | None = None


def read_boxes(path: str | Path) -> Boxes:
    """Read a CSV of ``frame, x, y, width, height`` and, where it is known, ``angle``.

    Parameters
    ----------
    path : str or Path
        The CSV; rows in any order. A row without numbers (empty or ``nan``) says that the subject was not found.

    Raises
    ------
    StudyError
        Naming the file, the row and what to do.
    """
    path = Path(path)
    boxes: dict[int, list[float]] = {}
    for number, row in read_rows(path, ("frame", *COLUMNS)):
        where = f"{path}, row {number}"
        frame = _number(where, "frame", row["frame"])
        if frame < 0 or frame != int(frame):
            raise StudyError(f"{where}, column 'frame': {row['frame']!r} is not a frame's number. Frames count from 0.")
        if all(_is_empty(row[column]) for column in COLUMNS):
            continue
        if int(frame) in boxes:
            raise StudyError(f"{where}: frame {int(frame)} has two boxes. Keep the one of this subject.")
        box = [_number(where, column, row[column]) for column in COLUMNS]
        if min(box[2:]) <= 0:
            raise StudyError(f"{where}: the box is empty. Give it a width and a height, or remove the row.")
        turn = row.get("angle", "")
        boxes[int(frame)] = [*box, math.nan if _is_empty(turn) else _number(where, "angle", turn)]
    if not boxes:
        raise StudyError(f"{path} holds no box. Write at least one, or leave the recording's 'boxes' empty.")
    frames = np.array(sorted(boxes), np.int64)
    found = np.array([boxes[frame] for frame in frames], np.float64)
    angle = found[:, 4]
    return Boxes(frames, found[:, :4], None if np.isnan(angle).all() else angle)


def write_boxes(path: str | Path, frame: np.ndarray, boxes: Boxes) -> None:
    """Write boxes as `read_boxes` reads them, atomically.

    Parameters
    ----------
    path : str or Path
        The CSV.
    frame : ndarray of int, shape (T,)
        All frames that were looked at; those without a box get a row without numbers.
    boxes : Boxes
        What was found.
    """
    columns = [boxes.box] if boxes.angle is None else [boxes.box, boxes.angle[:, None]]
    found = dict(zip(boxes.frame.tolist(), np.concatenate(columns, axis=1).tolist(), strict=True))
    nothing = [math.nan] * sum(column.shape[1] for column in columns)
    header = ("frame", *COLUMNS) if boxes.angle is None else ("frame", *COLUMNS, "angle")
    rows = [
        ",".join([str(t), *("" if math.isnan(value) else f"{value:.2f}" for value in found.get(t, nothing))])
        for t in frame.tolist()
    ]
    write_text(path, "\n".join([",".join(header), *rows]) + "\n")


def squares_of_boxes(frame: np.ndarray, boxes: Boxes, turned: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Give every frame a square around its box.

    The square's centre follows the box's: linearly between boxes, and held before the first and after the last one.
    Its side is the same in every frame, the largest width or height of all boxes rounded up to a whole pixel, so that
    the scale does not pulse with the boxes' size. Its angle goes the shorter way round.

    Parameters
    ----------
    frame : ndarray of int, shape (T,)
        Absolute frame numbers.
    boxes : Boxes
        With angles, if they are to be turned.
    turned : bool
        Turn each square about its centre, so that the head points to its upper side.

    Returns
    -------
    squares : ndarray of float32, shape (T, 4)
        x and y of the top left corner before it is turned, the side [px], and the angle [degrees], clockwise.
    interpolated : ndarray of bool, shape (T,)
        True where a frame has no box of its own, or no angle where that is needed.
    """
    side = np.ceil(boxes.box[:, 2:].max())
    centres = boxes.box[:, :2] + boxes.box[:, 2:] / 2
    x, y = (np.interp(frame, boxes.frame, centre) - side / 2 for centre in centres.T)
    angle, known = np.zeros(len(frame)), boxes.frame
    if turned and boxes.angle is not None:
        known = boxes.frame[~np.isnan(boxes.angle)]
        whole = np.unwrap(boxes.angle[~np.isnan(boxes.angle)], period=360)
        angle = (np.interp(frame, known, whole) + 180) % 360 - 180
    squares = np.stack([x, y, np.full(len(frame), side), angle], axis=1).astype(np.float32)
    return squares, ~np.isin(frame, known)


def _is_empty(text: str) -> bool:
    return text.lower() in ("", "nan")


def _number(where: str, column: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise StudyError(
            f"{where}, column '{column}': {text!r} is not a number. Write one, or remove the row: "
            "boxes of missing frames are interpolated."
        )
    return number
