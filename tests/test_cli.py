import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_ubam import __version__
from napari_ubam.cli import main
from napari_ubam.sample import write_cohort
from napari_ubam.settings import (
    CheckSettings,
    CompareSettings,
    DeviateSettings,
    EmbedSettings,
    ExportSettings,
    KeypointSettings,
    MagnifySettings,
    Settings,
    StudySettings,
    TrackSettings,
    TrainSettings,
)
from napari_ubam.study import Study
from napari_ubam.training.modules import LandmarkModule
from napari_ubam.video import open_frames

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command as a terminal does; gives the exit code, what it printed, and its messages."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["napari-ubam", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        return code, *capsys.readouterr()

    return call


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(tmp_path_factory.mktemp("cohort"), n_healthy=2, n_impaired=1, n_frames=12, size=32)


@pytest.fixture
def table(filmed: Path, tmp_path: Path) -> Path:
    return shutil.copytree(filmed.parent, tmp_path / "cohort") / filmed.name


def test_all_steps_one_after_the_other(run: Run, table: Path, tmp_path: Path, few_steps: None):
    study, out, heat = tmp_path / "study", tmp_path / "out.mkv", tmp_path / "heat.zarr"
    for arguments in (
        ("init", study, "--recordings", table, "--reference", "healthy", "--crop-size", 32),
        ("train", study, "--preset", "quick", "--device", "cpu"),
        ("embed", study, "--device", "cpu"),
        ("deviate", study),
        ("magnify", study, "i01", "--factor", 2.5, "--out", out, "--heatmap", heat, "--device", "cpu"),
        ("compare", study),
        ("check", study, "--n-frames", 4, "--n-shuffles", 1, "--device", "cpu"),
        ("report", study),
    ):
        code, printed, messages = run(*arguments)
        assert code == 0, messages
        assert printed == ""  # messages go to stderr
        assert "Traceback" not in messages
        if arguments[0] == "init":
            assert f"{study} has 3 recordings: healthy (2 subjects), impaired (1 subject)." in messages
        if arguments[0] == "deviate":
            assert "With 2 reference subjects, the smallest possible p-value of a subject is 1/3" in messages
    with open_frames(out) as video:
        assert video.shape == (12, 32, 32, 3)
    assert heat.is_dir()
    code, _, messages = run("keypoints", study)
    assert code == 1
    assert "column 'keypoints'" in messages
    results = {p.name for p in (study / "results").iterdir()}
    assert {"deviation.csv", "subjects.csv", "groups.csv", "magnification.csv", "report.html", "run.json"} <= results


@pytest.mark.parametrize(
    ("command", "settings"),
    [
        ("init", StudySettings),
        ("train", TrainSettings),
        ("embed", EmbedSettings),
        ("deviate", DeviateSettings),
        ("magnify", MagnifySettings),
        ("track", TrackSettings),
        ("keypoints", KeypointSettings),
        ("compare", CompareSettings),
        ("check", CheckSettings),
        ("export", ExportSettings),
    ],
)
def test_help_lists_every_setting(run: Run, monkeypatch: pytest.MonkeyPatch, command: str, settings: type[Settings]):
    monkeypatch.setenv("COLUMNS", "300")
    code, printed, messages = run(command, "--help")
    text = re.sub(r"\s+", " ", printed + messages)
    assert code == 0
    for name, field in settings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in text
        assert str(field.description).split(".")[0][:40] in text


