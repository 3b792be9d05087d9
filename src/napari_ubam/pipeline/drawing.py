"""Any frame of a recording, its deviation multiplied by any factor: kept open, so that the next one comes at once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from itertools import islice
from threading import Lock
from typing import TypeVar

import numpy as np

from napari_ubam.ahead import ahead
from napari_ubam.analysis.norm import parts_beyond_usual
from napari_ubam.errors import StudyError
from napari_ubam.magnify.magnifier import MagnifiedFrame, Shot, draw_shot, magnify_shot, mark_shot
from napari_ubam.magnify.marks import Marks
from napari_ubam.models.device import pick_device
from napari_ubam.models.inputs import background_of
from napari_ubam.models.store import load_model
from napari_ubam.pipeline.reading import read_embedded
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.settings import Unreliable
from napari_ubam.study import Study, fingerprint, read_reference
from napari_ubam.video import open_frames

SHOT = 16  # frames that are magnified together, if they are not too large
SHOT_BYTES = 24 * 2**20  # that they take at most, unless a single one takes more

T = TypeVar("T")


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
    unreliable : {"leave", "magnify"}
        What happens to frames without a good reference.

    Attributes
    ----------
    name : str
        The recording.
    frame : ndarray of int, shape (T,)
        The numbers in the file of the frames that can be drawn, in order.
    left : ndarray of bool, shape (T,)
        Which of them have no good reference and are left as they are.
    video : FrameSource
        The recording's whole file.

    Raises
    ------
    StudyError, VideoError, ModelError
        If the recording cannot be read, or was not measured yet.
    """

    def __init__(
        self, study: Study, name: str, device: str = "auto", report: Report = silent, unreliable: Unreliable = "leave"
    ) -> None:
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
        self.left = ~self._reference.reliable & (unreliable == "leave")
        self._background = crops.background if crops.background is not None else background_of(crops)
        self.video = open_frames(recording.path)
        self._latest: tuple[list[int], Shot] | None = None  # what was read last: a slider asks for it again and again
        self._lock = Lock()

    def draw(self, frames: Sequence[int], factor: float) -> list[MagnifiedFrame]:
        """Draw and mark some frames, by their numbers in the file, in any order.

        Raises
        ------
        StudyError
            If the recording does not have one of them.
        VideoError
            If one cannot be decoded.
        """
        return self._magnified(self._read(frames), factor)

    def images(self, frames: Sequence[int], factor: float) -> list[np.ndarray]:
        """Give some frames' images only, (Y, X, 3) uint8 each; see `draw`."""
        return draw_shot(self._read(frames), self._generator, factor, self._device)

    def images_over(self, rows: np.ndarray, pictures: list[np.ndarray], factor: float) -> list[np.ndarray]:
        """Give the images of the frames ``self.frame[rows]``, whose pictures were read already."""
        return draw_shot(self._shot(rows, pictures), self._generator, factor, self._device)

    def marks(self, frames: Sequence[int]) -> list[Marks]:
        """Give some frames' heatmaps and arrows only, which do not depend on the factor; see `draw`."""
        return mark_shot(self._read(frames), self._generator, self._device)

    def iterate(
        self, factor: float, frames: range | None = None, report: Report = silent
    ) -> Generator[MagnifiedFrame, None, None]:
        """Draw and mark a range of frames in their order, all of them by default: the fast path.

        Decoding, drawing, and what is done with the frames go on at the same time, in threads of their own; use it
        within `contextlib.closing` so that they end where it is left early.

        Raises
        ------
        StudyError
            If the recording has none of them.
        VideoError
            If one cannot be decoded.
        """
        return self._iterate(lambda shot: self._magnified(shot, factor), frames, report)

    def iterate_images(
        self, factor: float, frames: range | None = None, report: Report = silent
    ) -> Generator[np.ndarray, None, None]:
        """Give the images only of a range of frames; see `iterate`."""
        return self._iterate(lambda shot: draw_shot(shot, self._generator, factor, self._device), frames, report)

    def square(self, frame: int) -> tuple[float, float, float]:
        """Give where the square around the subject lies in a frame: x, y and side [px].

        Raises
        ------
        StudyError
            If the recording does not have that frame.
        """
        x, y, side, _ = self._crops.squares[self._rows_of([frame])[0]]
        return float(x), float(y), float(side)

    def close(self) -> None:
        """Let go of the video; drawing again opens it again."""
        with self._lock:
            self._latest = None
        self.video.close()

    def rows(self, frames: range | None) -> np.ndarray:
        """Give the places in ``frame`` of a range of frames, of all by default.

        Raises
        ------
        StudyError
            If the recording has none of them.
        """
        rows = np.arange(len(self.frame))
        if frames is not None:
            rows = rows[(self.frame >= frames.start) & (self.frame < frames.stop)]
        if not len(rows):
            raise StudyError(f"{self.name} has no frame in the range that was asked for; it has {self._range()}.")
        return rows

    def _iterate(
        self, make: Callable[[Shot], list[T]], frames: range | None, report: Report
    ) -> Generator[T, None, None]:
        rows = self.rows(frames)
        n = int(np.clip(SHOT_BYTES // np.prod(self.video.shape[1:]), 1, SHOT))
        chunks = [rows[start : start + n] for start in range(0, len(rows), n)]
        pictures = self.video.iterate(int(self.frame[rows[0]]), int(self.frame[rows[-1]]) + 1)

        def read(some: np.ndarray) -> Shot:
            return self._shot(some, list(islice(pictures, len(some))))

        stage, done = f"magnifying {self.name}", 0
        with closing(ahead(read, chunks)) as shots, closing(ahead(make, shots)) as made:
            for found in made:
                report(Progress(stage, done, len(rows)))
                yield from found
                done += len(found)
        report(Progress(stage, len(rows), len(rows)))

    def _magnified(self, shot: Shot, factor: float) -> list[MagnifiedFrame]:
        return magnify_shot(shot, self._generator, factor, self._device)

    def _read(self, frames: Sequence[int]) -> Shot:
        wanted = list(frames)
        with self._lock:
            if self._latest is not None and self._latest[0] == wanted:
                return self._latest[1]
        shot = self._shot(self._rows_of(wanted), list(self.video.read(wanted)))
        if len(wanted) == 1:
            with self._lock:
                self._latest = wanted, shot
        return shot

    def _rows_of(self, wanted: Sequence[int]) -> np.ndarray:
        """Find the places in ``frame`` of frames by their numbers."""
        rows = np.searchsorted(self.frame, wanted)
        if not np.array_equal(self.frame[np.minimum(rows, len(self.frame) - 1)], wanted):
            raise StudyError(f"{self.name} has no frames {list(wanted)}; it has {self._range()}.")
        return rows

    def _shot(self, rows: np.ndarray, pictures: list[np.ndarray]) -> Shot:
        crops, reference = self._crops, self._reference
        return Shot(
            self.frame[rows], pictures, np.asarray(crops.frames[rows]), crops.squares[rows], crops.mirrored,
            self._background, crops.background is not None, self._embedding.posture[rows],
            reference.reference[rows], reference.score[rows], parts_beyond_usual(reference.parts[rows]),
            self.left[rows], crops.is_empty,
        )  # fmt: skip

    def _range(self) -> str:
        return f"frames {self.frame[0]} to {self.frame[-1]}"
