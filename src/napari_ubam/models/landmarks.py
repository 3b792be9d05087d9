"""Posture as K points that the network finds for itself: the objective ``landmarks``.

The points are trained only by redrawing one frame of a recording from another through the warp
generator, and by moving with the picture when it is moved (Jakab et al., NeurIPS 2018; Siarohin et al.,
NeurIPS 2019). Nobody annotates anything, yet the code is geometry: distances are lengths, and
averaging and extrapolating make sense.
"""

from __future__ import annotations

import torch
from torch import nn

from napari_ubam.models.blocks import ConvBlock, UNet


class LandmarkEncoder(nn.Module):
    """Find K points in a crop: (B, c_in, S, S) -> (B, K, 2), x and y in [-1, 1].

    Parameters
    ----------
    n_landmarks : int
        K, how many points.
    c_in : int
        Channels of the network's input (`inputs.N_CHANNELS`).
    """

    def __init__(self, n_landmarks: int, c_in: int, widths: tuple[int, ...] = (32, 64, 96, 128)) -> None:
        super().__init__()
        self.n_landmarks = n_landmarks
        self.stem = nn.Sequential(ConvBlock(c_in, 16, 5, stride=2), ConvBlock(16, widths[0], stride=2))
        self.body = UNet(widths[0], widths)
        self.head = nn.Conv2d(widths[0], n_landmarks, 1)

    @property
    def dimension(self) -> int:
        """Length of the posture code."""
        return 2 * self.n_landmarks

    def heatmaps(self, x: torch.Tensor) -> torch.Tensor:
        """Where each point may be: (B, K, S / 4, S / 4), each map sums to 1."""
        logits = self.head(self.body(self.stem(x))).float()
        return logits.flatten(2).softmax(-1).view_as(logits)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the points' expected positions (B, K, 2), as x and y in [-1, 1]."""
        return expected_position(self.heatmaps(x))

    def code(self, x: torch.Tensor) -> torch.Tensor:
        """Return the posture code (B, 2 K)."""
        return self(x).flatten(1)


def pixel_grid(height: int, width: int, device: torch.device | None = None) -> torch.Tensor:
    """Pixel centres as x and y in [-1, 1], the convention of ``grid_sample``: (height, width, 2)."""
    y = (torch.arange(height, device=device) + 0.5) * 2 / height - 1
    x = (torch.arange(width, device=device) + 0.5) * 2 / width - 1
    return torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1)


def expected_position(heatmaps: torch.Tensor) -> torch.Tensor:
    """Soft-argmax (B, K, h, w) -> (B, K, 2)."""
    grid = pixel_grid(heatmaps.shape[-2], heatmaps.shape[-1], heatmaps.device)
    return torch.einsum("bkhw,hwc->bkc", heatmaps, grid)


def spread(heatmaps: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Return the variance of each heatmap (B, K, h, w) around its point: (B, K), small where it says one place."""
    square = (pixel_grid(heatmaps.shape[-2], heatmaps.shape[-1], heatmaps.device) ** 2).sum(-1)
    return torch.einsum("bkhw,hw->bk", heatmaps, square) - (points**2).sum(-1)


def blobs(points: torch.Tensor, size: int, sigma: float) -> torch.Tensor:
    """Draw each point as a Gaussian bump of height 1: (B, K, 2) -> (B, K, size, size)."""
    grid = pixel_grid(size, size, points.device)
    square = ((grid[None, None] - points[:, :, None, None]) ** 2).sum(-1)
    return torch.exp(-square / (2 * sigma**2))
