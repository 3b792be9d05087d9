"""The steps in order, each a function of a study.

Every step takes its settings object and a ``report`` callback, writes its files atomically, and returns
the recordings that it had to leave out.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from napari_ubam.analysis.deviation import Movement, measure_deviation, subject_table
from napari_ubam.analysis.groups import compare_groups
from napari_ubam.errors import Problem, StudyError, VideoError
from napari_ubam.files import atomic_path
from napari_ubam.magnify.magnifier import MagnifiedFrame, Shot, magnify_shot
from napari_ubam.models.device import pick_device
from napari_ubam.models.encode import encode_behaviours, encode_postures
from napari_ubam.models.inputs import background_of
from napari_ubam.models.store import load_config, load_model
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.reporting import make_report as make_report  # the last step
from napari_ubam.settings import (
    CompareSettings,
    DeviateSettings,
    EmbedSettings,
    MagnifySettings,
    StudySettings,
    TrainSettings,
)
from napari_ubam.study import (
    Crops,
    Embedding,
    Recording,
    Reference,
    Study,
    fingerprint,
    load_crops,
    read_embedding,
    read_provenance,
    read_reference,
    read_result,
    read_table,
    record_run,
    write_embedding,
    write_reference,
    write_result,
)
from napari_ubam.training.bank import Footage
from napari_ubam.training.train import train_models
from napari_ubam.video import open_frames, write_video

ASSUMED_FPS = 30.0  # frames per second, where the recording does not tell
SHOT = 16  # frames that are magnified together


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
        provenance = {"model": model, "crops": _seen(c), "fps": c.fps}
        write_embedding(study, name, Embedding(codes, clips, c.frame), provenance)
    report(Progress("embedding", len(crops), len(crops)))
    return problems


def deviate(study: Study, settings: DeviateSettings | None = None, *, report: Report = silent) -> list[Problem]:
    """Measure every frame and every subject against the reference group.

    Writes ``results/deviation.csv``, ``results/subjects.csv``, and the reference postures that `magnify` draws.

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
    for recording in study.recordings:
        try:
            embedding, crops = _read_embedded(study, recording, report)
        except (VideoError, StudyError) as error:
            problems.append(Problem(recording.name, str(error)))
            continue
        known = np.isin(embedding.frame, crops.frame[~crops.interpolated])
        movements[recording.name] = Movement(
            recording.subject, recording.group, study.is_reference(recording), embedding.posture,
            crops.fps or ASSUMED_FPS, known,
        )  # fmt: skip
        frames[recording.name] = embedding.frame
    if not movements:
        raise StudyError(problems[0].message)
    _check_reference(study, movements)
    deviations, spread = measure_deviation(
        movements, settings, points=_has_landmarks(study),
        tell=lambda done, total: report(Progress("measuring", done, total)),
    )  # fmt: skip
    for name, deviation in deviations.items():
        about = fingerprint(movements[name].posture)
        write_reference(study, name, Reference(deviation.reference, deviation.score, frames[name], spread, about))
    rows = [
        pd.DataFrame(
            {"recording": name, "subject": movements[name].subject, "group": movements[name].group,
             "frame": frames[name], "deviation": d.score, "percentile": d.percentile, "reliable": d.reliable}
        )
        for name, d in deviations.items()
    ]  # fmt: skip
    write_result(study, "deviation", pd.concat(rows))
    write_result(study, "subjects", subject_table(movements, deviations))
    record_run(study, "train", load_config(study.models_folder / "posture").get("settings", {}))
    record_run(study, "deviate", settings.model_dump())
    return problems


def magnify(
    study: Study, name: str, settings: MagnifySettings | None = None, *, frames: range | None = None,
    report: Report = silent,
) -> Iterator[MagnifiedFrame]:  # fmt: skip
    """Magnify a recording's deviation, frame by frame.

    Parameters
    ----------
    study : Study
        A measured study.
    name : str
        The recording.
    settings : MagnifySettings, optional
        How far, and where to compute.
    frames : range, optional
        Which frames of the file, a step of 1; default: all of the recording's.
    report : callable, optional
        Told of the progress.

    Yields
    ------
    MagnifiedFrame
        In frame order.

    Raises
    ------
    StudyError, VideoError, ModelError
        If the recording cannot be read, or was not measured yet.
    """
    settings = settings or MagnifySettings()
    device = pick_device(settings.device)
    recording = study.recording(name)
    reference = read_reference(study, name)
    generator = load_model(study.models_folder / "generator", device)
    embedding, crops = _read_embedded(study, recording, report)
    if reference.embedding != fingerprint(embedding.posture):
        raise StudyError(
            f"The results of {name} are older than its embedding. Run again: napari-ubam deviate {study.folder}"
        )
    wanted = np.arange(len(crops.frame))
    if frames is not None:
        wanted = wanted[(crops.frame >= frames.start) & (crops.frame < frames.stop)]
    if not len(wanted):
        raise StudyError(f"{name} has no frame in the range that was asked for; it has {_range_of(crops.frame)}.")
    background = crops.background if crops.background is not None else background_of(crops)
    first, last = int(crops.frame[wanted[0]]), int(crops.frame[wanted[-1]])
    stage = f"magnifying {name}"
    with open_frames(recording.path) as source:
        pictures = source.iterate(first, last + 1)
        for start in range(0, len(wanted), SHOT):
            report(Progress(stage, start, len(wanted)))
            i = wanted[start : start + SHOT]
            shot = Shot(
                crops.frame[i], list(islice(pictures, len(i))), np.asarray(crops.frames[i]),
                crops.squares[i], crops.mirrored, background, crops.background is not None, embedding.posture[i],
                reference.reference[i], reference.score[i],
            )  # fmt: skip
            yield from magnify_shot(shot, generator, reference.spread, settings.factor, device)
    report(Progress(stage, len(wanted), len(wanted)))


