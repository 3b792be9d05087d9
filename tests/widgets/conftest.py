import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_ubam.settings import StudySettings, TrainSettings
from napari_ubam.study import Recording, Study
from napari_ubam.video import write_video

SIZE = (48, 64)  # Y, X
N_FRAMES = 8


def make_frames(seed: int, n_frames: int = N_FRAMES) -> np.ndarray:
    """Give RGB frames (T, Y, X, 3) in which a bright square moves over a still background."""
    rng = np.random.default_rng(seed)
    frames = np.repeat(rng.integers(0, 80, (1, *SIZE, 3), dtype=np.uint8), n_frames, axis=0)
    for t in range(n_frames):
        frames[t, 16:32, 4 * t : 4 * t + 16] = 200
    return frames


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch, tmp_path_factory):
    """Begin without drafts of other tests, and let the next one begin with the defaults."""
    from napari_ubam.widgets import remembered

    monkeypatch.setenv("NAPARI_UBAM_STATE", str(tmp_path_factory.mktemp("state")))

    yield
    if (settings := remembered._settings()) is not None:
        settings.choices.last = ""


@pytest.fixture
def mock_app_model(mock_app_model):
    """Let go of the windows and menus of a test: napari keeps them, and looks through all of them for garbage again."""
    from app_model.backends.qt import QMenuItemAction
    from napari.utils.theme import _themes
    from qtpy.QtWidgets import QApplication

    yield mock_app_model
    for entry in QApplication.instance().findChildren(QMenuItemAction):
        entry.deleteLater()
    for theme in _themes.values():
        theme.events.canvas.disconnect()


@pytest.fixture(autouse=True)
def nothing_tried_out(monkeypatch):
    """Try no steps of training out, which takes seconds; tests that do say so."""
    monkeypatch.setattr("napari_ubam.widgets.train.step_times._MILLISECONDS_BEFORE", 10**9)


@pytest.fixture
def frames() -> np.ndarray:
    return make_frames(5)


@pytest.fixture(scope="session")
def filmed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("filmed")
    for i in range(4):
        write_video(folder / f"walk_{i}.mkv", make_frames(i), fps=10)
    return folder


@pytest.fixture
def videos(filmed, tmp_path) -> list[Path]:
    """Give four small videos."""
    return sorted(shutil.copytree(filmed, tmp_path / "videos").iterdir())


@pytest.fixture
def recordings(videos) -> list[Recording]:
    return [
        Recording(name=path.stem, path=path, subject=f"s{i}", group="healthy" if i < 2 else "impaired")
        for i, path in enumerate(videos)
    ]


@pytest.fixture
def study(tmp_path, recordings) -> Study:
    """Give a small study on disk: two healthy and two impaired subjects."""
    return Study.create(tmp_path / "study", recordings, "healthy")


@pytest.fixture
def notifications(monkeypatch):
    """Collect what napari tells the user; the console gets no coloured tracebacks, which take a second each."""
    from napari.utils.notifications import ErrorNotification, notification_manager

    told: list[str] = []
    monkeypatch.setattr(ErrorNotification, "__str__", lambda notification: notification.message)

    def keep(notification) -> None:
        told.append(notification.message)

    notification_manager.notification_ready.connect(keep)
    yield told
    notification_manager.notification_ready.disconnect(keep)


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Study:
    """Give a study that has gone through every step, its models trained for a few steps only."""
    from napari_ubam import pipeline
    from napari_ubam.sample import write_cohort
    from napari_ubam.training.train import STEPS, Steps

    folder = tmp_path_factory.mktemp("trained")
    table = write_cohort(folder, n_healthy=3, n_impaired=1, n_frames=24, size=64)
    study = pipeline.init(folder / "study", table, "healthy", StudySettings(crop_size=32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(STEPS, "quick", Steps(posture=3, generator=3, behaviour=3))
        pipeline.train(study, TrainSettings(preset="quick", device="cpu"))
    pipeline.embed(study)
    pipeline.deviate(study)
    return study


@pytest.fixture(scope="session", autouse=True)
def plugins_read_once():
    """Let napari find the plugins once: it reads all their manifests anew for every viewer, and takes what is new.

    Nor does it note for every viewer how to unload them, and with that the viewer.
    """
    from npe2 import PluginContext, PluginManifest

    found = list(PluginManifest.discover())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManifest, "discover", lambda paths=(): iter(found))
        patch.setattr(PluginContext, "register_disposable", lambda context, dispose: None)
        yield
