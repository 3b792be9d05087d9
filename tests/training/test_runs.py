from collections.abc import Callable
from pathlib import Path

import pytest

from napari_ubam.errors import ModelError
from napari_ubam.models.store import fingerprint_model
from napari_ubam.settings import TrainSettings
from napari_ubam.training.presets import STEPS, estimate_seconds
from napari_ubam.training.runs import Run, find_runs, install, use_run


@pytest.fixture
def models(train_in: Callable, tmp_path: Path) -> Path:
    """Give a folder with two trainings: one with another seed before the one in use."""
    train_in(tmp_path, seed=1)
    train_in(tmp_path, seed=2)
    return tmp_path


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
    seconds = {preset: estimate_seconds(preset, settings, run) for preset in STEPS}
    assert 0 < seconds["standard"] < seconds["thorough"]
    posture, behaviour = (points[-1] for points in run.points.values())
    steps = STEPS["standard"]
    expected = steps.posture * posture.seconds / posture.step + steps.behaviour * behaviour.seconds / behaviour.step
    assert seconds["standard"] == pytest.approx(expected)
    for other in ({"objective": "contrastive"}, {"generator": "vae"}, {"device": "cuda:0"}):
        assert estimate_seconds("standard", TrainSettings(**other), run) is None
    assert estimate_seconds("standard", settings, Run("", models, run.settings, 0.0, {})) is None
