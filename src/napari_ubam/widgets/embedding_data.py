"""The points of the map: which code belongs to which frame of which recording, and its colour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from napari_ubam.study import Study, embedding_path, read_embedding

MAX_POINTS = 20_000  # more are thinned out evenly: they could not be told apart, and drawing would be slow

Code = Literal["posture", "behaviour"]


@dataclass(frozen=True, eq=False)
class MapData:
    """The map, one row a point.

    Attributes
    ----------
    position : ndarray, shape (n, 2)
        Where the point lies.
    recording : ndarray of str, shape (n,)
        Names of the recordings.
    subject, group : ndarray of str, shape (n,)
        Who is seen, and which cohort that is.
    frame : ndarray of int64, shape (n,)
        Absolute frame numbers in the files.
    deviation : ndarray of float, shape (n,)
        NaN where it was not computed.
    """

    position: np.ndarray
    recording: np.ndarray
    subject: np.ndarray
    group: np.ndarray
    frame: np.ndarray
    deviation: np.ndarray

    def row_of(self, recording: str, frame: int) -> int | None:
        """Give the point of a recording that is nearest to a frame, None if the recording is not on the map."""
        rows = np.flatnonzero(self.recording == recording)
        return int(rows[np.argmin(np.abs(self.frame[rows] - frame))]) if len(rows) else None


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

    recordings = [x for x in study.recordings if embedding_path(study, x.name).exists()]
    embeddings = [read_embedding(study, recording.name) for recording in recordings]
    step = -(-sum(len(embedding.frame) for embedding in embeddings) // MAX_POINTS)
    frames = [embedding.frame[::step] for embedding in embeddings]
    lengths = [len(frame) for frame in frames]
    codes = np.concatenate([getattr(embedding, code)[::step] for embedding in embeddings])

    def repeat(values: Iterable[str]) -> np.ndarray:
        return np.repeat(np.array(list(values)), lengths)

    names, frame = repeat(x.name for x in recordings), np.concatenate(frames)
    return MapData(
        position=project(codes, method, recordings=names if centred else None),
        recording=names,
        subject=repeat(x.subject for x in recordings),
        group=repeat(x.group for x in recordings),
        frame=frame,
        deviation=_deviations(study, names, frame),
    )


def _deviations(study: Study, names: np.ndarray, frame: np.ndarray) -> np.ndarray:
    path = study.results_folder / "deviation.csv"
    if not path.exists():
        return np.full(len(frame), np.nan)
    table = pd.read_csv(path, dtype={"recording": str}).set_index(["recording", "frame"])["deviation"]
    return table.reindex(pd.MultiIndex.from_arrays([names, frame])).to_numpy(float)
