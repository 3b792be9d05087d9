"""Find the behaviours that recur in a study."""

from __future__ import annotations

import numpy as np
import pandas as pd

from napari_ubam.analysis.clusters import find_clusters
from napari_ubam.analysis.projection import centre
from napari_ubam.errors import StudyError
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.settings import ClusterSettings
from napari_ubam.study import CLUSTERS, Study, embedding_path, read_embedding, record_run, write_result


def cluster(study: Study, settings: ClusterSettings | None = None, *, report: Report = silent) -> int:
    """Write which cluster every frame's behaviour belongs to, to ``results/clusters.csv``.

    Each recording's mean is taken off first, so that clusters are no subjects.

    Parameters
    ----------
    study : Study
        An embedded study.
    settings : ClusterSettings, optional
        How.
    report : callable, optional
        Told of the progress; may raise `Cancelled`, which leaves the table as it was.

    Returns
    -------
    int
        How many clusters there are.

    Raises
    ------
    StudyError
        If no recording is embedded, or an embedding is damaged.
    """
    settings = settings or ClusterSettings()
    recordings = [x for x in study.recordings if embedding_path(study, x.name).exists()]
    if not recordings:
        raise StudyError(f"No recording of {study.folder} is embedded. Run: napari-ubam embed {study.folder}")
    tables, codes = [], []
    for i, recording in enumerate(recordings):
        report(Progress("reading embeddings", i, len(recordings)))
        embedding = read_embedding(study, recording.name)
        about = {"recording": recording.name, "subject": recording.subject, "group": recording.group}
        tables.append(pd.DataFrame({**about, "frame": embedding.frame}))
        codes.append(centre(embedding.behaviour, np.zeros(len(embedding.frame))))
    report(Progress("finding clusters", 0, 1))
    labels = find_clusters(np.concatenate(codes), settings.smallest, seed=settings.seed)
    report(Progress("finding clusters", 1, 1))
    write_result(study, CLUSTERS, pd.concat(tables).assign(cluster=labels))
    record_run(study, "cluster", settings.model_dump())
    return int(labels.max() + 1)