def test_settings_reach_the_step(run: Run, table: Path, tmp_path: Path):
    options = ("--crop-size", 64, "--background", "none", "--mirror-to", "left")
    assert run("init", tmp_path / "study", "--recordings", table, "--reference", "healthy", *options)[0] == 0
    made = Study.open(tmp_path / "study").settings
    assert (made.crop_size, made.background, made.mirror_to) == (64, "none", "left")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("init", "STUDY", "--recordings", "TABLE", "--reference", "healthy", "--crop-size", "33"),
            "--crop-size: .*32",
        ),
        (("init", "STUDY", "--recordings", "TABLE", "--reference", "nobody"), "reference group 'nobody'"),
        (("init", "STUDY", "--recordings", "nothing.csv", "--reference", "healthy"), "nothing.csv"),
        (("magnify", "STUDY", "i01", "--out", "a.mkv", "--factor", "99"), "--factor: .*8"),
        (("deviate", "STUDY", "--n-nearest", "0"), "--n-nearest: .*1"),
        (("compare", "STUDY", "--n-permutations", "3"), "--n-permutations: .*100"),
        (("check", "STUDY", "--error-rate", "1"), "--error-rate: .*1"),
        (("train", "STUDY", "--minutes", "-1"), "--minutes: .*0"),
        (("export", "a.mkv", "b.mkv", "--out", "o.mkv", "--name", "a"), "--name: given 1 times for 2 files"),
        (("export", "a.mkv", "--out", "o.mkv", "--limits", "3,1"), "--limits: '3,1' is neither"),
        (("export", "a.mkv", "--out", "o.mkv", "--limits", "dark"), "--limits: 'dark' is neither"),
        (("export", "a.mkv", "--out", "o.mkv", "--stop", "0"), "--stop: .*1"),
        (("export", "a.mkv", "--out", "o.mkv"), "a.mkv was not found"),
        (("train", "STUDY"), "STUDY is not a study"),
    ],
)
def test_wrong_value_is_one_line(
    run: Run, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
):
    monkeypatch.chdir(tmp_path)
    code, printed, messages = run(*(str(table) if a == "TABLE" else a for a in arguments))
    assert code == 1
    assert printed == ""
    assert len(messages.strip().splitlines()) == 1
    assert messages.strip().startswith("Error: ")
    assert re.search(said, messages)
    assert not (tmp_path / "STUDY").exists()


@pytest.mark.parametrize("options", [("--crop-size", "abc"), ("--background", "blue"), ("--nonsense", "1")])
def test_unknown_value_or_option(run: Run, table: Path, tmp_path: Path, options: tuple[str, str]):
    code, _, messages = run("init", tmp_path / "study", "--recordings", table, "--reference", "healthy", *options)
    assert code == 2
    assert options[0] in messages
    assert "Traceback" not in messages
    assert not (tmp_path / "study").exists()


def test_paths_are_not_broken_or_eaten(run: Run, table: Path, tmp_path: Path):
    """Brackets are no markup, and a long path stays in one line so that it can be copied."""
    folder = tmp_path / "[bold] of a rather long name that does not fit into a line of eighty characters"
    assert str(folder) in run("init", folder, "--recordings", table, "--reference", "healthy")[2]
    assert f"{folder} already" in run("init", folder, "--recordings", table, "--reference", "healthy")[2]


def test_subjects_are_tracked_once_and_again_by_name(run: Run, table: Path, tmp_path: Path):
    study = tmp_path / "study"
    assert run("init", study, "--recordings", table, "--reference", "healthy")[0] == 0
    code, printed, messages = run("track", study, "h01", "--side", 24)
    assert (code, printed) == (0, "")
    assert f"1 of 3 recordings of {study} have boxes." in messages
    boxes = pd.read_csv(study / "boxes" / "h01.csv")
    assert list(boxes) == ["frame", "x", "y", "width", "height", "angle"]
    assert (boxes["width"].dropna() == 24).all()
    assert "3 of 3" in run("track", study)[2]
    code, _, messages = run("track", study)
    assert code == 1
    assert "have boxes already" in messages


def test_magnify_overwrites_only_when_told(run: Run, finished: Study, tmp_path: Path):
    out = tmp_path / "out.mkv"
    out.write_bytes(b"precious")
    arguments = ("magnify", finished.folder, "i01", "--device", "cpu", "--out", out)
    code, _, messages = run(*arguments)
    assert code == 1
    assert f"{out} is there already" in messages
    assert out.read_bytes() == b"precious"
    heat = tmp_path / "heat.zarr"
    heat.mkdir()
    assert "heat.zarr is there already" in run(*arguments[:-1], tmp_path / "new.mkv", "--heatmap", heat)[2]
    assert not (tmp_path / "new.mkv").exists()
    assert run(*arguments, "--overwrite")[0] == 0
    with open_frames(out) as video:
        assert len(video) == 40


