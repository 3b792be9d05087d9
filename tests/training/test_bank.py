import numpy as np
import pytest
import torch

from napari_ubam.training.bank import Footage, FrameBank, Stream, looks_symmetric, tells


def film(subject: str, n_frames: int, value: int = 0, fps: float = 30.0) -> Footage:
    """A film whose pixels tell the frame (red) and the recording (green)."""
    frames = np.zeros((n_frames, 4, 4, 3), np.uint8)
    frames[..., 0] = np.arange(n_frames)[:, None, None]
    frames[..., 1] = value
    return Footage(subject, frames, np.full((4, 4, 3), value, np.uint8), fps)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_every_subject_counts_the_same_however_long_and_many_its_recordings_are() -> None:
    bank = FrameBank([film("a", 10, 0), film("b", 30, 1), film("b", 90, 2), film("c", 200, 3)])
    drawn = bank.pairs(rng(), 6000)["one"][:, 0, 0, 1]
    shares = [(drawn == i).float().mean().item() for i in range(4)]
    assert shares == pytest.approx([1 / 3, 1 / 12, 1 / 4, 1 / 3], abs=0.03)


def test_a_pair_is_of_one_recording_with_its_own_background() -> None:
    batch = FrameBank([film("a", 50, 10), film("b", 50, 20)]).pairs(rng(), 64)
    recording = batch["one"][:, 0, 0, 1]
    assert torch.equal(recording, batch["two"][:, 0, 0, 1])
    assert torch.equal(recording, batch["background"][:, 0, 0, 1])
    assert (batch["one"][:, 0, 0, 0] != batch["two"][:, 0, 0, 0]).float().mean() > 0.9


def striding() -> Footage:
    """Two legs, one dark and one light, that stand at two places in turn: frames 0, 1, and 2 with both moved."""
    frames = np.full((3, 64, 64, 3), 128, np.uint8)
    frames[:, :8] = 90
    for frame, (dark, light) in zip(frames, ((16, 40), (40, 16), (24, 48)), strict=True):
        frame[20:60, dark : dark + 8] = 20
        frame[20:60, light : light + 8] = 230
    scene = np.full((64, 64, 3), 128, np.uint8)
    scene[:8] = 90  # a shelf
    return Footage("a", frames, scene, 30.0)


def test_a_pair_tells_most_where_limbs_have_changed_places_in_the_same_outline() -> None:
    same, changed, moved = tells(striding(), 0, np.array([0, 1, 2]))
    assert same == 0
    assert changed > 4 * moved


def test_half_of_the_pairs_are_chosen_for_what_they_tell() -> None:
    film = striding()
    frames = np.concatenate([np.repeat(film.frames[[0, 2]], 48, 0), np.repeat(film.frames[[1]], 4, 0)])
    pairs = FrameBank([Footage("a", frames, film.background, 30.0)]).pairs(rng(), 400)
    one, two = (pairs[k][:, 30, :, 0] for k in ("one", "two"))
    starts = (one[:, 18] == 20) & (one[:, 50] == 128)  # as in frame 0
    crossed = two[:, 18] == 230  # as in frame 1, which is 1 in 25
    assert crossed[200:][starts[200:]].float().mean() < 0.15
    assert crossed[:200][starts[:200]].float().mean() > 0.35
    plain = Footage("a", frames, np.full((64, 64, 3), 128, np.uint8), 30.0)  # outlines cannot be told
    batch = FrameBank([plain]).pairs(rng(), 400)
    assert (batch["two"][:200, 30, 18, 0] == 230).float().mean() < 0.15


def test_moments_have_their_neighbours_in_time_and_near_ones_do_not_repel() -> None:
    batch = FrameBank([film("a", 100)]).moments(rng(), 64)
    assert batch["one"].shape == (4, 16, 4, 4, 3)
    one, two = (batch[k][..., 0, 0, 0].long() for k in ("one", "two"))
    assert (one - two).abs().max() == 1
    assert torch.equal(batch["apart"], (one[:, :, None] - one[:, None]).abs() > 6)  # 0.2 s at 30 frames a second


def test_a_clip_is_in_order_with_an_even_stride_within_its_recording() -> None:
    at = FrameBank([film("a", 100)]).clips(rng(), 200)["clip"][..., 0, 0, 0].long()
    steps = at.diff(dim=1)
    assert (steps == steps[:, :1]).all()
    assert set(steps[:, 0].tolist()) == {1, 2, 3, 4}


