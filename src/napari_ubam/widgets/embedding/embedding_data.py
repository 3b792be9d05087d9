"""The points of the map: which code belongs to which frame of which recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from napari_ubam.analysis.stretches import stretches
from napari_ubam.errors import UbamError
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.settings import KeypointSettings, MapSettings
from napari_ubam.study import CodeMap, Interval, Recording, Study, embedding_path, read_clusters, read_result
from napari_ubam.study.keypoints import read_keypoints


@dataclass(frozen=True, eq=False)
class MapData(CodeMap):
    """The map, with what else is known of its points.

    Attributes
    ----------
    deviation : ndarray of float, shape (n,)
        NaN where it was not computed.
    cluster : ndarray of int, shape (n,)
        From 0; -1 where the frame is in no cluster, or it was not computed.
    keypoints : mapping of str to ndarray of float, shape (n,)
        What `keypoint_places` gives.
    """

    deviation: np.ndarray
    cluster: np.ndarray
    keypoints: Mapping[str, np.ndarray] = field(default_factory=dict)

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

    def has_points_of(self, other: MapData) -> bool:
        """Tell whether it has the same frames as another map, in the same order, wherever they lie."""
        names, others = ([recording.name for recording in data.recordings] for data in (self, other))
        return names == others and np.array_equal(self.which, other.which) and np.array_equal(self.frame, other.frame)

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
    return MapData(**vars(found), deviation=deviation, cluster=cluster, keypoints=keypoint_places(found, report))


def keypoint_places(found: CodeMap, report: Report = silent) -> dict[str, np.ndarray]:
    """Say where keypoints that other programs found are, as far as the table of recordings names files of them.

    Parameters
    ----------
    found : CodeMap
        The points.
    report : callable
        Told which file cannot be read; its recording is passed over.

    Returns
    -------
    dict of str to ndarray of float, shape (n,)
        Such as ``"nose: x"`` and ``"nose: y"`` [px], from the middle of the frame's keypoints if there are several: how
        the body is held, not where it is in the picture. NaN where it is not known.
    """
    places: dict[str, np.ndarray] = {}
    least = KeypointSettings().min_score
    for number, recording in enumerate(found.recordings):
        if recording.keypoints is None:
            continue
        try:
            own = read_keypoints(recording.keypoints, recording.individual).confident(least)
        except UbamError as error:
            report(Progress("reading keypoints", number, len(found.recordings), message=str(error)))
            continue
        rows = found.which == number
        xy = own.at(found.frame[rows])
        if len(own.names) > 1:
            known = np.isfinite(xy).sum(1, keepdims=True)
            xy = xy - np.nansum(xy, 1, keepdims=True) / np.maximum(known, 1)
        for i, name in enumerate(own.names):
            for axis, values in zip("xy", xy[:, i].T, strict=True):
                places.setdefault(f"{name}: {axis}", np.full(len(found.frame), np.nan))[rows] = values
    return places
