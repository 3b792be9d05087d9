"""Run trained encoders over whole recordings."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
import torch

from napari_ubam.ahead import ahead
from napari_ubam.models.behaviour import clip_samples, clips_around
from napari_ubam.models.device import smaller_batch
from napari_ubam.models.inputs import as_pictures, network_input, to_unit
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.study import forget

BATCH = 64


@torch.inference_mode()
def encode_postures(
    model: Any, frames: np.ndarray, background: np.ndarray, device: torch.device,
    report: Report = silent, stage: str = "postures",
) -> np.ndarray:  # fmt: skip
    """Return the posture code of every frame; frames are read from the disk while those before are encoded.

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

    def read(start: int) -> torch.Tensor:
        batch = torch.from_numpy(np.array(frames[start : start + BATCH]))
        forget(frames)
        return batch.pin_memory() if device.type == "cuda" else batch

    still = as_pictures(background[None], device)
    codes = np.empty((len(frames), model.dimension), np.float32)
    done, most = 0, BATCH  # most: pictures at once that the device has memory for
    with closing(ahead(read, range(0, len(frames), BATCH), 2)) as batches:
        for batch in batches:
            first = done
            while done < first + len(batch):
                try:
                    part = batch[done - first : done - first + most].to(device, non_blocking=True)
                    pictures = to_unit(part.movedim(-1, -3))
                    found = model.code(network_input(pictures, still.expand_as(pictures)))
                    codes[done : done + len(part)] = found.float().cpu().numpy()
                except RuntimeError as error:
                    most = smaller_batch(error, most, device, stage)
                    message = f"{device} ran out of memory; going on with batches of {most}"
                else:
                    done, message = done + len(part), ""
                report(Progress(stage, done, len(frames), message))
    return codes


@torch.inference_mode()
def encode_behaviours(model: Any, postures: np.ndarray, fps: float, device: torch.device) -> np.ndarray:
    """Return the behaviour code of the clip around every frame, (T, e) float32; clips at the ends repeat the end.

    Parameters
    ----------
    model : torch.nn.Module
        A trained behaviour encoder, on ``device``; says how long a clip is.
    postures : ndarray, shape (T, d)
        A recording's posture codes.
    fps : float
        Frames per second.
    device : torch.device
        Where to compute.
    """
    centred = postures - postures.mean(0)
    samples = clip_samples(model.seconds, model.stride)
    codes = []
    for start in range(0, len(centred), 4096):
        centre = np.arange(start, min(start + 4096, len(centred)), dtype=float)
        clips = torch.from_numpy(clips_around(centred, centre, fps, model.seconds, samples)).to(device)
        codes.append(model(clips)[0].float().cpu().numpy())
    return np.concatenate(codes)
