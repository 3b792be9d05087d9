"""The loop itself, on a network of one line: stop, resume, too little memory, limits of time."""

import json
import os
import signal
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open

from napari_ubam.errors import DeviceError, TrainingError
from napari_ubam.progress import Cancelled, Progress
from napari_ubam.training import watch
from napari_ubam.training.bank import Batch
from napari_ubam.training.fit import fit
from napari_ubam.training.log import Log
from napari_ubam.training.modules import Module
from napari_ubam.training.watch import Stage


class Line(Module):
    """Learns y = 2 x.

    ``most`` and ``at`` make it run out of memory for batches above ``most`` from step ``at`` on; in the steps ``bad``
    the loss is no number, in ``steep`` the gradient is none.
    """

    learning_rate = 1e-2

    def __init__(self, most: int = 1000, at: int = 0, bad: Collection[int] = (), steep: Collection[int] = ()) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.line = torch.nn.Linear(1, 1)
        self.most, self.at, self.bad, self.steep = most, at, bad, steep
        self.sizes: list[int] = []
        self.rates: list[float] = []

    def loss(self, batch: Batch) -> torch.Tensor:
        if len(batch["x"]) > self.most and self.step >= self.at:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        self.sizes.append(len(batch["x"]))
        self.rates.append(self.optimizers().param_groups[0]["lr"])
        noise = 0.01 * torch.randn(())  # an augmentation
        error = self.line(batch["x"]) - 2 * batch["x"] + noise
        if self.step in self.steep:
            return (error * 0).abs().sqrt().sum()  # is 0, and infinitely steep
        return (error**2).mean() * (float("nan") if self.step in self.bad else 1)


def draw(rng: np.random.Generator, n: int) -> Batch:
    return {"x": torch.from_numpy(rng.normal(size=(n, 1)).astype(np.float32))}


@pytest.fixture
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "training.csv"


