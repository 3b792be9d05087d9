"""What the networks see of a crop."""

from __future__ import annotations

import numpy as np
import torch

from napari_ubam.study import Crops, median_colour, resize_square

N_CHANNELS = 6  # the picture, and how it differs from the recording's own background


def to_unit(pixels: torch.Tensor) -> torch.Tensor:
    """Scale bytes to [-1, 1]."""
    return pixels.float() / 127.5 - 1


def network_input(picture: torch.Tensor, background: torch.Tensor) -> torch.Tensor:
    """Stack the picture and its difference from the background: twice (B, 3, S, S) in [-1, 1] -> (B, 6, S, S)."""
    return torch.cat([picture, picture - background], 1)


def background_of(crops: Crops) -> np.ndarray:
    """Return the recording's background at the crops' size, (S, S, 3) uint8; its median colour where there is none.

    Where the region moves with the subject, the median colour is mostly the floor's, from which the subject stands out.
    """
    size = crops.frames.shape[1]
    if crops.background is not None:
        return resize_square(crops.background, size)
    return np.broadcast_to(median_colour(crops.frames), (size, size, 3)).copy()


def as_pictures(frames: np.ndarray, device: torch.device) -> torch.Tensor:
    """Move frames (..., S, S, 3) uint8 to the device as (..., 3, S, S) in [-1, 1]."""
    return to_unit(torch.tensor(np.asarray(frames), device=device).movedim(-1, -3))
