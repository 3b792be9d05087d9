"""The generator ``vae``: the paper's, which draws a new picture from appearance and posture.

Brattoli et al. 2021, Methods, "Magnification": an appearance code with a Gaussian prior (the paper's E_alpha)
and the posture code are decoded into a 128-px image from a 4 x 4 bottleneck.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from napari_ubam.models.blocks import ConvBlock
from napari_ubam.models.encoder import ConvEncoder

SIDE = 128  # of the picture that is drawn [px]


class VaeGenerator(nn.Module):
    """Draw a picture of SIDE px from one frame's appearance and another's posture.

    Parameters
    ----------
    posture_dimension : int
        Length of the posture code.
    appearance_dimension : int
        Length of the appearance code.
    """

    def __init__(self, posture_dimension: int, appearance_dimension: int = 64, width: int = 128) -> None:
        super().__init__()
        self.appearance = ConvEncoder(2 * appearance_dimension, 3)
        self.register_buffer("mean", torch.zeros(posture_dimension))
        self.register_buffer("scale", torch.ones(posture_dimension))
        self.start = nn.Linear(appearance_dimension + posture_dimension, width * 16)
        widths = (width, width, 96, 64, 32, 24)
        blocks: list[nn.Module] = []
        for a, b in pairwise(widths):  # 4 -> 128
            blocks += [nn.Upsample(scale_factor=2), ConvBlock(a, b)]
        self.decoder = nn.Sequential(*blocks, nn.Conv2d(widths[-1], 3, 3, padding=1))

    mean: torch.Tensor
    scale: torch.Tensor

    def appear(self, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and log variance of the appearance code of pictures (B, 3, S, S)."""
        mean, log_variance = self.appearance(picture).chunk(2, 1)
        return mean, log_variance.clamp(-10, 10)

    def draw(self, appearance: torch.Tensor, posture: torch.Tensor) -> torch.Tensor:
        """Return pictures (B, 3, SIDE, SIDE) in [-1, 1] from the two codes."""
        posture = (posture - self.mean) / self.scale
        x = self.start(torch.cat([appearance, posture], 1)).view(len(posture), -1, 4, 4)
        return self.decoder(x).tanh()
