"""The paper's own network, to reproduce it and to compare with it: the encoder ``caffenet``.

uBAM (Brattoli et al., Nature Machine Intelligence 3, 2021, Methods) takes conv1 to conv5, fc6 and fc7 of CaffeNet,
the reference network of Caffe (Jia et al., ACM Multimedia 2014), which is that of Krizhevsky et al. (NeurIPS 2012)
with each pooling before its normalisation. Its weights begin as Caffe draws them; none are downloaded.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

SIDE = 227  # of the picture that it sees [px]


class CaffeNet(nn.Module):
    """A crop to the paper's posture code, fc6: (B, 3 or more, S, S) -> (B, dimension).

    It sees the picture alone, the first three channels, as the paper's network does; fc7 goes to the objective's head.

    Parameters
    ----------
    dimension : int
        Width of fc6 and fc7: 4096 in the paper.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.dimension = dimension
        self.body = nn.Sequential(
            *_convolution(3, 96, 11, stride=4), _pool(), LocalResponseNorm(96),  # 227 -> 55 -> 27
            *_convolution(96, 256, 5, groups=2, bias=1), _pool(), LocalResponseNorm(256),  # -> 13
            *_convolution(256, 384, 3),
            *_convolution(384, 384, 3, groups=2, bias=1),
            *_convolution(384, 256, 3, groups=2, bias=1), _pool(),  # -> 6
            nn.Flatten(),
        )  # fmt: skip
        self.fc6 = _as_caffe(nn.Linear(256 * 6 * 6, dimension), 0.005, 1)
        self.fc7 = _as_caffe(nn.Linear(dimension, dimension), 0.005, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return fc7 (B, dimension), which the objective's head sees."""
        fc6 = functional.dropout(self.code(x), 0.5, self.training)
        return functional.dropout(self.fc7(fc6).relu(), 0.5, self.training)

    def code(self, x: torch.Tensor) -> torch.Tensor:
        """Return the posture codes, fc6 (B, dimension)."""
        picture = functional.interpolate(x[:, :3], (SIDE, SIDE), mode="bilinear", align_corners=False)
        return self.fc6(self.body(picture * 127.5)).relu()  # grey levels, which Caffe's first weights are made for


def _convolution(
    c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1, bias: float = 0
) -> tuple[nn.Module, nn.Module]:
    padding = kernel // 2 if stride == 1 else 0
    return _as_caffe(nn.Conv2d(c_in, c_out, kernel, stride, padding, groups=groups), 0.01, bias), nn.ReLU(inplace=True)


def _pool() -> nn.Module:
    return nn.MaxPool2d(3, 2)


class LocalResponseNorm(nn.Module):
    """Divide each entry by (1 + alpha times the mean square of the 5 channels around it) ^ 0.75, as in the paper.

    It is `torch.nn.LocalResponseNorm`, whose sum over channels runs through a pooling in three dimensions: as a
    convolution of 1 x 1 it takes about a quarter of the time on a CPU, where the other takes a sixth of a training's.
    """

    weight: torch.Tensor

    def __init__(self, channels: int, size: int = 5, alpha: float = 1e-4) -> None:
        super().__init__()
        channel = torch.arange(channels)
        near = (channel[:, None] - channel).abs() <= size // 2
        self.register_buffer("weight", near[:, :, None, None].float() * (alpha / size), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x (B, channels, h, w) normalised."""
        root = (1 + functional.conv2d(x * x, self.weight)).rsqrt()
        return x * (root * root.sqrt())


def _as_caffe(layer: nn.Conv2d | nn.Linear, deviation: float, bias: float) -> nn.Module:
    """Draw a layer's first weights as the reference network's definition says."""
    nn.init.normal_(layer.weight, std=deviation)
    if layer.bias is not None:
        nn.init.constant_(layer.bias, bias)
    return layer
