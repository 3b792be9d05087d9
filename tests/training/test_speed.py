import re
import sys
from pathlib import Path

import pytest

from napari_ubam.settings import TrainSettings
from napari_ubam.training.presets import STEPS, estimate_seconds
from napari_ubam.training.speed import main, measure_steps


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


def test_what_cannot_be_tried_out_ends_with_an_error(tmp_path: Path, monkeypatch, capsys):
    settings = TrainSettings(device="cuda:77").model_dump_json()
    monkeypatch.setattr(sys, "argv", ["speed", str(tmp_path), "32", settings])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    printed, message = capsys.readouterr()
    assert printed == ""
    assert message.startswith("Error: ")
    assert "cuda:77" in message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "FOLDER, CROP_SIZE, SETTINGS"),
        (("FOLDER", "32"), "SETTINGS"),
        (("nowhere", "32", "{}"), "nowhere is no folder"),
        (("FOLDER", "many", "{}"), "CROP_SIZE: many: .*integer"),
        (("FOLDER", "33", "{}"), "CROP_SIZE: 33: .*multiple of 32"),
        (("FOLDER", "32", "quick"), "SETTINGS: .*JSON"),
        (("FOLDER", "32", '{"preset": "slow"}'), "SETTINGS: preset .*'quick'"),
    ],
)
def test_wrong_arguments_are_said(tmp_path, monkeypatch, capsys, arguments, said):
    given = [str(tmp_path) if argument == "FOLDER" else argument for argument in arguments]
    monkeypatch.setattr(sys, "argv", ["speed", *given])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    printed, message = capsys.readouterr()
    assert printed == ""
    assert re.search(said, message)
