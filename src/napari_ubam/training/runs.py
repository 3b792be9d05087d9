"""Trainings on disk: the one whose models the study uses, the unfinished one, and the earlier ones.

An unfinished training lies in ``models/unfinished`` and takes the place of the study's models only when it is
complete: renamed to ``models/finished`` first, so that a process that is killed while it puts them there can be
followed by another that goes on with it. The models that were there before are kept in ``models/earlier``, from where
they can be taken back.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_ubam.errors import ModelError
from napari_ubam.files import clear_errors
from napari_ubam.training.log import Point, elapsed, read_log

PARTS = ("posture", "behaviour", "generator")
LOG, SETTINGS, PICTURES = "training.csv", "settings.json", "pictures"
KEPT = (*PARTS, PICTURES, LOG, SETTINGS)  # of a complete training; the settings last: they tell that it is complete
UNFINISHED, FINISHED, EARLIER = "unfinished", "finished", "earlier"


@dataclass(frozen=True)
class Run:
    """A training.

    Attributes
    ----------
    name : str
        Of its folder among the earlier ones; empty for the one that the study uses, and for the one that is resumed
        unless another is taken up.
    folder : Path
        Where its models lie.
    settings : dict of str to JSON value
        What it was trained with, the device being the one that it was trained on.
    when : float
        When it was completed or last went on, in seconds since 1970.
    points : dict of str to list of Point
        Its log, by stage.
    is_complete : bool
        Whether it has models to use; else it can be resumed.
    version : str
        Of napari-ubam, which says how many frames a step had; empty if unknown.
    crop_size : int
        Of the study as it was [px]; 0 if unknown.
    """

    name: str
    folder: Path
    settings: dict[str, Any]
    when: float
    points: dict[str, list[Point]]
    is_complete: bool = True
    version: str = ""
    crop_size: int = 0

    @property
    def preset(self) -> str:
        """How many steps it had."""
        return str(self.settings.get("preset", ""))

    @property
    def device(self) -> str:
        """What it was trained on."""
        return str(self.settings.get("device", ""))

    @property
    def objective(self) -> str:
        """What posture was learned from."""
        return str(self.settings.get("objective", ""))

    @property
    def encoder(self) -> str:
        """The network that learned it."""
        return str(self.settings.get("encoder", ""))

    @property
    def generator(self) -> str:
        """How postures are drawn."""
        return str(self.settings.get("generator", ""))

    @property
    def steps(self) -> int:
        """How many steps its posture was trained."""
        return self._first[-1].step if self._first else 0

    @property
    def loss(self) -> float | None:
        """The posture's loss at the end, over the last tenth of the steps."""
        last = self._first[-max(1, len(self._first) // 10) :]
        return sum(point.loss for point in last) / len(last) if last else None

    @property
    def seconds(self) -> float:
        """How long its stages took together."""
        return sum(elapsed(points) for points in self.points.values())

    @property
    def _first(self) -> list[Point]:
        return next(iter(self.points.values()), [])


def find_runs(models: Path) -> list[Run]:
    """List the complete trainings of a study: first the one in use, then earlier ones, the newest first.

    Parameters
    ----------
    models : Path
        The study's folder of models.
    """
    return _listed(models, _read)


def find_unfinished(models: Path) -> list[Run]:
    """List the trainings of a study that can be resumed: first the one that was stopped last, then those put aside.

    Parameters
    ----------
    models : Path
        The study's folder of models.
    """
    return _listed(models, _read_unfinished)


def take_up(models: Path, name: str) -> None:
    """Let an unfinished training that was put aside be the one that is resumed; the one that was is put aside.

    Parameters
    ----------
    models : Path
        The study's folder of models.
    name : str
        Of the one that was put aside; empty for the one that is resumed anyway.

    Raises
    ------
    ModelError
        If there is no such training.
    UbamError
        If the folder cannot be written to.
    """
    if not name:
        return
    folder = models / EARLIER / name
    if _read_unfinished(folder, name) is None:
        raise ModelError(f"There is no unfinished training in {folder}. Choose another one.")
    with clear_errors(models):
        if (models / UNFINISHED).exists():
            os.replace(models / UNFINISHED, new_earlier(models) / UNFINISHED)
        os.replace(folder / UNFINISHED, models / UNFINISHED)
        if not any(folder.iterdir()):
            folder.rmdir()


def use_run(models: Path, name: str) -> None:
    """Let a study use an earlier training; the one that it used becomes an earlier one.

    Parameters
    ----------
    models : Path
        The study's folder of models.
    name : str
        Of the earlier training.

    Raises
    ------
    ModelError
        If there is no such training, or it is not complete.
    UbamError
        If the folder cannot be written to.
    """
    folder = models / EARLIER / name
    if not name or _read(folder, name) is None:
        raise ModelError(f"There is no complete training in {folder}. Choose another one.")
    with clear_errors(models):
        install(models)  # what another process may have left half done
        os.replace(folder, models / FINISHED)
        install(models)


def can_resume(models: Path) -> bool:
    """Say whether the models' folder holds an unfinished training."""
    return any((models / name / SETTINGS).exists() for name in (UNFINISHED, FINISHED))


def install(models: Path) -> bool:
    """Put a finished training, if there is one, in the place of the models that were there, which go to ``earlier``.

    All old models go before the first new one comes: at no time are there some of each.
    """
    finished = models / FINISHED
    new = [name for name in KEPT if (finished / name).exists()]
    old = [name for name in new if (models / name).exists()]
    if old:
        kept = new_earlier(models)
        for name in old:
            os.replace(models / name, kept / name)
    for name in new:
        os.replace(finished / name, models / name)
    shutil.rmtree(finished, ignore_errors=True)
    return bool(new)


def new_earlier(models: Path) -> Path:
    """Make a folder for what is not used any more, named by the time."""
    path = next(path for path in _free(models / EARLIER / time.strftime("%Y-%m-%d_%H-%M-%S")) if not path.exists())
    path.mkdir(parents=True)
    return path


def _free(path: Path) -> Iterator[Path]:
    yield path
    for i in range(1, 1000):
        yield path.with_name(f"{path.name}_{i}")


def _listed(models: Path, read: Callable[[Path, str], Run | None]) -> list[Run]:
    """Read the training in the folder of models itself, and then those among the earlier ones, the newest first."""
    aside = [run for folder in sorted((models / EARLIER).glob("*")) if (run := read(folder, folder.name)) is not None]
    here = read(models, "")
    return ([] if here is None else [here]) + sorted(aside, key=lambda run: run.when, reverse=True)


def _read(folder: Path, name: str) -> Run | None:
    """Read a complete training; None if it is not complete, or damaged."""
    try:
        config = json.loads((folder / "posture" / "config.json").read_text(encoding="utf-8"))
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8")) | {"device": config["device"]}
        when = (folder / "posture" / "config.json").stat().st_mtime
        if not all((folder / part / "model.safetensors").is_file() for part in PARTS):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    made = {"version": config.get("version", ""), "crop_size": config.get("crop_size", 0)}
    return Run(name, folder, settings, when, read_log(folder / LOG), **made)


def _read_unfinished(folder: Path, name: str) -> Run | None:
    """Read the unfinished training in a folder; None if there is none, or it is damaged."""
    path = folder / UNFINISHED / SETTINGS
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        when = max(file.stat().st_mtime for file in (path, path.with_name(LOG)) if file.exists())
    except (OSError, ValueError):
        return None
    if not isinstance(settings, dict):
        return None
    return Run(name, path.parent, settings, when, read_log(path.with_name(LOG)), is_complete=False)
