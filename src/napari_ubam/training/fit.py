"""Run one stage of a training with Lightning: progress, stop, resume, and less memory where it runs out."""

from __future__ import annotations

import logging
import pickle
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from torch.utils.data import DataLoader

from napari_ubam.errors import ModelError
from napari_ubam.files import atomic_path
from napari_ubam.models.device import smaller_batch
from napari_ubam.progress import Cancelled, Progress, Report
from napari_ubam.training.bank import Draw, Stream
from napari_ubam.training.log import Log
from napari_ubam.training.modules import Module

REPORT_EVERY = 10  # steps
CHECKPOINT_EVERY = 120.0  # seconds


@dataclass(frozen=True)
class Stage:
    """One thing that is trained.

    Attributes
    ----------
    name : str
        What is trained, in words; also names the checkpoint.
    draw : callable
        Makes a batch of about n items from a source of chance.
    n : int
        Items in a batch.
    steps : int
        How long.
    """

    name: str
    draw: Draw
    n: int
    steps: int


def fit(
    module: Module, stage: Stage, *, device: torch.device, seed: int, seconds: float | None, checkpoint: Path,
    report: Report, log: Log,
) -> int:  # fmt: skip
    """Train a module to the end of its stage, from its checkpoint where there is one.

    Parameters
    ----------
    module : Module
        What is trained, in place.
    stage : Stage
        On what, and how long.
    device : torch.device
        Where.
    seed : int
        Batches and augmentations depend on the seed and the step alone.
    seconds : float or None
        Stop after this time, with the learning rate brought down by then.
    checkpoint : Path
        Where an unfinished training is kept; written every few minutes, when ``report`` raises `Cancelled`, and on
        Ctrl-C.
    report : callable
        Told the loss and the time left.
    log : Log
        Told the loss every some steps.

    Returns
    -------
    int
        Steps that were trained.

    Raises
    ------
    Cancelled
        After the checkpoint was written, if ``report`` raised it, or on Ctrl-C.
    DeviceError
        If the device's memory is too small even for a batch of one.
    ModelError
        If the checkpoint is damaged.
    """
    n = stage.n
    module.to(memory_format=torch.channels_last)  # convolves twice as fast on CPUs
    untrained = {name: value.clone() for name, value in module.state_dict().items()}
    watch = _Watch(stage, seed, seconds, checkpoint, report, log)
    while True:
        try:
            with _stopped_by_ctrl_c(watch):
                _run(module, stage, n, device, seed, watch, checkpoint)
        except RuntimeError as error:
            n = smaller_batch(error, n, device, stage.name)
            module.to("cpu").load_state_dict(untrained)  # begin again there, unless there is a checkpoint
            report(Progress(stage.name, 0, stage.steps, f"{device} ran out of memory; going on with batches of {n}"))
        else:
            break
    if watch.cancelled is not None:
        raise watch.cancelled
    return watch.step


def _run(
    module: Module, stage: Stage, n: int, device: torch.device, seed: int, watch: _Watch, checkpoint: Path
) -> None:
    first = _load(module, checkpoint) if checkpoint.exists() else 0
    watch.begin(first)
    if first >= stage.steps:
        return
    loader = DataLoader(Stream(stage.draw, n, seed, first), batch_size=None)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning.*|torch.*")
        _quiet()
        trainer = lightning.Trainer(
            accelerator={"cuda": "gpu"}.get(device.type, device.type),
            devices=[device.index or 0] if device.type == "cuda" else 1,
            max_steps=stage.steps,
            max_epochs=-1,
            gradient_clip_val=module.clip,
            callbacks=[watch],
            plugins=LightningEnvironment(),  # one process, also within a job of a cluster
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, loader, ckpt_path=checkpoint if first else None, weights_only=True)
    module.to("cpu")


def _load(module: Module, checkpoint: Path) -> int:
    """Take the weights from a checkpoint, and return its step."""
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        module.load_state_dict(state["state_dict"])
        return int(state["global_step"])
    except (OSError, EOFError, KeyError, TypeError, RuntimeError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"The training cannot be resumed, as {checkpoint} is damaged or by another version. "
            "Delete that file, and resume again: what it was part of begins anew."
        ) from error


@contextmanager
def _stopped_by_ctrl_c(watch: _Watch) -> Iterator[None]:
    """Let Ctrl-C stop the training between two steps, unless the caller has its own way to deal with it."""
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: watch.stop(Cancelled("stopped by Ctrl-C")))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class _Watch(lightning.Callback):
    """Sets the learning rate, reports, writes checkpoints, and stops a training when it is asked to."""

    def __init__(
        self, stage: Stage, seed: int, seconds: float | None, checkpoint: Path, report: Report, log: Log
    ) -> None:
        self._stage, self._seed, self._seconds, self._checkpoint = stage, seed, seconds, checkpoint
        self._report, self._log = report, log
        self._start = self._saved = time.monotonic()
        self._first = -1
        self.step = 0
        self.cancelled: Cancelled | None = None

    def begin(self, step: int) -> None:
        """Go on after a step, of which the log may tell more than the checkpoint holds."""
        self.step = step
        self._log.begin(self._stage.name, step)

    def on_train_batch_start(self, trainer: lightning.Trainer, module: Any, *_: Any) -> None:
        step = trainer.global_step
        if self._first < 0:
            self._first = step
        torch.manual_seed(self._seed * 1_000_003 + step)
        module.progress = max(step / self._stage.steps, self._time_used())
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = module.rate()

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Any, outputs: Any, *_: Any) -> None:
        self.step = trainer.global_step
        if self._time_used() >= 1:
            trainer.should_stop = True
        if self.step % REPORT_EVERY == 0 or self.step in (1, self._stage.steps):
            self._tell(trainer, float(outputs["loss"]))
        if self.cancelled is not None:
            self._save(trainer)
            trainer.should_stop = True
        elif time.monotonic() - self._saved > CHECKPOINT_EVERY:
            self._save(trainer)

    def stop(self, cancelled: Cancelled) -> None:
        """Stop after this step, with a checkpoint."""
        self.cancelled = cancelled

    def _time_used(self) -> float:
        return (time.monotonic() - self._start) / self._seconds if self._seconds else 0.0

    def _tell(self, trainer: lightning.Trainer, loss: float) -> None:
        elapsed = time.monotonic() - self._start
        left = elapsed / max(1, self.step - self._first) * (self._stage.steps - self.step)
        if self._seconds:
            left = min(left, max(0.0, self._seconds - elapsed))
        self._log.add(self._stage.name, self.step, loss, elapsed)
        try:
            self._report(Progress(self._stage.name, self.step, self._stage.steps, loss=loss, seconds_left=left))
        except Cancelled as cancelled:
            self.stop(cancelled)

    def _save(self, trainer: lightning.Trainer) -> None:
        with atomic_path(self._checkpoint) as temporary:
            trainer.save_checkpoint(temporary)
        self._saved = time.monotonic()


def _quiet() -> None:
    """Keep Lightning from telling users of devices, tips and stop reasons; what matters is reported."""
    for name in ("lightning.pytorch", "lightning.fabric", "pytorch_lightning", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
