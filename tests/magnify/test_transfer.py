from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_ubam.magnify.magnifier import Shot
from napari_ubam.magnify.transfer import Transfer, add_difference, closest_frames, draw_postures
from napari_ubam.models.vae import VaeGenerator
from napari_ubam.models.warp import WarpGenerator

K, SIZE = 4, 32
CPU = torch.device("cpu")


@pytest.fixture
def shot() -> Shot:
    rng = np.random.default_rng(0)
    codes = rng.uniform(-0.6, 0.6, (2, 2 * K)).astype(np.float32)
    pictures = list(rng.integers(0, 256, (2, 40, 50, 3), dtype=np.uint8))
    crops = rng.integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8)
    squares = np.tile(np.array([5, 4, 32], np.float32), (2, 1))
    nothing = np.zeros(2), np.zeros((2, 1)), np.zeros(2, bool)
    return Shot(np.arange(2), pictures, crops, squares, False, crops[0], True, codes, codes, *nothing)


def test_the_closest_frame_is_found():
    codes = np.array([[0.0, 0], [1, 1], [5, 5]])
    assert closest_frames(np.array([[4.0, 4], [0.4, 0.4], [1, 1]]), codes).tolist() == [2, 0, 1]


def test_what_is_drawn_does_not_depend_on_the_reference_posture(shot: Shot):
    generator = WarpGenerator(K, widths=(8, 8, 8, 8)).eval()
    wanted = shot.posture[::-1].copy()
    drawn = draw_postures(shot, wanted, generator, CPU)
    again = draw_postures(replace(shot, reference=shot.posture + 0.3), wanted, generator, CPU)
    np.testing.assert_array_equal(drawn, again)
    assert (drawn[0] != shot.pictures[0]).any()
    own = draw_postures(shot, shot.posture, generator, CPU)
    np.testing.assert_array_equal(own, shot.pictures)  # who stands like that already stays as it is


def test_the_vae_draws_the_posture_in_the_region(shot: Shot):
    drawn = draw_postures(shot, shot.posture[::-1].copy(), VaeGenerator(2 * K).eval(), CPU)
    assert (drawn[0][4:36, 5:37] != shot.pictures[0][4:36, 5:37]).any()
    np.testing.assert_array_equal(drawn[0][:4], shot.pictures[0][:4])


def test_differences_are_added_and_clipped():
    mean, other = np.full((2, 2, 3), 100.0), np.full((2, 2, 3), 50.0)
    frames = np.array([90, 130, 255, 0], np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    assert add_difference(frames, mean, other)[:, 0, 0, 0].tolist() == [40, 80, 205, 0]


def test_the_grid_has_a_row_of_postures_and_two_a_subject():
    def squares(*shape: int, value: int) -> np.ndarray:
        return np.full((*shape, 8, 8, 3), value, np.uint8)

    made = Transfer(
        squares(3, value=50), ["a", "b", "c"], squares(2, value=100), ["x", "y"],
        squares(2, 3, value=150), squares(2, 3, value=200),
    )  # fmt: skip
    grid = made.grid(height=40)
    rows = grid.reshape(5, len(grid) // 5, *grid.shape[1:])
    middle = rows[:, rows.shape[1] * 2 // 3, :, 0]
    columns = [int(rows.shape[2] * (i + 0.5) / 4) for i in range(4)]
    assert middle[:, columns].tolist() == [
        [18, 50, 50, 50],
        [100, 150, 150, 150],
        [18, 200, 200, 200],
        [100, 150, 150, 150],
        [18, 200, 200, 200],
    ]
