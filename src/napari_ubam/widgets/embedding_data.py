"""The points of the map: which code belongs to which frame of which recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from napari_ubam.study import Recording, Study, embedding_path, read_embedding

MAX_POINTS = 200_000  # more are thinned out evenly

Code = Literal["posture", "behaviour"]


@dataclass(frozen=True, eq=False)
class MapData:
    """The map, one row a point; those of a recording follow one another, in the order of time.

    Attributes
    ----------
    position : ndarray of float32, shape (n, 2)
        Where the point lies.
    recordings : tuple of Recording
        Those that are on the map.
    which : ndarray of int, shape (n,)
        Whose the point is, as a number in ``recordings``.
    frame : ndarray of int64, shape (n,)
        Absolute frame numbers in the files.
    deviation : ndarray of float, shape (n,)
        NaN where it was not computed.
    """

    position: np.ndarray
    recordings: tuple[Recording, ...]
    which: np.ndarray
    frame: np.ndarray
    deviation: np.ndarray

    def recording_of(self, row: int) -> Recording:
        """Give the recording that a point belongs to."""
        return self.recordings[self.which[row]]

    def rows_of(self, recording: str) -> range:
        """Give the points of a recording; none if it is not on the map."""
        number = next((i for i, x in enumerate(self.recordings) if x.name == recording), -1)
        start, stop = np.searchsorted(self.which, [number, number + 1])
        return range(start, stop)

    def row_of(self, recording: str, frame: int) -> int | None:
        """Give the point of a recording that is nearest to a frame, None if the recording is not on the map."""
        rows = self.rows_of(recording)
        if not rows:
            return None
        return rows.start + int(np.argmin(np.abs(self.frame[rows.start : rows.stop] - frame)))

    def before(self, row: int, n: int) -> np.ndarray:
        """Give the n points of the same recording before a point, or as many as there are."""
        start = int(np.searchsorted(self.which, self.which[row]))
        return np.arange(max(start, row - n), row)


def is_embedded(study: Study) -> bool:
    """Tell whether any recording of a study has an embedding."""
    return any(embedding_path(study, recording.name).exists() for recording in study.recordings)


def load_map(study: Study, code: Code, method: Literal["pca", "tsne"], *, centred: bool) -> MapData:
    """Lay out the embeddings of a study in the plane.

    Parameters
    ----------
    study : Study
        Recordings without an embedding are passed over; one at least must have one.
    code : {"posture", "behaviour"}
        What is laid out.
    method : {"pca", "tsne"}
        How, see `napari_ubam.analysis.projection.project`.
    centred : bool
        Take each recording's mean off first, so that builds do not tell subjects apart.

    Returns
    -------
    MapData
        At most `MAX_POINTS` points.
    """
    from napari_ubam.analysis.projection import project  # loads scikit-learn

    recordings = tuple(x for x in study.recordings if embedding_path(study, x.name).exists())
    embeddings = [read_embedding(study, recording.name) for recording in recordings]
    step = -(-sum(len(embedding.frame) for embedding in embeddings) // MAX_POINTS)
    frames = [embedding.frame[::step] for embedding in embeddings]
    codes = np.concatenate([getattr(embedding, code)[::step] for embedding in embeddings])
    which, frame = np.repeat(np.arange(len(frames)), [len(x) for x in frames]), np.concatenate(frames)
    return MapData(
        position=project(codes, method, recordings=which if centred else None),
        recordings=recordings,
        which=which,
        frame=frame,
        deviation=_deviations(study, np.array([x.name for x in recordings])[which], frame),
    )


def _deviations(study: Study, names: np.ndarray, frame: np.ndarray) -> np.ndarray:
    path = study.results_folder / "deviation.csv"
    if not path.exists():
        return np.full(len(frame), np.nan)
    table = pd.read_csv(path, dtype={"recording": str}).set_index(["recording", "frame"])["deviation"]
    return table.reindex(pd.MultiIndex.from_arrays([names, frame])).to_numpy(float)
