"""Crops: a recording's region of interest in every frame, decoded once and kept in the study's cache."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_ubam.errors import StudyError, VideoError
from napari_ubam.files import atomic_path
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.settings import Background
from napari_ubam.study.background import is_still, median_colour, median_picture
from napari_ubam.study.empty_scene import empty_scene, is_anybody_always_there
from napari_ubam.study.npy import NpyWriter, forget
from napari_ubam.study.others import find_threshold, hide_others
from napari_ubam.study.recording import Recording
from napari_ubam.study.squares import cut_square, find_squares, resize_square
from napari_ubam.study.study import TABLE_FILE, Study
from napari_ubam.study.table import portable_path
from napari_ubam.video import ASSUMED_FPS, estimate_length, open_frames

_FORMAT = 5  # of the files in the cache; raise it when they change
_N_SAMPLES = 64  # frames that the background is the median of
_REPORT_EVERY = 32  # frames
_WORDS = {  # for what crops depend on; the others are settings of the study
    "format": "the version of napari-ubam",
    "video": "the video",
    "region": "the region",
    "boxes": "the boxes",
    "start": "the range of frames",
    "stop": "the range of frames",
    "mirrored": "whether it is mirrored",
}
MUCH = 10e9  # bytes on the disk; a user is asked before more is written


@dataclass(frozen=True, eq=False)
class Crops:
    """A recording's region of interest in every frame.

    Attributes
    ----------
    frames : ndarray of uint8, shape (T, S, S, 3)
        RGB, resized to the study's crop size; a memory map. Without a still background, others than the
        subject are hidden if the study's settings say so.
    frame : ndarray of int64, shape (T,)
        Absolute frame numbers in the file.
    squares : ndarray of float32, shape (T, 4)
        The square region in the video: x and y of its top left corner, its side [px], and the angle by which it is then
        turned about its centre [degrees, clockwise]. It may reach outside the picture, whose edge is repeated there.
        Never mirrored.
    interpolated : ndarray of bool, shape (T,)
        True where the boxes have no box for the frame.
    background : ndarray of uint8, shape (N, N, 3), or None
        The square's own still background at the video's resolution, N = round(side); None where there is none.
        Mirrored as ``frames`` are.
    fps : float
        Frames per second; 0 if unknown.
    mirrored : bool
        Whether ``frames`` and ``background`` show the mirror image of the video.
    is_empty : bool
        Whether nothing of the subject is in the background.
    """

    frames: np.ndarray
    frame: np.ndarray
    squares: np.ndarray
    interpolated: np.ndarray
    background: np.ndarray | None
    fps: float
    mirrored: bool
    is_empty: bool = False

    @property
    def has_empty_background(self) -> bool | None:
        """Whether nothing of the subject is in the background; None if there is none."""
        return None if self.background is None else self.is_empty


def load_crops(study: Study, recording: Recording, report: Report = silent) -> Crops:
    """Give a recording's crops: from the cache, or decoded in one pass through the video and kept there.

    Cached crops count only as long as the video, the region, the boxes, the range of frames and the study's settings
    are as they were. With the setting ``auto``, a background is taken unless the recording has boxes or its region
    moves with the subject (see `napari_ubam.study.background.is_still`).

    Parameters
    ----------
    study : Study
        Has the settings and the cache.
    recording : Recording
        What to decode. A video that breaks off is read as far as it goes, with a message to ``report``.
    report : callable, optional
        Called every some frames; may raise `Cancelled`, which leaves the cache as it was.

    Raises
    ------
    VideoError
        If the video is missing or cannot be decoded.
    StudyError
        If the region lies outside the picture, the boxes cannot be read, or no frame is left.
    """
    folder = study.cache_folder / recording.name
    key = crops_key(study, recording)
    crops = _read(folder, key)
    if crops is None:
        _decode(study, recording, folder, key, report)
        crops = _read(folder, key)
    if crops is None:
        raise StudyError(f"{folder} cannot be read back after writing. Delete it, and run the step again.")
    return crops


def crops_changes(study: Study, recording: Recording) -> tuple[str, ...] | None:
    """Say what has changed since a recording's crops were cached: nothing if they count, None if there are none.

    Raises
    ------
    VideoError, StudyError
        If the video is missing, or the boxes are.
    """
    folder, key = study.cache_folder / recording.name, crops_key(study, recording)
    if _read(folder, key) is not None:
        return ()
    try:
        before = json.loads((folder / "crops.json").read_text(encoding="utf-8"))["key"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return key_changes(before, key) or None  # alike, and yet not to be read: they are damaged


def is_background_empty(study: Study, name: str) -> bool | None:
    """Tell whether nothing of the subject is in a recording's background; None if the cached crops have none."""
    try:
        about = json.loads((study.cache_folder / name / "crops.json").read_text(encoding="utf-8"))
        return bool(about["is_empty"]) if about["has_background"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def key_changes(before: dict[str, Any], now: dict[str, Any]) -> tuple[str, ...]:
    """Say in words in what two keys of crops differ."""
    names = [name for name in now if before.get(name) != now[name]]
    return tuple(dict.fromkeys(_WORDS.get(name, f"the setting {name}") for name in names))


def cache_size(study: Study, recordings: Iterable[Recording]) -> int:
    """Foretell how much of the disk the crops will take that are not in the cache yet [bytes].

    Lengths are taken from the headers of the videos, which may say a little more or less than there is. Recordings
    that cannot be read take nothing.
    """
    total = 0
    for recording in recordings:
        try:
            if _read(study.cache_folder / recording.name, crops_key(study, recording)) is None:
                length = len(recording.frames(estimate_length(recording.path)))
                total += length * 3 * study.settings.crop_size**2
        except (VideoError, StudyError):  # which is told when it is to be read
            continue
    return total


def check_disk(study: Study, recordings: Iterable[Recording]) -> None:
    """See that the disk has room for the crops, before an hour of decoding.

    Raises
    ------
    StudyError
        If it has not.
    """
    needed = cache_size(study, recordings)
    there = next(folder for folder in (study.folder, *study.folder.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise StudyError(
            f"The crops need {describe_size(needed)} in {study.cache_folder}, and that disk has "
            f"{describe_size(free)} left. Free some space, move the study to a larger disk, use fewer frames "
            f"(start and stop in {TABLE_FILE}), or a smaller crop_size than {study.settings.crop_size}."
        )


def describe_size(n: float) -> str:
    """Write a number of bytes as users know it, such as ``5.4 GB``."""
    return f"{n / 1e9:.1f} GB" if n >= 1e8 else f"{n / 1e6:.1f} MB"


def crops_key(study: Study, recording: Recording) -> dict[str, Any]:
    """Say what a recording's crops depend on, as JSON gives it back: another key, other crops.

    Raises
    ------
    VideoError, StudyError
        If the video is missing, or the boxes are.
    """
    advice = f"Put it back, or correct the path of recording {recording.name} in {study.folder / TABLE_FILE}."
    boxes = None
    if recording.boxes is not None:
        if not recording.boxes.exists():
            raise StudyError(f"The boxes {recording.boxes} are missing. {advice}")
        whose = [] if recording.individual is None else [recording.individual]
        boxes = [portable_path(recording.boxes, study.folder), *_fingerprint(recording.boxes), *whose]
    if not recording.path.exists():
        raise VideoError(f"The video {recording.path} is missing. {advice}")
    return {
        "format": _FORMAT,
        "video": [portable_path(recording.path, study.folder), *_fingerprint(recording.path)],
        "region": list(recording.region) if recording.region else None,
        "boxes": boxes,
        "start": recording.start,
        "stop": recording.stop,
        "crop_size": study.settings.crop_size,
        "background": study.settings.background,
        "hide_others": study.settings.hide_others,
        "mirrored": _is_mirrored(study, recording),
        "turn": study.settings.turn,
    }


def _fingerprint(path: Path) -> list[int]:
    """Tell whether a file, or any file of a folder, was changed: size [bytes] and time of the last change [ns]."""
    stats = [path.stat(), *(p.stat() for p in path.rglob("*"))] if path.is_dir() else [path.stat()]
    return [sum(stat.st_size for stat in stats), max(stat.st_mtime_ns for stat in stats)]


def _is_mirrored(study: Study, recording: Recording) -> bool:
    return study.settings.mirror_to != "none" and recording.side not in (None, study.settings.mirror_to)


def _read(folder: Path, key: dict[str, Any]) -> Crops | None:
    """Read cached crops; None if there are none, or they are damaged or out of date."""
    try:
        about = json.loads((folder / "crops.json").read_text(encoding="utf-8"))
        if about["key"] != key:
            return None
        with (folder / "index.npz").open("rb") as file, np.load(file) as index:
            frame, squares, interpolated = index["frame"], index["squares"], index["interpolated"]
        return Crops(
            frames=np.load(folder / "crops.npy", mmap_mode="r"),
            frame=frame,
            squares=squares,
            interpolated=interpolated,
            background=np.load(folder / "background.npy") if about["has_background"] else None,
            fps=about["fps"],
            mirrored=key["mirrored"],
            is_empty=about["is_empty"],
        )
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None


def _decode(study: Study, recording: Recording, folder: Path, key: dict[str, Any], report: Report) -> None:
    """Write a recording's crops, index and background into the cache, all or nothing."""
    size, mirrored, stage = study.settings.crop_size, key["mirrored"], f"reading {recording.name}"
    with open_frames(recording.path) as source:
        frame = recording.frames(len(source))
        fps = source.fps or ASSUMED_FPS
        squares, interpolated = find_squares(
            recording, frame, (source.shape[1], source.shape[2]), study.settings.turn, fps
        )
        sampled = _sampled(study, recording, len(frame))
        n = max(1, round(float(squares[0, 2])))
        with atomic_path(folder) as new:
            new.mkdir()
            with (
                NpyWriter(new / "crops.npy", (size, size, 3)) as crops,
                NpyWriter(new / "samples.npy", (n, n, 3)) as samples,
            ):
                for i, picture in enumerate(source.iterate(int(frame[0]), int(frame[-1]) + 1)):
                    cut = cut_square(picture, squares[i])
                    cut = cut[:, ::-1] if mirrored else cut
                    if i in sampled:
                        samples.append(cut)
                    crops.append(resize_square(np.ascontiguousarray(cut), size))
                    if i % _REPORT_EVERY == 0:
                        report(Progress(stage, i, len(frame)))
            if not crops.count:
                raise VideoError(f"No frame of {recording.path} can be decoded. Copy the video again from its source.")
            background, is_empty = None, False
            if sampled:
                background, is_empty = _background(new / "samples.npy", study.settings.background)
            (new / "samples.npy").unlink()
            if background is None and study.settings.hide_others:
                _hide_others(new / "crops.npy")
            if background is not None:
                np.save(new / "background.npy", background)
            done = slice(crops.count)
            np.savez(new / "index.npz", frame=frame[done], squares=squares[done], interpolated=interpolated[done])
            about = {
                "key": key, "fps": float(source.fps), "has_background": background is not None, "is_empty": is_empty,
            }  # fmt: skip
            (new / "crops.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
        report(Progress(stage, crops.count, crops.count, message=source.problem or ""))


def _sampled(study: Study, recording: Recording, n_frames: int) -> set[int]:
    """Choose the frames that the background is made of; none where there cannot be one."""
    wanted = study.settings.background
    if wanted == "none" or (wanted == "auto" and recording.boxes is not None):
        return set()
    return set(np.linspace(0, n_frames - 1, min(_N_SAMPLES, n_frames)).round().astype(int).tolist())


def _background(path: Path, wanted: Background) -> tuple[np.ndarray | None, bool]:
    """Find the background, if it is still, and whether nothing of the subject is in it."""
    samples = np.load(path, mmap_mode="r")
    if wanted == "auto" and not is_still(samples):
        return None, False
    median = median_picture(samples)
    return empty_scene(samples, median) if wanted == "auto" else (median, not is_anybody_always_there(samples))


def _hide_others(path: Path) -> None:
    """Leave the subject alone in the crops, so that nobody else is taken for it."""
    crops = np.load(path, mmap_mode="r+")
    colour = median_colour(crops)
    threshold = find_threshold(crops, colour)
    for start in range(0, len(crops), _REPORT_EVERY):
        part = slice(start, start + _REPORT_EVERY)
        crops[part] = hide_others(crops[part], colour, threshold)
        forget(crops)
    crops.flush()
