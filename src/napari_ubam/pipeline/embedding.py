"""Embed the recordings of a trained study."""

from __future__ import annotations

from contextlib import closing

from napari_ubam import __version__
from napari_ubam.errors import Problem
from napari_ubam.models.behaviour import reaches_beyond
from napari_ubam.models.device import pick_device
from napari_ubam.models.encode import encode_behaviours, encode_postures
from napari_ubam.models.inputs import background_of
from napari_ubam.models.store import fingerprint_model, load_model
from napari_ubam.pipeline.reading import ASSUMED_FPS, is_current, none_read, read_crops, seen_of
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.settings import EmbedSettings
from napari_ubam.study import Embedding, Study, fingerprint, write_embedding
from napari_ubam.study.state import MODELS, made_of


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
