"""What the networks are trained on: losses, as functions of tensors."""

from __future__ import annotations

import torch
from torch.nn import functional

from napari_ubam.models.landmarks import pixel_grid

CLOSE = 0.08  # landmarks nearer than about this push each other away [half the crop's side]
FOREGROUND = 0.12  # a pixel that differs this much from the background is the subject [half of full scale]


def pyramid_loss(drawn: torch.Tensor, wanted: torch.Tensor, weight: torch.Tensor, levels: int = 3) -> torch.Tensor:
    """Mean weighted absolute difference of (B, 3, S, S) at full, half, quarter … resolution, summed over levels.

    Coarse levels tell a limb that is drawn in the wrong place which way to go.
    """
    loss = drawn.new_zeros(())
    for level in range(levels):
        if level:
            drawn, wanted, weight = (functional.avg_pool2d(x, 2) for x in (drawn, wanted, weight))
        loss = loss + (weight * (drawn - wanted).abs()).mean()
    return loss


def separation_loss(points: torch.Tensor) -> torch.Tensor:
    """How much landmarks (B, K, 2) crowd: 0 where all are far apart (after Zhang et al., CVPR 2018)."""
    square = ((points[:, :, None] - points[:, None]) ** 2).sum(-1)
    closeness = torch.exp(-square / (2 * CLOSE**2))
    return (closeness.sum((1, 2)) / points.shape[1] - 1).mean()


def coverage_loss(points: torch.Tensor, subject: torch.Tensor) -> torch.Tensor:
    """Mean squared distance from each of the subject's pixels to the nearest landmark.

    Without it the landmarks crowd in one place before they have learned what they are for.

    Parameters
    ----------
    points : torch.Tensor
        (B, K, 2), x and y in [-1, 1].
    subject : torch.Tensor
        (B, h, w): 1 where the subject is, 0 elsewhere.
    """
    softness = 0.01
    grid = pixel_grid(subject.shape[-2], subject.shape[-1], points.device)
    square = ((grid[None, :, :, None] - points[:, None, None]) ** 2).sum(-1)
    nearest = -softness * torch.logsumexp(-square / softness, -1)
    return ((subject * nearest).sum((1, 2)) / (subject.sum((1, 2)) + 1)).mean()


def contrast_in_recording(
    one: torch.Tensor, two: torch.Tensor, apart: torch.Tensor, temperature: float = 0.1
) -> torch.Tensor:
    """InfoNCE within each recording, the recording's mean taken off before comparing.

    Two views of a moment attract; other moments of the same recording repel, near ones left out. Appearance is the
    same throughout a recording, so it cannot help, and posture is what is left.

    Parameters
    ----------
    one, two : torch.Tensor
        (R, n, d): codes of n moments of R recordings, in two views.
    apart : torch.Tensor
        (R, n, n) bool: whether two moments are far enough apart in time to repel.
    """
    mean = torch.cat([one, two], 1).mean(1, keepdim=True)
    one, two = (functional.normalize(x - mean, dim=-1) for x in (one, two))
    same = torch.eye(one.shape[1], dtype=torch.bool, device=one.device)
    likeness = one @ two.transpose(1, 2) / temperature
    likeness = likeness.masked_fill(~(apart | same), -torch.inf)
    target = torch.arange(one.shape[1], device=one.device).expand(len(one), -1)
    both = functional.cross_entropy(likeness.flatten(0, 1), target.flatten()) + functional.cross_entropy(
        likeness.transpose(1, 2).flatten(0, 1), target.flatten()
    )
    return both / 2


def centre_window(side: int, device: torch.device, edge: float = 0.2) -> torch.Tensor:
    """Weight the pixels of a crop, (side, side): 1, falling to ``edge`` towards the border.

    The subject is in the middle of its region; what comes into it from outside, such as another animal, is not it.
    """
    far = pixel_grid(side, side, device).abs().amax(-1)
    return 1 - (1 - edge) * ((far - 0.7) / 0.3).clamp(0, 1)


def divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler divergence of Gaussian codes (B, d) from the standard normal, mean over all entries."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean()
