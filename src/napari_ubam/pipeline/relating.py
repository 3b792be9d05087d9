"""What behaviour is related to: covariates of the table, and intervals in which something was on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from napari_ubam.analysis.classifier import describe_codes
from napari_ubam.analysis.intervals import INTERVAL_COLUMNS, SUMMARY_COLUMNS, Marked, compare_intervals
from napari_ubam.analysis.permutation import adjust_p
from napari_ubam.analysis.regression import COVARIATE_COLUMNS, predict_covariate
from napari_ubam.errors import StudyError
from napari_ubam.pipeline.classifying import Clips
from napari_ubam.pipeline.embedding import Codes, embed_mirror_images
from napari_ubam.progress import Progress, Report
from napari_ubam.sampling import spread_rows
from napari_ubam.settings import CompareSettings
from napari_ubam.study import Interval, Recording, Study, read_embedding, read_intervals

N_FRAMES = 2000  # of each recording, evenly spread
OFF = "off"


def related(
    study: Study, recordings: Sequence[Recording], clips: list[Clips], settings: CompareSettings, report: Report
) -> dict[str, pd.DataFrame]:
    """Predict covariates of unseen subjects, and tell on from off.

    Returns
    -------
    dict of str to DataFrame
        ``covariates`` (one row a covariate), ``predicted`` (one row a covariate and subject), ``intervals`` (one row a
        label and subject) and ``intervals_overall`` (one row a label).

    Raises
    ------
    StudyError
        If a covariate that is asked for is no column of the table, the intervals cannot be read, or mirror images are
        asked for of networks that were never shown any.
    """
    return _covariates(recordings, clips, settings, report) | _intervals(study, recordings, settings, report)


def _covariates(
    recordings: Sequence[Recording], clips: list[Clips], settings: CompareSettings, report: Report
) -> dict[str, pd.DataFrame]:
    columns = list(dict.fromkeys(name for r in recordings for name in r.covariates))
    wanted = [name.strip() for name in settings.covariates.split(",") if name.strip()] or columns
    if unknown := [name for name in wanted if name not in columns]:
        raise StudyError(
            f"No recording has the covariate {unknown[0]!r}. The table's further columns are: "
            f"{', '.join(columns) or 'none'}."
        )
    described: dict[str, list[np.ndarray]] = {}
    for own in clips:
        described.setdefault(own.recording.subject, []).append(describe_codes(own.behaviour).mean(0))
    features = np.array([np.mean(parts, 0) for parts in described.values()])
    rows, predicted = [], []
    for i, name in enumerate(wanted):
        report(Progress("predicting covariates", i, len(wanted)))
        values = pd.Series([_value(recordings, subject, name) for subject in described])
        found = predict_covariate(
            features, list(described), values, n_permutations=settings.n_shuffles, seed=settings.seed
        )
        rows.append((name, len(found.subjects), found.rank_correlation, found.r2, found.p_value, found.smallest_p,
                     np.nan, found.note))  # fmt: skip
        predicted.append(found.subjects.assign(covariate=name))
        report(Progress("predicting covariates", i + 1, len(wanted)))
    table = pd.DataFrame(rows, columns=list(COVARIATE_COLUMNS))
    table["p_adjusted"] = adjust_p(table["p_value"].to_numpy(float))
    nobody = pd.DataFrame(columns=["subject", "value", "predicted", "covariate"])
    return {"covariates": table, "predicted": pd.concat(predicted) if predicted else nobody}


def _value(recordings: Sequence[Recording], subject: str, name: str) -> str:
    """Give a subject's value: the mean where all of its recordings have numbers, else the first."""
    values = [r.covariates[name] for r in recordings if r.subject == subject and r.covariates.get(name)]
    numbers = pd.to_numeric(pd.Series(values, dtype=object), errors="coerce")
    return str(numbers.mean()) if values and numbers.notna().all() else (values[0] if values else "")


def _intervals(
    study: Study, recordings: Sequence[Recording], settings: CompareSettings, report: Report
) -> dict[str, pd.DataFrame]:
    tables, summaries = [pd.DataFrame(columns=list(INTERVAL_COLUMNS))], [pd.DataFrame(columns=list(SUMMARY_COLUMNS))]
    if settings.intervals:
        intervals = read_intervals(settings.intervals, [r.name for r in study.recordings])
        marked = [r for r in recordings if r.name in {i.recording for i in intervals}]
        mirrored = embed_mirror_images(study, marked, report) if settings.mirror_intervals else {}
        for label in dict.fromkeys(i.label for i in intervals if i.label != OFF):
            table, summary = compare_intervals(
                _marked(study, marked, mirrored, intervals, label), label,
                n_permutations=settings.n_shuffles, seed=settings.seed,
            )  # fmt: skip
            tables, summaries = [*tables, table], [*summaries, summary]
    overall = pd.concat(summaries[1:] or summaries, ignore_index=True)
    overall["p_adjusted"] = adjust_p(overall["p_value"].to_numpy(float))
    return {"intervals": pd.concat(tables[1:] or tables, ignore_index=True), "intervals_overall": overall}


def _marked(
    study: Study, recordings: Sequence[Recording], mirrored: Mapping[str, Codes], intervals: list[Interval], label: str
) -> dict[str, Marked]:
    """Give every subject's codes, posture and behaviour, and whether the label was on.

    Off is where the intervals say ``off``; in recordings where none does, whatever is in no interval.
    """
    found: dict[str, list[Marked]] = {}
    for recording in recordings:
        own = [i for i in intervals if i.recording == recording.name]
        embedding = read_embedding(study, recording.name)
        rows = spread_rows(len(embedding.frame), N_FRAMES)
        frame, codes = embedding.frame[rows], _describe((embedding.posture, embedding.behaviour), rows)
        mirror = _describe(mirrored[recording.name], rows) if recording.name in mirrored else None

        def within(labels: set[str], frame: np.ndarray = frame, own: list[Interval] = own) -> np.ndarray:
            inside = [(frame >= i.start) & (frame < i.stop) for i in own if i.label in labels]
            return np.logical_or.reduce([np.zeros(len(frame), bool), *inside])

        labels = {i.label for i in own}
        on = within({label})
        off = within({OFF}) & ~on if OFF in labels else ~within(labels)
        known = on | off
        part = Marked(recording.group, codes[known], on[known], None if mirror is None else mirror[known])
        found.setdefault(recording.subject, []).append(part)
    return {subject: Marked.together(parts) for subject, parts in found.items()}


def _describe(codes: Codes, rows: np.ndarray) -> np.ndarray:
    posture, behaviour = codes[0][rows].astype(float), codes[1][rows]
    return np.concatenate([posture - posture.mean(0), behaviour], axis=1)