@pytest.mark.parametrize("draw", ["pairs", "moments", "clips"])
def test_half_of_what_is_drawn_is_mirrored_all_pictures_of_an_item_alike(draw: str) -> None:
    frames = np.zeros((50, 4, 4, 3), np.uint8)
    frames[:, :, 0] = 255  # the left column
    footage = [Footage("a", frames, frames[0], 30.0)]
    for mirrored in (False, True):
        batch = getattr(FrameBank(footage, mirrored), draw)(rng(), 640)
        left = batch["background"][:, 0, 0, 0] == 255
        assert left.float().mean().item() == pytest.approx(0.5 if mirrored else 1, abs=0.2 if mirrored else 0)
        for name in {"one", "two", "clip"} & set(batch):
            shown = (batch[name][..., 0, :, 0] == 255).reshape(len(left), -1)  # the first of a clip comes first
            assert torch.equal(shown[:, 0], left)
            assert torch.equal(shown[:, 3], ~left)


def test_subjects_seen_from_above_look_symmetric_and_those_from_the_side_do_not() -> None:
    above, side = np.zeros((2, 20, 32, 32, 3), np.uint8)
    above[:, 6:26, 12:20] = 200
    above[::2, 10:12, 20:24] = 200  # a limb that is out on one side now and then
    side[:, 10:14, 4:28] = 200
    side[:, 14:28, 20:24] = 200
    floor = np.zeros((32, 32, 3), np.uint8)
    assert looks_symmetric([Footage("a", above, floor, 30.0)])
    assert not looks_symmetric([Footage("a", side, floor, 30.0)])
    assert not looks_symmetric([Footage("a", np.zeros_like(side), floor, 30.0)])


@pytest.mark.parametrize(("fps", "apart"), [(25.0, 1), (60.0, 2), (120.0, 4)])
def test_recordings_of_every_rate_are_looked_at_in_the_same_steps_of_time(fps: float, apart: int) -> None:
    bank = FrameBank([film("a", 250, fps=fps)])
    one, two = (bank.moments(rng(), 64)[k][..., 0, 0, 0].long() for k in ("one", "two"))
    assert (one - two).abs().max() == apart
    steps = bank.clips(rng(), 200)["clip"][..., 0, 0, 0].long().diff(dim=1)
    assert (steps == steps[:, :1]).all()
    assert set(steps[:, 0].tolist()) == {apart, 2 * apart, 3 * apart, 4 * apart}


def test_a_clip_of_a_recording_that_is_just_long_enough() -> None:
    at = FrameBank([film("a", 8)]).clips(rng(), 20)["clip"][..., 0, 0, 0]
    assert (at == torch.arange(8)).all()


@pytest.mark.parametrize("n_frames", [1, 2, 5])
def test_recordings_of_a_few_frames_give_whole_batches(n_frames: int) -> None:
    bank = FrameBank([film("a", n_frames), film("b", n_frames)])
    assert bank.pairs(rng(), 6)["one"].shape == (6, 4, 4, 3)
    assert bank.moments(rng(), 32)["two"].shape == (2, 16, 4, 4, 3)
    clips = bank.clips(rng(), 6)["clip"]
    assert clips.shape == (6, 8, 4, 4, 3)
    assert (clips[..., 0, 0, 0].long().diff(dim=1) >= 0).all()


@pytest.mark.parametrize("n", [1, 5, 16, 40])
def test_a_smaller_batch_is_smaller(n: int) -> None:
    """Where the device's memory is small, down to one."""
    batch = FrameBank([film("a", 20)]).moments(rng(), n)
    assert 0 < batch["one"].shape[0] * batch["one"].shape[1] <= n


def test_a_stream_depends_on_the_seed_and_the_step_alone() -> None:
    bank = FrameBank([film("a", 100)])

    def steps(seed: int, first: int, n: int) -> list[list[int]]:
        stream = iter(Stream(bank.pairs, 8, seed, first))
        return [next(stream)["one"][:, 0, 0, 0].tolist() for _ in range(n)]

    through = steps(0, 0, 5)
    assert steps(0, 3, 2) == through[3:]
    assert steps(1, 0, 5) != through
    assert len({tuple(s) for s in through}) == 5
