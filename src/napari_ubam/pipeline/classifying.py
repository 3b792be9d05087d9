"""Classify subjects that the classifier never saw, by their behaviour and by what needs no training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch

from napari_ubam.analysis.baselines import movement_energy, principal_components
from napari_ubam.analysis.classifier import MODELS, TABLE_COLUMNS, classify_subjects, describe_codes, extreme_clips
from napari_ubam.analysis.oneclass import silhouettes
from napari_ubam.errors import Problem, StudyError, VideoError
from napari_ubam.models.encode import encode_postures
from napari_ubam.models.inputs import background_of
from napari_ubam.models.store import build_model, load_config
from napari_ubam.pipeline.reading import read_embedded
from napari_ubam.progress import Progress, Report
from napari_ubam.sampling import spread_rows
from napari_ubam.settings import CompareSettings
from napari_ubam.study import Recording, Study, read_embedding

N_CLIPS = 200  # of each recording, evenly spread
TRAINED, BASELINE_MODEL = "behaviour", "linear SVM"
PCA, ENERGY, UNTRAINED = "baseline: silhouette's components", "baseline: movement energy", "baseline: untrained network"


@dataclass(frozen=True, eq=False)
class Clips:
    """Some clips of a recording: their behaviour (n, e), and the frames that they are around (n,)."""

    recording: Recording
    behaviour: np.ndarray
    frame: np.ndarray


def read_clips(study: Study, recordings: list[Recording]) -> list[Clips]:
    """Read evenly spread behaviours of every recording, without those that reach beyond it where there are others."""
    found = []
    for recording in recordings:
        embedding = read_embedding(study, recording.name)
        padded = embedding.behaviour_padded
        whole = np.arange(len(embedding.frame)) if padded is None or padded.all() else np.flatnonzero(~padded)
        rows = whole[spread_rows(len(whole), N_CLIPS)]
        found.append(Clips(recording, embedding.behaviour[rows].astype(float), embedding.frame[rows]))
    return found


def classify(
    study: Study, clips: list[Clips], settings: CompareSettings, report: Report
) -> tuple[dict[str, pd.DataFrame], list[Problem]]:
    """Classify the groups' subjects.

    Returns
    -------
    dict of str to DataFrame
        ``classification`` (one row a classifier), ``classified`` (one row a classifier and subject), ``confusion``, and
        ``clips`` (those that score highest and lowest).
    list of Problem
        Recordings that have no part in the baselines.
    """
    features = {TRAINED: {c.recording.name: c.behaviour for c in clips}}
    problems: list[Problem] = []
    if settings.baselines:
        features |= _baselines(study, clips, settings.seed, problems, report)
    rows, scored, confusions, extremes = [], [], [], pd.DataFrame()
    runs = [(name, model) for name in features for model in (MODELS if name == TRAINED else (BASELINE_MODEL,))]
    for name, model in runs:
        own = [c for c in clips if c.recording.name in features[name]]
        codes = [describe_codes(features[name][c.recording.name]) for c in own]
        whose = [c.recording for c, x in zip(own, codes, strict=True) for _ in x]
        about = pd.DataFrame([(r.name, r.subject, r.group) for r in whose], columns=["recording", "subject", "group"])
        result = classify_subjects(
            np.concatenate(codes), list(about["group"]), list(about["subject"]), study.reference, model=model,
            n_permutations=settings.n_shuffles, seed=settings.seed,
            tell=partial(_tell, report, f"classifying by {name}"),
        )  # fmt: skip
        rows.append(result.row(name, model))
        scored.append(result.subjects.assign(features=name, model=model))
        confusions.append(result.confusion().assign(features=name, model=model))
        if (name, model) == runs[0]:
            frames = np.concatenate([c.frame for c in own])
            extremes = extreme_clips(about.assign(frame=frames, score=result.clips))
    tables = {
        "classification": pd.DataFrame(rows, columns=list(TABLE_COLUMNS)),
        "classified": pd.concat(scored, ignore_index=True),
        "confusion": pd.concat(confusions, ignore_index=True),
        "clips": extremes,
    }
    return tables, problems


def _tell(report: Report, stage: str, done: int, total: int) -> None:
    report(Progress(stage, done, total))


def _baselines(
    study: Study, clips: list[Clips], seed: int, problems: list[Problem], report: Report
) -> dict[str, dict[str, np.ndarray]]:
    """Describe frames by their silhouettes, by the energy of movement, and by the network as it is before training."""
    config = load_config(study.models_folder / "posture")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_model(config["kind"], config["arguments"]).eval()
    pictures, energies, codes = {}, {}, {}
    for i, own in enumerate(clips):
        name = own.recording.name
        report(Progress("describing frames without training", i, len(clips)))
        try:
            embedding, crops = read_embedded(study, own.recording, report)
        except (VideoError, StudyError) as error:
            problems.append(Problem(name, f"{error} It has no part in the baselines."))
            continue
        rows = np.flatnonzero(np.isin(embedding.frame, own.frame))
        background = background_of(crops)
        pictures[name] = silhouettes(crops.frames[rows], background)
        energies[name] = movement_energy(crops.frames, rows)
        codes[name] = encode_postures(network, crops.frames[rows], background, torch.device("cpu"))
        codes[name] -= codes[name].mean(0)
    if not pictures:
        return {}
    return {PCA: principal_components(pictures), ENERGY: energies, UNTRAINED: codes}