@pytest.fixture
def run(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.setattr(watch, "REPORT_EVERY", 1)

    def fit_line(
        module: Line, n: int = 8, steps: int = 12, seed: int = 0, seconds: float | None = None,
        name: str = "line", report: Callable[[Progress], None] = lambda p: None,
    ) -> int:  # fmt: skip
        return fit(
            module, Stage("line", draw, n, steps), device=torch.device("cpu"), seed=seed, seconds=seconds,
            checkpoint=tmp_path / f"{name}.safetensors", report=report, log=Log(log),
        ).step  # fmt: skip

    return fit_line


def same(one: Module, two: Module) -> bool:
    a, b = one.state_dict(), two.state_dict()
    return all(torch.equal(a[name], b[name]) for name in a)


def logged(log: Path) -> list[int]:
    return pd.read_csv(log)["step"].tolist()


def stop_at(step: int) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if progress.done == step:
            raise Cancelled

    return report


def test_it_learns_in_so_many_steps_and_the_learning_rate_ends_at_nothing(run: Any, tmp_path: Path) -> None:
    line = Line()
    before = abs(line.line.weight.item() - 2)
    assert run(line, steps=60) == 60
    assert len(line.sizes) == 60
    assert abs(line.line.weight.item() - 2) < before
    assert line.rates[-1] < 0.01 * max(line.rates)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", [1, 5, 12])
def test_stopped_and_resumed_is_the_same(step: int, run: Any, tmp_path: Path) -> None:
    through, stopped, resumed = Line(), Line(), Line()
    run(through)
    with pytest.raises(Cancelled):
        run(stopped, name="other", report=stop_at(step))
    assert (tmp_path / "other.safetensors").exists()
    torch.manual_seed(1234)
    resumed.line.weight.data += 1  # whatever it was before
    assert run(resumed, name="other") == 12
    assert same(resumed, through)
    assert len(stopped.sizes) + len(resumed.sizes) == 12


def test_a_checkpoint_is_written_every_so_often(run: Any, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "CHECKPOINT_EVERY", -1.0)
    through = Line()
    run(through, name="through")

    def crash(progress: Progress) -> None:
        if progress.done == 7:
            raise KeyError("crash")

    with pytest.raises(KeyError):
        run(Line(), report=crash)
    assert logged(log) == [*range(1, 8)]
    resumed = Line()
    run(resumed)
    assert len(resumed.sizes) == 12 - 6
    assert logged(log) == [*range(1, 13)]  # step 7 was trained twice
    assert same(resumed, through)


@pytest.mark.parametrize("at", [0, 3])
def test_too_little_memory_makes_the_batch_smaller_and_begins_again(at: int, run: Any, log: Path) -> None:
    told: list[Progress] = []
    small, line = Line(), Line(most=3, at=at)
    run(small, n=2, name="small")
    assert run(line, n=8, report=told.append) == 12
    assert [p.message for p in told if p.message] == [
        "cpu ran out of memory; going on with batches of 4",
        "cpu ran out of memory; going on with batches of 2",
    ]
    assert line.sizes[-12:] == [2] * 12
    assert same(line, small)  # nothing is left of the attempts before
    assert logged(log) == [*range(1, 13)]


def test_too_little_memory_after_a_checkpoint_goes_on_from_there(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "CHECKPOINT_EVERY", -1.0)
    line = Line(most=4, at=5)
    assert run(line, n=8) == 12
    assert line.sizes == [8] * 5 + [4] * 7


@pytest.mark.parametrize("kind", ["bad", "steep"])
def test_a_bad_batch_is_left_out_said_once_and_does_not_end_the_training(kind: str, run: Any, log: Path) -> None:
    told: list[Progress] = []
    line = Line(**{kind: {3, 7}})  # type: ignore[arg-type]
    before = abs(line.line.weight.item() - 2)
    assert run(line, steps=60, report=told.append) == 60
    assert abs(line.line.weight.item() - 2) < before
    assert [p.message for p in told if p.message] == [
        "The loss was not a number near step 4: that batch is left out, training goes on."
    ]
    assert logged(log) == [*range(1, 61)]


def test_a_bad_batch_changes_nothing_but_by_momentum(run: Any) -> None:
    one, other = Line(bad={0}), Line()
    run(one, steps=1)
    assert one.line.weight.item() == pytest.approx(other.line.weight.item(), rel=1e-6)  # but for the weight decay


@pytest.mark.parametrize("stop", [3, 4, 6])
def test_stopped_beside_a_bad_batch_and_resumed_is_the_same(stop: int, run: Any) -> None:
    through, resumed = Line(bad={3}), Line(bad={3})
    run(through)
    with pytest.raises(Cancelled):
        run(Line(bad={3}), name="other", report=stop_at(stop))
    run(resumed, name="other")
    assert same(resumed, through)


class Fragile(Line):
    """Its loss is no number from step 20 on, if it is trained fast."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit = limit

    def loss(self, batch: Batch) -> torch.Tensor:
        loss = super().loss(batch)
        share = self.optimizers().param_groups[0]["lr"] / self.rate()
        return loss * float("nan") if self.step >= 20 and share > self.limit else loss


def test_where_bad_batches_keep_coming_it_goes_on_from_the_last_good_state_with_a_smaller_rate(
    run: Any, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "CHECKPOINT_EVERY", -1.0)
    told: list[Progress] = []
    line = Fragile(limit=0.3)
    assert run(line, steps=60, report=told.append) == 60
    assert [p.message.rpartition("with ")[2] for p in told if "last good state" in p.message] == [
        "0.5 of the learning rate",
        "0.25 of the learning rate",
    ]
    assert len(line.sizes) == 60 + 2 * watch.MOST_BAD  # from step 20, not from the beginning
    assert logged(log) == [*range(1, 61)]
    assert all(torch.isfinite(p).all() for p in line.parameters())


def test_where_nothing_helps_it_says_what_to_do_and_keeps_the_last_good_state(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "CHECKPOINT_EVERY", -1.0)
    line = Fragile(limit=0.0)
    said = r"near step 25 the loss is not a number.*line\.safetensors.* Resume on another device .*another seed"
    with pytest.raises(TrainingError, match=said):
        run(line, steps=60)
    with safe_open(tmp_path / "line.safetensors", "pt") as file:
        assert json.loads(file.metadata()["about"])["step"] == 20
    line.limit = 1.0  # as on another device
    assert run(line, steps=60) == 60


def test_too_little_memory_even_for_one_is_an_error_that_says_what_to_do(run: Any) -> None:
    with pytest.raises(DeviceError, match=r"cpu has too little memory for line\. Choose a smaller crop size"):
        run(Line(most=0))


def test_other_errors_are_not_taken_for_too_little_memory(run: Any) -> None:
    class Broken(Line):
        def loss(self, batch: Batch) -> torch.Tensor:
            raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        run(Broken())


def test_a_time_limit_brings_the_learning_rate_down_and_ends(run: Any) -> None:
    line = Line()
    assert 1 <= run(line, steps=1_000_000, seconds=0.5) < 1_000_000
    assert line.rates[-1] < 0.2 * max(line.rates)


def test_a_large_seed(run: Any) -> None:
    run(Line(), seed=2**32 - 1, steps=2)


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signals to one process alone")
@pytest.mark.parametrize(
    ("told", "said", "usual"),
    [(signal.SIGINT, "Ctrl-C", signal.default_int_handler), (signal.SIGTERM, "SIGTERM", signal.SIG_DFL)],
)
def test_signals_write_a_checkpoint_and_are_then_the_caller_s_again(
    run: Any, tmp_path: Path, told: signal.Signals, said: str, usual: Any
) -> None:
    def send(progress: Progress) -> None:
        if progress.done == 4:
            os.kill(os.getpid(), told)

    through, resumed = Line(), Line()
    run(through, name="through")
    before = signal.signal(told, usual)  # a shell lets jobs in the background ignore Ctrl-C
    try:
        with pytest.raises(Cancelled, match=said):
            run(Line(), report=send)
        assert signal.getsignal(told) == usual
    finally:
        signal.signal(told, before)
    run(resumed)
    assert len(resumed.sizes) == 12 - 4
    assert same(resumed, through)


def test_a_training_in_a_thread_of_its_own(run: Any) -> None:
    line, through, errors = Line(), Line(), []

    def work() -> None:
        try:
            run(line)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert errors == []
    run(through, name="through")
    assert same(line, through)
