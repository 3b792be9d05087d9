from pathlib import Path

import numpy as np
import pytest
import torch

from napari_ubam.models.behaviour import BehaviourEncoder, clips_around
from napari_ubam.models.encode import encode_behaviours
from napari_ubam.settings import TrainSettings
from napari_ubam.training.behaviour import BehaviourModule, CodeBank, behaviour_recipe
from napari_ubam.training.fit import fit
from napari_ubam.training.log import Log

CPU = torch.device("cpu")
CLIP = {"seconds": 0.6, "stride": 0.04}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def walk(seconds: float, fps: float = 30.0, period: float = 1.0, start: float = 0.0, noise: float = 0.05) -> np.ndarray:
    """A movement that is another one backwards: a sawtooth and its overtones, (T, 6)."""
    phase = start + np.arange(round(seconds * fps)) / fps / period
    saw = (phase % 1)[:, None] < np.linspace(0.1, 0.5, 4)
    waves = np.stack([np.sin(2 * np.pi * phase), np.cos(2 * np.pi * phase)], 1)
    return np.concatenate([waves, saw * (phase % 1)[:, None]], 1) + rng(1).normal(size=(len(phase), 6)) * noise


def bank_of(*codes: np.ndarray, fps: float = 30.0, **clip: float) -> CodeBank:
    return CodeBank(list(codes), [fps] * len(codes), [str(i) for i in range(len(codes))], **(CLIP | clip))


def test_every_subject_counts_the_same_and_its_recordings_by_their_duration() -> None:
    codes = [np.full((n, 2), i, np.float32) for i, n in enumerate((100, 60, 90, 200))]
    bank = CodeBank(codes, [30.0, 60.0, 30.0, 10.0], ["a", "b", "b", "c"], **CLIP)
    drawn = bank.clips(rng(), 24 * 2000)["one"][:, 0, 0, 0]
    shares = [(drawn == i).float().mean().item() for i in range(4)]
    assert shares == pytest.approx([1 / 3, 1 / 12, 1 / 4, 1 / 3], abs=0.04)


def test_a_moment_is_shown_as_it_is_backwards_and_at_another_speed() -> None:
    bank = bank_of(np.arange(200.0)[:, None])  # the code is the time
    clips = bank.clips(rng(), 240)["one"][..., 0].numpy()
    forward, backward, other = clips[:, ::3], clips[:, 1::3], clips[:, 2::3]
    np.testing.assert_allclose(np.diff(forward, axis=-1), 1.2, atol=1e-3)  # 0.04 s at 30 frames a second
    np.testing.assert_allclose(backward, forward[..., ::-1], atol=1e-3)
    np.testing.assert_allclose(other.mean(-1), forward.mean(-1), atol=1e-3)
    pace = np.diff(other, axis=-1).mean(-1) / 1.2
    assert pace.min() >= 0.5
    assert pace.max() <= 2
    assert (pace < 0.8).any()
    assert (pace > 1.25).any()


def test_clips_lie_within_a_recording_that_is_long_enough() -> None:
    clips = bank_of(np.arange(60.0)[:, None]).clips(rng(), 480)["one"][..., 0]
    assert (clips.diff(dim=-1) != 0).all()  # at an end it would be repeated


def test_two_views_are_of_the_same_moment_and_only_it_does_not_repel() -> None:
    batch = bank_of(np.arange(300.0)[:, None]).clips(rng(), 96)
    one, two, apart = (batch[k].numpy() for k in ("one", "two", "apart"))
    assert 0 < np.abs(one - two).max() <= 0.6  # half a stride
    assert not apart.diagonal(axis1=1, axis2=2).any()
    at, way = one[0].mean((-2, -1)), np.arange(24) % 3
    far = np.abs(at[:, None] - at) > 9 + 1e-3
    np.testing.assert_array_equal(apart[0], far | (way[:, None] != way))


