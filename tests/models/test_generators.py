import pytest
import torch

from napari_ubam.models.inputs import to_unit
from napari_ubam.models.landmarks import blobs
from napari_ubam.models.vae import SIDE, VaeGenerator
from napari_ubam.models.warp import GRID, Warp, WarpGenerator, apply_warp


@pytest.fixture
def still() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Picture, background and landmarks."""
    return torch.rand(2, 3, GRID, GRID) * 2 - 1, torch.rand(2, 3, GRID, GRID) * 2 - 1, torch.rand(2, 4, 2) - 0.5


@pytest.mark.parametrize("size", [(32, 32), (48, 48), (200, 200)])
def test_where_landmarks_do_not_move_the_picture_is_exactly_itself(
    still: tuple[torch.Tensor, torch.Tensor, torch.Tensor], size: tuple[int, int]
) -> None:
    picture, background, points = still
    warp = WarpGenerator(n_landmarks=4)(picture, background, points, points)
    assert (warp.flow == 0).all()
    assert (warp.uncovered == 0).all()
    pixels = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
    drawn = apply_warp(warp, to_unit(pixels), torch.zeros(2, 3, *size))
    torch.testing.assert_close(drawn, to_unit(pixels), atol=1e-4, rtol=0)
    assert torch.equal(((drawn + 1) * 127.5).round().to(torch.uint8), pixels)


def test_flow_comes_from_where_the_landmarks_were(still: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    picture, background, points = still
    shift = torch.tensor([0.3, -0.1])
    warp = WarpGenerator(n_landmarks=4)(picture, background, points, points + shift)
    share = warp.flow / -shift  # a mask over landmarks and the background, which stays
    torch.testing.assert_close(share[..., 0], share[..., 1], atol=1e-4, rtol=1e-3)
    assert (share >= 0).all()
    assert (share <= 1).all()
    assert (warp.uncovered > 0).all()


def test_a_flow_moves_the_picture_at_any_resolution() -> None:
    here, there = torch.tensor([[[-0.3, 0.0]]]), torch.tensor([[[0.2, 0.0]]])
    nothing = torch.zeros(1, 1, 8, 8)
    warp = Warp((here - there).view(1, 1, 1, 2).expand(1, 8, 8, 2), nothing, nothing.expand(1, 3, 8, 8))
    for side in (32, 80):
        before, after = (blobs(p, side, 0.1).expand(1, 3, side, side) for p in (here, there))
        torch.testing.assert_close(apply_warp(warp, before, torch.zeros_like(before)), after, atol=0.02, rtol=0)


def test_what_is_uncovered_shows_the_background_and_the_fill() -> None:
    zero = torch.zeros(1, 1, 8, 8)
    warp = Warp(torch.zeros(1, 8, 8, 2), zero + 1, torch.full((1, 3, 8, 8), 0.25))
    drawn = apply_warp(warp, torch.zeros(1, 3, 16, 16), torch.full((1, 3, 16, 16), 0.5))
    torch.testing.assert_close(drawn, torch.full((1, 3, 16, 16), 0.75))


def test_the_vae_draws_pictures_from_crops_of_any_size() -> None:
    generator = VaeGenerator(posture_dimension=6).eval()
    for side in (32, 96):
        mean, log_variance = generator.appear(torch.rand(2, 3, side, side))
        assert mean.shape == log_variance.shape
        drawn = generator.draw(mean, torch.randn(2, 6))
        assert drawn.shape == (2, 3, SIDE, SIDE)
        assert drawn.abs().max() <= 1
