import pytest
import torch

from napari_ubam.models.inputs import N_CHANNELS
from napari_ubam.models.landmarks import LandmarkEncoder, blobs, expected_position, pixel_grid, spread


def test_pixel_centres_are_symmetric() -> None:
    grid = pixel_grid(2, 4)
    assert grid.shape == (2, 4, 2)
    torch.testing.assert_close(grid[0, :, 0], torch.tensor([-0.75, -0.25, 0.25, 0.75]))
    torch.testing.assert_close(grid[:, 0, 1], torch.tensor([-0.5, 0.5]))


def test_a_blob_is_one_at_its_point_and_falls_off() -> None:
    at = torch.tensor([[[0.25 + 1 / 32, -0.5 + 1 / 32]]])  # the centre of a pixel
    drawn = blobs(at, 32, 0.1)
    assert drawn.shape == (1, 1, 32, 32)
    assert drawn[0, 0, 8, 20].item() == pytest.approx(1)  # y, x
    assert drawn.amax() == drawn[0, 0, 8, 20]
    assert drawn[0, 0, -1, 0] < 1e-6


def test_soft_argmax_of_a_blob_is_its_centre() -> None:
    points = torch.rand(3, 5, 2) - 0.5
    heat = blobs(points, 64, 0.1)
    torch.testing.assert_close(expected_position(heat / heat.sum((2, 3), keepdim=True)), points, atol=1e-3, rtol=0)


@pytest.mark.parametrize("side", [32, 96, 128])
def test_landmarks_lie_in_the_crop_at_every_crop_size(side: int) -> None:
    encoder = LandmarkEncoder(n_landmarks=5, c_in=N_CHANNELS).eval()
    pictures = torch.rand(2, N_CHANNELS, side, side) * 2 - 1
    heat = encoder.heatmaps(pictures)
    torch.testing.assert_close(heat.sum((2, 3)), torch.ones(2, 5))
    points = encoder(pictures)
    assert points.shape == (2, 5, 2)
    assert points.abs().max() <= 1
    torch.testing.assert_close(encoder.code(pictures), points.flatten(1))
    assert encoder.code(pictures).shape == (2, encoder.dimension)


def test_spread_tells_one_place_from_two() -> None:
    one, two = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    one[..., 3, 4] = 1
    two[..., 0, 0] = two[..., 7, 7] = 0.5
    assert spread(one, expected_position(one)).item() == pytest.approx(0, abs=1e-6)
    assert spread(two, expected_position(two)).item() == pytest.approx(2 * 0.875**2)
