"""The generator ``warp``: move the pixels of the frame itself, fill what the movement uncovers.

From the landmarks now and the landmarks wanted it makes a flow, a mask of what the flow uncovers, and a
fill (after Siarohin et al., First Order Motion Model, NeurIPS 2019). All three are smooth, so they are
computed on a coarse grid and applied to the original frame at its own resolution: the picture stays as sharp
as it was. Where the landmarks do not move, neither does the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from napari_ubam.models.blocks import UNet
from napari_ubam.models.landmarks import blobs, pixel_grid

SIGMA = 0.12  # width of a landmark's bump, in units of half the crop's side
GRID = 32  # side of the grid that a warp is computed on


@dataclass
class Warp:
    """What moves where, on a grid of (h, w) over the crop.

    Attributes
    ----------
    flow : torch.Tensor
        (B, h, w, 2): where each pixel of the new picture comes from, minus where it is, as x and y in
        units of half the crop's side.
    uncovered : torch.Tensor
        (B, 1, h, w) in [0, 1]: how much of the pixel has to be filled instead.
    fill : torch.Tensor
        (B, 3, h, w): what to fill with, as the difference from the background, in the network's units.
    """

    flow: torch.Tensor
    uncovered: torch.Tensor
    fill: torch.Tensor


class WarpGenerator(nn.Module):
    """From a picture and its landmarks, how it changes when the landmarks move.

    Parameters
    ----------
    n_landmarks : int
        K, how many points.
    """

    def __init__(self, n_landmarks: int, widths: tuple[int, ...] = (48, 64, 96, 128)) -> None:
        super().__init__()
        self.n_landmarks = n_landmarks
        moved = n_landmarks + 1  # every landmark, and the background that stays
        self.body = UNet(moved + 3 * moved + 3, widths)
        self.masks = nn.Conv2d(widths[0], moved, 3, padding=1)
        self.uncovered = nn.Conv2d(widths[0], 1, 3, padding=1)
        self.fill = nn.Conv2d(widths[0], 3, 3, padding=1)
        self.uncovered.bias = nn.Parameter(torch.zeros(1))

    def forward(self, picture: torch.Tensor, background: torch.Tensor, now: torch.Tensor, wanted: torch.Tensor) -> Warp:
        """Return the warp from the picture to the picture that is wanted.

        Parameters
        ----------
        picture, background : torch.Tensor
            (B, 3, h, w) in the network's units, at the resolution of the warp.
        now, wanted : torch.Tensor
            Landmarks (B, K, 2) in the picture, and where they should be.
        """
        b, _, h, w = picture.shape
        k = self.n_landmarks + 1
        grid = pixel_grid(h, w, picture.device)
        still = torch.zeros_like(now[:, :1])
        shift = torch.cat([still, now - wanted], 1)  # (B, K + 1, 2): from where each part comes
        parts = grid[None, None] + shift[:, :, None, None]
        copies = functional.grid_sample(
            picture[:, None].expand(-1, k, -1, -1, -1).reshape(b * k, 3, h, w),
            parts.view(b * k, h, w, 2), padding_mode="border", align_corners=False,
        )  # fmt: skip
        change = blobs(wanted, h, SIGMA) - blobs(now, h, SIGMA)
        change = torch.cat([torch.zeros_like(change[:, :1]), change], 1)
        features = self.body(torch.cat([change, copies.view(b, 3 * k, h, w), background], 1))
        masks = self.masks(features).float().softmax(1)
        flow = torch.einsum("bkhw,bkc->bhwc", masks, shift)
        moving = 1 - torch.exp(-(shift**2).sum(-1).amax(1) / (2 * 0.02**2))  # nothing uncovered where nothing moves
        uncovered = self.uncovered(features).float().sigmoid() * moving[:, None, None, None]
        return Warp(flow, uncovered, self.fill(features).float())


def apply_warp(warp: Warp, picture: torch.Tensor, background: torch.Tensor) -> torch.Tensor:
    """Apply a warp to the picture (B, 3, H, W) and its background at any resolution."""
    h, w = picture.shape[-2:]
    flow = _resize(warp.flow.permute(0, 3, 1, 2), h, w).permute(0, 2, 3, 1)
    grid = pixel_grid(h, w, picture.device)
    moved = functional.grid_sample(picture, grid + flow, padding_mode="border", align_corners=False)
    fill = background + _resize(warp.fill, h, w)
    return moved + _resize(warp.uncovered, h, w) * (fill - moved)


def _resize(x: torch.Tensor, h: int, w: int) -> torch.Tensor:
    return functional.interpolate(x, (h, w), mode="bilinear", align_corners=False)
