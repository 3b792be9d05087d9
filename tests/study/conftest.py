from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_ubam.settings import StudySettings
from napari_ubam.study import Recording, Study
from napari_ubam.video import write_video


def room(height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    """A textured room, (height, width, 3) uint8."""
    coarse = np.random.default_rng(seed).integers(40, 200, (height // 8, width // 8, 3), dtype=np.uint8)
    return coarse.repeat(8, axis=0).repeat(8, axis=1)


def walk(n_frames: int = 12, height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    """A white block that crosses a still room, (T, height, width, 3) uint8."""
    frames = np.repeat(room(height, width, seed)[None], n_frames, axis=0)
    for t, frame in enumerate(frames):
        left = round(t / n_frames * (width - 8))
        frame[20:32, left : left + 8] = 255
    return frames


@pytest.fixture
def frames() -> np.ndarray:
    return walk()


@pytest.fixture
def video(tmp_path: Path, frames: np.ndarray) -> Path:
    path = tmp_path / "videos" / "walk.mkv"
    write_video(path, frames, 25)
    return path


@pytest.fixture
def make_study(tmp_path: Path, video: Path) -> Callable[..., Study]:
    """Make a study of one recording of ``video``, with the recording's attributes as given."""

    def make(settings: StudySettings | None = None, **attributes: object) -> Study:
        values = {"name": "walk", "path": video, "subject": "a", "group": "healthy"} | attributes
        return Study(tmp_path / "study", settings or StudySettings(crop_size=32), "healthy", (Recording(**values),))

    return make
