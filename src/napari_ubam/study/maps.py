"""Maps on disk: where each frame's code lies in the plane, kept so that it lies there the next time too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ubam.errors import StudyError
from napari_ubam.study.arrays import open_arrays, write_arrays

if TYPE_CHECKING:
    from pathlib import Path

    from napari_ubam.study.recording import Recording
from napari_ubam.study.study import Study


@dataclass(frozen=True, eq=False)
class CodeMap:
    """A map, one row a frame; those of a recording follow one another, in the order of time.

    Attributes
    ----------
    position : ndarray of float32, shape (n, 2)
        Where the frame lies.
    recordings : tuple of Recording
        Those that are on the map.
    which : ndarray of int, shape (n,)
        Whose the frame is, as a number in ``recordings``.
    frame : ndarray of int64, shape (n,)
        Absolute frame numbers in the files.
    codes : ndarray of float32, shape (n, d)
        What was laid out.
    step : int
        Every so many frames are on the map.
    """

    position: np.ndarray
    recordings: tuple[Recording, ...]
    which: np.ndarray
    frame: np.ndarray
    codes: np.ndarray
    step: int


@dataclass(frozen=True, eq=False)
class KeptMap:
    """A map as it was laid out.

    Attributes
    ----------
    positions : dict of str to ndarray of float32, shape (n, 2)
        By recording: where every so many of its frames lie.
    made_of : dict of str to str
        By recording: `napari_ubam.study.fingerprint` of the codes that were laid out.
    step : int
        Every so many frames are on the map.
    """

    positions: dict[str, np.ndarray]
    made_of: dict[str, str]
    step: int


def write_map(study: Study, name: str, kept: KeptMap) -> None:
    """Write a map to ``results/maps/NAME.zarr``, in place of an older one."""
    names = list(kept.positions)
    arrays = {
        "position": np.concatenate([np.asarray(kept.positions[x], np.float32) for x in names]),
        "length": np.array([len(kept.positions[x]) for x in names], np.int64),
    }
    attributes = {"recordings": names, "made_of": [kept.made_of[x] for x in names], "step": kept.step}
    write_arrays(_map_path(study, name), arrays, attributes)


def read_map(study: Study, name: str) -> KeptMap | None:
    """Read a map; None if there is none, or it is damaged: it is easily made again."""
    try:
        with open_arrays(_map_path(study, name), missing="no map", command="") as group:
            position, length = np.asarray(group["position"]), np.asarray(group["length"])
            about: dict[str, Any] = dict(group.attrs)
            names, made_of, step = about["recordings"], about["made_of"], about["step"]
            parts = np.split(position, np.cumsum(length)[:-1])
            return KeptMap(
                dict(zip(names, parts, strict=True)), dict(zip(names, made_of, strict=True)), max(int(step), 1)
            )
    except StudyError:
        return None


def _map_path(study: Study, name: str) -> Path:
    return study.results_folder / "maps" / f"{name}.zarr"
