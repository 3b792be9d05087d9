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

    Every level halves the side and has the next of ``widths`` channels (Ronneberger et al., MICCAI 2015). Skips are
    added, as in LinkNet (Chaurasia and Culurciello, VCIP 2017), which takes half the time of joining them.
    """

    def __init__(self, c_in: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = ConvBlock(c_in, widths[0])
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(nn.Sequential(ConvBlock(a, b, stride=2), ConvBlock(b, b)) for a, b in pairs)
        self.narrow = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in reversed(pairs))
        self.up = nn.ModuleList(ConvBlock(a, a) for a, _ in reversed(pairs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features at the input's resolution."""
        x = self.stem(x)
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)
        for narrow, up in zip(self.narrow, self.up, strict=True):
            x = nn.functional.interpolate(narrow(x), scale_factor=2, mode="bilinear", align_corners=False)
            x = up(skips.pop() + x)
        return x
