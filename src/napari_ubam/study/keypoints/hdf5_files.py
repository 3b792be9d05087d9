"""Keypoints in HDF5 files: analysis files of SLEAP, and poses and boxes of movement (NetCDF-4, which is HDF5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_ubam.errors import StudyError
from napari_ubam.study.boxes import Boxes
from napari_ubam.study.keypoints.data import Keypoints

if TYPE_CHECKING:
    import h5py

_SLEAP_ORDER = ("track", "xy", "node", "frame")  # of files that do not say it
_PLURAL = {"keypoint": "keypoints", "individual": "individuals"}


def read_hdf5_keypoints(path: Path) -> dict[str, Keypoints]:
    """Read the keypoints of all individuals, by their names ('' where there is none).

    Raises
    ------
    StudyError
        If the file is damaged, or of a kind that is not read, with what to export instead. DeepLabCut's HDF5 files are
        not read: their columns' names are pickled, and a pickle can run any code.
    """
    with _opened(path) as file:
        if "tracks" in file and "node_names" in file:
            return _sleap(path, file)
        if "position" in file and "shape" not in file:
            return _movement(path, file)
        raise StudyError(f"{path} {_other_kind(file)}")


def holds_movement_boxes(path: Path) -> bool:
    """Tell whether a file is a dataset of boxes of movement."""
    if path.suffix.lower() != ".nc":
        return False
    with _opened(path) as file:
        return "position" in file and "shape" in file


def read_movement_boxes(path: Path) -> dict[str, Boxes]:
    """Read the boxes of all individuals of a dataset of movement, by their names.

    Raises
    ------
    StudyError
        If the file is damaged, or holds no box.
    """
    with _opened(path) as file:
        order = [_dimensions(file["position"]).index(d) for d in ("individual", "time", "space")]
        centre, size = (file[name][()].transpose(order) for name in ("position", "shape"))
        frame, individuals = _movement_frames(file).astype(np.int64), _texts(_coordinate(file, "individual"))
    box = np.concatenate([centre - size / 2, size], axis=-1)
    seen = np.isfinite(box).all(-1) & (size > 0).all(-1)
    if not seen.any():
        raise StudyError(f"{path} holds no box. Export it again, with positions and shapes in pixels of the video.")
    return {
        name: Boxes(frame[seen[i]], box[i, seen[i]].astype(float))
        for i, name in enumerate(individuals)
        if seen[i].any()
    }


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """Open a file to read from; what is wrong with it while it is read is told too."""
    import h5py  # slow to import, and only some studies need it

    try:
        with h5py.File(path, "r") as file:
            yield file
    except FileNotFoundError as error:
        raise StudyError(f"{path} is missing. Put it back, or correct its path in the table.") from error
    except (OSError, KeyError, ValueError, IndexError, TypeError, RuntimeError) as error:
        if path.is_file() and path.read_bytes()[:3] == b"CDF":
            raise StudyError(f'{path} is NetCDF-3. Save it with dataset.to_netcdf(path, engine="netcdf4").') from error
        raise StudyError(f"{path} cannot be read ({error}). Export it again, or copy it again.") from error


def _other_kind(file: h5py.File) -> str:
    if "instances" in file and "metadata" in file:
        return (
            "is a SLEAP project. Export its analysis file: in SLEAP with 'File > Export Analysis HDF5…', or with "
            "sleap-convert --format analysis."
        )
    if "position" in file:
        return "holds boxes, not keypoints. Name it in the table's column 'boxes'."
    if any("pandas_type" in group.attrs for group in file.values()):
        return (
            "is DeepLabCut's HDF5, which is not read, as it contains pickled Python objects. Give the CSV beside "
            "it, or make one with deeplabcut.analyze_videos_converth5_to_csv."
        )
    return "holds no keypoints that can be read. Give an analysis file of SLEAP, poses of movement, or a CSV."


def _sleap(path: Path, file: h5py.File) -> dict[str, Keypoints]:
    names, tracks = _texts(file["node_names"]), _texts(file["track_names"]) if "track_names" in file else []
    order = _order(file["tracks"], _SLEAP_ORDER)
    xy = file["tracks"][()].transpose([order.index(d) for d in ("track", "frame", "node", "xy")])
    score = None
    if "point_scores" in file:
        order = _order(file["point_scores"], tuple(d for d in _SLEAP_ORDER if d != "xy"))
        score = file["point_scores"][()].transpose([order.index(d) for d in ("track", "frame", "node")])
    if len(tracks) != len(xy):  # nobody was tracked
        tracks = [""] if len(xy) == 1 else [f"track_{i}" for i in range(len(xy))]
    return _individuals(path, np.arange(xy.shape[1]), names, tracks, xy, score)


def _movement(path: Path, file: h5py.File) -> dict[str, Keypoints]:
    position = file["position"]
    order = _dimensions(position)
    xy = position[()].transpose([order.index(d) for d in ("individual", "time", "keypoint", "space")])
    names, individuals = _texts(_coordinate(file, "keypoint")), _texts(_coordinate(file, "individual"))
    score = None
    if "confidence" in file:
        order = _dimensions(file["confidence"])
        score = file["confidence"][()].transpose([order.index(d) for d in ("individual", "time", "keypoint")])
    return _individuals(path, _movement_frames(file), names, individuals, xy, score)


def _movement_frames(file: h5py.File) -> np.ndarray:
    """Give the frames' numbers of a file of movement (T,), whose time is in frames or in seconds."""
    time = file["time"][()].astype(float)
    fps = float(np.asarray(file.attrs.get("fps", 1)).ravel()[0])
    return np.round(time * fps) if _text(file.attrs.get("time_unit", "frames")) == "seconds" else time


def _individuals(
    path: Path, frame: np.ndarray, names: list[str], individuals: list[str], xy: np.ndarray, score: np.ndarray | None
) -> dict[str, Keypoints]:
    """Split arrays (individual, frame, keypoint[, space]); whoever was never seen is left out."""
    if xy.shape[-1] != 2:
        raise StudyError(f"{path} has keypoints in space (x, y, z). Give those in pixels of the video.")
    seen = {
        individual: Keypoints.checked(str(path), frame, tuple(names), xy[i], None if score is None else score[i])
        for i, individual in enumerate(individuals)
        if np.isfinite(xy[i]).any()
    }
    if not seen:
        raise StudyError(f"{path} holds no keypoint. Export it again, with x and y in pixels of the video.")
    return seen


def _order(dataset: h5py.Dataset, usual: tuple[str, ...]) -> tuple[str, ...]:
    """Give a SLEAP array's dimensions: newer files say them, older ones all have the same."""
    return tuple(json.loads(dataset.attrs["dims"])) if "dims" in dataset.attrs else usual


def _dimensions(dataset: h5py.Dataset) -> list[str]:
    """Give the names of a NetCDF variable's dimensions, in the singular."""
    names = [dimension[0].name.rsplit("/", 1)[-1] for dimension in dataset.dims]
    return [next((one for one, many in _PLURAL.items() if name == many), name) for name in names]


def _coordinate(file: h5py.File, name: str) -> h5py.Dataset:
    return file[name] if name in file else file[_PLURAL[name]]


def _texts(dataset: h5py.Dataset) -> list[str]:
    return [_text(value) for value in np.asarray(dataset[()]).ravel().tolist()]


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
