"""Pictures of single frames, as the networks see them: read in any thread."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event, Lock

import numpy as np

from napari_ubam.progress import Cancelled, Progress
from napari_ubam.study import Crops, Recording, Study, load_crops


class FramePictures:
    """Gives pictures of a study's frames out of its crops, which are decoded if they are not in the cache.

    Parameters
    ----------
    study : Study
        Whose.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._known: dict[str, Crops] = {}
        self._lock, self._closed = Lock(), Event()

    def picture(self, recording: Recording, frame: int) -> np.ndarray:
        """Give the picture (S, S, 3) uint8 of a frame of the file, or of the one next to it that there is.

        Raises
        ------
        VideoError, StudyError
            If the recording cannot be read.
        Cancelled
            If it was closed.
        """
        with self._lock:
            if recording.name not in self._known:
                self._known[recording.name] = load_crops(self._study, recording, self._report)
            crops = self._known[recording.name]
        row = min(int(np.searchsorted(crops.frame, frame)), len(crops.frame) - 1)
        return np.array(crops.frames[row])

    def pictures(self, frames: Sequence[tuple[Recording, int]]) -> np.ndarray:
        """Give the pictures (n, S, S, 3) of frames of several recordings."""
        return np.stack([self.picture(recording, frame) for recording, frame in frames])

    def close(self) -> None:
        """Decode nothing any more."""
        self._closed.set()

    def _report(self, progress: Progress) -> None:
        if self._closed.is_set():
            raise Cancelled


def montage(pictures: np.ndarray, columns: int) -> np.ndarray:
    """Lay pictures (n, S, S, 3) side by side in rows; what is left over of the last row is black."""
    n, side = len(pictures), pictures.shape[1]
    rows = -(-n // columns)
    filled = np.zeros((rows * columns, side, side, 3), np.uint8)
    filled[:n] = pictures
    return filled.reshape(rows, columns, side, side, 3).swapaxes(1, 2).reshape(rows * side, columns * side, 3)
