"""Lay out the embeddings of a study in the plane."""

from __future__ import annotations

import numpy as np

from napari_ubam.analysis.projection import can_lay_out, centre, place, project
from napari_ubam.errors import StudyError
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.settings import MapSettings
from napari_ubam.study import (
    CodeMap,
    KeptMap,
    Study,
    embedding_path,
    fingerprint,
    read_embedding,
    read_map,
    write_map,
)

MAX_POINTS = 200_000  # more are thinned out evenly


def lay_out(study: Study, settings: MapSettings | None = None, *, report: Report = silent) -> CodeMap:
    """Give every frame of every embedded recording its place on a map, and keep the map in ``results/maps/``.

    As long as most of a kept map's recordings are embedded as they were, these stay where they are, and new ones are
    placed among them.

    Parameters
    ----------
    study : Study
        An embedded study.
    settings : MapSettings, optional
        What is laid out, and how.
    report : callable, optional
        Told of the progress; may raise `Cancelled`, which leaves the kept map as it was.

    Raises
    ------
    StudyError
        If no recording is embedded, an embedding is damaged, or the method is not installed.
    """
    settings = settings or MapSettings()
    if not can_lay_out(settings.method):
        raise StudyError("UMAP is not installed. Choose another way to lay out the map, or: pip install umap-learn")
    recordings = tuple(x for x in study.recordings if embedding_path(study, x.name).exists())
    if not recordings:
        raise StudyError(f"No recording of {study.folder} is embedded. Run: napari-ubam embed {study.folder}")
    embeddings = []
    for i, recording in enumerate(recordings):
        report(Progress("reading embeddings", i, len(recordings)))
        embeddings.append(read_embedding(study, recording.name))
    name = f"{settings.code}_{settings.method}{'_centred' if settings.centred else ''}"
    kept = None if settings.anew else read_map(study, name)
    step = kept.step if kept is not None else max(-(-sum(len(x.frame) for x in embeddings) // MAX_POINTS), 1)
    parts = [getattr(embedding, settings.code)[::step] for embedding in embeddings]
    made_of = {x.name: fingerprint(part) for x, part in zip(recordings, parts, strict=True)}
    lengths = [len(part) for part in parts]
    which, codes = np.repeat(np.arange(len(parts)), lengths), np.concatenate(parts)
    codes = centre(codes, which) if settings.centred else codes
    stays = _unchanged(kept, made_of)

    def tell(done: int, total: int) -> None:
        report(Progress("laying out", done, total))

    if kept is None or not stays:
        position = project(codes, settings.method, seed=settings.seed, tell=tell)
    else:
        known = np.isin(which, [i for i, x in enumerate(recordings) if x.name in stays])
        position = np.empty((len(codes), 2), np.float32)
        position[known] = np.concatenate([kept.positions[x.name] for x in recordings if x.name in stays])
        position[~known] = place(codes[~known], codes[known], position[known], settings.method, tell=tell)
    if kept is None or kept.made_of != made_of:
        places = np.split(position, np.cumsum(lengths)[:-1])
        write_map(study, name, KeptMap(dict(zip(made_of, places, strict=True)), made_of, step))
    frame = np.concatenate([embedding.frame[::step] for embedding in embeddings])
    return CodeMap(position, recordings, which, frame, codes, step)


def _unchanged(kept: KeptMap | None, made_of: dict[str, str]) -> set[str]:
    """Give the recordings that stay where they are: those embedded as they were, if they are half of the map."""
    there = {} if kept is None else {name: kept.positions[name] for name in made_of if name in kept.positions}
    same = {name for name in there if kept is not None and kept.made_of[name] == made_of[name]}
    return same if 2 * sum(len(there[name]) for name in same) >= sum(map(len, there.values())) else set()
