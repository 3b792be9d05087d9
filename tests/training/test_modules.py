from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch

from napari_ubam.models.behaviour import BehaviourEncoder
from napari_ubam.models.caffenet import CaffeNet
from napari_ubam.models.encoder import ConvEncoder
from napari_ubam.models.inputs import N_CHANNELS
from napari_ubam.models.landmarks import LandmarkEncoder
from napari_ubam.models.vae import VaeGenerator
from napari_ubam.models.warp import WarpGenerator
from napari_ubam.training.bank import Batch, Footage, FrameBank
from napari_ubam.training.behaviour import BehaviourModule, CodeBank
from napari_ubam.training.modules import (
    ContrastiveModule,
    LandmarkModule,
    LandmarkWeights,
    Module,
    OrderModule,
    VaeModule,
)


def conv() -> ConvEncoder:
    return ConvEncoder(8, N_CHANNELS)


MODULES: dict[str, Any] = {
    "landmarks": lambda: LandmarkModule(LandmarkEncoder(4, N_CHANNELS), WarpGenerator(4)),
    "contrastive": lambda: ContrastiveModule(conv()),
    "order": lambda: OrderModule(conv()),
    "contrastive by the paper's network": lambda: ContrastiveModule(CaffeNet(256)),
    "order by the paper's network": lambda: OrderModule(CaffeNet(256)),
    "vae": lambda: VaeModule(conv(), VaeGenerator(8)),
    "behaviour": lambda: BehaviourModule(BehaviourEncoder(3)),
}


def batch_for(name: str, footage: list[Footage]) -> Batch:
    rng, bank = np.random.default_rng(0), FrameBank(footage)
    n = 1 if "paper" in name else 2  # its pictures are large
    match name.split()[0]:
        case "contrastive":
            return bank.moments(rng, 8 * n)
        case "order":
            return bank.clips(rng, 2 * n)
        case "behaviour":
            codes = [np.cumsum(np.random.default_rng(i).normal(size=(60, 3)), 0) for i in range(3)]
            return CodeBank(codes, [30.0] * 3, ["a", "b", "c"], 0.6, 0.04).clips(rng, 64)
        case _:
            return bank.pairs(rng, 4)


@pytest.mark.parametrize("name", list(MODULES))
def test_the_loss_of_a_batch_goes_down(name: str, footage: list[Footage]) -> None:
    module, batch = MODULES[name](), batch_for(name, footage)
    module.progress = 0.5
    optimiser = module.configure_optimizers()
    losses = []
    for _ in range(12):
        torch.manual_seed(0)  # the same augmentation
        loss = module.loss(batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.97 * losses[0]


def test_everything_that_is_trained_gets_a_gradient(footage: list[Footage]) -> None:
    for name, make in MODULES.items():
        module = make()
        module.progress = 0.5
        module.loss(batch_for(name, footage)).backward()
        without = [n for n, p in module.named_parameters() if p.requires_grad and p.grad is None]
        assert without == [], name


@pytest.mark.parametrize("part", [f.name for f in fields(LandmarkWeights) if f.name != "looks"])
def test_each_part_of_the_landmarks_loss_can_be_left_out(part: str, footage: list[Footage]) -> None:
    torch.manual_seed(0)
    posture, generator, batch = LandmarkEncoder(4, N_CHANNELS), WarpGenerator(4), batch_for("landmarks", footage)
    whole = LandmarkWeights()
    weights = [whole, replace(whole, **{part: 0.0}), replace(whole, **{part: 2 * getattr(whole, part)})]
    losses = []
    for w in weights:
        torch.manual_seed(1)  # the same augmentation
        module = LandmarkModule(posture, generator, w)
        module.progress = 0.5
        losses.append(module.loss(batch).item())
    assert losses[0] > losses[1]
    assert losses[2] - losses[1] == pytest.approx(2 * (losses[0] - losses[1]), rel=1e-2)


def test_deformed_pictures_have_other_looks_unless_they_are_left_out(footage: list[Footage]) -> None:
    batch = batch_for("landmarks", footage)
    losses = {}
    for looks in (0.0, 1.0):
        torch.manual_seed(0)
        module = LandmarkModule(LandmarkEncoder(4, N_CHANNELS), WarpGenerator(4), LandmarkWeights(looks=looks))
        module.progress = 0.5
        seen: list[torch.Tensor] = []
        heatmaps = module.posture.heatmaps
        module.posture.heatmaps = lambda x, seen=seen, heatmaps=heatmaps: seen.append(x) or heatmaps(x)  # type: ignore
        losses[looks] = module.loss(batch).item()
        n = len(batch["two"])
        as_filmed, deformed = (x[:, :3].mean((2, 3)) for x in (seen[0][n : 2 * n], seen[0][2 * n :]))
        shift = (as_filmed[: len(deformed)] - deformed).abs().amax(1)
        assert (shift > 0.1).float().mean() >= 0.5 if looks else (shift < 0.1).all()
    assert losses[0.0] != losses[1.0]


def test_the_posture_stays_as_it_is_while_the_vae_is_trained(footage: list[Footage]) -> None:
    posture = conv()
    module = VaeModule(posture, VaeGenerator(8))
    module.loss(batch_for("vae", footage)).backward()
    assert all(p.grad is None for p in posture.parameters())
    trained = {id(p) for group in module.configure_optimizers().param_groups for p in group["params"]}
    assert not trained & {id(p) for p in posture.parameters()}


@pytest.mark.parametrize("side", [32, 64, 96])
def test_landmarks_can_be_trained_at_every_crop_size(side: int) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (4, side, side, 3), dtype=np.uint8)
    batch = FrameBank([Footage("a", frames, frames[0], 30.0)]).pairs(np.random.default_rng(0), 2)
    assert torch.isfinite(MODULES["landmarks"]().loss(batch))


def test_the_papers_network_is_trained_as_in_the_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    module = MODULES["order by the paper's network"]()
    optimiser = module.configure_optimizers()
    assert isinstance(optimiser, torch.optim.SGD)
    (group,) = optimiser.param_groups
    assert (group["momentum"], group["weight_decay"]) == (0.9, 5e-4)
    assert module.head.lstm.hidden_size == 1024
    rates = []
    for step in (0, 24_999, 25_000, 50_000):
        module.step = step
        rates.append(module.rate())
    assert rates == pytest.approx([0.01, 0.01, 0.001, 0.0001])


def test_the_learning_rate_rises_shortly_and_falls_to_nothing() -> None:
    module = Module()
    rates = []
    for progress in np.linspace(0, 1, 101):
        module.progress = float(progress)
        rates.append(module.rate())
    top = int(np.argmax(rates))
    assert 0 < rates[0] < 0.1 * max(rates)
    assert top <= 10
    assert max(rates) == pytest.approx(module.learning_rate, rel=0.02)
    assert all(a >= b for a, b in zip(rates[top:], rates[top + 1 :], strict=False))
    assert rates[-1] == pytest.approx(0, abs=1e-9)
