"""The original's way to train a posture network, to compare with; written from the paper's settings, not its code.

Crops lie on the disk as JPEG files. A clip of 8 frames and its shuffled copy are each read and augmented on the CPU,
one frame after the other, by PIL: a random crop, a mirror image or not, and changes of brightness, contrast and
colour, the same for all frames of a clip. CaffeNet and an LSTM tell the two apart: batches of 48 clips, half of them
shuffled, stochastic gradient descent with a learning rate of 0.01 that goes down to a tenth every 25,000 steps, a
momentum of 0.9 and a weight decay of 5e-4 (Brattoli et al., Nature Machine Intelligence 3, 2021, Methods).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from napari_ubam.models.caffenet import SIDE, CaffeNet, LocalResponseNorm
from napari_ubam.models.encoder import OrderHead
from napari_ubam.training.bank import Footage

LENGTH = 8  # frames of a clip
BATCH = 48  # clips, half of them shuffled
EPOCH = 100_000  # clips; longer than any comparison


def write_crops(footage: dict[str, Footage], folder: Path) -> None:
    """Write every crop as ``RECORDING/FRAME.jpg``."""
    for name, recording in footage.items():
        (folder / name).mkdir(parents=True)
        for t, frame in enumerate(recording.frames):
            Image.fromarray(frame).save(folder / name / f"{t:06d}.jpg", quality=95)


class Clips(Dataset):
    """Clips of 8 frames (3, S, S) in [-1, 1], each followed by its shuffled copy, with 1 for the true order.

    Parameters
    ----------
    folder : Path
        The crops, a folder a recording.
    """

    def __init__(self, folder: Path) -> None:
        self._recordings = [sorted(f.glob("*.jpg")) for f in sorted(folder.iterdir())]

    def __len__(self) -> int:
        """Return how many clips and copies there are in an epoch."""
        return EPOCH

    def __getitem__(self, i: int) -> tuple[torch.Tensor, float]:
        """Return a clip (8, 3, S, S), or its copy, and which it is."""
        chosen = np.random.default_rng(i // 2)  # the same for a clip and its copy
        files = self._recordings[chosen.integers(len(self._recordings))]
        stride = int(chosen.integers(1, max(1, min(4, (len(files) - 1) // LENGTH)) + 1))
        start = int(chosen.integers(max(1, len(files) - stride * (LENGTH - 1))))
        clip = [files[min(start + stride * k, len(files) - 1)] for k in range(LENGTH)]
        own = np.random.default_rng((i, 1))
        shuffled = i % 2 == 1
        if shuffled:
            clip = [clip[k] for k in own.permutation(LENGTH)]
        change = _Change(own)
        return torch.stack([change(path) for path in clip]), float(not shuffled)


class _Change:
    """How all frames of a clip are changed."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._share = rng.uniform(0.85, 1)
        self._corner = rng.random(2) * (1 - self._share)
        self._mirrored = rng.random() < 0.5
        self._factors = rng.uniform(0.8, 1.2, 3)

    def __call__(self, path: Path) -> torch.Tensor:
        """Read a frame, and return it changed, (3, S, S) in [-1, 1]."""
        with Image.open(path) as file:
            picture = file.convert("RGB")
        side = picture.width
        x, y = self._corner * side
        box = (x, y, x + self._share * side, y + self._share * side)
        picture = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box)
        if self._mirrored:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        for kind, factor in zip(
            (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color), self._factors, strict=True
        ):
            picture = kind(picture).enhance(factor)
        return torch.from_numpy(np.array(picture)).movedim(-1, 0).float() / 127.5 - 1


class Original(nn.Module):
    """CaffeNet and an LSTM: is a clip (B, 8, 3, S, S) in its true order? All layers are torch's own."""

    def __init__(self) -> None:
        super().__init__()
        self.posture = CaffeNet(4096)
        for name, layer in self.posture.body.named_children():
            if isinstance(layer, LocalResponseNorm):
                self.posture.body.set_submodule(name, nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75))
        self.head = OrderHead(4096, hidden=1024, normalised=False)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Return one logit a clip, (B,)."""
        return self.head(self.posture(clips.flatten(0, 1)).view(*clips.shape[:2], -1))


def train_original(module: Original, folder: Path, batch: int, workers: int, device: torch.device) -> None:
    """Train, until an optimiser's hook raises something or the epoch is over."""
    module.to(device)
    optimiser = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 25_000, 0.1)
    for clips, truth in DataLoader(Clips(folder), batch, num_workers=workers, pin_memory=device.type == "cuda"):
        module.train()
        logits = module(clips.to(device))
        loss = functional.binary_cross_entropy_with_logits(logits, truth.to(device, torch.float32))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
