"""The first steps: make a study, train its models, and embed its recordings."""

from __future__ import annotations

from pathlib import Path

from napari_ubam.errors import Problem
from napari_ubam.models.device import pick_device
from napari_ubam.models.encode import encode_behaviours, encode_postures
from napari_ubam.models.inputs import background_of
from napari_ubam.models.store import load_config, load_model
from napari_ubam.pipeline.reading import ASSUMED_FPS, read_crops, seen_of
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.settings import EmbedSettings, StudySettings, TrainSettings
from napari_ubam.study import Embedding, Study, read_table, write_embedding
from napari_ubam.training.bank import Footage
from napari_ubam.training.train import train_models


def init(folder: str | Path, table: str | Path, reference: str, settings: StudySettings | None = None) -> Study:
    """Make a study of the recordings in a table.

    Parameters
    ----------
    folder : str or Path
        Where the study will lie.
    table : str or Path
        A CSV with the columns ``path``, ``subject``, ``group`` and optional ones.
    reference : str
        The group that deviations are measured from.
    settings : StudySettings, optional
        What holds for the whole study.

    Raises
    ------
    StudyError
        If the table cannot be used, or there is a study already.
    """
    return Study.create(folder, read_table(table), reference, settings)


def train(
    study: Study, settings: TrainSettings | None = None, *, resume: bool = False, report: Report = silent
) -> list[Problem]:
    """Train posture, behaviour and generator on all recordings of a study.

    Parameters
    ----------
    study : Study
        What to train on.
    settings : TrainSettings, optional
        What to train, how long, and on what device.
    resume : bool
        Go on with a training that was stopped.
    report : callable, optional
        Told of the progress; may raise `Cancelled`, after which the training can be resumed.

    Returns
    -------
    list of Problem
        Recordings that could not be read and were left out.

    Raises
    ------
    StudyError
        If no recording can be read.
    """
    settings = settings or TrainSettings()
    pick_device(settings.device)  # complain before an hour of decoding
    crops, problems = read_crops(study, report)
    footage = [
        Footage(study.recording(name).subject, c.frames, background_of(c), c.fps or ASSUMED_FPS)
        for name, c in crops.items()
    ]
    train_models(footage, study.models_folder, settings, resume=resume, report=report)
    return problems


def embed(study: Study, settings: EmbedSettings | None = None, *, report: Report = silent) -> list[Problem]:
    """Write posture and behaviour of every frame of every recording to ``embeddings/NAME.zarr``.

    Parameters
    ----------
    study : Study
        A trained study.
    settings : EmbedSettings, optional
        Where to compute.
    report : callable, optional
        Told of the progress.

    Returns
    -------
    list of Problem
        Recordings that could not be read and were left out.

    Raises
    ------
    ModelError
        If the study is not trained.
    StudyError
        If no recording can be read.
    """
    settings = settings or EmbedSettings()
    device = pick_device(settings.device)
    posture = load_model(study.models_folder / "posture", device)
    behaviour = load_model(study.models_folder / "behaviour", device)
    model = load_config(study.models_folder / "posture")
    crops, problems = read_crops(study, report)
    for i, (name, c) in enumerate(crops.items()):
        report(Progress("embedding", i, len(crops)))
        codes = encode_postures(posture, c.frames, background_of(c), device, report, f"embedding {name}")
        clips = encode_behaviours(behaviour, codes, c.fps or ASSUMED_FPS, device)
        provenance = {"model": model, "crops": seen_of(c), "fps": c.fps}
        write_embedding(study, name, Embedding(codes, clips, c.frame), provenance)
    report(Progress("embedding", len(crops), len(crops)))
    return problems
