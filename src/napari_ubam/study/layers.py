"""Copies of layers that have no file, so that every step can run in another process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_ubam.errors import StudyError
from napari_ubam.study.recording import file_name
from napari_ubam.study.study import LAYERS_FOLDER
from napari_ubam.study.table import unique_name
from napari_ubam.video import write_video


def save_layer(study_folder: str | Path, name: str, frames: Any, fps: float) -> Path:
    """Copy a layer into a study without loss, as ``recordings/NAME.mkv``.

    Parameters
    ----------
    study_folder : str or Path
        The study's folder; the study itself may not exist yet.
    name : str
        The layer's name. What a file's name cannot hold becomes ``_``; a copy that is there already is kept, and
        the new one is called ``NAME_2``.
    frames : array-like of uint8, shape (T, Y, X), (T, Y, X, 3) or (T, Y, X, 4)
        The layer's data, in memory or lazy; read frame by frame. An alpha channel is left out.
    fps : float
        Frames per second.

    Returns
    -------
    Path
        The new video.

    Raises
    ------
    StudyError
        If the data is not a series of 8-bit pictures.
    VideoError
        If the video cannot be written.
    """
    shape = tuple(frames.shape)
    if np.dtype(frames.dtype) != np.uint8 or not (len(shape) == 3 or (len(shape) == 4 and shape[3] in (3, 4))):
        raise StudyError(
            f"The layer {name!r} has {frames.dtype} data of shape {shape}; a recording needs 8-bit frames, grey "
            "(T, Y, X) or RGB (T, Y, X, 3). Convert the layer first, for example with 'Convert data type' to uint8."
        )
    if min(shape[:3]) == 0:
        raise StudyError(f"The layer {name!r} is empty (shape {shape}). Choose a layer that holds frames.")
    folder = Path(study_folder) / LAYERS_FOLDER
    stem = file_name(name) or "layer"
    path = folder / f"{unique_name(stem, [p.stem for p in folder.glob('*')])}.mkv"
    write_video(path, (np.asarray(frames[t]) for t in range(shape[0])), fps)
    return path
