"""Compare groups and sessions by one score a subject, classify unseen subjects, and see what else separates them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from napari_ubam.analysis.groups import compare_all_groups, compare_groups
from napari_ubam.analysis.important import counted_frames, group_means, important_frames
from napari_ubam.analysis.nuisances import compare_nuisances
from napari_ubam.analysis.oneclass import abnormal_frames
from napari_ubam.analysis.paired import compare_sessions
from napari_ubam.errors import Problem, StudyError
from napari_ubam.pipeline.classifying import classify, read_clips
from napari_ubam.pipeline.dictionary import columns_of
from napari_ubam.pipeline.phasing import over_phases
from napari_ubam.pipeline.relating import related
from napari_ubam.pipeline.timing import over_time
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.sampling import spread_rows
from napari_ubam.settings import CompareSettings
from napari_ubam.study import Recording, Study, read_reference, read_result, record_run, write_result

MEASURES = ("deviation", "important", "abnormal")
FACTS = ("seconds", "fps", "speed", "brightness", "size")  # of recordings, which may separate groups
N_FRAMES = 200  # of each recording that the one-class machine sees, evenly spread


def compare(study: Study, settings: CompareSettings | None = None, *, report: Report = silent) -> list[Problem]:
    """Compare the groups' subjects, their sessions, and classify subjects that were never seen.

    Writes to ``results/``: ``scores.csv`` (one row a subject), ``group_means.csv``, ``groups.csv`` (two groups each),
    ``groups_overall.csv`` (all of three or more), ``phases.csv`` and ``cycles.csv`` (where movement is periodic),
    ``sessions.csv`` (within subjects), ``trends.csv``, ``change_points.csv`` and ``recovery.csv`` (where sessions are
    days), ``nuisances.csv``, ``classification.csv``, ``classified.csv``, ``confusion.csv``, ``clips.csv``,
    ``covariates.csv``, ``predicted.csv``, ``intervals.csv``, ``intervals_overall.csv``, and ``columns.csv``, which says
    what the columns of all tables mean. The same data, settings and versions give the same bytes.

    Parameters
    ----------
    study : Study
        A measured study.
    settings : CompareSettings, optional
        How.
    report : callable, optional
        Told of the progress; may raise `Cancelled`, which leaves the tables as they were.

    Returns
    -------
    list of Problem
        Recordings that could not be used everywhere.

    Raises
    ------
    StudyError
        If the study was not measured yet, a nuisance or covariate is no column of its table, or the intervals cannot be
        read.
    """
    settings = settings or CompareSettings()
    report(Progress("comparing groups", 0, 1))
    subjects, frames = read_result(study, "subjects", "deviate"), read_result(study, "deviation", "deviate")
    recordings = read_result(study, "recordings", "deviate")
    nuisances = _nuisance_names(study, settings)
    measured = [r for r in study.recordings if r.name in set(recordings["recording"])]
    clips = read_clips(study, measured)
    scores = _scores(study, subjects, frames, measured, settings)
    n, seed = settings.n_permutations, settings.seed
    groups = compare_groups(scores, study.reference, measures=MEASURES, n_permutations=n, seed=seed)
    about = _about_subjects(recordings, measured, nuisances)
    by_session = session_scores(frames, recordings)
    tables = {
        "scores": scores,
        "group_means": group_means(scores, list(MEASURES), seed=seed),
        "groups": groups,
        "groups_overall": compare_all_groups(scores, study.reference, measures=MEASURES, n_permutations=n, seed=seed),
        "sessions": compare_sessions(by_session, n_permutations=n, seed=seed),
        "nuisances": compare_nuisances(
            about, groups[groups["measure"] == MEASURES[0]], [*FACTS, "side", "session", *nuisances], seed=seed
        ),
    }
    classified, problems = classify(study, clips, settings, report)
    tables |= classified
    tables |= over_phases(study, frames, recordings, settings.n_phases, report)
    tables |= over_time(by_session, clips, report, n_permutations=n, seed=seed)
    tables |= related(study, measured, clips, settings, report)
    for name, table in tables.items():
        write_result(study, name, table)
    write_result(study, "columns", columns_of({name: list(table.columns) for name, table in tables.items()}))
    record_run(study, "compare", settings.model_dump())
    report(Progress("comparing groups", 1, 1))
    return problems


def _scores(
    study: Study, subjects: pd.DataFrame, frames: pd.DataFrame, measured: list[Recording], settings: CompareSettings
) -> pd.DataFrame:
    """Give every subject's measures."""
    parts = _parts_by_subject(study, measured)
    references = [s for s in parts if study.subjects[s] == study.reference]
    abnormal = abnormal_frames(parts, references, settings.error_rate, settings.one_class)
    important = important_frames(frames, study.reference, settings.error_rate)
    return subjects.merge(important[["subject", "important"]], "left", "subject").merge(abnormal, "left", "subject")


def _parts_by_subject(study: Study, measured: list[Recording]) -> dict[str, np.ndarray]:
    """Give how far the parts of evenly spread frames deviate, of reliable ones where the subject has any."""
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for recording in measured:
        reference = read_reference(study, recording.name)
        found.setdefault(recording.subject, []).append((reference.parts.astype(float), reference.reliable))
    parts = {}
    for subject, recordings in found.items():
        some = any(reliable.any() for _, reliable in recordings)
        counted = [own[reliable] if some else own for own, reliable in recordings]
        parts[subject] = np.concatenate([own[spread_rows(len(own), N_FRAMES)] for own in counted])
    return parts


def session_scores(frames: pd.DataFrame, recordings: pd.DataFrame) -> pd.DataFrame:
    """Give every subject's mean deviation in every session, over reliable frames where there are any."""
    sessions = recordings.set_index("recording")["session"]
    table = frames.assign(session=frames["recording"].map(sessions))
    keys = ["subject", "group", "session"]
    return counted_frames(table, keys).groupby(keys, as_index=False, sort=False)["deviation"].mean()


def _nuisance_names(study: Study, settings: CompareSettings) -> list[str]:
    """Give the further columns that are nuisances; the default one may be missing."""
    columns = {name for r in study.recordings for name in r.covariates}
    wanted = [name.strip() for name in settings.nuisances.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in columns]
    if unknown and settings.nuisances != CompareSettings().nuisances:
        raise StudyError(
            f"The table of {study.folder} has no column {unknown[0]!r} that could be a nuisance. Its further columns "
            f"are: {', '.join(sorted(columns)) or 'none'}."
        )
    return [name for name in wanted if name in columns]


def _about_subjects(recordings: pd.DataFrame, measured: list[Recording], nuisances: list[str]) -> pd.DataFrame:
    """Give what is known of how every subject was recorded: one row each."""

    def texts(own: list[Recording]) -> Iterator[tuple[str, str]]:
        for name in ("side", "session", *nuisances):
            values = {str(getattr(r, name, None) or r.covariates.get(name, "")) for r in own} - {""}
            yield name, ", ".join(sorted(values))

    known = [name for name in FACTS if name in recordings]  # older tables have fewer
    facts = recordings.groupby("subject").agg(
        {"group": "first", **{n: "sum" if n == "seconds" else "mean" for n in known}}
    )
    rows = {s: dict(texts([r for r in measured if r.subject == s])) for s in facts.index}
    return facts.reindex(columns=["group", *FACTS]).join(pd.DataFrame.from_dict(rows, orient="index")).reset_index()