def test_a_clip_has_the_length_and_the_samples_of_the_settings() -> None:
    clips = bank_of(np.arange(400.0)[:, None], fps=60.0, seconds=1.5, stride=0.1).clips(rng(), 24)["one"][0, 0, :, 0]
    assert len(clips) == 16
    assert (clips[-1] - clips[0]).item() == pytest.approx(90)


@pytest.mark.parametrize("n_frames", [1, 2, 5])
def test_recordings_of_a_few_frames_give_whole_batches_and_a_finite_loss(n_frames: int) -> None:
    batch = bank_of(*[rng(i).normal(size=(n_frames, 3)) for i in range(2)]).clips(rng(), 48)
    assert batch["one"].shape == batch["two"].shape == (2, 24, 16, 3)
    assert batch["one"].dtype == torch.float32
    assert batch["apart"].shape == (2, 24, 24)
    assert torch.isfinite(BehaviourModule(BehaviourEncoder(3)).loss(batch))


@pytest.mark.parametrize("n", [1, 5, 16, 60])
def test_a_smaller_batch_is_smaller(n: int) -> None:
    """Where the device's memory is small, down to one."""
    batch = bank_of(walk(2)).clips(rng(), n)
    assert 0 < batch["one"].shape[0] * batch["one"].shape[1] <= n
    assert torch.isfinite(BehaviourModule(BehaviourEncoder(6)).loss(batch))


def test_clips_that_show_the_same_are_alike_in_whatever_cycle() -> None:
    module = BehaviourModule(BehaviourEncoder(6))
    cycles = clips_around(walk(4), np.array([30.0, 60.0, 67.5, 75.0]), 30, 0.6, 16)
    alike = module._alike(torch.from_numpy(cycles)[None])[0]
    assert alike.tolist() == [[i == j or {i, j} == {0, 1} for j in range(4)] for i in range(4)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> BehaviourEncoder:
    walks = [walk(5, period=p, start=s) for p, s in ((0.9, 0.1), (1.0, 0.5), (1.1, 0.8))]
    codes = [codes - codes.mean(0) for codes in walks]
    torch.manual_seed(0)
    recipe = behaviour_recipe(codes, [30.0] * 3, ["a", "b", "c"], TrainSettings(), steps=60)
    module, folder = recipe.make(), tmp_path_factory.mktemp("behaviour")
    fit(
        module, recipe.stage, device=CPU, seed=0, seconds=None, checkpoint=Path(folder, "x.safetensors"),
        report=lambda progress: None, log=Log(Path(folder, "log.csv")),
    )  # fmt: skip
    return module.behaviour.eval()


def codes_of(model: BehaviourEncoder, clips: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return model(torch.from_numpy(clips))[0].numpy()


@pytest.mark.slow
def test_trained_codes_tell_backwards_and_other_speeds_but_not_the_cycle(trained: BehaviourEncoder) -> None:
    unseen = walk(6, period=1.05, start=0.3)
    unseen -= unseen.mean(0)
    at = np.arange(45.0, 75.0)  # about a cycle; the next ones begin 31.5 frames later

    def codes(moments: np.ndarray, pace: float = 1.0) -> np.ndarray:
        return codes_of(trained, clips_around(unseen, moments, 30, 0.6, 16, pace))

    here = codes(at)
    near = np.linalg.norm(here - codes(at + 31.5), axis=1).mean()
    anywhere = np.linalg.norm(here[:, None] - here, axis=-1).mean()
    assert near < 0.4 * anywhere
    for pace in (-1.0, 0.6, 1.7):
        assert np.linalg.norm(here - codes(at, pace), axis=1).mean() > 1.5 * near, pace


@pytest.mark.slow
def test_the_same_movement_filmed_at_other_rates_gets_the_same_codes(trained: BehaviourEncoder) -> None:
    slow, fast = (encode_behaviours(trained, walk(4, fps=fps, noise=0), fps, CPU) for fps in (25.0, 50.0))
    same = np.linalg.norm(slow - fast[::2], axis=1)[10:-10].mean()
    anywhere = np.linalg.norm(slow[:, None] - slow, axis=-1).mean()
    assert same < 0.15 * anywhere
