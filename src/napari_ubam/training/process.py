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

FILE = "process.json"
_ALIKE = 1.0  # seconds: processes with the same number that began that near to one another are the same


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
    this = psutil.Process()
    write_text(models / FILE, json.dumps({"pid": this.pid, "began": this.create_time()}) + "\n")
    try:
        yield
    finally:
        with suppress(OSError):
            (models / FILE).unlink()
            models.rmdir()  # if nothing was trained


def process_of(models: Path) -> psutil.Process | None:
    """Find the process that trains a study; None if there is none, or it has ended without a word."""
    try:
        about = json.loads((models / FILE).read_text(encoding="utf-8"))
        process = psutil.Process(int(about["pid"]))
        same = abs(process.create_time() - float(about["began"])) < _ALIKE
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None
