"""What is done around every step of a training: learning rate, what is not a number, reports, checkpoints, the end."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning
import torch

from napari_ubam.progress import Cancelled, Progress, Report
from napari_ubam.training.bank import Draw
from napari_ubam.training.checkpoint import Checkpoint, Progressed, save_checkpoint
from napari_ubam.training.collapse import LOOK_EVERY, LOOK_FROM, CodeSample, Health
from napari_ubam.training.log import Log
from napari_ubam.training.modules import Module
from napari_ubam.training.pictures import Gallery

REPORT_EVERY = 10  # steps
CHECKPOINT_EVERY = 120.0  # seconds
RECENT, MOST_BAD = 100, 5  # so many of so many steps may be left out, as their loss or gradient was no number


class Diverged(Exception):
    """Raised where the loss was no number too often to go on; ends the fit, not the training."""


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
    sample : CodeSample, optional
        Frames whose codes are looked at, for a stage that trains the posture.
    """

    name: str
    draw: Draw
    n: int
    steps: int
    sample: CodeSample | None = None


class Watch(lightning.Callback):
    """Sets the learning rate, leaves out bad batches, reports, writes checkpoints, and stops when it is asked to.

    A batch whose loss or gradient is not a number counts as one without a gradient, so that the weights stay good; it
    is left out on the device, which is not waited for. Others skip such batches likewise (Lightning, issue 4956) and
    give up where they keep coming; so do we, see `napari_ubam.training.fit.fit`.

    Parameters
    ----------
    stage : Stage
        What is trained.
    seed : int
        Of everything random.
    seconds : float or None
        Time limit.
    checkpoint : Path
        Where checkpoints go.
    report, log : callable, Log
        Told of the progress.
    gallery : Gallery or None
        Draws it.
    """

    def __init__(
        self, stage: Stage, seed: int, seconds: float | None, checkpoint: Path, report: Report, log: Log,
        gallery: Gallery | None = None,
    ) -> None:  # fmt: skip
        self._stage, self._seed, self._seconds, self._checkpoint = stage, seed, seconds, checkpoint
        self._report, self._log, self._gallery = report, log, gallery
        self._start = self._saved = time.monotonic()
        self._began = -1  # the step at which this process began
        self._resumed: Checkpoint | None = None
        self._loss = torch.zeros(())
        self._unread: list[torch.Tensor] = []  # for every step since the last look, whether it was left out
        self._recent: deque[bool] = deque(maxlen=RECENT)
        self.progressed = Progressed()
        self._told_of_collapse = False
        self.cancelled: Cancelled | None = None

    def begin(self, progressed: Progressed, resumed: Checkpoint | None) -> None:
        """Go on from there; the log may tell more than the checkpoint holds."""
        self.progressed, self._resumed = progressed, resumed
        self._unread.clear()
        self._recent.clear()
        if self._began < 0:
            self._began = progressed.step
        self._log.begin(self._stage.name, progressed.step)

    def stop(self, cancelled: Cancelled) -> None:
        """Stop after this step, with a checkpoint."""
        self.cancelled = cancelled

    def on_train_start(self, trainer: lightning.Trainer, module: Any) -> None:
        """Give the optimiser back the state that it had."""
        if self._resumed is not None:
            self._resumed.restore(trainer.optimizers[0])
            self._resumed = None

    def on_train_batch_start(self, trainer: lightning.Trainer, module: Any, *_: Any) -> None:
        """Set chance and learning rate."""
        step = self.progressed.step
        torch.manual_seed(self._seed * 1_000_003 + step)
        module.step = step
        module.progress = max(step / self._stage.steps, self._time_used())
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = module.rate() * self.progressed.rate

    def on_before_backward(self, trainer: lightning.Trainer, module: Any, loss: torch.Tensor) -> None:
        """Keep the loss."""
        self._loss = loss.detach()

    def on_before_optimizer_step(
        self, trainer: lightning.Trainer, module: Any, optimizer: torch.optim.Optimizer
    ) -> None:
        """Clip the gradient, and take it away where it or the loss is not a number."""
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        norm = torch.nn.utils.clip_grad_norm_(module.parameters(), module.clip or math.inf)
        bad = ~(torch.isfinite(norm) & torch.isfinite(self._loss))
        for gradient in gradients:
            gradient.masked_fill_(bad, 0)
        self._unread.append(bad)

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Any, outputs: Any, *_: Any) -> None:
        """Report, write checkpoints, stop."""
        self.progressed = replace(self.progressed, step=self.progressed.step + 1)
        step = self.progressed.step
        if self._time_used() >= 1:
            trainer.should_stop = True
        reported = step % REPORT_EVERY == 0 or step in (1, self._stage.steps) or trainer.should_stop
        if reported:
            self._tell(self._count_bad(), self._look_at_code(module))
        if self._gallery is not None and (trainer.should_stop or self._gallery.is_due(step, self._stage.steps)):
            self._gallery.draw(self._stage.name, step, module)
        if self.cancelled is not None:
            self._save(trainer, module)
            trainer.should_stop = True
        elif reported and time.monotonic() - self._saved > CHECKPOINT_EVERY and not any(self._recent):
            self._save(trainer, module)  # not where steps were bad: the last good one might be lost

    def _time_used(self) -> float:
        return (time.monotonic() - self._start) / self._seconds if self._seconds else 0.0

    def _count_bad(self) -> str:
        """Count the batches that were left out, and return what to say of them: something where they are the first.

        Raises
        ------
        Diverged
            If there were too many.
        """
        bad = torch.stack(self._unread).tolist() if self._unread else []
        self._unread.clear()
        self._recent.extend(bad)
        first = self.progressed.left_out == 0 and any(bad)
        self.progressed = replace(self.progressed, left_out=self.progressed.left_out + sum(bad))
        if sum(self._recent) >= MOST_BAD:
            raise Diverged
        step = self.progressed.step
        return f"The loss was not a number near step {step}: that batch is left out, training goes on." if first else ""

    def _look_at_code(self, module: Any) -> Health | None:
        """Measure, every some hundred steps and at the end, whether the posture code has collapsed."""
        step = self.progressed.step
        if self._stage.sample is None or (step % LOOK_EVERY and step < self._stage.steps):
            return None
        return self._stage.sample.look(module.posture)

    def _tell(self, message: str, health: Health | None) -> None:
        step, loss = self.progressed.step, float(self._loss)
        late = LOOK_FROM * self._stage.steps <= step < self._stage.steps  # at the end, it is told with what to do
        if health is not None and health.collapsed and late and not self._told_of_collapse:
            message = f"{message} {health.warning} It may still come apart.".strip()
            self._told_of_collapse = True
        elapsed = time.monotonic() - self._start
        left = elapsed / max(1, step - self._began) * (self._stage.steps - step)
        if self._seconds:
            left = min(left, max(0.0, self._seconds - elapsed))
        self._log.add(self._stage.name, step, loss, elapsed, health)
        shown = loss if math.isfinite(loss) else None
        try:
            self._report(Progress(self._stage.name, step, self._stage.steps, message, loss=shown, seconds_left=left))
        except Cancelled as cancelled:
            self.stop(cancelled)

    def _save(self, trainer: lightning.Trainer, module: Module) -> None:
        save_checkpoint(self._checkpoint, module, trainer.optimizers[0], self.progressed)
        self._saved = time.monotonic()
