"""Checkpoints of an unfinished training: one safetensors file, whose header holds a text of JSON that says what it is.

Weights and the optimiser's state are its tensors. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import nn

from napari_ubam import __version__
from napari_ubam.errors import ModelError
from napari_ubam.files import atomic_path

FORMAT = 1  # of the file; raise it when an older napari-ubam could not go on from it
_WEIGHTS, _OPTIMIZER = "weights", "optimizer"


@dataclass(frozen=True)
class Progressed:
    """How far a training has come.

    Attributes
    ----------
    step : int
        Steps that are done.
    batch : int
        Items in a batch, fewer than at first where memory ran out.
    rate : float
        What the learning rate is multiplied with, less than 1 where the loss was no number too often.
    left_out : int
        Batches that were left out, as their loss or gradient was no number.
    """

    step: int = 0
    batch: int = 0
    rate: float = 1.0
    left_out: int = 0


@dataclass(frozen=True)
class Checkpoint:
    """What was read from the file, but for the weights, which are in the module by then."""

    path: Path
    progressed: Progressed
    kind: str
    state: dict[str, torch.Tensor]

    def restore(self, optimizer: torch.optim.Optimizer) -> None:
        """Give the optimiser the state that it had.

        Raises
        ------
        ModelError
            If it is another optimiser.
        """
        if self.kind != type(optimizer).__name__:
            raise _error(
                self.path, f"belongs to another optimiser ({self.kind}, not {type(optimizer).__name__})", "Delete it"
            )
        state: dict[int, dict[str, torch.Tensor]] = {}
        params = [p for group in optimizer.param_groups for p in group["params"]]
        for name, value in self.state.items():
            index, key = name.split(".", 1)
            like = params[int(index)]
            # in the order in memory of the weight itself, as it was
            state.setdefault(int(index), {})[key] = (
                torch.empty_like(like, device="cpu").copy_(value) if value.shape == like.shape else value
            )
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def save_checkpoint(path: Path, module: nn.Module, optimizer: torch.optim.Optimizer, progressed: Progressed) -> None:
    """Write how far a training has come, in the place of what was written before.

    Parameters
    ----------
    path : Path
        The file.
    module : torch.nn.Module
        What is trained.
    optimizer : torch.optim.Optimizer
        That of the module.
    progressed : Progressed
        How far.
    """
    tensors = {f"{_WEIGHTS}.{name}": value for name, value in module.state_dict().items()}
    for index, values in optimizer.state_dict()["state"].items():
        tensors |= {f"{_OPTIMIZER}.{index}.{key}": value for key, value in values.items() if torch.is_tensor(value)}
    about = {
        "format": FORMAT, "version": __version__, "torch": torch.__version__,
        "module": type(module).__name__, "optimizer": type(optimizer).__name__, **vars(progressed),
    }  # fmt: skip
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(plain, {"about": json.dumps(about)}))


def load_checkpoint(path: Path, module: nn.Module) -> Checkpoint:
    """Take the weights from a checkpoint, and return the rest of it.

    Raises
    ------
    ModelError
        If it is damaged, or was written by a newer version or for another network; the module is then as it was.
    """
    about, tensors = _read(path)
    known = {f"{_WEIGHTS}.{name}": value.shape for name, value in module.state_dict().items()}
    found = {name: value.shape for name, value in tensors.items() if name.startswith(f"{_WEIGHTS}.")}
    if about.get("module") != type(module).__name__ or known != found:
        raise _error(
            path, f"belongs to another network ({_difference(known, found)}), written by {_writer(about)}",
            "Resume with that version, or delete the file and resume",
        )  # fmt: skip
    try:
        progressed = Progressed(int(about["step"]), int(about["batch"]), float(about["rate"]), int(about["left_out"]))
        state = {n.split(".", 1)[1]: value for n, value in tensors.items() if n.startswith(f"{_OPTIMIZER}.")}
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error
    module.load_state_dict({name.split(".", 1)[1]: tensors[name] for name in known})
    return Checkpoint(path, progressed, about.get("optimizer", "none"), state)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})["about"])
        written = int(about["format"])
        tensors = load(path.read_bytes()) if written <= FORMAT else {}  # in memory: a mapped file cannot be replaced
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise _damaged(path, error) from error
    if written > FORMAT:
        raise _error(
            path, f"was written by {_writer(about)}; this is the older {__version__}",
            "Upgrade with: pip install --upgrade napari-ubam. Or delete the file and resume",
        )  # fmt: skip
    return about, tensors


def _damaged(path: Path, error: Exception) -> ModelError:
    return _error(path, f"is damaged ({error})", "Delete that file, and resume again")


def _error(path: Path, what: str, advice: str) -> ModelError:
    return ModelError(f"The training cannot be resumed, as {path} {what}. {advice}: what it was part of begins anew.")


def _writer(about: dict[str, Any]) -> str:
    return f"napari-ubam {about.get('version', 'of unknown version')}"


def _difference(known: dict[str, torch.Size], found: dict[str, torch.Size]) -> str:
    """Name one weight that is not as it should be."""
    for name in sorted(known.keys() | found.keys()):
        if known.get(name) != found.get(name):
            here, there = (list(shapes[name]) if name in shapes else "missing" for shapes in (known, found))
            return f"{name.split('.', 1)[1]}: {there}, not {here}"
    return "of another kind"
