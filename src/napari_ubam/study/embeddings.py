"""Embeddings on disk: one Zarr group a recording, which any Zarr reader opens."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ubam.errors import StudyError
from napari_ubam.study.arrays import open_arrays, write_arrays

if TYPE_CHECKING:
    from pathlib import Path

    import zarr

    from napari_ubam.study.study import Study


@dataclass(frozen=True, eq=False)
class Embedding:
    """A recording's postures and behaviours, one row a frame, in frame order.

    Attributes
    ----------
    posture : ndarray of float32, shape (T, d)
        How the body is held in each frame.
    behaviour : ndarray of float32, shape (T, e)
        The same of the clip around each frame.
    frame : ndarray of int64, shape (T,)
        Absolute frame numbers in the recording's file, ascending.
    behaviour_padded : ndarray of bool, shape (T,), or None
        Whether the clip around the frame reaches beyond the recording, so that its end is repeated in it; None in older
        embeddings, which do not tell.
    """

    posture: np.ndarray
    behaviour: np.ndarray
    frame: np.ndarray
    behaviour_padded: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not len(self.posture) == len(self.behaviour) == len(self.frame):
            raise ValueError(
                f"one row a frame: {len(self.frame)} frames, but {len(self.posture)} postures "
                f"and {len(self.behaviour)} behaviours"
            )
        if self.behaviour_padded is not None and len(self.behaviour_padded) != len(self.frame):
            raise ValueError(f"one row a frame: {len(self.frame)} frames, but {len(self.behaviour_padded)} marks")


def embedding_path(study: Study, name: str) -> Path:
    """Say where the embedding of the recording ``name`` lies, whether it is there or not."""
    return study.embeddings_folder / f"{name}.zarr"


def write_embedding(study: Study, name: str, embedding: Embedding, provenance: Mapping[str, Any]) -> Path:
    """Write an embedding to ``embeddings/NAME.zarr``, in place of an older one.

    Parameters
    ----------
    study : Study
        Where to.
    name : str
        The recording's name.
    embedding : Embedding
        What to write.
    provenance : mapping of str to JSON value
        Where it comes from (seed, versions, settings); becomes the group's attributes.

    Returns
    -------
    Path
        The Zarr group.

    Raises
    ------
    UbamError
        If it cannot be written; an older one stays as it was.
    """
    path = embedding_path(study, name)
    arrays: dict[str, np.ndarray] = {
        "posture": np.asarray(embedding.posture, np.float32),
        "behaviour": np.asarray(embedding.behaviour, np.float32),
        "frame": np.asarray(embedding.frame, np.int64),
    }
    if embedding.behaviour_padded is not None:
        arrays["behaviour_padded"] = np.asarray(embedding.behaviour_padded, bool)
    write_arrays(path, arrays, provenance)
    return path


def read_embedding(study: Study, name: str) -> Embedding:
    """Read the embedding of the recording ``name``.

    Raises
    ------
    StudyError
        If it is missing or damaged, or holds values that are no numbers, with the command that makes it.
    """
    with _open(study, name) as group:
        names = [field.name for field in fields(Embedding) if field.default is MISSING or field.name in group]
        embedding = Embedding(**{name: np.asarray(group[name]) for name in names})
    numbers = np.isfinite(embedding.posture).all(1) & np.isfinite(embedding.behaviour).all(1)
    if not numbers.all():
        raise StudyError(
            f"{embedding_path(study, name)} holds values that are no numbers, in {(~numbers).sum()} of {len(numbers)} "
            f"frames. Run again: napari-ubam embed {study.folder}. If they are there again, train again."
        )
    return embedding


def read_provenance(study: Study, name: str) -> dict[str, Any]:
    """Read what was written beside the embedding of the recording ``name``; empty where there is none."""
    try:
        with _open(study, name) as group:
            return dict(group.attrs)
    except StudyError:
        return {}


def fingerprint(*arrays: np.ndarray) -> str:
    """Give a short text that is another one where any of the arrays is another one."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype}".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _open(study: Study, name: str) -> AbstractContextManager[zarr.Group]:
    path = embedding_path(study, name)
    return open_arrays(path, missing=f"{name} has no embedding yet", command=f"napari-ubam embed {study.folder}")
