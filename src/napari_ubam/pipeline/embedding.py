"""Embed the recordings of a trained study."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import numpy as np

from napari_ubam import __version__
from napari_ubam.errors import Problem, StudyError
from napari_ubam.models.behaviour import reaches_beyond
from napari_ubam.models.device import pick_device
from napari_ubam.models.encode import encode_behaviours, encode_postures
from napari_ubam.models.inputs import background_of
from napari_ubam.models.store import fingerprint_model, load_config, load_model
from napari_ubam.pipeline.reading import ASSUMED_FPS, is_current, none_read, read_crops, seen_of
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.settings import EmbedSettings
from napari_ubam.study import Embedding, Recording, Study, fingerprint, load_crops, write_embedding
from napari_ubam.study.state import MODELS, made_of

Codes = tuple[np.ndarray, np.ndarray]  # of a recording: postures (T, d), behaviours (T, e)


def embed(study: Study, settings: EmbedSettings | None = None, *, report: Report = silent) -> list[Problem]:
    """Write posture and behaviour of every frame of every recording to ``embeddings/NAME.zarr``.

    Each recording's is written when it is done, while the next one is decoded. Those that were made with the same
    models, of a recording that has not changed since, are skipped.

    Parameters
    ----------
    study : Study
        A trained study.
    settings : EmbedSettings, optional
        Where to compute, and whether to do all anew.
    report : callable, optional
        Told of the progress; may raise `Cancelled`, after which the next call goes on.

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
    folders = {part: study.models_folder / part for part in MODELS}
    models = {part: fingerprint_model(folder) for part, folder in folders.items()}
    todo = [r for r in study.recordings if settings.anew or not is_current(study, r, models)]
    done, total = len(study.recordings) - len(todo), len(study.recordings)
    skipped = f"{done} of {total} recordings are embedded already and were skipped; 'anew' does all again."
    report(Progress("embedding", done, total, skipped if done else ""))
    if not todo:
        return []
    posture, behaviour = (load_model(folder, device) for folder in folders.values())
    problems: list[Problem] = []
    with closing(read_crops(study, todo, problems, report)) as found:
        for recording, crops in found:
            name = recording.name
            codes = encode_postures(posture, crops.frames, background_of(crops), device, report, f"embedding {name}")
            fps = crops.fps or ASSUMED_FPS
            clips = encode_behaviours(behaviour, codes, fps, device)
            padded = reaches_beyond(len(codes), fps, behaviour.seconds)
            about = {
                "made_of": made_of(study, recording, models), "crops": seen_of(crops), "fps": crops.fps,
                "codes": fingerprint(codes), "is_empty": crops.has_empty_background,
                "version": __version__, "device": str(device),
            }  # fmt: skip
            write_embedding(study, name, Embedding(codes, clips, crops.frame, padded), about)
            done += 1
            report(Progress("embedding", done, total))
    if len(problems) == total:
        raise none_read(study, problems)
    report(Progress("embedding", total, total))
    return problems


def embed_mirror_images(study: Study, recordings: Sequence[Recording], report: Report = silent) -> dict[str, Codes]:
    """Return posture and behaviour of the mirror image of every frame, by the recording's name.

    Raises
    ------
    StudyError
        If the networks were never shown mirror images, of which they then know nothing.
    ModelError
        If the study is not trained.
    VideoError
        If a recording cannot be read.
    """
    folders = [study.models_folder / part for part in MODELS]
    if not load_config(folders[0]).get("mirrored", False):
        raise StudyError(
            f"The networks of {study.folder} were never shown mirror images, so that they know nothing of them. Train "
            f"anew with: napari-ubam train {study.folder} --mirrored yes, or compare without mirror images."
        )
    device = pick_device()
    posture, behaviour = (load_model(folder, device) for folder in folders)
    found = {}
    for recording in recordings:
        crops, stage = load_crops(study, recording, report), f"embedding {recording.name} in the mirror"
        background = np.ascontiguousarray(background_of(crops)[:, ::-1])
        codes = encode_postures(posture, crops.frames[:, :, ::-1], background, device, report, stage)
        found[recording.name] = codes, encode_behaviours(behaviour, codes, crops.fps or ASSUMED_FPS, device)
    return found
