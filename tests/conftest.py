"""What all tests share: the real recordings, and a napari that leaves the user's settings alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from napari_ubam.study import Study

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny networks are faster so, and every machine computes the same
os.environ["NAPARI_UBAM_CACHE"] = tempfile.mkdtemp(prefix="napari-ubam-cache-")  # not the user's
os.environ["NAPARI_UBAM_STATE"] = tempfile.mkdtemp(prefix="napari-ubam-state-")
os.environ["NAPARI_STRICT_QT"] = "raise"  # napari looks after every test whether a widget, timer or thread is left
os.environ["NAPARI_CONFIG"] = ""  # napari neither reads nor writes the user's settings; read when it is imported

with contextlib.suppress(ImportError):
    import qtpy  # noqa: F401  # first, so that pytest-qt takes the same binding where there are two


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Let ``-n auto`` take the cores we may use; every worker makes the shared studies anew, so many gain little."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, 4)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give every worker a screen of its own: on one screen their windows would take the focus from one another."""
    if not sys.platform.startswith("linux") or shutil.which("Xvfb") is None:
        return
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1600x1000x24"]
    screen = subprocess.Popen(command, pass_fds=[writer], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    node.config.add_cleanup(screen.terminate)
    os.close(writer)
    with open(reader) as number:  # it comes when the screen is there
        node.workerinput["screen"] = f":{number.readline().strip()}"


def pytest_configure(config: pytest.Config) -> None:
    """Open the windows of a worker on its own screen."""
    screen = getattr(config, "workerinput", {}).get("screen")
    if screen is not None:
        os.environ["DISPLAY"] = screen


@pytest.fixture(scope="session")
def shared() -> Path:
    """Give the folder of real recordings, which lies beside the repository on some machines."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"the real recordings are not here: {folder} is missing")
    return folder


@pytest.fixture(scope="session")
def finished_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder of videos and their study with every step done, after a training of some steps. Only for reading.

    Three healthy subjects h01 to h03 and two impaired ones i01, i02, of 40 frames of 64 px each.
    """
    from napari_ubam import pipeline
    from napari_ubam.sample import write_cohort
    from napari_ubam.settings import StudySettings, TrainSettings

    folder = tmp_path_factory.mktemp("cohort")
    table = write_cohort(folder, n_healthy=3, n_impaired=2, n_frames=40, size=64)
    study = pipeline.init(folder / "study", table, "healthy", StudySettings(crop_size=64))
    with pytest.MonkeyPatch.context() as patch:
        _train_few_steps(patch)
        pipeline.train(study, TrainSettings(preset="quick", device="cpu"))
    pipeline.embed(study)
    pipeline.deviate(study)
    pipeline.compare(study)
    pipeline.make_report(study)
    return folder


@pytest.fixture
def finished(finished_cohort: Path, tmp_path: Path) -> Study:
    """Give a study with every step done, which may be changed."""
    from napari_ubam.study import Study

    shutil.copytree(finished_cohort, tmp_path / "cohort")
    return Study.open(tmp_path / "cohort" / "study")


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the preset ``quick`` train in seconds."""
    _train_few_steps(monkeypatch)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures of reports undrawn, which takes most of the time, for tests of what stands beside them."""
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, file, **how: file.write(b"undrawn"))


def _train_few_steps(patch: pytest.MonkeyPatch) -> None:
    from napari_ubam.training.train import STEPS, Steps

    patch.setitem(STEPS, "quick", Steps(posture=12, generator=4, behaviour=4))
