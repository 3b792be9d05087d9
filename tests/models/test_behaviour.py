import numpy as np
import pytest
import torch

from napari_ubam.models.behaviour import CLIP_SAMPLES, BehaviourEncoder, clips_around
from napari_ubam.models.encode import encode_behaviours

CPU = torch.device("cpu")


def test_clips_are_centred_and_sampled_between_frames() -> None:
    codes = np.arange(100, dtype=np.float32)[:, None]
    clips = clips_around(codes, np.array([50.0, 20.5]), fps=30, seconds=1.0, samples=31)
    assert clips.shape == (2, 31, 1)
    assert clips.dtype == np.float32
    np.testing.assert_allclose(clips[0, :, 0], np.arange(35, 66), atol=1e-5)
    np.testing.assert_allclose(clips[1, :, 0], np.arange(5.5, 36), atol=1e-5)


def test_the_same_movement_filmed_twice_as_fast_gives_the_same_clip() -> None:
    slow, fast = (np.sin(np.arange(2 * fps) / fps * 6)[:, None] for fps in (50, 100))
    one = clips_around(slow, np.array([50.0]), 50)
    two = clips_around(fast, np.array([100.0]), 100)
    np.testing.assert_allclose(one, two, atol=0.01)


def test_ends_are_repeated() -> None:
    codes = np.arange(10, dtype=np.float32)[:, None]
    clips = clips_around(codes, np.array([0.0, 9.0]), fps=30, seconds=0.4, samples=13)
    assert (clips[0, :7] == 0).all()
    np.testing.assert_allclose(clips[0, 6:, 0], np.arange(7), atol=1e-5)
    np.testing.assert_allclose(clips[1, :7, 0], np.arange(3, 10), atol=1e-5)
    assert (clips[1, 6:] == 9).all()


@pytest.mark.parametrize("n_frames", [1, 2, 5])
def test_short_recordings_have_one_finite_behaviour_a_frame(n_frames: int) -> None:
    model = BehaviourEncoder(posture_dimension=4).eval()
    codes = encode_behaviours(model, np.random.default_rng(0).normal(size=(n_frames, 4)), 30.0, CPU)
    assert codes.shape == (n_frames, model.dimension)
    assert codes.dtype == np.float32
    assert np.isfinite(codes).all()


def test_a_posture_that_is_held_throughout_does_not_matter() -> None:
    model = BehaviourEncoder(posture_dimension=4).eval()
    codes = np.random.default_rng(0).normal(size=(20, 4))
    one, two = (encode_behaviours(model, codes + build, 30.0, CPU) for build in (0.0, 3.0))
    np.testing.assert_allclose(one, two, atol=1e-4)


def test_a_clip_and_its_reverse_are_told_apart() -> None:
    clip = torch.randn(1, CLIP_SAMPLES, 4)
    one, two = (BehaviourEncoder(posture_dimension=4)(c)[0] for c in (clip, clip.flip(1)))
    assert not torch.allclose(one, two)