def save_magnified(
    study: Study, name: str, out: str | Path, settings: MagnifySettings | None = None, *,
    heatmap: str | Path | None = None, frames: range | None = None, report: Report = silent,
) -> int:  # fmt: skip
    """Write a recording with its deviation magnified as a video, and the heatmap as a Zarr array.

    Parameters
    ----------
    study, name, settings, frames, report
        As in `magnify`.
    out : str or Path
        A name that ends in .mkv (FFV1, lossless) or .mp4 (H.264).
    heatmap : str or Path, optional
        A name that ends in .zarr: an array (T, Y, X) float32.

    Returns
    -------
    int
        How many frames were written.

    Raises
    ------
    StudyError, VideoError, ModelError
        If the recording cannot be magnified, or a file cannot be written; nothing is left half-written.
    """
    out, recording = Path(out), study.recording(name)
    for other in study.recordings:
        if out.resolve() == other.path.resolve():
            raise StudyError(f"{out} is the recording {other.name} itself. Choose another name to write to.")
    if heatmap is not None and Path(heatmap).suffix.lower() != ".zarr":
        raise StudyError(f"{heatmap} cannot be written: give the heatmap a name that ends in .zarr.")
    fps = load_crops(study, recording, report).fps or ASSUMED_FPS
    found = magnify(study, name, settings, frames=frames, report=report)
    if heatmap is None:
        return write_video(out, (frame.image for frame in found), fps)
    with atomic_path(heatmap) as temporary:
        return write_video(out, _with_heatmap(found, temporary), fps)


def compare(study: Study, settings: CompareSettings | None = None, *, report: Report = silent) -> Path:
    """Compare the groups' subjects, and write ``results/groups.csv``.

    Parameters
    ----------
    study : Study
        A measured study.
    settings : CompareSettings, optional
        How.
    report : callable, optional
        Told of the progress.

    Returns
    -------
    Path
        The table.

    Raises
    ------
    StudyError
        If the study was not measured yet.
    """
    settings = settings or CompareSettings()
    report(Progress("comparing groups", 0, 1))
    subjects = read_result(study, "subjects", "deviate")
    table = compare_groups(subjects, study.reference, n_permutations=settings.n_permutations, seed=settings.seed)
    path = write_result(study, "groups", table)
    record_run(study, "compare", settings.model_dump())
    report(Progress("comparing groups", 1, 1))
    return path


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


def _read_embedded(study: Study, recording: Recording, report: Report) -> tuple[Embedding, Crops]:
    """Read a recording's embedding and crops, and see that they belong together and to the trained model."""
    name = recording.name
    embedding, about = read_embedding(study, name), read_provenance(study, name)
    crops = load_crops(study, recording, report)
    model = load_config(study.models_folder / "posture")
    seen = _seen(crops)
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


def _seen(crops: Crops) -> str:
    """Give a short text that changes with what the networks see of a recording."""
    return fingerprint(crops.frame, crops.squares, crops.frames[0])


def _has_landmarks(study: Study) -> bool:
    return load_config(study.models_folder / "posture")["kind"] == "LandmarkEncoder"


def _check_reference(study: Study, movements: dict[str, Movement]) -> None:
    subjects = {m.subject for m in movements.values() if m.is_reference}
    if len(subjects) < 2:
        raise StudyError(
            f"The reference group {study.reference!r} of {study.folder / 'recordings.csv'} has {len(subjects)} "
            f"{'subject' if len(subjects) == 1 else 'subjects'} that can be measured; it takes at least 2 to tell "
            f"what is normal. The study has: {study.describe_groups()}. Add recordings of further subjects to it, or "
            "choose another reference group."
        )


def _range_of(frame: np.ndarray) -> str:
    return f"frames {frame[0]} to {frame[-1]}"


def _with_heatmap(found: Iterator[MagnifiedFrame], path: Path) -> Iterator[np.ndarray]:
    """Pass on the images, and write the heatmaps to a Zarr array on the way."""
    import zarr  # slow to import, and only this needs it

    array = None
    for i, frame in enumerate(found):
        if array is None:
            shape = frame.heatmap.shape
            array = zarr.create_array(path, shape=(0, *shape), chunks=(1, *shape), dtype="float32")
        array.resize((i + 1, *array.shape[1:]))
        array[i] = frame.heatmap
        yield frame.image
