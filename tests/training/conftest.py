from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_ubam.progress import Cancelled, Progress
from napari_ubam.sample import make_cohort
from napari_ubam.settings import TrainSettings
from napari_ubam.training import train, watch
from napari_ubam.training.bank import Footage


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny networks are faster so, and a machine with more cores computes the same."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def footage() -> list[Footage]:
    cohort = make_cohort(n_healthy=2, n_impaired=1, n_frames=20, size=32)
    return [Footage(r.subject, r.frames, np.median(r.frames, 0).astype(np.uint8), r.fps) for r in cohort]


@pytest.fixture
def train_in(footage: list[Footage], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Progress]]:
    """Train for a few steps into a folder, and return what was reported; ``stop`` cancels at that stage's step."""
    monkeypatch.setitem(train.STEPS, "quick", train.Steps(posture=5, generator=2, behaviour=5))
    monkeypatch.setattr(watch, "REPORT_EVERY", 1)

    def run(
        folder: Path, *, resume: bool = False, stop: tuple[str, int] | None = None, films: list[Footage] = footage,
        **values: Any,
    ) -> list[Progress]:  # fmt: skip
        told = []

        def report(progress: Progress) -> None:
            told.append(progress)
            if (progress.stage, progress.done) == stop:
                raise Cancelled

        settings = TrainSettings(**({"preset": "quick", "n_landmarks": 4, "device": "cpu"} | values))
        train.train_models(films, folder, settings, resume=resume, report=report)
        return told

    return run


_complete: dict[str, Path] = {}


@pytest.fixture
def complete(train_in: Callable[..., list[Progress]], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Give the models' folder of a training that nobody stopped; not to be changed."""

    def run(**values: Any) -> Path:
        key = repr(sorted(values.items()))
        if key not in _complete:
            folder = tmp_path_factory.mktemp("complete")
            train_in(folder, **values)
            _complete[key] = folder
        return _complete[key]

    return run
