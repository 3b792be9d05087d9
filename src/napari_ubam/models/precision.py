"""Mixed precision: the layers that cost the most compute in bfloat16, all else in 32 bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from napari_ubam.settings import Precision


@contextmanager
def in_precision(precision: Precision, module: nn.Module, device: torch.device) -> Iterator[None]:
    """Let convolutions and linear layers multiply in bfloat16 meanwhile if asked to; weights and results have 32 bits.

    After Micikevicius et al., Mixed Precision Training, ICLR 2018; bfloat16 has the range of 32 bits, so that the loss
    needs no scaling. PyTorch's own autocast goes further: on a CPU it also normalises in bfloat16, which is slower than
    in 32 bits, and multiplies heatmaps by coordinates, which would put landmarks off by half a pixel.

    Parameters
    ----------
    precision : {"single", "mixed"}
        With the first, all is left as it is.
    module : nn.Module
        In which they are.
    device : torch.device
        Where it computes.
    """
    multiplying = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    layers = multiplying if precision == "mixed" else []
    for layer in layers:
        layer.forward = _in_bfloat16(layer.forward, device)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward  # an attribute of its own, which hides the class's


def _in_bfloat16(forward: Callable[[torch.Tensor], torch.Tensor], device: torch.device) -> Callable[..., torch.Tensor]:
    def mixed(x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            return forward(x).float()

    return mixed
