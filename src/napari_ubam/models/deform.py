"""Random changes of pictures, batched on the device: deformations, and changes of colour."""

from __future__ import annotations

import torch
from torch.nn import functional

from napari_ubam.models.landmarks import pixel_grid


def random_deformation(
    n: int, side: int, device: torch.device, *, turn: float = 0.25, scale: float = 0.15, shift: float = 0.15,
    bend: float = 0.04,
) -> torch.Tensor:  # fmt: skip
    """Return n smooth random deformations as grids (n, side, side, 2): where each pixel comes from.

    Parameters
    ----------
    n, side : int
        How many, and the side of the pictures [px].
    device : torch.device
        Where to make them.
    turn : float
        Largest rotation [rad].
    scale : float
        Largest change of scale, as a share.
    shift, bend : float
        Largest shift, and standard deviation of a smooth field on 4 x 4 knots [half the picture's side].
    """
    angle = (torch.rand(n, device=device) * 2 - 1) * turn
    size = 1 + (torch.rand(n, device=device) * 2 - 1) * scale
    cos, sin = angle.cos() * size, angle.sin() * size
    matrix = torch.stack([cos, -sin, sin, cos], -1).view(n, 2, 2)
    offset = (torch.rand(n, 1, 1, 2, device=device) * 2 - 1) * shift
    grid = torch.einsum("hwc,ndc->nhwd", pixel_grid(side, side, device), matrix) + offset
    knots = torch.randn(n, 2, 4, 4, device=device) * bend
    field = functional.interpolate(knots, (side, side), mode="bicubic", align_corners=False)
    return grid + field.permute(0, 2, 3, 1)


def deform(pictures: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Apply deformations to pictures (n, c, S, S); their edge is repeated outside."""
    return functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def deformed_back(points: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Where points (n, K, 2) of the deformed picture are in the original one."""
    where = functional.grid_sample(
        grid.permute(0, 3, 1, 2), points[:, :, None], padding_mode="border", align_corners=False
    )
    return where[..., 0].permute(0, 2, 1)


def random_colours(pictures: torch.Tensor, strength: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a random gain and offset for each picture and channel, (n, 3, 1, 1) each."""
    shape = (len(pictures), 3, 1, 1)
    gain = 1 + (torch.rand(shape, device=pictures.device) * 2 - 1) * strength
    offset = (torch.rand(shape, device=pictures.device) * 2 - 1) * strength
    return gain, offset
