"""The clusters of behaviour that were found, on disk: a table with one row a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from napari_ubam.study.embeddings import embedding_path
from napari_ubam.study.recording import Recording
from napari_ubam.study.results import read_result

if TYPE_CHECKING:
    from napari_ubam.study.study import Study

CLUSTERS = "clusters"  # the table's name


def read_clusters(study: Study) -> pd.DataFrame:
    """Read ``results/clusters.csv``, without the recordings that were embedded since.

    Returns
    -------
    DataFrame
        ``recording``, ``frame``, ``cluster``; empty where there is none.
    """
    path = study.results_folder / f"{CLUSTERS}.csv"
    if not path.exists():
        return pd.DataFrame({"recording": [], "frame": [], "cluster": []}).astype({"recording": str, "frame": int})
    table, written = read_result(study, CLUSTERS, "embed"), path.stat().st_mtime_ns

    def is_current(recording: Recording) -> bool:
        embedding = embedding_path(study, recording.name)
        return embedding.exists() and embedding.stat().st_mtime_ns <= written

    current = {recording.name for recording in study.recordings if is_current(recording)}
    return table.loc[table["recording"].isin(current), ["recording", "frame", "cluster"]]
