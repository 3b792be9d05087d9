import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from napari_ubam import __version__
from napari_ubam.errors import ModelError
from napari_ubam.training import checkpoint
from napari_ubam.training.checkpoint import Progressed, load_checkpoint, save_checkpoint


class Net(nn.Sequential):
    """A few layers, their weights laid out in memory as in a training."""

    def __init__(self, width: int = 3) -> None:
        super().__init__(nn.Conv2d(2, width, 3, padding=1), nn.GroupNorm(1, width), nn.Conv2d(width, 1, 1))
        self.to(memory_format=torch.channels_last)


class Other(Net):
    pass


Make = Callable[[nn.Module], torch.optim.Optimizer]
OPTIMISERS: dict[str, Make] = {
    "AdamW": lambda net: torch.optim.AdamW(net.parameters(), lr=0.1),
    "SGD": lambda net: torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9),
}


def train(net: nn.Module, optimiser: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        torch.manual_seed(step)
        optimiser.zero_grad()
        (net(torch.randn(2, 2, 4, 4)) ** 2).mean().backward()
        optimiser.step()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a checkpoint of three steps."""
    net = Net()
    optimiser = OPTIMISERS["AdamW"](net)
    train(net, optimiser, range(3))
    save_checkpoint(tmp_path / "net.checkpoint.safetensors", net, optimiser, Progressed(3, 8, 0.5, 1))
    return tmp_path / "net.checkpoint.safetensors"


@pytest.mark.parametrize("kind", list(OPTIMISERS))
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_a_training_goes_on_as_if_nothing_had_been(kind: str, steps: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    through, resumed = Net(), Net()
    optimiser = OPTIMISERS[kind](through)
    train(through, optimiser, range(steps))
    save_checkpoint(tmp_path / "c.safetensors", through, optimiser, Progressed(steps, 4))
    train(through, optimiser, range(steps, 8))

    found = load_checkpoint(tmp_path / "c.safetensors", resumed)
    assert found.progressed == Progressed(steps, 4, 1.0, 0)
    optimiser = OPTIMISERS[kind](resumed)
    found.restore(optimiser)
    for p in resumed.parameters():  # in memory as the weights are, on which fast kernels rely
        assert all(
            v.stride() == p.stride() for v in optimiser.state[p].values() if v is not None and v.shape == p.shape
        )
    train(resumed, optimiser, range(steps, 8))
    for name, value in through.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


def test_on_disk_it_is_one_file_of_tensors_and_json(path: Path) -> None:
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["about"])
    assert about == {
        "format": checkpoint.FORMAT, "version": __version__, "torch": str(torch.__version__), "module": "Net",
        "optimizer": "AdamW", "step": 3, "batch": 8, "rate": 0.5, "left_out": 1,
    }  # fmt: skip
    assert {"weights.0.weight", "optimizer.0.exp_avg", "optimizer.5.step"} <= load_file(path).keys()


def edit(path: Path, **values: Any) -> None:
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["about"])
    save_file(load_file(path), path, {"about": json.dumps({k: v for k, v in (about | values).items() if v != "gone"})})


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-10]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(pickle.dumps({"step": 3})),
        lambda path: save_file(load_file(path), path),  # nothing is said about it
        lambda path: edit(path, format="gone"),
        lambda path: edit(path, step="gone"),
        lambda path: edit(path, step="three"),
        lambda path: edit(path, batch=None),
    ],
)
def test_a_damaged_one_is_named_with_what_to_do(damage: Callable[[Path], None], path: Path) -> None:
    damage(path)
    net = Net()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(
        ModelError, match=r"net\.checkpoint\.safetensors is damaged.*Delete that file, and resume again"
    ):
        load_checkpoint(path, net)
    assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())


def test_one_of_a_newer_version_says_to_upgrade(path: Path) -> None:
    edit(path, format=checkpoint.FORMAT + 1, version="9.9")
    with pytest.raises(ModelError, match=rf"by napari-ubam 9\.9; this is the older {re.escape(__version__)}.*Upgrade"):
        load_checkpoint(path, Net())


@pytest.mark.parametrize(
    ("net", "why"),
    [
        (Net(width=4), r"0\.bias: \[3\], not \[4\]"),
        (nn.Sequential(*Net(), nn.Conv2d(1, 1, 1)), r"3\.bias: missing, not \[1\]"),
        (nn.Sequential(*list(Net())[:2]), r"2\.bias: \[1\], not missing"),
        (Other(), "of another kind"),
    ],
)
def test_one_of_another_network_says_so(net: nn.Module, why: str, path: Path) -> None:
    edit(path, version="0.0.1")
    with pytest.raises(ModelError, match=rf"another network \({why}\), written by napari-ubam 0\.0\.1.*Resume with"):
        load_checkpoint(path, net)


def test_one_of_another_optimiser_says_so(path: Path) -> None:
    net = Net()
    with pytest.raises(ModelError, match=r"another optimiser \(AdamW, not SGD\)"):
        load_checkpoint(path, net).restore(OPTIMISERS["SGD"](net))
