"""Train a study's models, stage after stage; stop and resume between and within them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import torch

from napari_ubam.errors import ModelError
from napari_ubam.files import clear_errors, write_text
from napari_ubam.models.device import pick_device
from napari_ubam.models.encode import encode_postures
from napari_ubam.models.precision import in_precision
from napari_ubam.models.store import load_model, save_model
from napari_ubam.models.vae import VaeGenerator
from napari_ubam.progress import Progress, Report
from napari_ubam.sampling import spread_parts
from napari_ubam.settings import TrainSettings
from napari_ubam.training.bank import Footage
from napari_ubam.training.behaviour import behaviour_recipe
from napari_ubam.training.collapse import ADVICE
from napari_ubam.training.fit import fit
from napari_ubam.training.log import Log
from napari_ubam.training.modules import VaeModule
from napari_ubam.training.pictures import Gallery
from napari_ubam.training.presets import STEPS as STEPS
from napari_ubam.training.presets import Steps as Steps
from napari_ubam.training.recipes import Recipe, frame_bank, posture_recipe
from napari_ubam.training.runs import FINISHED, LOG, PICTURES, SETTINGS, UNFINISHED, install, new_earlier
from napari_ubam.training.watch import Stage

MOST_CODES = 40_000  # frames that behaviour is learned from: hundreds of clips of each of a hundred recordings
CLIPS = 5  # of which a part is as long, where not all of a recording is needed
CHECKPOINT, OLD_CHECKPOINT = ".checkpoint.safetensors", ".ckpt"


def train_models(
    footage: list[Footage], folder: Path, settings: TrainSettings, *, resume: bool, report: Report,
    steps: Steps | None = None,
) -> None:  # fmt: skip
    """Train posture, generator and behaviour, and put them into the models' folder.

    Parameters
    ----------
    footage : list of Footage
        What they see.
    folder : Path
        The study's models' folder.
    settings : TrainSettings
        What, how long, and on what. When resuming, those that the training was begun with count, but for the device
        and the time limit.
    resume : bool
        Go on with the unfinished training.
    report : callable
        Told of the progress; may raise `Cancelled`, after which the training can be resumed.
    steps : Steps, optional
        How many steps, instead of the preset's.

    Raises
    ------
    Cancelled
        If ``report`` raised it.
    ModelError
        If there is nothing to resume, or what there is is damaged.
    DeviceError
        If the device is not there, or too small.
    UbamError
        If the disk is full, or the folder cannot be written to.
    """
    device = pick_device(settings.device)
    with clear_errors(folder):
        if install(folder) and resume:
            return
        settings = _begin(folder, settings, resume)
        run = _Run(folder / UNFINISHED, settings, device, footage, report, steps)
        run.posture()
        run.behaviour()
        os.replace(folder / UNFINISHED, folder / FINISHED)
        install(folder)


class _Run:
    """The stages of one training, each skipped where its model is there already."""

    def __init__(
        self, folder: Path, settings: TrainSettings, device: torch.device, footage: list[Footage], report: Report,
        steps: Steps | None,
    ) -> None:  # fmt: skip
        self.folder, self.settings, self.device, self.footage, self.report = folder, settings, device, footage, report
        self.steps = steps or STEPS[settings.preset]
        self.bank = frame_bank(footage, settings)
        self.gallery = Gallery(footage, folder / PICTURES)

    def posture(self) -> None:
        self._stage(posture_recipe(self.settings, self.bank, self.steps.posture))
        if not self._done("generator"):
            self._vae()

    def _vae(self) -> None:
        posture = load_model(self.folder / "posture", self.device)
        codes = np.concatenate([code for codes in self._codes() for code in codes])
        arguments = {"posture_dimension": codes.shape[1]}

        def vae() -> VaeModule:
            generator = VaeGenerator(**arguments)
            generator.mean.copy_(torch.from_numpy(codes.mean(0)))
            generator.scale.copy_(torch.from_numpy(codes.std(0) + 1e-6))
            return VaeModule(posture, generator)

        stage = Stage("generator", self.bank.pairs, 16, self.steps.generator)
        self._stage(Recipe(stage, vae, {"generator": arguments}))

    def behaviour(self) -> None:
        if self._done("behaviour"):
            return
        codes, fps, subjects = [], [], []
        for footage, parts in zip(self.footage, self._codes(), strict=True):
            mean = np.concatenate(parts).mean(0)
            codes += [part - mean for part in parts]
            fps += [footage.fps] * len(parts)
            subjects += [footage.subject] * len(parts)
        self._stage(behaviour_recipe(codes, fps, subjects, self.settings, self.steps.behaviour))

    def _codes(self) -> list[list[np.ndarray]]:
        """Encode each recording: all of it, or parts evenly spread where there are more frames than are needed."""
        posture = load_model(self.folder / "posture", self.device)
        most, seconds = -(-MOST_CODES // len(self.footage)), CLIPS * self.settings.clip_seconds
        return [
            [
                encode_postures(posture, f.frames[part], f.background, self.device, self.report)
                for part in spread_parts(len(f.frames), round(seconds * f.fps), most)
            ]
            for f in self.footage
        ]

    def _done(self, part: str) -> bool:
        return (self.folder / part / "config.json").exists()

    def _stage(self, recipe: Recipe) -> None:
        """Train one stage and save its models."""
        stage, parts = recipe.stage, recipe.parts
        if all(self._done(part) for part in parts):
            return
        torch.manual_seed(self.settings.seed)
        module = recipe.make()
        share = stage.steps / self._all_steps()
        seconds = self.settings.minutes * 60 * share if self.settings.minutes else None
        checkpoint = self.folder / f"{next(iter(parts))}{CHECKPOINT}"
        start = time.monotonic()
        with in_precision(self.settings.precision, module, self.device):
            done = fit(
                module, stage, device=self.device, seed=self.settings.seed, seconds=seconds, checkpoint=checkpoint,
                report=self.report, log=Log(self.folder / LOG),
                gallery=self.gallery if hasattr(module, "posture") else None,
            )  # fmt: skip
        record = {
            "steps": done.step,
            "batch": done.batch,
            "crop_size": self.footage[0].frames.shape[1],
            "batches_left_out": done.left_out,
            "learning_rate_share": done.rate,
            "seconds": round(time.monotonic() - start, 1),
            "device": str(self.device),
            "mirrored": self.bank.mirrored,
            "settings": self.settings.model_dump(),
        }
        warning = ""
        if stage.sample is not None:
            code = stage.sample.look(module.posture)
            record["posture_code"] = {"spread": code.spread, "effective_rank": code.rank, "collapsed": code.collapsed}
            warning = f"{code.warning} {ADVICE}" if code.collapsed else ""
        for part, arguments in parts.items():
            save_model(self.folder / part, getattr(module, part), arguments, record)
        self.report(Progress(stage.name, stage.steps, stage.steps, warning))

    def _all_steps(self) -> int:
        extra = 0 if self.settings.trained_together else self.steps.generator
        return self.steps.posture + self.steps.behaviour + extra


def _begin(folder: Path, settings: TrainSettings, resume: bool) -> TrainSettings:
    """Make the folder of an unfinished training, or take the settings of the one that is resumed."""
    path = folder / UNFINISHED / SETTINGS
    if resume:
        if not path.exists():
            raise ModelError(f"There is no unfinished training in {folder} to resume. Train without resuming.")
        try:
            _no_old_checkpoint(path.parent)
            begun = json.loads(path.read_text(encoding="utf-8"))
            return TrainSettings(**(begun | {"device": settings.device, "minutes": settings.minutes}))
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"The unfinished training cannot be resumed, as {path} is damaged or by another version ({error}). "
                "Train without resuming."
            ) from error
    if path.parent.exists():
        os.replace(path.parent, new_earlier(folder) / UNFINISHED)
    write_text(path, json.dumps(settings.model_dump(), indent=2) + "\n")
    return settings


def _no_old_checkpoint(folder: Path) -> None:
    """Complain of a checkpoint that is still needed, and was pickled."""
    paths = [path for path in folder.glob(f"*{OLD_CHECKPOINT}") if not (folder / path.stem / "config.json").exists()]
    if paths:
        raise ModelError(
            f"The training cannot be resumed from {paths[0]}: an older napari-ubam wrote it, in a form that is not "
            "read any more. Delete that file, and resume again: what it was part of begins anew. "
            "Or finish the training with that version."
        )
