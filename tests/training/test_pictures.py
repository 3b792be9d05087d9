from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_ubam.models.encoder import ConvEncoder
from napari_ubam.training.bank import Footage
from napari_ubam.training.modules import ContrastiveModule
from napari_ubam.training.pictures import SIDE, Gallery


def pictures(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: Image.open(path).size for path in sorted((folder / "pictures").iterdir())}


def test_a_training_draws_frames_redrawn_ones_and_other_subjects(complete: Callable):
    assert pictures(complete()) == {"posture_and_generator_000005.png": (3 * SIDE, 2 * SIDE)}


@pytest.mark.parametrize("objective", ["contrastive", "order"])
def test_a_stage_that_draws_nothing_leaves_the_redrawn_one_out(complete: Callable, objective: str):
    assert pictures(complete(objective=objective)) == {
        "generator_000002.png": (3 * SIDE, 2 * SIDE),
        "posture_000005.png": (2 * SIDE, 2 * SIDE),
    }


def test_drawing_changes_neither_the_module_nor_chance(footage: list[Footage], tmp_path: Path):
    module = ContrastiveModule(ConvEncoder(8, 6))
    module.posture.eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    state = torch.get_rng_state()
    Gallery(footage, tmp_path).draw("posture", 10, module)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert (module.training, module.posture.training) == (True, False)


def test_one_subject_alone_has_no_other(footage: list[Footage], tmp_path: Path):
    Gallery(footage[:1], tmp_path).draw("posture", 10, ContrastiveModule(ConvEncoder(8, 6)))
    (path,) = tmp_path.iterdir()
    shown = np.asarray(Image.open(path))
    assert shown.shape == (SIDE, SIDE, 3)
    assert shown.std() > 0


def test_pictures_are_drawn_often_at_first_and_some_times_later():
    due = [step for step in range(1, 2401) if Gallery.is_due(step, 2400)]
    assert due[:4] == [10, 50, 100, 120]
    assert due[-1] == 2400
    assert len(due) < 30
