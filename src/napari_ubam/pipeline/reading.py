"""What the steps read: the recordings' crops, and embeddings that still belong to them."""

from __future__ import annotations

import numpy as np

from napari_ubam.errors import Problem, StudyError, VideoError
from napari_ubam.models.store import load_config
from napari_ubam.progress import Report, silent
from napari_ubam.study import (
    Crops,
    Embedding,
    Recording,
    Study,
    fingerprint,
    load_crops,
    read_embedding,
    read_provenance,
)

ASSUMED_FPS = 30.0  # frames per second, where the recording does not tell


def read_crops(study: Study, report: Report = silent) -> tuple[dict[str, Crops], list[Problem]]:
    """Decode every recording that can be decoded.

    Returns
    -------
    dict of str to Crops
        By the recording's name.
    list of Problem
        Recordings that cannot be read, and why.

    Raises
    ------
    StudyError
        If none can be read.
    """
    crops: dict[str, Crops] = {}
    problems: list[Problem] = []
    for recording in study.recordings:
        try:
            crops[recording.name] = load_crops(study, recording, report)
        except (VideoError, StudyError) as error:
            problems.append(Problem(recording.name, str(error)))
    if not crops:
        raise StudyError(f"No recording of {study.folder} can be read. " + " ".join(p.message for p in problems[:3]))
    return crops, problems


def read_embedded(study: Study, recording: Recording, report: Report) -> tuple[Embedding, Crops]:
    """Read a recording's embedding and crops, and see that they belong together and to the trained model."""
    name = recording.name
    embedding, about = read_embedding(study, name), read_provenance(study, name)
    crops = load_crops(study, recording, report)
    model = load_config(study.models_folder / "posture")
    seen = seen_of(crops)
    if about.get("model", model) != model:
        changed = "the training"
    elif about.get("crops", seen) != seen or not np.array_equal(crops.frame, embedding.frame):
        changed = "its frames, its region or the study's settings"
    else:
        return embedding, crops
    raise StudyError(
        f"The embedding of {name} is older than {changed}. "
        f"Run again: napari-ubam embed {study.folder}, and then: napari-ubam deviate {study.folder}"
    )


def seen_of(crops: Crops) -> str:
    """Give a short text that changes with what the networks see of a recording."""
    return fingerprint(crops.frame, crops.squares, crops.frames[0])
