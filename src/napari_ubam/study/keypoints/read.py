"""Read keypoints from any file that we know, by its content."""

from __future__ import annotations

from pathlib import Path

from napari_ubam.errors import StudyError
from napari_ubam.study.keypoints.csv_files import kind_of_csv, read_csv_keypoints
from napari_ubam.study.keypoints.data import Keypoints, choose_individual
from napari_ubam.study.keypoints.hdf5_files import read_hdf5_keypoints

HDF5 = (".h5", ".hdf5", ".nc", ".slp")


def read_keypoints(path: str | Path, individual: str | None = None) -> Keypoints:
    """Read the keypoints of one individual.

    Parameters
    ----------
    path : str or Path
        A CSV or labels of DeepLabCut or Lightning Pose, an analysis file (HDF5 or CSV) of SLEAP, poses of movement
        (NetCDF-4), or a CSV of ``frame, keypoint, x, y`` and, optionally, ``score`` and ``individual``.
    individual : str, optional
        Which one, if the file has several.

    Raises
    ------
    StudyError
        If the file is missing, damaged, of another kind, or does not have this individual; with what to do.
    """
    path = Path(path)
    if not path.is_file():
        raise StudyError(f"The keypoints {path} are missing. Put the file back, or correct its path in the table.")
    found = read_hdf5_keypoints(path) if _is_hdf5(path) else read_csv_keypoints(path)
    return choose_individual(path, found, individual)


def holds_keypoints(path: Path) -> bool:
    """Tell whether a file is one that `read_keypoints` reads, rather than a table of boxes."""
    return _is_hdf5(path) or kind_of_csv(path) in ("DeepLabCut", "SLEAP", "table")


def _is_hdf5(path: Path) -> bool:
    return path.suffix.lower() in HDF5
