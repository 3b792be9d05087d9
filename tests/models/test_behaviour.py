import numpy as np
import pytest
import torch

from napari_ubam.models.behaviour import BehaviourEncoder, clip_samples, clips_around, reaches_beyond
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
    one = clips_around(slow, np.array([50.0]), 50, 0.6, 16)
    two = clips_around(fast, np.array([100.0]), 100, 0.6, 16)
    np.testing.assert_allclose(one, two, atol=0.01)


def test_a_clip_can_be_played_backwards_and_at_another_pace() -> None:
    codes = np.arange(100, dtype=np.float32)[:, None]
    forward, backward, fast = clips_around(codes, np.full(3, 50.0), 30, 1.0, 31, pace=[1, -1, 2])[..., 0]
    np.testing.assert_allclose(backward, forward[::-1], atol=1e-5)
    np.testing.assert_allclose(fast - 50, 2 * (forward - 50), atol=1e-5)


def test_frames_whose_clips_reach_beyond_the_recording_are_marked() -> None:
    marked = reaches_beyond(20, fps=10, seconds=0.6)
    assert marked.tolist() == [True] * 3 + [False] * 14 + [True] * 3
    codes = np.arange(20.0)[:, None]
    clips = clips_around(codes, np.arange(20.0), 10, 0.6, 16)[..., 0]
    np.testing.assert_array_equal(marked, (np.diff(clips, axis=1) < 1e-6).any(1))
    assert reaches_beyond(5, fps=30, seconds=0.6).all()


@pytest.mark.parametrize(("seconds", "stride", "n"), [(0.6, 0.04, 16), (1.0, 0.1, 11), (0.5, 0.12, 5)])
def test_a_clip_has_a_sample_every_stride(seconds: float, stride: float, n: int) -> None:
    assert clip_samples(seconds, stride) == n


def test_the_model_says_how_long_a_clip_is() -> None:
    """A clip of twice the length at half the rate has the same samples."""
    codes = np.random.default_rng(0).normal(size=(40, 4))
    short = BehaviourEncoder(4, seconds=0.4, stride=0.1).eval()
    long = BehaviourEncoder(4, seconds=0.8, stride=0.2).eval()
    long.load_state_dict(short.state_dict())
    one, two = encode_behaviours(short, codes, 30.0, CPU), encode_behaviours(long, codes, 15.0, CPU)
    np.testing.assert_allclose(one, two, atol=1e-5)
    assert np.abs(one - encode_behaviours(long, codes, 30.0, CPU)).max() > 1e-3


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
    clip = torch.randn(1, 16, 4)
    one, two = (BehaviourEncoder(posture_dimension=4)(c)[0] for c in (clip, clip.flip(1)))
    assert not torch.allclose(one, two)
