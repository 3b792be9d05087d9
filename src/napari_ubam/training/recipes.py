"""What is trained for each posture objective: on which batches, which module, and which models it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari_ubam.models.caffenet import CaffeNet
from napari_ubam.models.encoder import ConvEncoder
from napari_ubam.models.inputs import N_CHANNELS
from napari_ubam.models.landmarks import LandmarkEncoder
from napari_ubam.models.warp import WarpGenerator
from napari_ubam.settings import TrainSettings
from napari_ubam.training.bank import Footage, FrameBank, looks_symmetric
from napari_ubam.training.collapse import CodeSample
from napari_ubam.training.modules import ContrastiveModule, LandmarkModule, LandmarkWeights, Module, OrderModule
from napari_ubam.training.watch import Stage

SMALL: dict[str, Any] = {"dimension": 32, "c_in": N_CHANNELS}
CAFFENET: dict[str, Any] = {"dimension": 4096}
PAPER_CLIPS = 24  # in a batch, which with their shuffled copies is the paper's 48


@dataclass(frozen=True)
class Recipe:
    """How one stage is trained.

    Attributes
    ----------
    stage : Stage
        On what, and how long.
    make : callable
        Makes the module, with weights as they are drawn.
    parts : dict of str to dict
        The models that it gives, by their name in the module and on disk, and what they are built with.
    """

    stage: Stage
    make: Callable[[], Module]
    parts: dict[str, dict[str, Any]]


def frame_bank(footage: list[Footage], settings: TrainSettings) -> FrameBank:
    """Return what batches of frames are drawn from, with mirror images where settings or subjects ask for them."""
    symmetric = settings.mirrored == "auto" and looks_symmetric(footage)
    return FrameBank(footage, mirrored=symmetric or settings.mirrored == "yes")


def posture_recipe(
    settings: TrainSettings, bank: FrameBank, steps: int, weights: LandmarkWeights | None = None
) -> Recipe:
    """Return how the posture is trained.

    Parameters
    ----------
    settings : TrainSettings
        Objective, encoder and generator.
    bank : FrameBank
        What batches are drawn from.
    steps : int
        How long.
    weights : LandmarkWeights, optional
        What counts how much in the objective ``landmarks``.
    """
    sample = CodeSample(bank.footage)
    if settings.objective == "landmarks":
        k = settings.n_landmarks
        posture: dict[str, Any] = {"n_landmarks": k, "c_in": N_CHANNELS}
        warp: dict[str, Any] = {"n_landmarks": k}
        together = settings.trained_together
        return Recipe(
            Stage("posture and generator" if together else "posture", bank.pairs, 8, steps, sample),
            lambda: LandmarkModule(LandmarkEncoder(**posture), WarpGenerator(**warp), weights),
            {"posture": posture} | ({"generator": warp} if together else {}),
        )
    paper = settings.encoder == "caffenet"
    encoder: type[ConvEncoder | CaffeNet] = CaffeNet if paper else ConvEncoder
    arguments = dict(CAFFENET if paper else SMALL)
    if settings.objective == "contrastive":
        stage = Stage("posture", bank.moments, 64, steps, sample)
        return Recipe(stage, lambda: ContrastiveModule(encoder(**arguments)), {"posture": arguments})
    stage = Stage("posture", bank.clips, PAPER_CLIPS if paper else 8, steps, sample)
    return Recipe(stage, lambda: OrderModule(encoder(**arguments)), {"posture": arguments})
