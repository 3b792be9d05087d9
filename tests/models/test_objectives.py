import pytest
import torch

from napari_ubam.models.objectives import (
    contrast_in_recording,
    coverage_loss,
    divergence,
    pyramid_loss,
    separation_loss,
)


def corners(n: int = 1) -> torch.Tensor:
    return torch.tensor([[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]).expand(n, -1, -1)


def test_equal_pictures_have_no_pyramid_loss() -> None:
    picture = torch.rand(2, 3, 16, 16)
    assert pyramid_loss(picture, picture, torch.ones(2, 1, 16, 16)) == 0


def test_pyramid_loss_sums_the_difference_over_levels() -> None:
    one, weight = torch.zeros(1, 3, 16, 16), torch.ones(1, 1, 16, 16)
    assert pyramid_loss(one, one + 0.5, weight, levels=3).item() == pytest.approx(1.5)
    assert pyramid_loss(one, one + 0.5, 4 * weight, levels=1).item() == pytest.approx(2.0)


def test_pyramid_loss_counts_only_where_there_is_weight() -> None:
    weight = torch.zeros(1, 1, 16, 16)
    weight[..., :8] = 1
    one, two = torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16)
    two[..., 8:] = 1
    assert pyramid_loss(one, two, weight) == 0


def test_a_shift_further_away_costs_more_at_coarse_levels() -> None:
    pictures = [torch.zeros(1, 3, 16, 16) for _ in range(3)]
    for picture, x in zip(pictures, (4, 5, 12), strict=True):
        picture[..., x] = 1
    wanted, near, far = pictures
    weight = torch.ones(1, 1, 16, 16)
    assert pyramid_loss(near, wanted, weight) < pyramid_loss(far, wanted, weight)


def test_separation_is_high_where_points_coincide_and_none_where_they_are_apart() -> None:
    assert separation_loss(corners()).item() == pytest.approx(0, abs=1e-6)
    assert separation_loss(torch.zeros(1, 4, 2)).item() == pytest.approx(3)  # each has three on top of it


def test_separation_pushes_points_apart() -> None:
    points = torch.tensor([[[0.0, 0.0], [0.03, 0.0]]], requires_grad=True)
    separation_loss(points).backward()
    assert points.grad is not None
    assert points.grad[0, 0, 0] > 0 > points.grad[0, 1, 0]  # descent moves the left one left, the right one right


def test_coverage_is_about_zero_where_a_point_lies_on_every_pixel_of_the_subject() -> None:
    subject = torch.zeros(1, 16, 16)
    subject[0, 4, 4] = 1  # its centre is at 2 * 4.5 / 16 - 1
    at = torch.full((1, 1, 2), 2 * 4.5 / 16 - 1)
    assert coverage_loss(at, subject).item() == pytest.approx(0, abs=1e-5)


def test_coverage_is_the_squared_distance_to_the_nearest_point() -> None:
    subject = torch.ones(1, 32, 32)
    middle = coverage_loss(torch.zeros(1, 1, 2), subject)
    spread = coverage_loss(corners(), subject)
    assert middle.item() == pytest.approx(2 / 3, rel=0.02)  # mean of x² + y² over the square
    assert spread < middle / 3


def test_no_subject_is_no_coverage_loss() -> None:
    assert coverage_loss(corners(2), torch.zeros(2, 8, 8)) == 0


def test_contrast_prefers_views_that_match() -> None:
    codes = torch.eye(6)[None] + 0.01 * torch.randn(1, 6, 6)
    apart = ~torch.eye(6, dtype=torch.bool)[None]
    matching = contrast_in_recording(codes, codes, apart)
    wrong = contrast_in_recording(codes, codes.roll(1, dims=1), apart)
    assert matching < 0.01 < 1 < wrong


def test_contrast_ignores_what_stays_the_same_in_a_recording() -> None:
    one, two = torch.randn(2, 8, 4), torch.randn(2, 8, 4)
    apart = ~torch.eye(8, dtype=torch.bool).expand(2, -1, -1)
    appearance = 5 * torch.randn(2, 1, 4)
    before, after = (contrast_in_recording(one + x, two + x, apart).item() for x in (0, appearance))
    assert after == pytest.approx(before, rel=1e-3)


def test_moments_that_are_near_in_time_do_not_repel() -> None:
    codes = torch.randn(1, 5, 4)
    assert contrast_in_recording(codes, codes, torch.zeros(1, 5, 5, dtype=torch.bool)) == 0


def test_contrast_of_equal_codes_is_finite_and_has_a_gradient() -> None:
    codes = torch.ones(1, 4, 3, requires_grad=True)
    loss = contrast_in_recording(codes, codes, torch.ones(1, 4, 4, dtype=torch.bool))
    loss.backward()
    assert torch.isfinite(loss)
    assert codes.grad is not None
    assert torch.isfinite(codes.grad).all()


def test_divergence_from_the_standard_normal() -> None:
    zero = torch.zeros(3, 5)
    assert divergence(zero, zero) == 0
    assert divergence(zero + 2, zero).item() == pytest.approx(2.0)
    assert divergence(zero, zero - 1) > 0
