"""Pictures of how far a training is: a frame, how it is redrawn, and another subject in the same posture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from napari_ubam.files import atomic_path
from napari_ubam.models.encode import encode_postures
from napari_ubam.models.inputs import as_pictures
from napari_ubam.training.bank import Footage
from napari_ubam.training.modules import Module

DRAWN_AT = (10, 50, 100)  # steps at first, when much changes
DRAWN_TIMES = 20  # later on, evenly over the training
N_RECORDINGS, N_FRAMES = 12, 12  # that the same posture is looked for in, and in each
N_ROWS = 2  # frames that are shown
SIDE = 96  # px of one picture


class Gallery:
    """Draws the same few frames again and again while a training goes on, as ``STAGE_STEP.png``.

    Parameters
    ----------
    footage : sequence of Footage
        What is trained on.
    folder : Path
        Where the pictures go.
    """

    def __init__(self, footage: Sequence[Footage], folder: Path) -> None:
        self._folder = folder
        self._footage = [footage[r] for r in _spread(len(footage), N_RECORDINGS)]
        self._frames = [f.frames[_spread(len(f.frames), N_FRAMES)] for f in self._footage]

    @staticmethod
    def is_due(step: int, steps: int) -> bool:
        """Tell whether pictures are to be drawn after a step."""
        return step in DRAWN_AT or step == steps or step % max(DRAWN_AT[-1], round(steps / DRAWN_TIMES, -1)) == 0

    def draw(self, stage: str, step: int, module: Module) -> None:
        """Write one picture: a row for each frame; neither the module nor chance is changed by that.

        From left to right: the frame, the frame redrawn from another one of the recording (if the stage trains
        something that draws), and the frame of another subject whose posture is nearest.
        """
        modes = [(part, part.training) for part in module.modules()]
        module.eval()
        with torch.inference_mode():
            codes = self._codes(module)
            rows = [self._row(module, codes, r) for r in _spread(len(self._footage), N_ROWS)]
        for part, training in modes:
            part.training = training
        with atomic_path(self._folder / f"{stage.replace(' ', '_')}_{step:06}.png") as temporary:
            Image.fromarray(np.concatenate(rows)).save(temporary)

    def _codes(self, module: Any) -> list[np.ndarray]:
        """Encode the frames, each recording without its mean, which is appearance."""
        device = next(module.posture.parameters()).device
        pairs = zip(self._footage, self._frames, strict=True)
        codes = [encode_postures(module.posture, frames, f.background, device) for f, frames in pairs]
        return [code - code.mean(0) for code in codes]

    def _row(self, module: Any, codes: list[np.ndarray], r: int) -> np.ndarray:
        footage, frames = self._footage[r], self._frames[r]
        device = next(module.posture.parameters()).device
        t = len(frames) // 3
        one, two, background = (as_pictures(x[None], device) for x in (frames[-1], frames[t], footage.background))
        pictures = [frames[t]]
        if (drawn := module.redraw(one, two, background)) is not None:
            pixels = ((drawn[0].float() + 1) * 127.5).round().clamp(0, 255).byte()
            pictures.append(pixels.movedim(0, -1).cpu().numpy())
        if (alike := self._alike(codes, r, t)) is not None:
            pictures.append(alike)
        return np.concatenate([_resized(picture) for picture in pictures], 1)

    def _alike(self, codes: list[np.ndarray], r: int, t: int) -> np.ndarray | None:
        """Find the frame of another subject whose posture is nearest; None if there is no other."""
        others = [i for i, f in enumerate(self._footage) if f.subject != self._footage[r].subject]
        if not others:
            return None
        distances = [np.linalg.norm(codes[i] - codes[r][t], axis=1) for i in others]
        nearest = int(np.argmin([distance.min() for distance in distances]))
        return self._frames[others[nearest]][int(distances[nearest].argmin())]


def _resized(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _spread(length: int, n: int) -> list[int]:
    """Choose up to n of ``length`` things, evenly spread."""
    return np.unique(np.linspace(0, length - 1, min(n, length)).round().astype(int)).tolist()
