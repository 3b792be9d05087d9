"""Run trained encoders over whole recordings."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from napari_ubam.models.behaviour import clips_around
from napari_ubam.models.device import smaller_batch
from napari_ubam.models.inputs import as_pictures, network_input
from napari_ubam.progress import Progress, Report, silent

BATCH = 64


@torch.inference_mode()
def encode_postures(
    model: Any, frames: np.ndarray, background: np.ndarray, device: torch.device,
    report: Report = silent, stage: str = "postures",
) -> np.ndarray:  # fmt: skip
    """Return the posture code of every frame.

    Parameters
    ----------
    model : torch.nn.Module
        A trained posture encoder, on ``device``.
    frames, background : ndarray of uint8
        Crops (T, S, S, 3), and the recording's background (S, S, 3).
    device : torch.device
        Where to compute.
    report, stage : callable, str
        Told of the progress, under that name, and of smaller batches where memory runs out.

    Returns
    -------
    ndarray of float32, shape (T, d)

    Raises
    ------
    DeviceError
        If the device's memory is too small even for one frame.
    """
    still = as_pictures(background[None], device)
    codes = []
    done, batch = 0, BATCH
    while done < len(frames):
        try:
            pictures = as_pictures(frames[done : done + batch], device)
            codes.append(model.code(network_input(pictures, still.expand_as(pictures))).float().cpu().numpy())
        except RuntimeError as error:
            batch = smaller_batch(error, batch, device, stage)
            message = f"{device} ran out of memory; going on with batches of {batch}"
        else:
            done, message = min(done + batch, len(frames)), ""
        report(Progress(stage, done, len(frames), message))
    return np.concatenate(codes)


@torch.inference_mode()
def encode_behaviours(model: torch.nn.Module, postures: np.ndarray, fps: float, device: torch.device) -> np.ndarray:
    """Return the behaviour code of the clip around every frame, (T, e) float32; clips at the ends repeat the end.

    Parameters
    ----------
    model : torch.nn.Module
        A trained behaviour encoder, on ``device``.
    postures : ndarray, shape (T, d)
        A recording's posture codes.
    fps : float
        Frames per second.
    device : torch.device
        Where to compute.
    """
    centred = postures - postures.mean(0)
    codes = []
    for start in range(0, len(centred), 4096):
        centre = np.arange(start, min(start + 4096, len(centred)), dtype=float)
        clips = torch.from_numpy(clips_around(centred, centre, fps)).to(device)
        codes.append(model(clips)[0].float().cpu().numpy())
    return np.concatenate(codes)
