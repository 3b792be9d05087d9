"""The points of the map: which code belongs to which frame of which recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from napari_ubam.analysis.stretches import stretches
from napari_ubam.progress import Report, silent
from napari_ubam.settings import MapSettings
from napari_ubam.study import CodeMap, Interval, Recording, Study, embedding_path, read_clusters, read_result


@dataclass(frozen=True, eq=False)
class MapData(CodeMap):
    """The map, with what else is known of its points.

    Attributes
    ----------
    deviation : ndarray of float, shape (n,)
        NaN where it was not computed.
    cluster : ndarray of int, shape (n,)
        From 0; -1 where the frame is in no cluster, or it was not computed.
    """

    deviation: np.ndarray
    cluster: np.ndarray

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

    def intervals(self, rows: np.ndarray, label: str) -> list[Interval]:
        """Give points as stretches of their recordings."""
        found = []
        for number in np.unique(self.which[rows]):
            frames = self.frame[rows[self.which[rows] == number]]
            for start, stop in stretches(frames, self.step).tolist():
                found.append(Interval(self.recordings[number].name, start, stop, label))
        return found

    def before(self, row: int, n: int) -> np.ndarray:
        """Give the n points of the same recording before a point, or as many as there are."""
        start = int(np.searchsorted(self.which, self.which[row]))
        return np.arange(max(start, row - n), row)


def is_embedded(study: Study) -> bool:
    """Tell whether any recording of a study has an embedding."""
    return any(embedding_path(study, recording.name).exists() for recording in study.recordings)


def load_map(study: Study, settings: MapSettings, report: Report = silent) -> MapData:
    """Lay out the embeddings of a study in the plane, as `napari_ubam.pipeline.lay_out` does."""
    from napari_ubam.pipeline.mapping import lay_out

    found = lay_out(study, settings, report=report)
    names = np.array([recording.name for recording in found.recordings])[found.which]
    rows = pd.MultiIndex.from_arrays([names, found.frame])

    def of_frames(table: pd.DataFrame, column: str) -> np.ndarray:
        return table.set_index(["recording", "frame"])[column].reindex(rows).to_numpy(float)

    deviation = np.full(len(rows), np.nan)
    if (study.results_folder / "deviation.csv").exists():
        deviation = of_frames(read_result(study, "deviation", "deviate"), "deviation")
    cluster = np.nan_to_num(of_frames(read_clusters(study), "cluster"), nan=-1).astype(int)
    return MapData(**vars(found), deviation=deviation, cluster=cluster)
