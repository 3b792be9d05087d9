"""How long a training's steps take on a device: some are tried out, on recordings of noise.

As a program of its own, so that it can be done beside a viewer::

    python -m napari_ubam.training.speed FOLDER CROP_SIZE SETTINGS

FOLDER is for what is trained meanwhile, SETTINGS is JSON. It prints the seconds a step of each stage, as JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from napari_ubam.errors import UbamError
from napari_ubam.progress import Progress
from napari_ubam.settings import StudySettings, TrainSettings
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


def main() -> None:
    """Print how long steps take, as the arguments ask for; what is wrong with these is said in a line."""
    parser = argparse.ArgumentParser(
        prog="python -m napari_ubam.training.speed", description="Try out how long a training's steps take here."
    )
    parser.add_argument("folder", type=_folder, metavar="FOLDER", help="for what is trained meanwhile")
    parser.add_argument("crop_size", type=_crop_size, metavar="CROP_SIZE", help="of the study [px]")
    parser.add_argument("settings", type=_settings, metavar="SETTINGS", help="of the training, as JSON")
    given = parser.parse_args()
    try:
        print(json.dumps(measure_steps(given.settings, given.crop_size, given.folder)))
    except UbamError as error:
        parser.exit(1, f"Error: {error}\n")


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return Path(text)


def _crop_size(text: str) -> int:
    try:
        return StudySettings.model_validate({"crop_size": text}).crop_size
    except ValidationError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error.errors()[0]['msg']}") from error


def _settings(text: str) -> TrainSettings:
    try:
        return TrainSettings.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        raise argparse.ArgumentTypeError(" ".join(map(str, (*first["loc"], first["msg"])))) from error


if __name__ == "__main__":
    main()
