"""Trainings as a user runs them, of a few steps each."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from napari_ubam.errors import DeviceError, ModelError, TrainingError, UbamError
from napari_ubam.models.encode import encode_behaviours, encode_postures
from napari_ubam.models.encoder import ConvEncoder
from napari_ubam.models.store import load_model
from napari_ubam.progress import Cancelled, Progress
from napari_ubam.training import fit, modules, recipes, train, watch
from napari_ubam.training.bank import Footage, FrameBank
from napari_ubam.training.runs import can_resume

Train = Callable[..., list[Progress]]
Complete = Callable[..., Path]
COMPLETE = ["behaviour", "generator", "pictures", "posture", "settings.json", "training.csv"]
TOGETHER = "posture and generator"  # the stage of the default settings


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {
        f"{path.parent.name}.{name}": value
        for path in sorted(folder.glob("*/model.safetensors"))
        for name, value in load_file(path).items()
    }


def same(one: Path, two: Path) -> bool:
    """Say whether the weights in two models' folders are the same, bit by bit."""
    a, b = weights(one), weights(two)
    assert a
    assert a.keys() == b.keys()
    return all(torch.equal(a[name], b[name]) for name in a)


def logged(folder: Path) -> list[tuple[str, int]]:
    rows = pd.read_csv(folder / "training.csv")
    return list(zip(rows["stage"], rows["step"], strict=True))


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize(
    ("objective", "generator"), [("landmarks", "warp"), ("landmarks", "vae"), ("contrastive", "vae"), ("order", "vae")]
)
def test_every_objective_and_generator_gives_models_that_can_be_used(
    objective: str, generator: str, train_in: Train, footage: list[Footage], tmp_path: Path
) -> None:
    told = train_in(tmp_path, objective=objective, generator=generator)
    assert names(tmp_path) == COMPLETE
    assert {p.suffix for p in tmp_path.rglob("*") if p.is_file()} == {".safetensors", ".json", ".csv", ".png"}
    assert all(np.isfinite(p.loss) for p in told if p.loss is not None)
    cpu = torch.device("cpu")
    posture, behaviour, _ = (load_model(tmp_path / part, cpu) for part in ("posture", "behaviour", "generator"))
    codes = encode_postures(posture, footage[0].frames, footage[0].background, cpu)
    clips = encode_behaviours(behaviour, codes, 30.0, cpu)
    assert codes.shape == (20, posture.dimension)
    assert clips.shape == (20, behaviour.dimension)
    assert np.isfinite(codes).all()
    assert np.isfinite(clips).all()
    assert codes.std(0).max() > 0