def test_any_files_become_one_comparison_video(run: Run, table: Path, tmp_path: Path):
    one, heat, out = next(table.parent.rglob("h01.mkv")), tmp_path / "heat.npy", tmp_path / "out.mkv"
    np.save(heat, np.linspace(0, 4, 10 * 32 * 32, dtype=np.float32).reshape(10, 32, 32))
    code, printed, messages = run("export", one, heat, "--name", "h01", "--name", "where", "--out", out)
    assert (code, printed) == (0, "")
    assert "Lengths differ: h01 has 12 frames, where has 10 frames." in re.sub(r"\s+", " ", messages)
    assert f"{out} has 12 frames." in messages
    looks = "--layout blended --opacity 0.7 --opacity 0.8 --blending opaque --blending additive --colormap gray "
    several = f"{looks}--colormap hot --limits auto --limits 1,3.5".split()
    assert f"{out} is there already" in run("export", one, heat, "--out", out, *several)[2]
    assert run("export", one, heat, "--out", out, "--overwrite", *several)[0] == 0
    with open_frames(out) as video, open_frames(one) as recording:
        assert video.shape == (12, 32, 32, 3)
        np.testing.assert_allclose(video[10].astype(int), 0.7 * recording[10], atol=1)  # the heatmap has ended
        assert np.all(video[9, -1, :, 0] >= 204)


def test_no_file_to_export(run: Run):
    assert run("export", "--out", "o.mkv")[0] == 2


def test_postures_are_drawn_on_several_subjects(run: Run, finished: Study, tmp_path: Path):
    out = tmp_path / "grid.png"
    arguments = ("transfer", finished.folder, "--from", "h01", "--to", "i01", "--to", "i02", "--out", out)
    assert run(*arguments, "--frame", 3, "--frame", 9, "--device", "cpu")[0] == 0
    assert out.stat().st_size > 0
    assert f"{out} is there already" in run(*arguments)[2]
    assert run(*arguments, "--overwrite", "--n-postures", 1)[0] == 0


def test_left_out_recordings_are_told_and_the_others_go_on(run: Run, finished: Study):
    path = finished.recording("h03").path
    path.unlink()
    code, _, messages = run("deviate", finished.folder)
    assert code == 0
    assert re.search(f"h03 was left out: .*{re.escape(str(path))}", messages)
    assert "With 2 reference subjects" in messages
    assert set(pd.read_csv(finished.results_folder / "subjects.csv")["subject"]) == {"h01", "h02", "i01", "i02"}


def test_info(run: Run):
    code, printed, _ = run("info")
    assert code == 0
    assert re.search(r"napari-ubam \d.*Python 3", printed)
    for word in ("torch", "av", "zarr", "Device: cpu", "cores", "GiB free"):
        assert word in printed


