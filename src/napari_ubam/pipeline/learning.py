"""The first steps: make a study, and train its models."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from napari_ubam.errors import Problem
from napari_ubam.models.device import pick_device
from napari_ubam.models.inputs import background_of
from napari_ubam.pipeline.reading import ASSUMED_FPS, none_read, read_crops
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.settings import StudySettings, TrainSettings
from napari_ubam.study import Study, read_table
from napari_ubam.study.state import backgrounds_differ, holding_subject
from napari_ubam.training.bank import Footage
from napari_ubam.training.process import marked
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
    TrainingError
        If another process trains the study.
    """
    settings = settings or TrainSettings()
    pick_device(settings.device)  # complain before an hour of decoding
    with marked(study.models_folder):
        return _train(study, settings, resume, report)


def _train(study: Study, settings: TrainSettings, resume: bool, report: Report) -> list[Problem]:
    footage: list[Footage] = []
    problems: list[Problem] = []
    is_empty: dict[str, bool | None] = {}
    with closing(read_crops(study, study.recordings, problems, report)) as found:
        for recording, crops in found:  # of which only what is trained on is kept in memory
            is_empty[recording.name] = crops.has_empty_background
            footage.append(Footage(recording.subject, crops.frames, background_of(crops), crops.fps or ASSUMED_FPS))
    if not footage:
        raise none_read(study, problems)
    if held := holding_subject(study, is_empty):
        report(Progress("cropping", len(footage), len(footage), backgrounds_differ(held)))
    train_models(footage, study.models_folder, settings, resume=resume, report=report)
    return problems
