import pytest
import torch

from napari_ubam.models.deform import deform, deformed_back, random_colours, random_deformation
from napari_ubam.models.landmarks import blobs, expected_position, pixel_grid

CPU = torch.device("cpu")


def test_no_deformation_leaves_picture_and_points() -> None:
    grid = random_deformation(2, 32, CPU, turn=0, scale=0, shift=0, bend=0)
    pictures, points = torch.rand(2, 3, 32, 32), torch.rand(2, 5, 2) - 0.5
    torch.testing.assert_close(grid, pixel_grid(32, 32).expand(2, -1, -1, -1))
    torch.testing.assert_close(deform(pictures, grid), pictures, atol=1e-4, rtol=0)
    torch.testing.assert_close(deformed_back(points, grid), points, atol=1e-5, rtol=0)


def test_a_point_found_in_the_deformed_picture_is_told_back_to_where_it_was() -> None:
    wanted = torch.tensor([[[0.2, -0.3]], [[-0.25, 0.1]], [[0.0, 0.3]]])
    grid = random_deformation(3, 64, CPU)
    moved = deform(blobs(wanted, 64, 0.08), grid)
    found = expected_position(moved / moved.sum((2, 3), keepdim=True))
    assert (found - wanted).abs().max() > 0.03  # it did move
    torch.testing.assert_close(deformed_back(found, grid), wanted, atol=0.02, rtol=0)


def test_shift_is_where_pixels_come_from() -> None:
    grid = pixel_grid(32, 32)[None] + torch.tensor([0.25, 0.0])
    found = expected_position((p := deform(blobs(torch.zeros(1, 1, 2), 32, 0.1), grid)) / p.sum())
    torch.testing.assert_close(found, torch.tensor([[[-0.25, 0.0]]]), atol=1e-3, rtol=0)
    torch.testing.assert_close(deformed_back(found, grid), torch.zeros(1, 1, 2), atol=1e-3, rtol=0)


def test_each_picture_has_its_own_deformation_and_colours() -> None:
    grid = random_deformation(4, 16, CPU)
    gain, offset = random_colours(torch.zeros(4, 3, 16, 16), 0.2)
    assert grid.shape == (4, 16, 16, 2)
    assert gain.shape == offset.shape == (4, 3, 1, 1)
    assert not torch.allclose(grid[0], grid[1])
    assert (gain - 1).abs().max() <= 0.2
    assert offset.abs().max() <= 0.2


@pytest.mark.parametrize("side", [32, 96])
def test_the_edge_is_repeated_outside(side: int) -> None:
    pictures = torch.full((1, 3, side, side), 0.7)
    torch.testing.assert_close(deform(pictures, pixel_grid(side, side)[None] + 3.0), pictures)
