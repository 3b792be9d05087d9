"""How fast is a training, beside the original's way?

    python benchmarks/training.py [--seconds 60] [--batch 48] [--device auto]
    python benchmarks/training.py --error 0.15 --minutes 30    # also the time until the code is that good
    python benchmarks/training.py --variants                   # also bfloat16, memory formats and torch.compile

Trainings on the same crops of the sample cohort, one after the other on one device: the original's way (see
`original.py`), the same network and batch through this package (`--objective order --encoder caffenet`), and this
package's default (`--objective landmarks`); each of ours also with `--precision mixed`. Their crops are the cohort's,
of 128 px; the network's own 227 px would make the original's files larger and its reading slower.

A frame is counted when the network is trained on it, once a step: 192 a step for 24 clips of 8 frames, whose shuffled
copies are the same frames again, and 16 for 8 pairs, whose deformed copies are not counted either. The first step is
not timed. Frames per second of processor time stand beside those of the clock: they hold where others use the
processor, too, but say nothing of workers in other processes.

The time to an error: until the retrieval error (see `posture.py`) of every fourth frame is that small, from the first
step on, looked at every `--every` seconds, which are not counted.

On CUDA, it also tells the share of the time in which the device computes: that of kernels, copies left out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cohorts import Walkers, sample_walkers
from measures import body_pose, centred, load_measures, print_table, retrieval_error
from original import BATCH, LENGTH, Original, train_original, write_crops
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from napari_ubam.models.device import pick_device
from napari_ubam.models.encode import encode_postures
from napari_ubam.models.precision import in_precision
from napari_ubam.progress import silent
from napari_ubam.settings import TrainSettings
from napari_ubam.training.bank import Footage
from napari_ubam.training.fit import fit
from napari_ubam.training.log import Log
from napari_ubam.training.recipes import Recipe, frame_bank, posture_recipe
from napari_ubam.training.train import STEPS

EVERY = 4  # frames, of which one is looked at for the retrieval error
VARIANTS = {  # of the default's training: memory format, precision, compiled
    "contiguous": (torch.contiguous_format, torch.float32, False),
    "channels_last": (torch.channels_last, torch.float32, False),
    "channels_last, bfloat16": (torch.channels_last, torch.bfloat16, False),
    "channels_last, compiled": (torch.channels_last, torch.float32, True),
    "channels_last, bfloat16, compiled": (torch.channels_last, torch.bfloat16, True),
}


class Done(Exception):
    """Raised after an optimiser's step to end a training that was looked at long enough."""


