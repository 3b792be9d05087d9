"""The few blocks that all networks here are made of."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn


class ConvBlock(nn.Sequential):
    """Convolution, group normalisation, ReLU: (B, c_in, H, W) -> (B, c_out, H / stride, W / stride)."""

    def __init__(self, c_in: int, c_out: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False),
            nn.GroupNorm(max(1, c_out // 8), c_out),
            nn.ReLU(inplace=True),
        )


class UNet(nn.Module):
    """Encoder and decoder with skips: (B, c_in, H, W) -> (B, widths[0], H, W).

    Every level halves the side and has the next of ``widths`` channels (Ronneberger et al., MICCAI 2015).
    """

    def __init__(self, c_in: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = ConvBlock(c_in, widths[0])
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(nn.Sequential(ConvBlock(a, b, stride=2), ConvBlock(b, b)) for a, b in pairs)
        self.up = nn.ModuleList(ConvBlock(a + b, a) for a, b in reversed(pairs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features at the input's resolution."""
        x = self.stem(x)
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)
        for up in self.up:
            x = nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = up(torch.cat([skips.pop(), x], 1))
        return x
