"""What the steps read: the recordings' crops, and embeddings that still belong to them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from threading import Event

import numpy as np

from napari_ubam.ahead import ahead
from napari_ubam.errors import Problem, StudyError, VideoError
from napari_ubam.models.inputs import background_of
from napari_ubam.models.store import fingerprint_model, load_config
from napari_ubam.progress import Cancelled, Progress, Report, silent
from napari_ubam.study import (
    Crops,
    Embedding,
    Recording,
    Study,
    check_disk,
    cut_square,
    fingerprint,
    load_crops,
    read_embedding,
    read_provenance,
    resize_square,
)
from napari_ubam.study.state import embedding_changes
from napari_ubam.video import ASSUMED_FPS as ASSUMED_FPS


def read_crops(
    study: Study, recordings: Sequence[Recording], problems: list[Problem], report: Report = silent
) -> Generator[tuple[Recording, Crops], None, None]:
    """Give the crops of every recording that can be decoded.

    Use it within `contextlib.closing`, so that nothing is decoded any more when it is left early.

    Parameters
    ----------
    study : Study
        Has the settings and the cache.
    recordings : sequence of Recording
        Which of the study's.
    problems : list of Problem
        Recordings that cannot be read are added to it.
    report : callable, optional
        Told of the decoding while it is waited for, and of what is wrong with a video; may raise `Cancelled`.

    Yields
    ------
    recording : Recording
    crops : Crops

    Raises
    ------
    StudyError
        If the disk has too little room for the crops.
    """
    check_disk(study, recordings)
    awaited, left = Event(), Event()

    def tell(progress: Progress) -> None:
        if left.is_set():
            raise Cancelled
        if awaited.is_set() or progress.message:
            report(progress)

    def load(recording: Recording) -> Crops | Problem:
        try:
            return load_crops(study, recording, tell)
        except (VideoError, StudyError) as error:
            return Problem(recording.name, str(error))

    with closing(ahead(load, recordings, on_leave=left.set)) as loaded:
        for recording in recordings:
            awaited.set()
            crops = next(loaded)
            awaited.clear()
            if isinstance(crops, Problem):
                problems.append(crops)
            else:
                yield recording, crops


def none_read(study: Study, problems: Sequence[Problem]) -> StudyError:
    """Give the error to raise where no recording of a study can be read."""
    return StudyError(f"No recording of {study.folder} can be read. " + " ".join(p.message for p in problems[:3]))


def read_embedded(study: Study, recording: Recording, report: Report = silent) -> tuple[Embedding, Crops]:
    """Read a recording's embedding and crops, and see that they belong together and to the trained model.

    Raises
    ------
    StudyError
        If they do not, or the embedding is missing or damaged, with the command that makes it.
    VideoError
        If the crops are not in the cache, and the video cannot be read.
    ModelError
        If the study is not trained.
    """
    name = recording.name
    embedding, about = read_embedding(study, name), read_provenance(study, name)
    crops = load_crops(study, recording, report)
    model, seen = fingerprint_model(study.models_folder / "posture"), seen_of(crops)
    if about.get("made_of", {}).get("posture", model) != model:
        changed = "the training"
    elif about.get("crops", seen) != seen or not np.array_equal(crops.frame, embedding.frame):
        changed = "its frames, its region or the study's settings"
    else:
        return embedding, crops
    raise StudyError(
        f"The embedding of {name} is older than {changed}. "
        f"Run again: napari-ubam embed {study.folder}, and then: napari-ubam deviate {study.folder}"
    )


def is_current(study: Study, recording: Recording, models: dict[str, str]) -> bool:
    """Tell whether there is an embedding of the recording as it is, made with these models."""
    try:
        read_embedding(study, recording.name)
    except StudyError:  # it is missing or damaged
        return False
    return embedding_changes(study, recording, models) == ()


def seen_of(crops: Crops) -> str:
    """Give a short text that changes with what the networks see of a recording."""
    return fingerprint(crops.frame, crops.squares, crops.frames[0], background_of(crops))


def has_landmarks(study: Study) -> bool:
    """Tell whether the postures of a trained study are landmarks."""
    return load_config(study.models_folder / "posture")["kind"] == "LandmarkEncoder"


def crop_like(picture: np.ndarray, square: np.ndarray, crops: Crops) -> np.ndarray:
    """Cut out of a frame what the networks see of it, as in the recording's crops."""
    region = resize_square(cut_square(picture, square), crops.frames.shape[1])
    return region[:, ::-1] if crops.mirrored else region
