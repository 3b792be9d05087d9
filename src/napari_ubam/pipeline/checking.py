"""Check what magnifying does: does it change the subject alone, and make clearer who deviates, and nobody else?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from napari_ubam.analysis.change import change_inside_outside, subject_mask
from napari_ubam.analysis.important import group_means, important_frames
from napari_ubam.analysis.oneclass import abnormal_shares, shuffled_shares, silhouettes
from napari_ubam.analysis.reference import Alignment
from napari_ubam.errors import Problem, StudyError, VideoError
from napari_ubam.models.device import pick_device
from napari_ubam.models.encode import encode_postures
from napari_ubam.models.inputs import background_of
from napari_ubam.models.store import load_model
from napari_ubam.pipeline.drawing import SHOT, Magnifier
from napari_ubam.pipeline.reading import crop_like, has_landmarks, read_embedded
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.sampling import spread_rows
from napari_ubam.settings import CheckSettings
from napari_ubam.study import (
    Crops,
    Recording,
    Study,
    read_result,
    record_run,
    result_fingerprint,
    write_result,
)

# What frames are encoded by, before and after, and how many principal components of it count. Tried on the sample
# cohort: of the codes, with more than 8 up to a third of the healthy frames are abnormal before (7 % with 8); of the
# pixels, 8 missed the magnification of one study altogether, and with 16 it is 7 to 8 % before, for an error rate of 5.
ENCODERS = {"posture": 8, "pixels": 16}
MEASURES = ("inside", "outside", "important", *(f"{e}_{when}" for e in ENCODERS for when in ("before", "after")))


@dataclass(frozen=True, eq=False)
class _Checked:
    """Frames of a recording before and after: how much they change, and what they are encoded to."""

    recording: Recording
    change: tuple[np.ndarray, np.ndarray]
    features: dict[str, tuple[np.ndarray, np.ndarray]]
    alignment: Alignment


def check_magnification(
    study: Study, settings: CheckSettings | None = None, *, report: Report = silent
) -> list[Problem]:  # fmt: skip
    """Magnify frames of every recording, and measure what that does (Brattoli et al. 2021, Extended Data).

    Frames are encoded anew from their pixels, before and after: by the posture encoder, and by the principal components
    of the subject's silhouette, in which no network has a part. Writes ``results/magnification.csv``, one row a
    subject, and ``results/magnification_groups.csv``.

    Parameters
    ----------
    study : Study
        A measured study.
    settings : CheckSettings, optional
        How many frames, and how far they are magnified.
    report : callable, optional
        Told of the progress; may raise `Cancelled`, which leaves older results as they were.

    Returns
    -------
    list of Problem
        Recordings that could not be magnified and were left out.

    Raises
    ------
    StudyError
        If the study was not measured, or fewer than two reference subjects can be magnified.
    ModelError
        If it is not trained.
    """
    settings = settings or CheckSettings()
    device = pick_device(settings.device)
    frames = read_result(study, "deviation", "deviate")
    encoder = load_model(study.models_folder / "posture", device)
    points = has_landmarks(study)
    problems: list[Problem] = []
    checked: list[_Checked] = []
    for i, recording in enumerate(study.recordings):
        report(Progress("magnifying frames", i, len(study.recordings)))
        own = frames[frames["recording"] == recording.name]
        try:
            rows, crops, posture, after = _magnify(study, recording, own, settings, report)
        except (VideoError, StudyError) as error:
            problems.append(Problem(recording.name, str(error)))
            continue
        before, background = np.asarray(crops.frames[rows]), background_of(crops)
        sure = ~crops.interpolated if not crops.interpolated.all() else slice(None)
        features = {
            "posture": (
                encode_postures(encoder, before, background, device),
                encode_postures(encoder, after, background, device),
            ),
            "pixels": (silhouettes(before, background), silhouettes(after, background)),
        }
        change = change_inside_outside(before, after, subject_mask(before, background))
        checked.append(_Checked(recording, change, features, Alignment.of(posture[sure], points).at_least(1e-6)))
    group = {c.recording.subject: c.recording.group for c in reversed(checked)}
    references = [subject for subject in reversed(group) if group[subject] == study.reference]
    if len(references) < 2:
        raise StudyError(
            f"Only {len(references)} reference subjects of {study.folder} can be magnified; it takes at least 2. "
            + " ".join(problem.message for problem in problems[:3])
        )
    subjects, shuffled = _measure(study, checked, references, frames, settings, report)
    groups = group_means(subjects, list(MEASURES), seed=settings.seed)
    groups = groups.merge(shuffled, on=["group", "measure"], how="left")
    write_result(study, "magnification", subjects)
    write_result(study, "magnification_groups", groups)
    record_run(study, "check", settings.model_dump() | {"of": result_fingerprint(study, "deviation")})
    return problems


def _magnify(
    study: Study, recording: Recording, frames: pd.DataFrame, settings: CheckSettings, report: Report
) -> tuple[np.ndarray, Crops, np.ndarray, np.ndarray]:
    """Magnify spread frames of a recording, reliable ones if there are any: rows, crops, all postures, new crops."""
    embedding, crops = read_embedded(study, recording, report)
    reliable = np.isin(embedding.frame, frames.loc[frames["reliable"].astype(bool), "frame"])
    known = np.flatnonzero(reliable if reliable.any() else np.ones(len(reliable), bool))
    rows = known[spread_rows(len(known), settings.n_frames)]
    if len(rows) < 2:
        raise StudyError(f"{recording.name} has only one frame; it takes at least 2 to compare postures.")
    after = np.array(crops.frames[rows])
    stage = f"magnifying frames of {recording.name}"
    with closing(Magnifier(study, recording.name, settings.device, report)) as magnifier:
        for start in range(0, len(rows), SHOT):
            report(Progress(stage, start, len(rows)))
            some = rows[start : start + SHOT]
            pictures = list(magnifier.video.read(crops.frame[some].tolist()))
            drawn = magnifier.images_over(some, pictures, settings.factor)
            for i, (picture, magnified) in enumerate(zip(pictures, drawn, strict=True), start):
                square = crops.squares[rows[i]]
                was, now = (crop_like(x, square, crops).astype(np.int16) for x in (picture, magnified))
                after[i] = np.clip(after[i] + (now - was), 0, 255)  # others than the subject stay hidden
    report(Progress(stage, len(rows), len(rows)))
    return rows, crops, embedding.posture, after


def _measure(
    study: Study, checked: list[_Checked], references: list[str], frames: pd.DataFrame, settings: CheckSettings,
    report: Report,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Make the table of subjects, and of what groups have when they are drawn by lot."""
    subjects = pd.DataFrame({"subject": list(dict.fromkeys(c.recording.subject for c in checked))})
    of = {s: [c for c in checked if c.recording.subject == s] for s in subjects["subject"]}
    for i, side in enumerate(("inside", "outside")):
        values = [np.concatenate([c.change[i] for c in own]) for own in of.values()]
        subjects[side] = [x[np.isfinite(x)].mean() if np.isfinite(x).any() else math.nan for x in values]
    names = {c.recording.name for c in checked}
    important = important_frames(frames[frames["recording"].isin(names)], study.reference, settings.error_rate)
    subjects = important[["subject", "group", "important", "threshold"]].merge(subjects, on="subject")
    common = Alignment.mean([c.alignment for c in checked if study.is_reference(c.recording)])
    shuffled = []

    def tell(encoder: str, done: int, total: int) -> None:
        report(Progress(f"shuffling who is a reference subject ({encoder})", done, total))

    for encoder, n in ENCODERS.items():
        before, after = _features(of, encoder, common)
        shares = abnormal_shares(before, after, references, n, settings.error_rate, settings.one_class)
        columns = {when: f"{encoder}_{when}" for when in ("before", "after")}
        subjects = subjects.merge(shares[["subject", *columns]].rename(columns=columns), on="subject")
        control = shuffled_shares(
            before, after, len(references), n_components=n, nu=settings.error_rate, kind=settings.one_class,
            n_shuffles=settings.n_shuffles, seed=settings.seed, tell=partial(tell, encoder),
        )  # fmt: skip
        means = control.groupby("is_reference")[list(columns)].mean()
        for group in subjects["group"].unique():
            drawn_as = group == study.reference
            if drawn_as in means.index:
                shuffled += [(group, name, means.loc[drawn_as, when]) for when, name in columns.items()]
    return subjects, pd.DataFrame(shuffled, columns=["group", "measure", "shuffled"])


def _features(
    of: Mapping[str, list[_Checked]], encoder: str, common: Alignment
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Give the features of every subject's frames before and after, without what is the subject's own throughout.

    Landmarks are brought to one place and size; from all, the recording's mean before magnification is taken off.
    """
    sides: tuple[dict[str, np.ndarray], dict[str, np.ndarray]] = ({}, {})
    for subject, recordings in of.items():
        for side, features in enumerate(sides):
            parts = []
            for c in recordings:
                before, own = c.features[encoder][0], c.features[encoder][side]
                if encoder == "posture":
                    before, own = c.alignment.move(before, common), c.alignment.move(own, common)
                parts.append(own - before.mean(0))
            features[subject] = np.concatenate(parts)
    return sides
