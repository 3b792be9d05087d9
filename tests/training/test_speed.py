import subprocess
import sys
from pathlib import Path

import pytest

from napari_ubam.settings import TrainSettings
from napari_ubam.training.presets import STEPS, estimate_seconds
from napari_ubam.training.speed import measure_steps


@pytest.mark.slow
@pytest.mark.parametrize("other", [{}, {"objective": "contrastive"}])
def test_steps_of_all_stages_are_tried_out(tmp_path: Path, other: dict[str, str]):
    settings = TrainSettings(device="cpu", **other)
    a_step = measure_steps(settings, 32, tmp_path)
    assert all(0 < seconds < 60 for seconds in a_step.values())
    for preset in STEPS:
        assert estimate_seconds(preset, settings, a_step) == pytest.approx(
            sum(getattr(STEPS[preset], part) * a_step[stage] for stage, part in stages(settings).items())
        )


def stages(settings: TrainSettings) -> dict[str, str]:
    if settings.trained_together:
        return {"posture and generator": "posture", "behaviour": "behaviour"}
    return {"posture": "posture", "generator": "generator", "behaviour": "behaviour"}


def test_what_cannot_be_tried_out_ends_with_an_error(tmp_path: Path):
    settings = TrainSettings(device="cuda:77").model_dump_json()
    command = [sys.executable, "-m", "napari_ubam.training.speed", str(tmp_path), "32", settings]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "cuda:77" in ended.stderr
    assert ended.stdout == ""
