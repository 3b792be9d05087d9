"""Follow subjects through a video of a fixed camera, so that each has its boxes."""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np

from napari_ubam.errors import StudyError
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.settings import TrackSettings
from napari_ubam.study.background import is_still
from napari_ubam.study.blobs import Scene, find_blobs, learn_scene
from napari_ubam.study.boxes import Boxes
from napari_ubam.study.heading import find_heading
from napari_ubam.study.recording import Recording
from napari_ubam.study.steady import smooth_between, steady_boxes
from napari_ubam.video import ASSUMED_FPS, FrameSource, open_frames

_WORKING = 1024  # px of the longer side on which subjects are looked for
_N_SAMPLES = 48  # frames that the background is the median of: 150 MB at most
_FAR, _BRIEF = 2.0, 0.5  # body lengths a frame that nobody moves, and seconds: see `without_jumps`
_FOUND, _JUMPING = 0.8, 0.002  # shares of the frames: found in fewer, or jumping in more, is doubtful
_REPORT_EVERY = 8  # frames


@dataclass(frozen=True, eq=False)
class Track:
    """The boxes of one subject.

    Attributes
    ----------
    frame : ndarray of int64, shape (T,)
        Absolute numbers of all frames that were looked at.
    boxes : Boxes
        Of those in which the subject was seen.
    doubts : str
        Why somebody should look at them, empty if there is no reason.
    """

    frame: np.ndarray
    boxes: Boxes
    doubts: str


@dataclass(frozen=True, eq=False)
class Sightings:
    """Where one subject was seen, frame by frame; NaN where it was not.

    Attributes
    ----------
    centre : ndarray, shape (T, 2)
        x and y of the middle of its body in the video [px].
    axis, elongation : ndarray, shape (T,)
        See `napari_ubam.study.blobs.Blob`.
    reach, length : ndarray, shape (T,)
        How far it extends from its centre along x or y, and about how long it is [px].
    """

    centre: np.ndarray
    axis: np.ndarray
    elongation: np.ndarray
    reach: np.ndarray
    length: np.ndarray


def follow_subjects(
    recording: Recording, n_subjects: int, settings: TrackSettings, report: Report = silent
) -> list[Track]:
    """Find the subjects of a video by what differs from its still background, and follow them.

    Parameters
    ----------
    recording : Recording
        Says which video, which of its frames, and in which region to look (the whole picture where it has none).
    n_subjects : int
        How many subjects there are in it.
    settings : TrackSettings
        How.
    report : callable, optional
        Told of the progress; may raise `Cancelled`.

    Returns
    -------
    list of Track
        One for each subject, from left to right in the first frame in which they are all apart.

    Raises
    ------
    VideoError
        If the video cannot be read.
    StudyError
        If the camera moves, or a subject is never found.
    """
    with open_frames(recording.path) as source:
        frame, fps = recording.frames(len(source)), source.fps or ASSUMED_FPS
        window = Window.of(recording, source)
        scene = _look_around(recording, source, frame, window, n_subjects, settings, report)
        sightings = _follow(recording, source, frame, window, scene, n_subjects, report)
    frame = frame[: len(sightings[0].axis)]
    if np.isnan([s.axis for s in sightings]).all():
        raise StudyError(
            f"{n_subjects} subjects were never seen apart in {recording.path}. The table must have one row for each "
            "subject in the video, and no more; or give boxes."
        )
    sightings = [without_jumps(seen, fps) for seen in sightings]
    return [Track(frame, boxes_of(frame, seen, fps, settings), _doubts(seen)) for seen in sightings]


def without_jumps(seen: Sightings, fps: float) -> Sightings:
    """Take out moments in which something else was taken for the subject, such as a light that went on.

    Where it moves by more than two body lengths a frame, its way is cut; pieces of less than half a second are taken
    out, unless there are hardly any others.

    Parameters
    ----------
    seen : Sightings
        At least one.
    fps : float
        Frames per second.
    """
    known = np.flatnonzero(~np.isnan(seen.axis))
    step = np.linalg.norm(np.diff(seen.centre[known], axis=0), axis=1) / np.diff(known)
    piece = np.concatenate([[0], np.cumsum(step > _FAR * np.median(seen.length[known]))])
    short = np.bincount(piece)[piece] < _BRIEF * fps
    arrays = {field.name: getattr(seen, field.name).copy() for field in fields(seen)}
    for array in arrays.values():
        array[known[short & (short.mean() < 0.5)]] = np.nan
    return Sightings(**arrays)


