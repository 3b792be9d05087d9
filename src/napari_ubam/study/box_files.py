"""Boxes from any file that we know: our own tables, keypoints, and boxes that other programs followed."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np

from napari_ubam.errors import StudyError
from napari_ubam.settings import KeypointSettings, TrackSettings
from napari_ubam.study.boxes import Boxes, read_boxes
from napari_ubam.study.keypoints import Keypoints, choose_individual, holds_keypoints, read_keypoints
from napari_ubam.study.keypoints.csv_files import kind_of_csv
from napari_ubam.study.keypoints.hdf5_files import holds_movement_boxes, read_movement_boxes
from napari_ubam.study.steady import steady_boxes

HEADS = ("nose", "snout", "nosetip", "head", "headcenter", "headcentre", "neck")
TAILS = ("tailbase", "tailstart", "tti", "rump", "abdomen", "hip", "hips", "pelvis", "tail", "tailtip", "tailend")
_NUMBER = re.compile(r"(\d+)\.\w+$")  # of the frame, in an image's name


def boxes_from(path: Path, individual: str | None, fps: float) -> Boxes:
    """Read or make the boxes of a subject.

    A table of boxes is taken as it is. Around keypoints, and in place of boxes that grow and shrink, come squares of
    one size, smoothed in time as those of `track` are.

    Parameters
    ----------
    path : Path
        A CSV of ``frame, x, y, width, height`` (`napari_ubam.study.boxes.read_boxes`), keypoints of any kind that
        `read_keypoints` reads, boxes of movement (NetCDF-4), or tracks of the VGG Image Annotator (CSV).
    individual : str or None
        Which one, if the file has several.
    fps : float
        Frames per second of the video.

    Raises
    ------
    StudyError
        Naming the file and what to do.
    """
    if holds_movement_boxes(path):
        found = choose_individual(path, read_movement_boxes(path), individual)
    elif holds_keypoints(path):
        return boxes_of_keypoints(path, read_keypoints(path, individual), fps)
    elif kind_of_csv(path) == "VIA":
        found = choose_individual(path, _via(path), individual)
    else:
        return read_boxes(path)
    reach = found.box[:, 2:].max(1) / 2
    return steady_boxes(found.frame, found.box[:, :2] + found.box[:, 2:] / 2, reach, None, fps, TrackSettings())


def boxes_of_keypoints(path: Path, keypoints: Keypoints, fps: float) -> Boxes:
    """Make boxes around all keypoints that are sure enough, turned along the body where its ends have telling names.

    Parameters
    ----------
    path : Path
        The file they come from, for messages.
    keypoints : Keypoints
        Of the subject.
    fps : float
        Frames per second.

    Raises
    ------
    StudyError
        If none is sure enough.
    """
    min_score = KeypointSettings().min_score
    xy = keypoints.confident(min_score).xy
    seen = np.isfinite(xy).all(-1).any(-1)
    if not seen.any():
        raise StudyError(f"{path} has no keypoint with a score of {min_score:g} or more: there are no boxes in it.")
    low, high = np.nanmin(xy[seen], axis=1), np.nanmax(xy[seen], axis=1)
    ends = body_axis(keypoints.names)
    angle = None
    if ends is not None:
        along = xy[seen, ends[0]] - xy[seen, ends[1]]
        angle = np.arctan2(along[:, 0], -along[:, 1])  # y points down
    centre = (low + high) / 2 + 0.5  # a box's pixel i covers [i, i + 1)
    return steady_boxes(keypoints.frame[seen], centre, (high - low).max(1) / 2, angle, fps, TrackSettings())


def body_axis(names: tuple[str, ...]) -> tuple[int, int] | None:
    """Find the keypoints at the head's and at the tail's end of the body by their names; None if one has none."""
    plain = [re.sub("[^a-z]", "", name.lower()) for name in names]
    head = next((plain.index(name) for name in HEADS if name in plain), None)
    tail = next((plain.index(name) for name in TAILS if name in plain), None)
    return None if head is None or tail is None else (head, tail)


def _via(path: Path) -> dict[str, Boxes]:
    """Read the rectangles of the VGG Image Annotator: JSON in the cells of a CSV, one row a box."""
    found: dict[str, dict[int, list[float]]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                shape = json.loads(row["region_shape_attributes"])
                if not shape:
                    continue  # an image without a box
                box = [float(shape[key]) for key in ("x", "y", "width", "height")]
                track = str(json.loads(row["region_attributes"]).get("track", ""))
                said = json.loads(row["file_attributes"]).get("frame")
                frame = int(_NUMBER.search(row["filename"])[1] if said is None else said)  # type: ignore[index]
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise StudyError(
                    f"{path}, row {number} is not a box of the VGG Image Annotator ({error}). It needs rectangles, and "
                    "the frame's number in the file's attributes or at the end of its name."
                ) from error
            if frame in found.setdefault(track, {}):
                raise StudyError(f"{path}, row {number}: frame {frame} has two boxes of the track {track!r}. Keep one.")
            found[track][frame] = box
    if not found:
        raise StudyError(f"{path} holds no box. Write at least one, or leave the recording's 'boxes' empty.")
    sorted_boxes = {track: sorted(boxes.items()) for track, boxes in found.items()}
    return {
        track: Boxes(np.array([t for t, _ in boxes], np.int64), np.array([box for _, box in boxes]))
        for track, boxes in sorted_boxes.items()
    }
