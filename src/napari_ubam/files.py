"""Files that are either the old one or the new one, never half of one."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_ubam.errors import UbamError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary name to write to, and rename it to ``path`` when all went well.

    The temporary name lies in the same folder and keeps the suffix, so that writers
    that choose a format by the suffix work. It may be written as a file or as a folder.
    On any error the temporary file is removed and the old ``path`` stays as it was.

    Parameters
    ----------
    path : str or Path
        The final name. Its parent folders are made.

    Yields
    ------
    Path
        The name to write to.

    Raises
    ------
    UbamError
        If the disk is full or the path cannot be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}.part{path.suffix}")
    try:
        with clear_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            if temporary.is_dir():
                _replace_folder(temporary, path)
            else:
                os.replace(temporary, path)
    finally:
        _remove(temporary)


@contextmanager
def clear_errors(path: str | Path) -> Iterator[None]:
    """Say in words for the user why ``path`` could not be written.

    Raises
    ------
    UbamError
        If the disk is full, or the path is none that can be written to.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UbamError(
                f"The disk is full: {path} was not written. Free some space and run the step again; "
                "what was there before is unchanged."
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise UbamError(
                f"{path} cannot be written: {error.strerror}. Choose a folder that you may write to."
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.EFBIG):
            raise UbamError(f"{path} cannot be written: {error.strerror}. Choose another name or folder.") from error
        if error.errno is None:  # NumPy says only how much of an array it wrote
            raise UbamError(
                f"{path} was not written ({error}). See that the disk is not full, and try again."
            ) from error
        raise


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` to ``path`` atomically, as UTF-8 with Unix line ends."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _replace_folder(new: Path, path: Path) -> None:
    """Put folder ``new`` in the place of ``path``; folders cannot be replaced in one go."""
    old = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.old")
    had_old = path.exists()
    if had_old:
        os.replace(path, old)
    try:
        os.replace(new, path)
    except BaseException:
        if had_old:
            os.replace(old, path)
        raise
    if had_old:
        _remove(old)


def _remove(path: Path) -> None:
    """Remove what is left over; that it cannot be must not hide the error that it is left over from."""
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
