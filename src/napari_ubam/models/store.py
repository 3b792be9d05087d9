"""Models on disk: weights as safetensors, and beside them a JSON file that says how to build the module.

Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from napari_ubam import __version__
from napari_ubam.errors import ModelError
from napari_ubam.files import atomic_path, write_text
from napari_ubam.models.behaviour import BehaviourEncoder
from napari_ubam.models.caffenet import CaffeNet
from napari_ubam.models.encoder import ConvEncoder
from napari_ubam.models.landmarks import LandmarkEncoder
from napari_ubam.models.vae import VaeGenerator
from napari_ubam.models.warp import WarpGenerator
from napari_ubam.study.state import file_fingerprint

FORMAT = 1  # of the two files; raise it when an older napari-ubam could not read them
KINDS: dict[str, type[nn.Module]] = {
    cls.__name__: cls for cls in (LandmarkEncoder, ConvEncoder, CaffeNet, BehaviourEncoder, WarpGenerator, VaeGenerator)
}


def build_model(kind: str, arguments: dict[str, Any]) -> nn.Module:
    """Make the module of that kind, with weights as they are drawn."""
    return KINDS[kind](**arguments)


def save_model(folder: Path, model: nn.Module, arguments: dict[str, Any], record: dict[str, Any]) -> None:
    """Write ``model.safetensors`` and ``config.json`` (how it is built, and the record of how it was trained)."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    with atomic_path(folder / "model.safetensors") as temporary:
        temporary.write_bytes(save(weights))  # by way of Python, whose errors say when the disk is full
    config = {"format": FORMAT, "version": __version__, "kind": type(model).__name__, "arguments": arguments, **record}
    write_text(folder / "config.json", json.dumps(config, indent=2) + "\n")


def load_model(folder: Path, device: torch.device) -> Any:
    """Read a model for use: a module of one of `KINDS`, in evaluation mode, on ``device``.

    Raises
    ------
    ModelError
        If there is no such model, its files are damaged, or a newer version made it.
    """
    config = load_config(folder)
    try:
        model = build_model(config["kind"], config["arguments"])
        model.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, SafetensorError) as error:
        raise ModelError(f"The model in {folder} is damaged ({error}). Train it again.") from error
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"The model in {folder} is damaged, or its network is none of this version's: it was made by "
            f"{_maker(config)}, and this is {__version__} ({' '.join(str(error).split())[:300]}). Train it again."
        ) from error
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # convolves twice as fast on CPUs
    return model.to(device).eval().requires_grad_(False)


def fingerprint_model(folder: Path) -> str:
    """Give a short text that is another one where a model's weights are.

    Raises
    ------
    ModelError
        If there is no such model, or its files are damaged.
    """
    load_config(folder)
    try:
        return file_fingerprint(folder / "model.safetensors")
    except OSError as error:
        raise ModelError(f"The model in {folder} is damaged ({error}). Train it again.") from error


def load_config(folder: Path) -> dict[str, Any]:
    """Read how a model was built and trained.

    Raises
    ------
    ModelError
        If there is none, it cannot be read, or a newer version made it.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        newer = int(config.get("format", FORMAT)) > FORMAT or config["kind"] not in KINDS
    except FileNotFoundError:
        raise ModelError(
            f"There is no trained model in {folder}. Train the study first: napari-ubam train {folder.parent.parent}"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} cannot be read ({error}). Train the study again.") from error
    if newer:
        raise ModelError(
            f"The model in {folder} ({config['kind']}) was made by {_maker(config)}, and this is {__version__}, which "
            "does not know it. Upgrade with: pip install --upgrade napari-ubam. Or train the study again."
        )
    return config


def _maker(config: dict[str, Any]) -> str:
    return f"napari-ubam {config.get('version', 'of unknown version')}"
