"""Run one stage of a training with Lightning: stop, resume, go on where memory runs out or the loss is no number."""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import lightning
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from torch.utils.data import DataLoader

from napari_ubam.errors import TrainingError
from napari_ubam.models.device import smaller_batch
from napari_ubam.progress import Cancelled, Progress, Report
from napari_ubam.training.bank import Stream
from napari_ubam.training.checkpoint import Progressed, load_checkpoint
from napari_ubam.training.log import Log
from napari_ubam.training.modules import Module
from napari_ubam.training.pictures import Gallery
from napari_ubam.training.watch import MOST_BAD, RECENT, Diverged, Stage, Watch

SMALLEST_RATE = 1 / 8  # share of the learning rate below which a training is given up


def fit(
    module: Module, stage: Stage, *, device: torch.device, seed: int, seconds: float | None, checkpoint: Path,
    report: Report, log: Log, gallery: Gallery | None = None,
) -> Progressed:  # fmt: skip
    """Train a module to the end of its stage, from its checkpoint where there is one.

    Where memory runs out, the batch is halved. A batch whose loss or gradient is not a number is left out; where they
    keep coming, the learning rate is halved. Either goes on from the last checkpoint, as is done in large trainings
    (Chowdhery et al., PaLM, 2022, section 5.1).

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
        Ctrl-C or SIGTERM.
    report : callable
        Told the loss and the time left.
    log : Log
        Told the loss every some steps.
    gallery : Gallery, optional
        Draws now and then what a module has learned that trains a posture, or something that draws.

    Returns
    -------
    Progressed
        How many steps were trained, and how.

    Raises
    ------
    Cancelled
        After the checkpoint was written, if ``report`` raised it, or on Ctrl-C or SIGTERM.
    DeviceError
        If the device's memory is too small even for a batch of one.
    TrainingError
        If the loss is no number also with a small learning rate; the last good checkpoint is kept.
    ModelError
        If the checkpoint is damaged, or does not fit.
    """
    most = Progressed(batch=stage.n)
    module.to(memory_format=torch.channels_last)  # convolves twice as fast on CPUs
    untrained = {name: value.clone() for name, value in module.state_dict().items()}
    watch = Watch(stage, seed, seconds, checkpoint, report, log, gallery)
    while True:
        try:
            with _stopped_by_signals(watch):
                _run(module, stage, most, device, seed, watch, checkpoint)
            break
        except RuntimeError as error:
            n = smaller_batch(error, watch.progressed.batch, device, stage.name)
            most = replace(most, batch=n)
            message = f"{device} ran out of memory; going on with batches of {n}"
        except Diverged as diverged:
            most = replace(most, rate=watch.progressed.rate / 2)
            if most.rate < SMALLEST_RATE:
                raise _given_up(stage, watch.progressed.step, checkpoint) from diverged
            message = (
                f"The loss was not a number in {MOST_BAD} of {RECENT} steps: going on from the last good state, "
                f"with {most.rate:g} of the learning rate"
            )
        module.to("cpu").load_state_dict(untrained)  # begin again there, unless there is a checkpoint
        report(Progress(stage.name, 0, stage.steps, message))
    if watch.cancelled is not None:
        raise watch.cancelled
    return watch.progressed


def _run(
    module: Module, stage: Stage, most: Progressed, device: torch.device, seed: int, watch: Watch, checkpoint: Path
) -> None:
    """Train with batches and a learning rate as given, or smaller ones if the checkpoint has them."""
    resumed = load_checkpoint(checkpoint, module) if checkpoint.exists() else None
    first = resumed.progressed if resumed is not None else most
    first = replace(first, batch=min(first.batch, most.batch), rate=min(first.rate, most.rate))
    watch.begin(first, resumed)
    if first.step >= stage.steps:
        return
    loader = DataLoader(Stream(stage.draw, first.batch, seed, first.step), batch_size=None)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning.*|torch.*")
        _quiet()
        trainer = lightning.Trainer(
            accelerator={"cuda": "gpu"}.get(device.type, device.type),
            devices=[device.index or 0] if device.type == "cuda" else 1,
            max_steps=stage.steps - first.step,
            max_epochs=-1,
            callbacks=[watch, _OwnSignals()],
            plugins=LightningEnvironment(),  # one process, also within a job of a cluster
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, loader)
    module.to("cpu")


def _given_up(stage: Stage, step: int, checkpoint: Path) -> TrainingError:
    kept = f" The last good state is kept in {checkpoint}." if checkpoint.exists() else ""
    return TrainingError(
        f"Training {stage.name} cannot go on: near step {step} the loss is not a number, also with "
        f"{SMALLEST_RATE:g} of the learning rate.{kept} Resume on another device (such as 'cpu'), or train anew with "
        "another seed. If it comes again, look at the crops: a region that shows nothing cannot be learned from."
    )


class _OwnSignals(lightning.Callback):
    """Leaves SIGTERM to whoever deals with it already: Lightning would end the process without a word."""

    def __init__(self) -> None:
        self._handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Take it back from Lightning, which puts it right again at the end."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._handler)


@contextmanager
def _stopped_by_signals(watch: Watch) -> Iterator[None]:
    """Let Ctrl-C, or being told to end, stop the training between two steps, unless the caller deals with it.

    A cluster's queue ends what runs too long, and a computer that shuts down ends all, by SIGTERM.
    """
    here = threading.current_thread() is threading.main_thread()
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL} if here else {}
    ours = {number: handler for number, handler in usual.items() if signal.getsignal(number) == handler}
    for number in ours:
        said = "Ctrl-C" if number == signal.SIGINT else number.name
        signal.signal(number, lambda *_, said=said: watch.stop(Cancelled(f"stopped by {said}")))
    try:
        yield
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)


def _quiet() -> None:
    """Keep Lightning from telling users of devices, tips and stop reasons; what matters is reported."""
    for name in ("lightning.pytorch", "lightning.fabric", "pytorch_lightning", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
