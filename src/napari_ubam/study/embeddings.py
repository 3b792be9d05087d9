"""Embeddings on disk: one Zarr group a recording, which any Zarr reader opens."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
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
    """

    posture: np.ndarray
    behaviour: np.ndarray
    frame: np.ndarray

    def __post_init__(self) -> None:
        if not len(self.posture) == len(self.behaviour) == len(self.frame):
            raise ValueError(
                f"one row a frame: {len(self.frame)} frames, but {len(self.posture)} postures "
                f"and {len(self.behaviour)} behaviours"
            )


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
    write_arrays(path, arrays, provenance)
    return path


def read_embedding(study: Study, name: str) -> Embedding:
    """Read the embedding of the recording ``name``.

    Raises
    ------
    StudyError
        If it is missing or damaged, with the command that makes it.
    """
    with _open(study, name) as group:
        return Embedding(**{field.name: np.asarray(group[field.name]) for field in fields(Embedding)})


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
