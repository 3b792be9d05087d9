"""Measure every frame, subject and group against the reference group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from napari_ubam.analysis.deviation import measure_deviation, subject_table
from napari_ubam.analysis.matching import Movement
from napari_ubam.analysis.speed import movement_speed
from napari_ubam.errors import Problem, StudyError, VideoError
from napari_ubam.models.store import load_config
from napari_ubam.pipeline.reading import ASSUMED_FPS, has_landmarks, read_embedded
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.sampling import spread_rows
from napari_ubam.settings import DeviateSettings
from napari_ubam.study import Crops, Reference, Study, fingerprint, record_run, write_reference, write_result
from napari_ubam.study.state import reference_fingerprint

N_BRIGHTNESS = 16  # frames that a recording's brightness is the mean of


def deviate(study: Study, settings: DeviateSettings | None = None, *, report: Report = silent) -> list[Problem]:
    """Measure every frame and every subject against the reference group.

    Writes ``results/deviation.csv``, ``results/subjects.csv``, ``results/recordings.csv`` (frame rate, speed of
    movement, brightness and size), and the reference postures that `magnify` draws.

    Parameters
    ----------
    study : Study
        An embedded study.
    settings : DeviateSettings, optional
        How frames are matched.
    report : callable, optional
        Told of the progress.

    Returns
    -------
    list of Problem
        Recordings without an embedding, which were left out.

    Raises
    ------
    StudyError
        If fewer than two reference subjects can be measured.
    """
    settings = settings or DeviateSettings()
    movements: dict[str, Movement] = {}
    frames: dict[str, np.ndarray] = {}
    problems: list[Problem] = []
    about_recordings: list[dict[str, Any]] = []
    for recording in study.recordings:
        try:
            embedding, crops = read_embedded(study, recording, report)
        except (VideoError, StudyError) as error:
            problems.append(Problem(recording.name, str(error)))
            continue
        known = np.isin(embedding.frame, crops.frame[~crops.interpolated])
        fps = crops.fps or ASSUMED_FPS
        movements[recording.name] = Movement(
            recording.subject, recording.group, study.is_reference(recording), embedding.posture, fps, known
        )
        about_recordings.append(
            {"recording": recording.name, "subject": recording.subject, "group": recording.group,
             "session": recording.session, "frames": len(embedding.frame), "seconds": len(embedding.frame) / fps,
             "fps": fps, "fps_known": crops.fps > 0, "speed": movement_speed(embedding.posture, fps, known),
             "brightness": _brightness(crops), "size": float(crops.squares[:, 2].mean())}
        )  # fmt: skip
        frames[recording.name] = embedding.frame
    if not movements:
        raise StudyError(problems[0].message)
    _check_reference(study, movements)
    deviations = measure_deviation(
        movements, settings, points=has_landmarks(study),
        tell=lambda stage, done, total: report(Progress(stage, done, total)),
    )  # fmt: skip
    codes = {name: fingerprint(movement.posture) for name, movement in movements.items()}
    compared_with = reference_fingerprint((m.subject, codes[name]) for name, m in movements.items() if m.is_reference)
    for name, deviation in deviations.items():
        found = Reference(
            deviation.reference, deviation.score, frames[name], deviation.parts, codes[name], deviation.reliable,
            deviation.uncertainty, compared_with,
        )  # fmt: skip
        write_reference(study, name, found)
    rows = [
        pd.DataFrame(
            {"recording": name, "subject": movements[name].subject, "group": movements[name].group,
             "frame": frames[name], "deviation": d.score, "percentile": d.percentile, "reliable": d.reliable}
        )
        for name, d in deviations.items()
    ]  # fmt: skip
    write_result(study, "deviation", pd.concat(rows))
    write_result(study, "subjects", subject_table(movements, deviations))
    write_result(study, "recordings", pd.DataFrame(about_recordings))
    record_run(study, "train", load_config(study.models_folder / "posture").get("settings", {}))
    record_run(study, "deviate", settings.model_dump())
    return problems


def _brightness(crops: Crops) -> float:
    """Give the mean of the pixels of some frames, 0 to 255."""
    return float(crops.frames[spread_rows(len(crops.frames), N_BRIGHTNESS)].mean())


def _check_reference(study: Study, movements: dict[str, Movement]) -> None:
    subjects = {m.subject for m in movements.values() if m.is_reference}
    if len(subjects) < 2:
        raise StudyError(
            f"The reference group {study.reference!r} of {study.folder / 'recordings.csv'} has {len(subjects)} "
            f"{'subject' if len(subjects) == 1 else 'subjects'} that can be measured; it takes at least 2 to tell "
            f"what is normal. The study has: {study.describe_groups()}. Add recordings of further subjects to it, or "
            "choose another reference group."
        )
