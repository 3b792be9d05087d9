"""Square regions of a picture: where they lie, and how they are cut out."""

from __future__ import annotations

import math

import cv2
import numpy as np

from napari_ubam.errors import StudyError
from napari_ubam.settings import Turn
from napari_ubam.study.box_files import boxes_from
from napari_ubam.study.boxes import squares_of_boxes
from napari_ubam.study.recording import Recording
from napari_ubam.video import ASSUMED_FPS


def find_squares(
    recording: Recording, frame: np.ndarray, picture: tuple[int, int], turn: Turn = "none", fps: float = ASSUMED_FPS
) -> tuple[np.ndarray, np.ndarray]:
    """Say which square of the picture each frame of a recording is cut to.

    A region becomes the square around its centre, of its longer side, at whole pixels; without a region and boxes it
    is the whole picture. A square may reach outside the picture.

    Parameters
    ----------
    recording : Recording
        Has the region or boxes.
    frame : ndarray of int, shape (T,)
        Absolute frame numbers.
    picture : tuple of int
        The video's height and width [px].
    turn : {"none", "body"}
        Whether squares are turned so that the head points to their upper side.
    fps : float
        Frames per second, for boxes that are made of keypoints.

    Returns
    -------
    squares : ndarray of float32, shape (T, 4)
        x and y of the top left corner, the side [px], and the angle by which the square is then turned about its centre
        [degrees, clockwise]. Pixel i covers [i, i + 1).
    interpolated : ndarray of bool, shape (T,)
        True where a frame has no box (or no angle, if squares are turned) of its own.

    Raises
    ------
    StudyError
        If nothing of the region lies in the picture, the boxes cannot be read, or nobody knows where the head is.
    """
    height, width = picture
    boxes = None if recording.boxes is None else boxes_from(recording.boxes, recording.individual, fps)
    if turn == "body" and (boxes is None or boxes.angle is None):
        raise StudyError(
            f"Recording {recording.name} cannot be turned along its body: "
            + ("it has no boxes. " if boxes is None else f"{recording.boxes} has no angle. ")
            + f'Let it be tracked (napari-ubam track STUDY {recording.name}), or set turn = "none" for the study.'
        )
    if boxes is not None:
        squares, interpolated = squares_of_boxes(frame, boxes, turned=turn == "body")
        where = f"every box of {recording.boxes}"
    else:
        x, y, w, h = recording.region or (0, 0, width, height)
        side = max(w, h)
        square = x + (w - side) // 2, y + (h - side) // 2, side, 0  # whole pixels, so that nothing is blurred
        squares = np.tile(np.array(square, np.float32), (len(frame), 1))
        interpolated = np.zeros(len(frame), bool)
        where = f"its region (x {x}, y {y}, {w} x {h} px)"
    x0, y0, side, _ = squares.T
    if not ((x0 < width) & (y0 < height) & (x0 + side > 0) & (y0 + side > 0)).any():
        raise StudyError(
            f"Recording {recording.name}: {where} lies outside the picture, which is {width} x {height} px "
            f"({recording.path}). Draw the region again, or leave it out for the whole picture."
        )
    return squares, interpolated


def cut_square(picture: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Cut a square out of a picture at the picture's own resolution.

    Parameters
    ----------
    picture : ndarray of uint8, shape (Y, X, 3)
        The frame.
    square : array-like of float, shape (3,) or (4,)
        x and y of the top left corner, the side [px], and the angle by which it is then turned about its centre
        [degrees, clockwise; 0 if left out]; sub-pixel accurate, and may reach outside the picture, where the picture's
        edge is repeated.

    Returns
    -------
    ndarray of uint8, shape (N, N, 3)
        With N = round(side). Its upper side is that of the square before it was turned.
    """
    x, y, side, *turned = (float(value) for value in square)
    n, angle = max(1, round(side)), math.radians(turned[0]) if turned else 0.0
    if angle == 0 and side == n and x.is_integer() and y.is_integer():
        left, top = int(x), int(y)
        inside = picture[max(top, 0) : max(top + n, 0), max(left, 0) : max(left + n, 0)]
        if inside.shape == (n, n, 3):
            return inside
        if inside.size:
            above, before = max(-top, 0), max(-left, 0)
            below, after = n - above - inside.shape[0], n - before - inside.shape[1]
            return cv2.copyMakeBorder(inside, above, below, before, after, cv2.BORDER_REPLICATE)
    across = side / n * np.array([math.cos(angle), math.sin(angle)])  # from a pixel of the output to the next one in x
    down = np.array([-across[1], across[0]])
    first = np.array([x, y]) + side / 2 - 0.5 - (n - 1) / 2 * (across + down)  # between pixels' centres
    from_output = np.stack([across, down, first], axis=1)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, from_output, (n, n), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def resize_square(picture: np.ndarray, size: int) -> np.ndarray:
    """Resize a square picture to ``size`` px; shrinking averages, so that fine texture does not alias."""
    if len(picture) == size:
        return picture
    interpolation = cv2.INTER_AREA if len(picture) > size else cv2.INTER_LINEAR
    return cv2.resize(picture, (size, size), interpolation=interpolation)
