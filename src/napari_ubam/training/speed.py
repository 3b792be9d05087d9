"""How long a training's steps take on a device: some are tried out, on recordings of noise.

As a program of its own, so that it can be done beside a viewer::

    python -m napari_ubam.training.speed FOLDER CROP_SIZE SETTINGS

FOLDER is for what is trained meanwhile, SETTINGS is JSON. It prints the seconds a step of each stage, as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from napari_ubam.progress import Progress
from napari_ubam.settings import TrainSettings
from napari_ubam.training.bank import Footage
from napari_ubam.training.presets import Steps
from napari_ubam.training.train import train_models

_STEPS = 11  # of each stage; told after the first and the tenth
_MINUTES = 1.0  # at most, of all stages together
_SUBJECTS, _FRAMES = 3, 64


def measure_steps(settings: TrainSettings, crop_size: int, folder: Path) -> dict[str, float]:
    """Try some steps of each stage out.

    Parameters
    ----------
    settings : TrainSettings
        What is to be trained, and on what device.
    crop_size : int
        Of the study [px].
    folder : Path
        For what is trained meanwhile; not needed afterwards.

    Returns
    -------
    dict of str to float
        By stage, the time that a step takes [s], without the first ones of a process, which take longer.

    Raises
    ------
    DeviceError
        If the device is not there, or too small.
    """
    rng = np.random.default_rng(0)
    shape = (_FRAMES, crop_size, crop_size, 3)
    footage = [
        Footage(f"s{i}", rng.integers(0, 256, shape, np.uint8), np.zeros(shape[1:], np.uint8), 30.0)
        for i in range(_SUBJECTS)
    ]
    told: dict[str, list[tuple[int, float]]] = {}

    def report(progress: Progress) -> None:
        if progress.loss is not None:
            told.setdefault(progress.stage, []).append((progress.done, time.monotonic()))

    train_models(
        footage, folder, settings.model_copy(update={"minutes": _MINUTES}), resume=False, report=report,
        steps=Steps(_STEPS, _STEPS, _STEPS),
    )  # fmt: skip
    return {stage: _a_step(times) for stage, times in told.items()}


def _a_step(times: list[tuple[int, float]]) -> float:
    (first, began), (last, ended) = times[0], times[-2] if len(times) > 2 else times[-1]  # at the end it draws, too
    return (ended - began) / max(1, last - first)


if __name__ == "__main__":
    where, size, how = sys.argv[1:]
    print(json.dumps(measure_steps(TrainSettings.model_validate_json(how), int(size), Path(where))))