def test_the_version_alone(run: Run):
    code, printed, _ = run("--version")
    assert code == 0
    assert printed.strip() == f"napari-ubam {__version__}"


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let stdin be that of a program that waits: open, with nothing in it."""
    read, write = os.pipe()
    with os.fdopen(read) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield
        os.close(write)
        for thread in threading.enumerate():
            if "(listen)" in thread.name:
                thread.join(10)  # so that nobody reads any more when it is closed


@pytest.mark.usefixtures("few_steps", "waiting")
def test_train_for_a_program(run: Run, finished: Study):
    finished.recording("i02").path.unlink()
    code, printed, _ = run("train", finished.folder, "--json", "--preset", "quick", "--device", "cpu")
    events = [json.loads(line) for line in printed.splitlines()]
    assert code == 0
    assert events[-1] == {"event": "end", "state": "done"}
    assert [e["event"] for e in events].count("end") == 1
    problem = next(e for e in events if e["event"] == "problem")
    assert problem["name"] == "i02"
    assert "i02.mkv" in problem["message"]
    progress = [e for e in events if e["event"] == "progress"]
    assert all(set(e) == {"event", "stage", "done", "total", "loss", "seconds_left", "message"} for e in progress)
    trained = [e for e in progress if e["loss"] is not None]
    assert {"posture and generator", "behaviour"} <= {e["stage"] for e in trained}
    assert all(0 <= e["done"] <= e["total"] and e["seconds_left"] >= 0 for e in trained)


@pytest.mark.usefixtures("waiting")
def test_failed_training_for_a_program(run: Run, finished: Study):
    code, printed, _ = run("train", finished.folder, "--json", "--resume")
    assert code == 1
    assert len(printed.splitlines()) == 1
    event = json.loads(printed)
    assert (event["event"], event["state"]) == ("end", "failed")
    assert "no unfinished training" in event["message"]


def start(*arguments: object, **how: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "napari_ubam", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)  # type: ignore


@pytest.mark.usefixtures("waiting")
def test_stop_and_resume_from_another_program(finished: Study, run: Run):
    before = (finished.models_folder / "posture" / "model.safetensors").read_bytes()
    options = ("--json", "--preset", "quick", "--device", "cpu", "--n-landmarks", 4)
    process = start("train", finished.folder, *options, stdin=subprocess.PIPE, cwd="/")
    assert process.stdin is not None
    assert process.stdout is not None
    events = []
    for line in process.stdout:  # every line is an event
        events.append(json.loads(line))
        if events[-1].get("loss") is not None and events[-1]["done"] >= 10 and not process.stdin.closed:
            process.stdin.write("stop\n")
            process.stdin.close()
    assert process.wait(timeout=60) == 0
    assert events[-1] == {"event": "end", "state": "stopped"}
    steps = max(e["done"] for e in events if e.get("loss") is not None)
    assert steps < 100
    assert (finished.models_folder / "posture" / "model.safetensors").read_bytes() == before

    arguments = ("--json", "--resume", "--minutes", "0.001", "--device", "cpu")
    code, printed, _ = run("train", finished.folder, *arguments)
    resumed = [json.loads(line) for line in printed.splitlines()]
    assert code == 0
    assert resumed[-1] == {"event": "end", "state": "done"}
    config = json.loads((finished.models_folder / "posture" / "config.json").read_text())
    assert config["steps"] > steps > 1  # not from the beginning
    assert (finished.models_folder / "posture" / "model.safetensors").read_bytes() != before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signal to a single process")
@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "a queue's time limit"])
def test_stopped_a_training_writes_a_checkpoint_and_says_how_to_go_on(
    run: Run, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: signal.Signals
):
    study = tmp_path / "study"
    run("init", study, "--recordings", table, "--reference", "healthy", "--crop-size", 32)
    loss = LandmarkModule.loss

    def interrupted(module: LandmarkModule, batch: Any) -> Any:
        if module.step == 2:
            os.kill(os.getpid(), told)
        return loss(module, batch)

    monkeypatch.setattr(LandmarkModule, "loss", interrupted)
    code, _, messages = run("train", study, "--preset", "quick", "--device", "cpu")
    assert code == 130, messages
    assert f"Go on with: napari-ubam train {study} --resume" in messages
    assert "Traceback" not in messages
    unfinished = Study.open(study).models_folder / "unfinished"
    assert (unfinished / "posture.checkpoint.safetensors").exists()
    assert pd.read_csv(unfinished / "training.csv")["step"].tolist() == [1, 10]  # it stops at the next report


def test_stopped_while_reading_videos_there_is_nothing_to_resume(
    run: Run, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run("init", tmp_path / "study", "--recordings", table, "--reference", "healthy", "--crop-size", 32)

    presses = iter([signal.SIGINT])  # one: a second leaves at once

    def interrupt(*_: object, **__: object) -> None:
        for press in presses:
            os.kill(os.getpid(), press)
            time.sleep(0.05)

    monkeypatch.setattr("napari_ubam.study.crops.cut_square", lambda picture, square: interrupt() or picture)
    code, _, messages = run("train", tmp_path / "study", "--preset", "quick", "--device", "cpu")
    assert code == 130
    assert f"Go on with: napari-ubam train {tmp_path / 'study'}" in messages
    assert "--resume" not in messages


@pytest.mark.parametrize("command", ["train", "embed"])
def test_much_of_the_disk_is_not_taken_without_asking(
    command: str, run: Run, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run("init", tmp_path / "study", "--recordings", table, "--reference", "healthy", "--crop-size", 32)
    done: list[str] = []
    monkeypatch.setattr(f"napari_ubam.pipeline.{command}", lambda *_, **__: done.append(command) or [])
    monkeypatch.setattr("napari_ubam.study.MUCH", 1000)
    said = r"crops of the recordings will take 0\.1 MB of the disk, in .*cache"
    code, _, messages = run(command, tmp_path / "study")  # nobody is there to answer
    assert (code, done) == (1, [])
    assert re.search(rf"{said}.*add --yes", messages)
    assert run(command, tmp_path / "study", "--yes")[0] == 0
    assert done == [command]

    monkeypatch.setattr("sys.stdin", Terminal("n\ny\n"))
    monkeypatch.setattr("sys.stderr", Terminal())
    assert run(command, tmp_path / "study")[0] == 1
    assert done == [command]
    assert run(command, tmp_path / "study")[0] == 0
    assert done == [command, command]
    assert re.search(said, sys.stderr.getvalue())  # type: ignore[attr-defined]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True
