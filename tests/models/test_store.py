import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from napari_ubam import __version__
from napari_ubam.errors import ModelError, UbamError
from napari_ubam.models import store
from napari_ubam.models.inputs import N_CHANNELS
from napari_ubam.models.store import KINDS, fingerprint_model, load_config, load_model, save_model

CPU = torch.device("cpu")
ARGUMENTS: dict[str, dict[str, Any]] = {
    "LandmarkEncoder": {"n_landmarks": 4, "c_in": N_CHANNELS},
    "ConvEncoder": {"dimension": 8, "c_in": N_CHANNELS},
    "CaffeNet": {"dimension": 8},
    "BehaviourEncoder": {"posture_dimension": 8},
    "WarpGenerator": {"n_landmarks": 4},
    "VaeGenerator": {"posture_dimension": 8},
}


def save(folder: Path, kind: str = "BehaviourEncoder") -> nn.Module:
    model = KINDS[kind](**ARGUMENTS[kind])
    save_model(folder, model, ARGUMENTS[kind], {"steps": 3})
    return model


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_model_comes_back_as_it_was_ready_for_use(kind: str, tmp_path: Path) -> None:
    model, loaded = save(tmp_path / "m", kind), load_model(tmp_path / "m", CPU)
    assert type(loaded) is type(model)
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


def test_on_disk_there_are_safetensors_and_json_only(tmp_path: Path) -> None:
    save(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    config = load_config(tmp_path)
    assert {k: config[k] for k in ("kind", "arguments", "steps", "format", "version")} == {
        "kind": "BehaviourEncoder", "arguments": {"posture_dimension": 8}, "steps": 3,
        "format": store.FORMAT, "version": __version__,
    }  # fmt: skip


def rewrite(folder: Path, **values: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))


@pytest.mark.parametrize("values", [{"format": store.FORMAT + 1}, {"kind": "NetworkOf2031"}])
def test_a_model_of_a_newer_version_says_to_upgrade(values: dict[str, Any], tmp_path: Path) -> None:
    save(tmp_path)
    rewrite(tmp_path, version="9.9", **values)
    for read in (lambda: load_model(tmp_path, CPU), lambda: fingerprint_model(tmp_path)):
        with pytest.raises(
            ModelError, match=rf"made by napari-ubam 9\.9, and this is {re.escape(__version__)}.*Upgrade"
        ):
            read()


def test_a_model_with_another_network_says_who_made_it(tmp_path: Path) -> None:
    save(tmp_path)
    rewrite(tmp_path, version="0.0.1", arguments={"posture_dimension": 12})
    with pytest.raises(ModelError, match=r"made by napari-ubam 0\.0\.1.*size mismatch.*Train it again"):
        load_model(tmp_path, CPU)


def test_a_model_from_before_there_were_formats_is_read(tmp_path: Path) -> None:
    model = save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({k: config[k] for k in ("kind", "arguments")}))
    assert torch.equal(load_model(tmp_path, CPU).state_dict()["head.weight"], model.state_dict()["head.weight"])


def test_no_model_says_to_train(tmp_path: Path) -> None:
    folder = tmp_path / "study" / "models" / "posture"
    with pytest.raises(ModelError, match=r"no trained model in .*posture.*napari-ubam train .*study"):
        load_model(folder, CPU)


def truncate(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def scribble(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x80\x04 this is no model")


def remove(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def swap(folder: Path) -> None:
    save(folder.parent / "other", "ConvEncoder")
    (folder.parent / "other" / "model.safetensors").replace(folder / "model.safetensors")


def configure(text: bytes) -> Any:
    return lambda folder: (folder / "config.json").write_bytes(text)


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        scribble,
        remove,
        swap,
        configure(b"{"),
        configure(b""),
        configure(b"\xff\xfe"),
        configure(b"[]"),
        configure(b"{}"),
        configure(b'{"kind": "Unheard", "arguments": {}}'),
        configure(b'{"kind": "BehaviourEncoder", "arguments": {"posture_dimension": -1}}'),
        configure(b'{"kind": "BehaviourEncoder", "arguments": 7}'),
        configure(b'{"kind": "BehaviourEncoder", "arguments": {"posture_dimension": 8, "new_in_2031": 1}}'),
    ],
)
def test_a_damaged_model_is_an_error_that_names_the_folder(damage: Any, tmp_path: Path) -> None:
    folder = tmp_path / "posture"
    save(folder)
    damage(folder)
    with pytest.raises(ModelError) as caught:
        load_model(folder, CPU)
    assert str(folder) in str(caught.value)
    assert "rain" in str(caught.value)  # train it again


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    model = save(tmp_path)
    torch.save(model.state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="damaged"):
        load_model(tmp_path, CPU)


def test_a_full_disk_leaves_the_model_that_was_there(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the end of the disk."""
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    before = save(tmp_path)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(UbamError, match=r"model\.safetensors"):
            save(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    loaded = load_model(tmp_path, CPU)
    assert all(torch.equal(loaded.state_dict()[k], v) for k, v in before.state_dict().items())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config.json", "model.safetensors"]


def test_the_config_can_be_read_by_others(tmp_path: Path) -> None:
    save(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["kind"] == "BehaviourEncoder"
