import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import zarr
from PIL import Image

from napari_ubam.demo import DemoSettings, describe, has_display, run_demo
from napari_ubam.errors import UbamError
from napari_ubam.models.store import load_config
from napari_ubam.progress import Cancelled
from napari_ubam.settings import StudySettings, TrainSettings
from napari_ubam.video import open_frames

TINY = DemoSettings(
    n_healthy=3, n_impaired=2, n_frames=24, size=64, study=StudySettings(crop_size=32),
    train=TrainSettings(preset="quick", minutes=1e-4, device="cpu"),
)  # fmt: skip


@pytest.fixture
def subjects():
    rows = [
        ("h1", "healthy", 0.9, 2, 1.0, 2), ("h2", "healthy", 1.1, 1, 1 / 3, 2),
        ("i1", "impaired", 1.0, 2, 2 / 3, 2), ("i2", "impaired", 1.6, 1, 1 / 3, 2),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["subject", "group", "deviation", "rank", "p_value", "n_reference"])


@pytest.fixture
def frames(subjects):
    rows = []
    for row in subjects.to_dict("records"):
        for t in range(60):
            score = row["deviation"] + (t == 45)
            rows.append((row["subject"], row["subject"], row["group"], t, score, 100.0 * (t == 45), t != 50))
    columns = ["recording", "subject", "group", "frame", "deviation", "percentile", "reliable"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Give the folder of a tiny demo, the finished demo and what it said."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    said = []
    return folder, run_demo(folder, TINY, say=said.append), said


def test_it_says_who_stood_out_what_chance_would_do_and_where_to_look(subjects, frames):
    text = "\n".join(describe(subjects, frames, "healthy", fps=30))
    assert "1 of 2 impaired subjects stood out, deviating more than every healthy subject: i2." in text
    assert "1/3 = 0.33" in text
    assert "about 0.7 of 2" in text
    assert "1 of 2 healthy subjects deviates more than the other 1, as one always must: h2." in text
    assert re.search(r"i2 \(p = 0.33\) deviates most in frame 45, at 1.5 s: more than 100 %", text)
    assert text.index("  i2 (") < text.index("  i1 (")


def test_it_says_so_if_nobody_stood_out(subjects, frames):
    subjects["rank"] = [2, 1, 2, 3]
    assert describe(subjects, frames, "healthy", fps=30)[0].startswith("0 of 2 impaired subjects stood out")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a display")
def test_a_display_is_looked_for_on_linux(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not has_display()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert has_display()


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("all my work")
    with pytest.raises(UbamError, match="Choose a new folder with --out"):
        run_demo(tmp_path, TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_damaged_mark_is_named(tmp_path):
    (tmp_path / "demo.json").write_text('{"n_healthy": "many"}')
    with pytest.raises(UbamError, match=r"demo\.json is damaged"):
        run_demo(tmp_path, TINY, say=lambda text: None)


@pytest.mark.slow
def test_it_runs_every_step_and_saves_pictures_and_videos(finished):
    folder, demo, said = finished
    results = folder / "study" / "results"
    name = demo.recording.name
    for file in ("deviation.csv", "subjects.csv", "groups.csv", "report.html"):
        assert (results / file).stat().st_size
    assert demo.recording.group == "impaired"
    for path in (folder / "demo.mp4", results / f"{name}_magnified.mp4", results / f"{name}_magnified.mkv"):
        with open_frames(path) as video:
            assert len(video) == TINY.n_frames
    assert video.shape == (TINY.n_frames, TINY.size, TINY.size, 3)
    assert zarr.open_array(results / f"{name}_heatmap.zarr", mode="r").shape == video.shape[:3]
    picture = np.asarray(Image.open(folder / "demo.png"))
    with open_frames(folder / "demo.mp4") as video:
        assert video.shape[1:] == picture.shape
    text = "\n".join(said)
    assert "of 2 impaired subjects stood out" in text
    assert re.search(r"Only \d steps of training fitted", text)
    for path in demo.files:
        assert path.exists()
        assert str(path) in text


@pytest.mark.slow
def test_run_again_it_does_nothing_over_again(finished):
    folder, demo, _ = finished

    def contents():
        return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}

    before, said = contents(), []
    again = run_demo(folder, DemoSettings(), say=said.append)
    assert contents() == before
    assert (again.recording, again.frame, again.files) == (demo.recording, demo.frame, demo.files)
    assert "There is a demo in" in said[0]


@pytest.mark.slow
def test_a_training_that_was_stopped_is_gone_on_with(tmp_path):
    def stop(progress):
        if progress.stage == "posture and generator" and progress.loss is not None:
            raise Cancelled

    longer = TINY.model_copy(update={"train": TrainSettings(preset="quick", device="cpu")})
    with pytest.raises(Cancelled):
        run_demo(tmp_path, longer, report=stop, say=lambda text: None)
    assert not (tmp_path / "study" / "models" / "settings.json").exists()
    (tmp_path / "demo.json").write_text(TINY.model_dump_json())  # the whole of it would take minutes
    demo = run_demo(tmp_path, say=lambda text: None)
    assert load_config(demo.study.models_folder / "posture")["steps"] == 2
    assert not (demo.study.models_folder / "earlier").exists()  # where a training goes that is not resumed


@pytest.mark.slow
def test_without_a_display_no_qt_is_loaded(finished):
    folder, *_ = finished
    code = (
        "import sys; from napari_ubam.demo import run_demo;"
        f"run_demo({str(folder)!r}).open_viewer();"
        "print(sorted({'qtpy', 'PySide6', 'PyQt6', 'napari'} & set(sys.modules)))"
    )
    here = {"PATH": "", "NAPARI_CONFIG": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=here)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "There is no display" in done.stdout