@pytest.mark.parametrize("objective", ["order", pytest.param("contrastive", marks=pytest.mark.slow)])
def test_the_papers_network_gives_models_that_can_be_used(
    objective: str, train_in: Train, footage: list[Footage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(recipes.CAFFENET, "dimension", 16)
    monkeypatch.setattr(recipes, "PAPER_CLIPS", 2)
    moments = FrameBank.moments
    monkeypatch.setattr(FrameBank, "moments", lambda bank, rng, n: moments(bank, rng, min(n, 8)))
    monkeypatch.setattr(train, "STEPS", {"quick": train.Steps(posture=2, generator=2, behaviour=2)})
    films = [Footage(f.subject, f.frames[:8], f.background, f.fps) for f in footage]  # it sees them at 227 px
    told = train_in(tmp_path, films=films, objective=objective, encoder="caffenet")
    assert names(tmp_path) == COMPLETE
    assert all(np.isfinite(p.loss) for p in told if p.loss is not None)
    assert json.loads((tmp_path / "posture" / "config.json").read_text())["kind"] == "CaffeNet"
    cpu = torch.device("cpu")
    codes = encode_postures(load_model(tmp_path / "posture", cpu), films[0].frames, films[0].background, cpu)
    assert codes.shape == (8, 16)
    assert np.isfinite(codes).all()
    assert codes.std(0).max() > 0


def test_what_is_written_beside_the_weights(complete: Complete) -> None:
    folder = complete(seed=1)
    config = json.loads((folder / "posture" / "config.json").read_text())
    assert config["kind"] == "LandmarkEncoder"
    assert config["steps"] == 5
    assert config["settings"]["seed"] == 1
    assert config["device"] == "cpu"
    assert config["version"]
    assert json.loads((folder / "settings.json").read_text()) == config["settings"]
    rows = pd.read_csv(folder / "training.csv")
    assert logged(folder) == [(stage, step) for stage in (TOGETHER, "behaviour") for step in range(1, 6)]
    assert np.isfinite(rows["loss"]).all()
    assert (rows["seconds"] >= 0).all()


def test_progress_tells_loss_and_time_left(train_in: Train, tmp_path: Path) -> None:
    told = [p for p in train_in(tmp_path) if p.stage == TOGETHER]
    assert [p.done for p in told] == [1, 2, 3, 4, 5, 5]
    assert all(p.total == 5 for p in told)
    left = [p.seconds_left for p in told if p.loss is not None]
    assert all(s is not None and s >= 0 for s in left)
    assert left[-1] == 0


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    train_in: Train, complete: Complete, tmp_path: Path
) -> None:
    train_in(tmp_path)
    assert same(complete(), tmp_path)
    one, other = weights(tmp_path), weights(complete(seed=1))
    assert not any(torch.equal(one[k], other[k]) for k in one if k.endswith("head.weight"))


def test_mixed_precision_gives_nearly_the_same_weights_in_32_bits(complete: Complete) -> None:
    exact, mixed = weights(complete()), weights(complete(precision="mixed"))
    assert {value.dtype for value in mixed.values()} == {torch.float32}
    moved = [(mixed[k] - exact[k]).abs().max() for k in exact]
    assert max(moved) > 0
    assert max(moved) < 0.05


@pytest.mark.parametrize(
    ("stops", "values"),
    [
        ([(TOGETHER, 3)], {}),
        ([(TOGETHER, 1), (TOGETHER, 4), ("behaviour", 2)], {}),
        ([(TOGETHER, 5)], {}),  # at the last step of a stage
        ([("postures", 20)], {}),  # between two stages
        ([("behaviour", 5)], {}),
        ([(TOGETHER, 3), ("behaviour", 2)], {"precision": "mixed"}),
        *(
            ([("posture", 1), ("posture", 4), ("posture", 5), ("generator", 1), ("generator", 2), ("behaviour", 3)], v)
            for v in ({"objective": "order"}, {"objective": "contrastive"}, {"generator": "vae"})
        ),
    ],
)
def test_a_stopped_training_goes_on_as_if_it_had_not_been_stopped(
    stops: list[tuple[str, int]], values: dict[str, Any], train_in: Train, complete: Complete, tmp_path: Path
) -> None:
    for i, stop in enumerate(stops):
        with pytest.raises(Cancelled):
            train_in(tmp_path / "stopped", stop=stop, resume=i > 0, **values)
        assert can_resume(tmp_path / "stopped")
        assert names(tmp_path / "stopped") == ["unfinished"]
        assert not list(tmp_path.rglob("*.part*"))
    told = train_in(tmp_path / "stopped", resume=True, **values)
    assert all(p.done > stops[-1][1] for p in told if p.stage == stops[-1][0] and p.loss is not None)
    assert same(complete(**values), tmp_path / "stopped")
    assert names(tmp_path / "stopped") == COMPLETE
    assert not can_resume(tmp_path / "stopped")


Loss = Callable[[Any, dict[str, torch.Tensor]], torch.Tensor]


@pytest.fixture
def loss_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any, Loss, dict[str, torch.Tensor]], Any]], None]:
    """Put something around the loss of the objective ``landmarks``."""
    original = modules.LandmarkModule.loss

    def put(around: Callable[[Any, Loss, dict[str, torch.Tensor]], Any]) -> None:
        monkeypatch.setattr(modules.LandmarkModule, "loss", lambda module, batch: around(module, original, batch))

    return put


