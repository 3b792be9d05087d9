"""Arrays that belong together, on disk: a Zarr group with attributes, which any Zarr reader opens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ubam.errors import StudyError
from napari_ubam.files import atomic_path

if TYPE_CHECKING:
    from pathlib import Path

    import zarr


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], attributes: Mapping[str, Any]) -> None:
    """Write arrays and attributes as one group, in place of an older one.

    Parameters
    ----------
    path : Path
        The group.
    arrays : mapping of str to ndarray
        What is in it.
    attributes : mapping of str to JSON value
        What is said about it.

    Raises
    ------
    UbamError
        If it cannot be written; an older one stays as it was.
    """
    import zarr  # slow to import, and only some steps need it

    with atomic_path(path) as temporary:
        group = zarr.open_group(temporary, mode="w")
        for name, array in arrays.items():
            group.create_array(name, data=array)
        group.attrs.update(attributes)


@contextmanager
def open_arrays(path: Path, *, missing: str, command: str) -> Iterator[zarr.Group]:
    """Open a group to read from; what is wrong with it while it is read is told too.

    Parameters
    ----------
    path : Path
        The group.
    missing : str
        What it means if there is none.
    command : str
        What makes it.

    Yields
    ------
    Group
        The arrays by their names, and the attributes.

    Raises
    ------
    StudyError
        If it is missing or damaged, with the command that makes it.
    """
    if not path.is_dir():
        raise StudyError(f"{path} is missing: {missing}. Run: {command}")
    import zarr

    try:
        yield zarr.open_group(path, mode="r")
    except (KeyError, ValueError, TypeError, OSError, RuntimeError) as error:
        raise StudyError(f"{path} cannot be read ({error}). Make it again with: {command}") from error
