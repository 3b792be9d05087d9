"""Deviations over the cycle of a movement that repeats itself."""

from __future__ import annotations

import pandas as pd

from napari_ubam.analysis.by_phase import deviation_by_phase
from napari_ubam.analysis.phases import find_cycles
from napari_ubam.progress import Progress, Report
from napari_ubam.study import Study, read_embedding

CYCLE_COLUMNS = ("recording", "subject", "group", "period", "strength", "like", "note")


def over_phases(
    study: Study, frames: pd.DataFrame, recordings: pd.DataFrame, n_phases: int, report: Report
) -> dict[str, pd.DataFrame]:
    """Find out who moves periodically, and at which points of the cycle subjects deviate.

    Parameters
    ----------
    study : Study
        A measured study.
    frames, recordings : DataFrame
        Its tables ``deviation`` and ``recordings``.
    n_phases : int
        Into how many parts the cycle is cut.
    report : callable
        Told of the progress; may raise `Cancelled`.

    Returns
    -------
    dict of str to DataFrame
        ``phases`` (one row a subject and part of the cycle) and ``cycles`` (one row a recording: its period [s], how
        strong it is, how much it is like the reference group's, and why a recording was left out).

    Raises
    ------
    StudyError
        If an embedding is missing or damaged.
    """
    report(Progress("looking for cycles", 0, 1))
    embeddings = {name: read_embedding(study, name) for name in recordings["recording"]}
    own = recordings[recordings["group"] == study.reference].set_index("recording")
    references = dict(own["subject"])
    found = find_cycles({name: embedding.posture for name, embedding in embeddings.items()}, references)
    rows = [
        (row.recording, row.subject, row.group, cycle.period.frames / row.fps, cycle.period.strength, cycle.like,
         cycle.period.note)
        for row in recordings.itertuples()
        for cycle in [found[row.recording]]
    ]  # fmt: skip
    cycles = pd.DataFrame(rows, columns=list(CYCLE_COLUMNS))
    parts = [
        pd.DataFrame({"recording": name, "frame": embedding.frame, "phase": found[name].phase})
        for name, embedding in embeddings.items()
    ]
    with_phase = frames.merge(pd.concat(parts), "left", ["recording", "frame"])
    report(Progress("looking for cycles", 1, 1))
    return {"phases": deviation_by_phase(with_phase, study.reference, n_phases), "cycles": cycles}
