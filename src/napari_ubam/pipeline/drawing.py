"""Any frame of a recording, its deviation multiplied by any factor: kept open, so that the next one comes at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from napari_ubam.errors import StudyError
from napari_ubam.magnify.magnifier import MagnifiedFrame, Shot, magnify_shot
from napari_ubam.models.device import pick_device
from napari_ubam.models.inputs import background_of
from napari_ubam.models.store import load_model
from napari_ubam.pipeline.reading import read_embedded
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.study import Study, fingerprint, read_reference
from napari_ubam.video import open_frames

SHOT = 16  # frames that are magnified together


class Magnifier:
    """Draws frames of one recording; may be used from several threads.

    Parameters
    ----------
    study : Study
        A measured study.
    name : str
        The recording.
    device : str
        Where to compute.
    report : callable, optional
        Told of the progress where the recording has to be decoded first.

    Attributes
    ----------
    name : str
        The recording.
    frame : ndarray of int, shape (T,)
        The numbers in the file of the frames that can be drawn, in order.
    video : FrameSource
        The recording's whole file.

    Raises
    ------
    StudyError, VideoError, ModelError
        If the recording cannot be read, or was not measured yet.
    """

    def __init__(self, study: Study, name: str, device: str = "auto", report: Report = silent) -> None:
        self.name = name
        self._device = pick_device(device)
        recording = study.recording(name)
        self._reference = read_reference(study, name)
        self._generator = load_model(study.models_folder / "generator", self._device)
        self._embedding, self._crops = read_embedded(study, recording, report)
        if self._reference.embedding != fingerprint(self._embedding.posture):
            raise StudyError(
                f"The results of {name} are older than its embedding. Run again: napari-ubam deviate {study.folder}"
            )
        crops = self._crops
        self.frame = crops.frame
        self._background = crops.background if crops.background is not None else background_of(crops)
        self.video = open_frames(recording.path)

    def draw(self, frames: Sequence[int], factor: float) -> list[MagnifiedFrame]:
        """Draw some frames, by their numbers in the file, in any order.

        Raises
        ------
        StudyError
            If the recording does not have one of them.
        VideoError
            If one cannot be decoded.
        """
        rows = np.searchsorted(self.frame, frames)
        if not np.array_equal(self.frame[np.minimum(rows, len(self.frame) - 1)], frames):
            raise StudyError(f"{self.name} has no frames {list(frames)}; it has {self._range()}.")
        return self.draw_over(rows, list(self.video.read(frames)), factor)

    def draw_over(self, rows: np.ndarray, pictures: list[np.ndarray], factor: float) -> list[MagnifiedFrame]:
        """Draw the frames ``self.frame[rows]``, whose pictures were read already."""
        crops, reference = self._crops, self._reference
        shot = Shot(
            self.frame[rows], pictures, np.asarray(crops.frames[rows]), crops.squares[rows], crops.mirrored,
            self._background, crops.background is not None, self._embedding.posture[rows],
            reference.reference[rows], reference.score[rows],
        )  # fmt: skip
        return magnify_shot(shot, self._generator, reference.spread, factor, self._device)

    def iterate(self, factor: float, frames: range | None = None, report: Report = silent) -> Iterator[MagnifiedFrame]:
        """Draw a range of frames in their order, all of them by default: the fast path.

        Raises
        ------
        StudyError
            If the recording has none of them.
        VideoError
            If one cannot be decoded.
        """
        rows = np.arange(len(self.frame))
        if frames is not None:
            rows = rows[(self.frame >= frames.start) & (self.frame < frames.stop)]
        if not len(rows):
            raise StudyError(f"{self.name} has no frame in the range that was asked for; it has {self._range()}.")
        stage = f"magnifying {self.name}"
        pictures = self.video.iterate(int(self.frame[rows[0]]), int(self.frame[rows[-1]]) + 1)
        for start in range(0, len(rows), SHOT):
            report(Progress(stage, start, len(rows)))
            some = rows[start : start + SHOT]
            yield from self.draw_over(some, list(islice(pictures, len(some))), factor)
        report(Progress(stage, len(rows), len(rows)))

    def close(self) -> None:
        """Let go of the video; drawing again opens it again."""
        self.video.close()

    def _range(self) -> str:
        return f"frames {self.frame[0]} to {self.frame[-1]}"
