import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from napari_ubam.errors import ModelError
from napari_ubam.models.store import fingerprint_model
from napari_ubam.settings import TrainSettings
from napari_ubam.training.log import Point, elapsed
from napari_ubam.training.presets import STEPS, estimate_seconds, step_times
from napari_ubam.training.runs import can_resume, find_runs, find_unfinished, install, take_up, use_run

_two: list[Path] = []


@pytest.fixture
def models(train_in: Callable, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """Give a folder with two trainings: one with another seed before the one in use."""
    if not _two:
        _two.append(tmp_path_factory.mktemp("two"))
        for seed in (1, 2):
            train_in(_two[0], seed=seed)
    return shutil.copytree(_two[0], tmp_path, dirs_exist_ok=True)


def seeds(models: Path) -> list[int]:
    return [run.settings["seed"] for run in find_runs(models)]


def test_runs_are_listed_with_what_there_is_to_say(models: Path):
    used, earlier = find_runs(models)
    assert (used.name, used.folder) == ("", models)
    assert earlier.folder == models / "earlier" / earlier.name
    assert seeds(models) == [2, 1]
    assert (used.preset, used.device, used.objective, used.steps) == ("quick", "cpu", "landmarks", 5)
    assert list(used.points) == ["posture and generator", "behaviour"]
    assert used.loss == used.points["posture and generator"][-1].loss
    assert used.seconds > 0


def test_an_earlier_run_is_used_again_and_the_other_kept(models: Path):
    earlier = find_runs(models)[1]
    weights = fingerprint_model(earlier.folder / "posture")
    use_run(models, earlier.name)
    assert seeds(models) == [1, 2]
    assert (
        fingerprint_model(models / "posture") == weights != fingerprint_model(find_runs(models)[1].folder / "posture")
    )
    use_run(models, find_runs(models)[1].name)
    assert seeds(models) == [2, 1]
    assert len(list((models / "earlier").iterdir())) == 1


def test_a_swap_that_was_broken_off_is_gone_on_with(models: Path):
    find_runs(models)[1].folder.rename(models / "finished")  # and then the process was killed
    (models / "earlier" / "other").mkdir()
    with pytest.raises(ModelError, match="other"):
        use_run(models, "other")
    assert seeds(models) == [2]
    assert install(models)
    assert seeds(models) == [1, 2]


def test_what_is_not_complete_is_no_run(models: Path):
    (models / "earlier" / find_runs(models)[1].name / "generator" / "model.safetensors").unlink()
    (models / "posture" / "config.json").write_text("no JSON")
    assert find_runs(models) == []
    with pytest.raises(ModelError, match="no complete training"):
        use_run(models, "")


def test_times_are_foretold_from_an_earlier_training_of_the_same_kind(models: Path):
    run = find_runs(models)[0]
    settings = TrainSettings(device="auto")
    seconds = {preset: estimate_seconds(preset, settings, step_times(run, settings, 32)) for preset in STEPS}
    assert 0 < seconds["standard"] < seconds["thorough"]
    posture, behaviour = (points[-1] for points in run.points.values())
    steps = STEPS["standard"]
    expected = steps.posture * posture.seconds / posture.step + steps.behaviour * behaviour.seconds / behaviour.step
    assert seconds["standard"] == pytest.approx(expected)
    for other in ({"objective": "contrastive"}, {"generator": "vae"}, {"device": "cuda:0"}, {"precision": "mixed"}):
        assert step_times(run, TrainSettings(**other), 32) == {}
    assert step_times(run, settings, 64) == {}
    assert step_times(replace(run, version="0.0.1"), settings, 32) == {}  # its batches may have had another size
    assert estimate_seconds("standard", settings, {"behaviour": 1.0}) is None
    assert estimate_seconds("standard", TrainSettings(generator="vae"), step_times(run, settings, 32)) is None


def test_time_before_a_resume_counts():
    assert elapsed([Point(1, 0.0, 2.0), Point(10, 0.0, 20.0), Point(20, 0.0, 15.0), Point(30, 0.0, 31.0)]) == 20 + 31


def unfinished(folder: Path, seed: int, step: int) -> None:
    """Leave a training unfinished."""
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps(TrainSettings(seed=seed).model_dump()))
    (folder / "training.csv").write_text(f"stage,step,loss,seconds\nposture,{step},0.5,3.0\n")


def test_of_several_unfinished_trainings_one_is_taken_up(tmp_path: Path):
    unfinished(tmp_path / "earlier" / "monday" / "unfinished", 1, 10)
    unfinished(tmp_path / "earlier" / "tuesday" / "unfinished", 2, 20)
    os.utime(tmp_path / "earlier" / "monday" / "unfinished" / "settings.json", (1, 1))
    os.utime(tmp_path / "earlier" / "monday" / "unfinished" / "training.csv", (2, 2))
    assert not can_resume(tmp_path)
    assert [(run.name, run.settings["seed"], run.steps) for run in find_unfinished(tmp_path)] == [
        ("tuesday", 2, 20),
        ("monday", 1, 10),
    ]
    take_up(tmp_path, "monday")
    assert can_resume(tmp_path)
    assert not (tmp_path / "earlier" / "monday").exists()
    take_up(tmp_path, "tuesday")
    take_up(tmp_path, "")
    assert [(run.name == "", run.steps) for run in find_unfinished(tmp_path)] == [(True, 20), (False, 10)]
    assert find_runs(tmp_path) == []
    with pytest.raises(ModelError, match="no unfinished training"):
        take_up(tmp_path, "monday")


def test_what_is_left_of_a_damaged_unfinished_training_is_not_listed(tmp_path: Path):
    unfinished(tmp_path / "unfinished", 1, 10)
    (tmp_path / "unfinished" / "settings.json").write_text("no JSON")
    (tmp_path / "earlier" / "monday").mkdir(parents=True)
    assert find_unfinished(tmp_path) == []