def test_a_bad_batch_is_left_out_and_recorded(loss_of: Any, train_in: Train, tmp_path: Path) -> None:
    loss_of(lambda module, loss, batch: loss(module, batch) * (float("nan") if module.step == 2 else 1))
    told = train_in(tmp_path)
    assert [p.done for p in told if "not a number" in p.message] == [3]
    assert json.loads((tmp_path / "posture" / "config.json").read_text())["batches_left_out"] == 1
    assert all(torch.isfinite(value).all() for value in weights(tmp_path).values())


def test_a_loss_that_stays_no_number_ends_the_training_and_leaves_the_models(
    loss_of: Any, train_in: Train, complete: Complete, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "SMALLEST_RATE", 1)
    shutil.copytree(complete(), tmp_path, dirs_exist_ok=True)
    loss_of(lambda module, loss, batch: loss(module, batch) * float("nan"))
    with pytest.raises(TrainingError, match=r"posture and generator cannot go on.*another seed"):
        train_in(tmp_path, seed=1)
    assert same(tmp_path, complete())
    assert can_resume(tmp_path)


def test_out_of_memory_is_told_and_recorded(loss_of: Any, train_in: Train, tmp_path: Path) -> None:
    def small_device(module: Any, loss: Loss, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        if len(batch["one"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return loss(module, batch)

    loss_of(small_device)
    told = train_in(tmp_path)
    assert [p.message[-12:] for p in told if "out of memory" in p.message] == ["batches of 4", "batches of 2"]
    assert json.loads((tmp_path / "posture" / "config.json").read_text())["batch"] == 2


def test_a_code_that_collapses_is_told_and_recorded(
    train_in: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_EVERY", 1)
    monkeypatch.setattr(ConvEncoder, "code", lambda self, x: torch.ones(len(x), self.dimension) + 1e-4 * torch.rand(1))
    told = [p for p in train_in(tmp_path, objective="contrastive") if "collapsed" in p.message]
    assert [(p.stage, p.done) for p in told] == [("posture", 2), ("posture", 5)]
    assert "then train longer" not in told[0].message
    assert "then train longer" in told[1].message
    code = json.loads((tmp_path / "posture" / "config.json").read_text())["posture_code"]
    assert code["collapsed"]
    assert code["spread"] < 0.001
    rows = pd.read_csv(tmp_path / "training.csv")
    assert (rows["spread"].notna() == (rows["stage"] == "posture")).all()


def test_looking_at_the_code_changes_no_weight(
    train_in: Train, complete: Complete, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = complete()
    monkeypatch.setattr(watch, "LOOK_EVERY", 1)
    train_in(tmp_path)
    assert same(tmp_path, plain)
    assert "posture_code" in json.loads((tmp_path / "posture" / "config.json").read_text())


def test_long_recordings_are_encoded_in_part(
    train_in: Train, footage: list[Footage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "MOST_CODES", 3 * 12)
    monkeypatch.setattr(train, "CLIPS", 4 / 0.6 / footage[0].fps)
    told = train_in(tmp_path)
    assert [p.total for p in told if p.stage == "postures"] == [4] * 3 * len(footage)


def test_a_checkpoint_of_an_older_version_is_told(train_in: Train, complete: Complete, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        train_in(tmp_path, stop=("behaviour", 2))
    for name in ("posture", "behaviour"):  # the first of a stage that is done: nobody needs it
        (tmp_path / "unfinished" / f"{name}.ckpt").write_bytes(b"a pickle")
    with pytest.raises(ModelError, match=r"behaviour\.ckpt: an older napari-ubam wrote it.*Delete that file"):
        train_in(tmp_path, resume=True)
    (tmp_path / "unfinished" / "behaviour.ckpt").unlink()
    train_in(tmp_path, resume=True)
    assert same(tmp_path, complete())


def test_resuming_takes_the_settings_that_the_training_was_begun_with(
    train_in: Train, complete: Complete, tmp_path: Path
) -> None:
    with pytest.raises(Cancelled):
        train_in(tmp_path, seed=1, stop=("behaviour", 2))
    train_in(tmp_path, resume=True, seed=7, objective="order")
    assert same(complete(seed=1), tmp_path)


def test_a_new_training_keeps_the_earlier_models(train_in: Train, complete: Complete, tmp_path: Path) -> None:
    shutil.copytree(complete(), tmp_path, dirs_exist_ok=True)
    for seed in (1, 2):
        train_in(tmp_path, seed=seed)
    assert names(tmp_path) == sorted([*COMPLETE, "earlier"])
    kept = list((tmp_path / "earlier").iterdir())
    assert [names(k) for k in kept] == [COMPLETE, COMPLETE]
    assert sorted(same(k, complete(seed=1)) for k in kept) == [False, True]
    assert sorted(same(k, complete()) for k in kept) == [False, True]


def test_a_new_training_keeps_an_unfinished_one_and_the_models_until_it_is_complete(
    train_in: Train, complete: Complete, tmp_path: Path
) -> None:
    shutil.copytree(complete(), tmp_path, dirs_exist_ok=True)
    for seed in (1, 2):
        with pytest.raises(Cancelled):
            train_in(tmp_path, seed=seed, stop=(TOGETHER, 1))
        assert same(tmp_path, complete())
    assert [names(k) for k in (tmp_path / "earlier").iterdir()] == [["unfinished"]]
    (kept,) = (tmp_path / "earlier").glob("*/unfinished/settings.json")
    assert json.loads(kept.read_text())["seed"] == 1


def test_a_time_limit_ends_every_stage_early_with_complete_models(train_in: Train, tmp_path: Path) -> None:
    told = train_in(tmp_path, minutes=1e-6)
    assert names(tmp_path) == COMPLETE
    assert [p.done for p in told if p.loss is not None] == [1, 1]
    assert json.loads((tmp_path / "posture" / "config.json").read_text())["steps"] == 1
    assert weights(tmp_path)


def test_a_generous_time_limit_changes_nothing_but_the_record(train_in: Train, tmp_path: Path) -> None:
    told = train_in(tmp_path, minutes=60)
    assert max(p.done for p in told if p.stage == "behaviour") == 5


@pytest.mark.parametrize("objective", ["landmarks", "contrastive", "order"])
def test_recordings_of_a_few_frames_do_not_stop_a_training(
    objective: str, train_in: Train, footage: list[Footage], tmp_path: Path
) -> None:
    films = [Footage(f.subject, f.frames[:n], f.background, f.fps) for f, n in zip(footage, (1, 2, 5), strict=True)]
    told = train_in(tmp_path, films=films, objective=objective)
    assert names(tmp_path) == COMPLETE
    assert all(np.isfinite(p.loss) for p in told if p.loss is not None)


def test_nothing_to_resume(train_in: Train, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no unfinished training in .*models.* to resume"):
        train_in(tmp_path / "models", resume=True)
    assert not can_resume(tmp_path / "models")


@pytest.mark.parametrize("text", ["{", "[]", '{"seed": "x"}', '{"new_in_2031": 1}'])
def test_damaged_settings_of_an_unfinished_training_are_named(text: str, train_in: Train, tmp_path: Path) -> None:
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "settings.json").write_text(text)
    with pytest.raises(ModelError, match=r"settings\.json is damaged"):
        train_in(tmp_path, resume=True)


class Evil:
    """A pickle that would make a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_a_damaged_checkpoint_is_named_and_never_unpickled(train_in: Train, complete: Complete, tmp_path: Path) -> None:
    models, proof = tmp_path / "models", tmp_path / "was unpickled"
    with pytest.raises(Cancelled):
        train_in(models, stop=(TOGETHER, 3))
    checkpoint = models / "unfinished" / "posture.checkpoint.safetensors"
    good = checkpoint.read_bytes()

    for i, bad in enumerate((good[:-1000], b"", b"no checkpoint", b"evil")):
        if bad == b"evil":
            torch.save({"global_step": 3, "state_dict": Evil(proof)}, checkpoint)
        else:
            checkpoint.write_bytes(bad)
        with pytest.raises(ModelError, match=r"posture\.checkpoint\.safetensors is damaged.*Delete that file"):
            train_in(models, resume=True)
        assert not proof.exists(), i

    checkpoint.unlink()  # as the message says
    train_in(models, resume=True)
    assert same(models, complete())


@pytest.mark.parametrize("device", ["cuda:99", "nonsense"])
def test_a_device_that_is_not_there_is_told_before_anything_is_written(
    device: str, train_in: Train, tmp_path: Path
) -> None:
    with pytest.raises(DeviceError, match=device):
        train_in(tmp_path / "models", device=device)
    assert not (tmp_path / "models").exists()


def test_a_folder_that_cannot_be(train_in: Train, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(UbamError, match=r"models.* cannot be written"):
        train_in(tmp_path / "models")


def test_a_training_that_was_cut_short_while_it_took_its_place(
    train_in: Train, complete: Complete, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    shutil.copytree(complete(), models)
    new = complete(seed=1)
    replace = os.replace

    def killed(source: Path, target: Path) -> None:
        if Path(source).parent.name == "finished" and Path(target).name == "behaviour":
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(train.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        train_in(models, seed=1)
    monkeypatch.setattr(train.os, "replace", replace)
    assert can_resume(models)
    with pytest.raises(ModelError):  # not some of each
        load_model(models / "behaviour", torch.device("cpu"))
    assert train_in(models, resume=True) == []
    assert same(models, new)
    assert names(models) == sorted([*COMPLETE, "earlier"])
    assert [same(kept, complete()) for kept in (models / "earlier").iterdir()] == [True]


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np, torch
from napari_ubam.sample import make_cohort
from napari_ubam.settings import TrainSettings
from napari_ubam.training import train, watch
from napari_ubam.training.bank import Footage

torch.set_num_threads(1)
cohort = make_cohort(n_healthy=2, n_impaired=1, n_frames=20, size=32)
films = [Footage(r.subject, r.frames, np.median(r.frames, 0).astype(np.uint8), r.fps) for r in cohort]
train.STEPS["quick"] = train.Steps(posture=5, generator=2, behaviour=5)
watch.REPORT_EVERY, watch.CHECKPOINT_EVERY = 1, -1.0

def report(progress):
    if progress.stage == "behaviour" and progress.done == 4:
        os.kill(os.getpid(), signal.SIGKILL)

settings = TrainSettings(preset="quick", n_landmarks=4, device="cpu", seed=1)
train.train_models(films, Path(sys.argv[1]), settings, resume=False, report=report)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_training_goes_on_from_its_checkpoint_and_leaves_old_models_and_nothing_else(
    train_in: Train, complete: Complete, tmp_path: Path
) -> None:
    """Lightning tells of devices, tips and loggers, and makes a folder for its logs, unless it is told not to."""
    models, here = tmp_path / "models", tmp_path / "here"
    shutil.copytree(complete(), models)
    here.mkdir()
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(models)], cwd=here, check=False, capture_output=True, text=True,
        env=os.environ | {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "a job of a cluster", "SLURM_JOB_ID": "1"},
    )  # fmt: skip
    assert (run.returncode, run.stdout, run.stderr) == (-signal.SIGKILL, "", "")
    assert names(here) == []
    assert same(models, complete())
    assert can_resume(models)

    told = train_in(models, resume=True)
    assert min(p.done for p in told if p.loss is not None) == 4  # the checkpoint is of step 3
    assert {p.stage for p in told if p.loss is not None} == {"behaviour"}
    assert same(models, complete(seed=1))
    assert names(models) == sorted([*COMPLETE, "earlier"])
    assert logged(models) == logged(complete(seed=1))  # step 4 of the one that was killed is not in it twice
