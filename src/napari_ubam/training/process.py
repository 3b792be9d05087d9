"""Which process trains a study, so that two do not, and that one which was left running is found again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from napari_ubam.errors import TrainingError
from napari_ubam.files import write_text
from napari_ubam.processes import find_process, this_process

FILE = "process.json"


@contextmanager
def marked(models: Path) -> Iterator[None]:
    """Tell other processes that this one trains the study, as long as it does.

    Parameters
    ----------
    models : Path
        The study's folder of models.

    Raises
    ------
    TrainingError
        If another process trains it.
    """
    if (other := process_of(models)) is not None and other.pid != os.getpid():
        raise TrainingError(
            f"The study {models.parent} is being trained by another process ({other.pid}). Wait for its end, or stop "
            "it in the Train widget."
        )
    write_text(models / FILE, json.dumps(this_process()) + "\n")
    try:
        yield
    finally:
        with suppress(OSError):
            (models / FILE).unlink()
            models.rmdir()  # if nothing was trained


def process_of(models: Path) -> psutil.Process | None:
    """Find the process that trains a study; None if there is none, or it has ended without a word."""
    try:
        return find_process(json.loads((models / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None