def boxes_of(frame: np.ndarray, seen: Sightings, fps: float, settings: TrackSettings) -> Boxes:
    """Make boxes of where a subject was seen: squares of one size, places and angles smoothed in time.

    Parameters
    ----------
    frame : ndarray of int, shape (T,)
        Absolute frame numbers.
    seen : Sightings
        At least one.
    fps : float
        Frames per second.
    settings : TrackSettings
        How.

    Returns
    -------
    Boxes
        Of the frames in which the subject was seen.
    """
    known = ~np.isnan(seen.axis)
    centre = smooth_between(frame[known], seen.centre[known], fps * settings.smooth)
    length = float(np.median(seen.length[known]))
    heading = find_heading(frame[known] / fps, centre, seen.axis[known], seen.elongation[known], length)
    return steady_boxes(frame[known], seen.centre[known], seen.reach[known], heading, fps, settings)


@dataclass(frozen=True)
class Window:
    """The part of the picture in which subjects are looked for, and how much smaller they are looked at.

    Attributes
    ----------
    x, y, width, height : int
        The part [px], within the picture.
    scale : float
        At most 1.
    """

    x: int
    y: int
    width: int
    height: int
    scale: float

    @classmethod
    def of(cls, recording: Recording, source: FrameSource) -> Window:
        """Take the recording's region, as far as it lies in the picture."""
        rows, columns = source.shape[1:3]
        x, y, w, h = recording.region or (0, 0, columns, rows)
        left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, columns), min(y + h, rows)
        if left >= right or top >= bottom:
            raise StudyError(
                f"Recording {recording.name}: its region (x {x}, y {y}, {w} x {h} px) lies outside the picture, which "
                f"is {columns} x {rows} px ({recording.path}). Draw it again, or leave it out for the whole picture."
            )
        width, height = right - left, bottom - top
        return cls(left, top, width, height, min(1.0, _WORKING / max(width, height)))

    def cut(self, picture: np.ndarray) -> np.ndarray:
        """Cut the window out of a frame."""
        part = picture[self.y : self.y + self.height, self.x : self.x + self.width]
        if self.scale == 1:
            return part
        size = max(1, round(self.width * self.scale)), max(1, round(self.height * self.scale))
        return cv2.resize(part, size, interpolation=cv2.INTER_AREA)


def _look_around(
    recording: Recording, source: FrameSource, frame: np.ndarray, window: Window, n_subjects: int,
    settings: TrackSettings, report: Report,
) -> Scene:  # fmt: skip
    """Learn the background from frames all over the recording."""
    chosen = np.unique(frame[np.linspace(0, len(frame) - 1, _N_SAMPLES).round().astype(int)])
    samples = []
    for i, t in enumerate(chosen.tolist()):
        report(Progress(f"learning the background of {recording.path.name}", i, len(chosen)))
        samples.append(window.cut(source.read([t])[0]))
    if not is_still(np.stack(samples)):
        raise StudyError(
            f"The camera of {recording.path} moves, or all of its picture changes: nobody can be found by what moves. "
            "Give boxes, for example from keypoints, or draw a region around the subject."
        )
    scene = learn_scene(np.stack(samples), n_subjects, settings.threshold)
    if not scene.area:
        raise StudyError(f"Nothing moves in {recording.path}: nobody can be found. Draw a region around the subject.")
    return scene


def _follow(
    recording: Recording, source: FrameSource, frame: np.ndarray, window: Window, scene: Scene, n_subjects: int,
    report: Report,
) -> list[Sightings]:  # fmt: skip
    stage, n = f"tracking {recording.path.name}", 0
    seen = np.full((len(frame), n_subjects, 6), np.nan, np.float32)
    last = np.full((n_subjects, 2), np.nan)
    for picture in source.iterate(int(frame[0]), int(frame[-1]) + 1):
        for i, blob in enumerate(find_blobs(window.cut(picture), scene, last)):
            if blob is not None:
                last[i] = blob.centre
                seen[n, i] = (*blob.centre, blob.axis, blob.elongation, blob.reach, blob.area)
        n += 1
        if n % _REPORT_EVERY == 0:
            report(Progress(stage, n, len(frame)))
    report(Progress(stage, n, n, message=source.problem))
    corner, scale = np.array([window.x, window.y]), window.scale
    return [
        Sightings(one[:, :2] / scale + corner, one[:, 2], one[:, 3], one[:, 4] / scale, np.sqrt(one[:, 5]) / scale)
        for one in seen[:n].astype(float).transpose(1, 0, 2)
    ]


def _doubts(seen: Sightings) -> str:
    """Say in words what speaks against the right subject having been followed."""
    found = float(np.mean(~np.isnan(seen.axis)))
    steps = np.linalg.norm(np.diff(seen.centre, axis=0), axis=1)
    jumps = int(np.sum(steps > np.nanmedian(seen.length)))
    doubts = []
    if found < _FOUND:
        doubts.append(f"it was found in {100 * found:.0f} % of the frames only")
    if jumps > _JUMPING * len(steps):
        doubts.append(f"it jumps by more than its own length {jumps} times")
    return " and ".join(doubts)
