"""Posture as a plain vector: the encoder of the objectives ``contrastive`` and ``order``."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from napari_ubam.models.blocks import ConvBlock


class ConvEncoder(nn.Module):
    """A crop to a posture code: (B, c_in, S, S) -> (B, dimension).

    The last feature map is read out at 4 x 4 places rather than averaged, as posture is where things are.
    """

    def __init__(self, dimension: int, c_in: int, widths: tuple[int, ...] = (32, 64, 96, 128)) -> None:
        super().__init__()
        self.dimension = dimension
        pairs = zip((16, *widths[:-1]), widths, strict=True)
        self.body = nn.Sequential(
            ConvBlock(c_in, 16, 5, stride=2),
            *(nn.Sequential(ConvBlock(a, b, stride=2), ConvBlock(b, b)) for a, b in pairs),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
        )
        self.head = nn.Linear(widths[-1] * 16, dimension)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the posture codes (B, dimension)."""
        return self.head(self.body(x))

    def code(self, x: torch.Tensor) -> torch.Tensor:
        """Return the posture codes (B, dimension)."""
        return self(x)


class OrderHead(nn.Module):
    """Is this clip in its true order? (B, L, dimension) -> logits (B,).

    An LSTM over the postures, as in the paper (Methods, "Posture representation").

    Parameters
    ----------
    dimension, hidden : int
        Length of a posture, and of the LSTM's state.
    normalised : bool
        See the postures with length 1.
    """

    def __init__(self, dimension: int, hidden: int = 128, normalised: bool = True) -> None:
        super().__init__()
        self.normalised = normalised
        self.lstm = nn.LSTM(dimension, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Return one logit a clip, above 0 for "true order"."""
        _, (last, _) = self.lstm(functional.normalize(codes, dim=-1) if self.normalised else codes)
        return self.head(last[-1])[:, 0]