class Clock:
    """Counts the steps of whatever optimiser is at work, and the time that they take.

    Parameters
    ----------
    device : torch.device
        Waited for before the time is read.
    seconds : float
        After which the training ends.
    untimed : int
        Steps at the beginning that are not timed.
    look : callable, optional
        Called every some seconds, which are not counted; says whether the training is to end.
    every : float
        How often [s].
    """

    def __init__(
        self, device: torch.device, seconds: float, untimed: int = 1, look: Callable[[], bool] | None = None,
        every: float = 0.0,
    ) -> None:  # fmt: skip
        self._device, self._limit, self._untimed, self._look, self._every = device, seconds, untimed, look, every
        self.steps = -untimed  # that were timed
        self.seconds = self.processor_seconds = self._looked = 0.0
        self._begin()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Listen to optimisers, until the time is up."""
        handle = register_optimizer_step_post_hook(self._after_step)
        try:
            with suppress(Done):
                yield
        finally:
            handle.remove()

    def _begin(self) -> None:
        self._start, self._processor_start = time.monotonic(), time.process_time()

    def _read(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        self.seconds = time.monotonic() - self._start
        self.processor_seconds = time.process_time() - self._processor_start

    def _after_step(self, *_: object) -> None:
        self.steps += 1
        if self.steps <= 0:
            self._read()
            self._begin()
            return
        now = time.monotonic() - self._start
        ends = now > self._limit
        if self._look and (ends or now - self._looked > self._every):
            self._read()
            ends = self._look() or ends
            self._start += time.monotonic() - self._start - self.seconds
            self._looked = self.seconds
        elif ends:
            self._read()
        if ends:
            raise Done


@dataclass(frozen=True)
class Way:
    """A way to train: the module, how many frames a step trains on, and what trains it."""

    module: Any
    frames: int
    train: Callable[[], object]


def original_way(folder: Path, batch: int, workers: int, device: torch.device) -> Way:
    """Make ready to train in the original's way, on the files in a folder."""
    module = Original()
    return Way(module, batch // 2 * LENGTH, lambda: train_original(module, folder, batch, workers, device))


def our_way(
    footage: dict[str, Footage], settings: TrainSettings, device: torch.device, n: int | None, frames_per_item: int
) -> Way:
    """Make ready to train in ours, with batches of n items, or as many as is usual."""
    recipe = recipe_of(footage, settings)
    stage = replace(recipe.stage, n=n or recipe.stage.n)
    module = recipe.make()

    def train() -> None:
        with tempfile.TemporaryDirectory() as folder, in_precision(settings.precision, module, device):
            fit(
                module, stage, device=device, seed=0, seconds=None, checkpoint=Path(folder) / "posture.safetensors",
                report=silent, log=Log(Path(folder) / "log.csv"),
            )  # fmt: skip

    return Way(module, stage.n * frames_per_item, train)


def recipe_of(footage: dict[str, Footage], settings: TrainSettings) -> Recipe:
    """Give how the posture is trained by the preset of the settings."""
    bank = frame_bank(list(footage.values()), settings)
    return posture_recipe(settings, bank, STEPS[settings.preset].posture)


def speed(way: Way, device: torch.device, seconds: float) -> tuple[float, float]:
    """Give the frames trained per second, of the clock and of the processor's time."""
    clock = Clock(device, seconds)
    with clock.running():
        way.train()
    frames = way.frames * clock.steps
    return frames / clock.seconds, frames / clock.processor_seconds


def time_to_error(
    way: Way, cohort: Walkers, device: torch.device, error: float, minutes: float, every: float
) -> tuple[float, float]:
    """Give the time [min] until the retrieval error is that small, infinite if it never is; and the last error."""
    poses = centred({name: body_pose(joints)[::EVERY] for name, joints in cohort.joints.items()})
    found: list[float] = []

    def look() -> bool:
        way.module.eval()
        codes = {
            name: encode_postures(way.module.posture, f.frames[::EVERY], f.background, device)
            for name, f in cohort.footage.items()
        }
        way.module.train()
        found.append(retrieval_error(centred(codes), poses))
        print(f"{clock.seconds / 60:.1f} min: {found[-1]:.3f}", file=sys.stderr, flush=True)
        return found[-1] <= error

    clock = Clock(device, 60 * minutes, untimed=0, look=look, every=every)
    with clock.running():
        way.train()
    return (clock.seconds / 60 if found[-1] <= error else np.inf), found[-1]


def computing_share(way: Way, device: torch.device, seconds: float) -> float:
    """Give the share of the time in which a CUDA device computes."""
    clock = Clock(device, seconds, untimed=20)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile, clock.running():
        way.train()
    kernels = sorted(
        (event.time_range.start, event.time_range.end)
        for event in profile.events()
        if event.device_type == torch.profiler.DeviceType.CUDA
        and not event.is_user_annotation
        and not event.name.startswith(("Memcpy", "Memset"))
    )
    begin = kernels[-1][1] - 1e6 * clock.seconds  # us; only what was timed
    busy, reached = 0.0, begin
    for start, end in kernels:
        busy += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return busy / (reached - begin)


def variant_speed(
    recipe: Recipe, device: torch.device, seconds: float, form: torch.memory_format, precision: torch.dtype,
    compiled: bool,
) -> float:  # fmt: skip
    """Give the steps per second of a bare loop over a recipe's batches."""
    torch.manual_seed(0)
    module = recipe.make()
    module.to(device=device).to(memory_format=form).train()
    optimiser, clock = module.configure_optimizers(), Clock(device, seconds, untimed=3)
    loss_of = torch.compile(module.loss) if compiled else module.loss
    with clock.running():
        for step in range(recipe.stage.steps):
            batch = recipe.stage.draw(np.random.default_rng((0, step)), recipe.stage.n)
            batch = {name: x.to(device, non_blocking=True) for name, x in batch.items()}
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == torch.bfloat16):
                loss = loss_of(batch)
            optimiser.zero_grad()
            loss.backward()
            if module.clip:
                nn.utils.clip_grad_norm_(module.parameters(), module.clip)
            optimiser.step()
    return clock.steps / clock.seconds


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in {"healthy": 12, "impaired": 8, "frames": 160, "size": 128, "cohort-seed": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"of the sample cohort; default: {default}")
    parser.add_argument("--seconds", type=float, default=60, help="that each training is timed")
    parser.add_argument("--batch", type=int, default=BATCH, help="clips in a batch of the paper's network")
    parser.add_argument("--workers", type=int, default=0, help="processes that read and augment the original's files")
    parser.add_argument("--error", type=float, help="also give the time to reach this retrieval error")
    parser.add_argument("--minutes", type=float, default=30, help="after which that is given up")
    parser.add_argument("--every", type=float, default=30, help="how often the error is looked at [s]")
    parser.add_argument("--variants", action="store_true", help="also time the default in other formats")
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    device = pick_device(given.device)

    with tempfile.TemporaryDirectory() as folder:
        numbers = (given.healthy, given.impaired, given.frames, given.size, given.cohort_seed)
        cohort = sample_walkers(Path(folder), *numbers, n_looks=0, measures=load_measures(None))
        footage = cohort.footage
        write_crops(footage, Path(folder) / "crops")
        settings, paper = TrainSettings(), TrainSettings(objective="order", encoder="caffenet")
        mixed = {"precision": "mixed"}
        ways: dict[str, Callable[[], Way]] = {
            "the original's way": lambda: original_way(Path(folder) / "crops", given.batch, given.workers, device),
            "the same network, our pipeline": lambda: our_way(footage, paper, device, given.batch // 2, LENGTH),
            "the same in mixed precision": lambda: our_way(
                footage, paper.model_copy(update=mixed), device, given.batch // 2, LENGTH
            ),
            "our default": lambda: our_way(footage, settings, device, None, 2),
            "the same, mixed": lambda: our_way(footage, settings.model_copy(update=mixed), device, None, 2),
        }
        found: dict[str, tuple[float, float]] = {}
        rows: dict[str, dict[str, str]] = {}
        for name, make in ways.items():
            torch.manual_seed(0)
            found[name] = speed(make(), device, given.seconds)
            first = next(iter(found.values()))
            ratios = [own / other for own, other in zip(found[name], first, strict=True)]
            rows[name] = {
                "frames/s": f"{found[name][0]:.1f}",
                "ratio": f"{ratios[0]:.1f}",
                "frames/s of processor time": f"{found[name][1]:.1f}",
                "its ratio": f"{ratios[1]:.1f}",
            }
            if device.type == "cuda":
                rows[name]["share of the time that the device computes"] = (
                    f"{computing_share(make(), device, min(10.0, given.seconds)):.2f}"
                )
            if given.error:
                torch.manual_seed(0)
                limits = given.error, given.minutes, given.every
                minutes, last = time_to_error(make(), cohort, device, *limits)
                reached = f"{minutes:.1f} min" if np.isfinite(minutes) else f"not in {given.minutes:g} min ({last:.2f})"
                rows[name][f"to a retrieval error of {given.error:g}"] = reached
            print(f"{name}: {rows[name]}", file=sys.stderr, flush=True)
        gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else "no GPU"
        print(
            f"{device}, {gpu}; {torch.get_num_threads()} threads, {given.workers} workers, batches of {given.batch}\n"
        )
        print_table("training", rows)
        if given.variants:
            recipe = recipe_of(footage, TrainSettings())
            variants = {name: variant_speed(recipe, device, given.seconds, *kind) for name, kind in VARIANTS.items()}
            print()
            print_table("our default", {name: {"steps/s": f"{value:.2f}"} for name, value in variants.items()})


if __name__ == "__main__":
    main()
