"""Boxes: where a subject is that moves through the picture."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from napari_ubam.errors import StudyError
from napari_ubam.study.table import read_rows

COLUMNS = ("x", "y", "width", "height")


def read_boxes(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a CSV of ``frame, x, y, width, height``.

    Parameters
    ----------
    path : str or Path
        The CSV; rows in any order. A row without numbers (empty or ``nan``) says that the subject was not found.

    Returns
    -------
    frames : ndarray of int64, shape (n,)
        Absolute frame numbers, ascending.
    boxes : ndarray of float64, shape (n, 4)
        x and y of the top left corner, width and height [px].

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
        if all(row[column].lower() in ("", "nan") for column in COLUMNS):
            continue
        if int(frame) in boxes:
            raise StudyError(f"{where}: frame {int(frame)} has two boxes. Keep the one of this subject.")
        boxes[int(frame)] = [_number(where, column, row[column]) for column in COLUMNS]
        if min(boxes[int(frame)][2:]) <= 0:
            raise StudyError(f"{where}: the box is empty. Give it a width and a height, or remove the row.")
    if not boxes:
        raise StudyError(f"{path} holds no box. Write at least one, or leave the recording's 'boxes' empty.")
    frames = np.array(sorted(boxes), np.int64)
    return frames, np.array([boxes[frame] for frame in frames], np.float64)


def squares_of_boxes(frame: np.ndarray, box_frames: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give every frame a square around its box.

    The square's centre follows the box's: linearly between boxes, and held before the first and after the last one.
    Its side is the same in every frame, the largest width or height of all boxes rounded up to a whole pixel, so that
    the scale does not pulse with the boxes' size.

    Parameters
    ----------
    frame : ndarray of int, shape (T,)
        Absolute frame numbers.
    box_frames, boxes : ndarray, shapes (n,) and (n, 4)
        As `read_boxes` gives them.

    Returns
    -------
    squares : ndarray of float32, shape (T, 3)
        x and y of the top left corner, and the side [px].
    interpolated : ndarray of bool, shape (T,)
        True where a frame has no box of its own.
    """
    side = np.ceil(boxes[:, 2:].max())
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    x, y = (np.interp(frame, box_frames, centre) - side / 2 for centre in centres.T)
    squares = np.stack([x, y, np.full(len(frame), side)], axis=1).astype(np.float32)
    return squares, ~np.isin(frame, box_frames)


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
