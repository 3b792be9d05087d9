"""Move the pixels of a frame as a warp says: all of a region's, or the subject's alone."""

from __future__ import annotations

import cv2
import numpy as np

from napari_ubam.magnify.region import Region

STILL = 1 / 64  # shift below which a pixel stays as it is [px]; OpenCV itself rounds to 1/32
CLOSED = 1 / 512  # share of the filling below which it cannot be seen
SCENE, SUBJECT = 10, 25  # grey levels from the background up to which it is that, and from which on it is the subject
FAINT = 0.1  # mean of the matte in a cell up to which nothing is there
SPECK = 0.01  # share of all that stands out which is too little for a part of the subject


def warp_region(
    frame: np.ndarray, region: Region, flow: np.ndarray, uncovered: np.ndarray, fill: np.ndarray,
    background: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Move the pixels of a frame inside its region, and fill what that uncovers.

    Where the flow is zero and nothing is uncovered, the frame stays as it is to the last bit.

    Parameters
    ----------
    frame : ndarray of uint8, shape (Y, X, 3)
        The original frame.
    region : Region
        Where.
    flow : ndarray, shape (g, g, 2)
        Where each pixel comes from minus where it is, x and y in units of half the square's side.
    uncovered : ndarray, shape (g, g)
        How much is filled, in [0, 1].
    fill : ndarray, shape (g, g, 3)
        What to fill with, as difference from the background in grey levels.
    background : ndarray of uint8, shape (n, n, 3)
        The square's own background, as the network saw it.

    Returns
    -------
    ndarray of uint8, shape (Y, X, 3)
    """
    result = frame.copy()
    shift = region.vectors_to_frame(flow)
    moving = region.within(np.abs(shift).max(-1) > STILL)
    if 0 not in moving.shape:
        map_x, map_y = _sources(moving, shift)
        moved = cv2.remap(frame, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        result[moving.rows, moving.columns] = moved
    filled = region.within(uncovered > CLOSED)
    if 0 not in filled.shape:
        share = filled.spread(uncovered.astype(np.float32), smooth=False) * filled.fade()
        still = filled.spread(background, smooth=False)
        filling = cv2.add(still, filled.spread(fill.astype(np.float32), smooth=False), dtype=cv2.CV_8U)
        result[filled.rows, filled.columns] = _blend(filling, result[filled.rows, filled.columns], share)
    return result


def warp_subject(
    frame: np.ndarray, region: Region, flow: np.ndarray, uncovered: np.ndarray, fill: np.ndarray,
    background: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Move the subject's pixels in front of a background that stays: a matte tells the one from the other.

    A coarse flow also moves what lies close to the subject. Here the subject is cut out, moved, and put on the frame
    again; where it has left, the background is shown (layers as in Porter and Duff, SIGGRAPH 1984).

    Parameters
    ----------
    frame, region, flow, uncovered, fill
        As in `warp_region`.
    background : ndarray of uint8, shape (n, n, 3)
        The square's own still background, without the subject.

    Returns
    -------
    ndarray of uint8, shape (Y, X, 3)
    """
    result = frame.copy()
    shift = region.vectors_to_frame(flow)
    moves, opens = np.abs(shift).max(-1) > STILL, uncovered > CLOSED
    if 0 in region.shape or not (moves.any() or opens.any()):
        return result
    part, scene = frame[region.rows, region.columns], region.spread(background, smooth=False)
    matte = without_specks(subject_matte(part, scene), region.side / min(flow.shape[:2]))
    seen = _reached(region, shift, matte)
    moving = region.within(moves & seen)
    filled = region.within(opens & (seen | (np.abs(fill).max(-1) >= SCENE)))
    if 0 not in moving.shape:
        map_x, map_y = _sources(moving, shift)
        moved = cv2.remap(frame, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        left, top = region.columns.start, region.rows.start
        covers = cv2.remap(matte, map_x - left, map_y - top, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        at = _within(region, moving)
        leaves = np.maximum(matte[at] - covers, 0) / np.maximum(1 - covers, 1e-6)
        rest = _blend(scene[at], part[at], leaves)
        result[moving.rows, moving.columns] = _blend(moved, rest, covers)
    if 0 not in filled.shape:
        at = _within(region, filled)
        share = filled.spread(uncovered.astype(np.float32), smooth=False) * filled.fade()
        filling = cv2.add(scene[at], filled.spread(fill.astype(np.float32), smooth=False), dtype=cv2.CV_8U)
        filling = _blend(filling, _blend(scene[at], part[at], matte[at]), subject_matte(filling, scene[at]))
        result[filled.rows, filled.columns] = _blend(filling, result[filled.rows, filled.columns], share)
    return result


def subject_matte(picture: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Tell how much each pixel of a picture, (h, w, 3) uint8, belongs to the subject: (h, w) float32 in [0, 1]."""
    red, green, blue = cv2.split(cv2.absdiff(picture, background))
    contrast = cv2.GaussianBlur(cv2.max(cv2.max(red, green), blue), (3, 3), 0.7)
    return cv2.LUT(contrast, _MATTE)


def without_specks(matte: np.ndarray, cell: float) -> np.ndarray:
    """Leave out of a matte what noise has put there: patches that are small, or far too faint.

    Parameters
    ----------
    matte : ndarray of float32, shape (h, w)
        As `subject_matte` gives it.
    cell : float
        Side of the squares in which it is looked at [px].

    Returns
    -------
    ndarray of float32, shape (h, w)
    """
    height, width = matte.shape
    coarse = (max(1, round(width / cell)), max(1, round(height / cell)))
    there = (cv2.resize(matte, coarse, interpolation=cv2.INTER_AREA) > FAINT).astype(np.uint8)
    _, patch, found, _ = cv2.connectedComponentsWithStats(there, connectivity=8)
    area = found[:, cv2.CC_STAT_AREA]
    large = area >= SPECK * area[1:].sum()
    large[0] = False  # where nothing is
    kept = cv2.dilate(large[patch].astype(np.float32), np.ones((3, 3), np.uint8))
    return matte * cv2.resize(kept, (width, height), interpolation=cv2.INTER_LINEAR)


def _smooth_step(low: float, high: float) -> np.ndarray:
    at = np.clip((np.arange(256, dtype=np.float32) - low) / (high - low), 0, 1)
    return at * at * (3 - 2 * at)


_MATTE = _smooth_step(SCENE, SUBJECT)  # of each contrast


def _sources(moving: Region, shift: np.ndarray) -> list[np.ndarray]:
    """Say where the pixels of a region come from, x and y in the frame."""
    fade = moving.fade()
    return [at + fade * moving.spread(shift[..., i].astype(np.float32)) for i, at in enumerate(moving.pixels())]


def _reached(region: Region, shift: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """Say which cells (g, g) show the subject, or may show it when moved: in the others nothing changes."""
    left, top, width, height = cv2.boundingRect((matte > 0).astype(np.uint8))
    low = np.array([region.columns.start + left, region.rows.start + top])
    now = region.cells(*shift.shape[:2])
    ends = np.stack([now, now + shift])  # what fades out comes from between them
    margin = region.side / min(shift.shape[:2])  # for what lies between cells
    return np.all((ends.max(0) > low - margin) & (ends.min(0) < low + np.array([width, height]) + margin), -1)


def _within(region: Region, part: Region) -> tuple[slice, slice]:
    """Give the rows and columns of a part of a region, counted from the region's own."""
    top, left = region.rows.start, region.columns.start
    return slice(part.rows.start - top, part.rows.stop - top), slice(
        part.columns.start - left, part.columns.stop - left
    )


def _blend(front: np.ndarray, back: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Lay one picture over another as much as a share (h, w) says."""
    return cv2.blendLinear(np.ascontiguousarray(front), np.ascontiguousarray(back), share, 1 - share)
