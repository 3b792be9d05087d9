import numpy as np
import pytest
import torch

from napari_ubam.models.encoder import ConvEncoder
from napari_ubam.models.inputs import N_CHANNELS
from napari_ubam.training.bank import Footage
from napari_ubam.training.collapse import CodeSample, effective_rank, health

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("values", "rank"), [([1, 1, 1, 1], 4), ([3, 0, 0, 0], 1), ([2, 2, 0, 0], 2), ([0, 0, 0, 0], 0)]
)
def test_effective_rank_counts_directions(values: list[float], rank: float) -> None:
    turn, _ = np.linalg.qr(RNG.normal(size=(4, 4)))
    assert effective_rank(np.diag(values) @ turn) == pytest.approx(rank)


def test_effective_rank_of_unequal_directions_is_the_papers() -> None:
    share = np.array([0.5, 0.3, 0.2])
    assert effective_rank(np.diag(7 * share)) == pytest.approx(np.prod(share**-share))


def codes(directions: np.ndarray, looks: float = 5.0) -> list[np.ndarray]:
    """Three recordings, each with a look of its own, which move along (k, d) directions."""
    d = directions.shape[1]
    return [RNG.normal(size=d) * looks + RNG.normal(size=(50, len(directions))) @ directions for _ in range(3)]


def test_a_code_that_moves_is_healthy() -> None:
    found = health(codes(np.eye(6)))
    assert found.rank == pytest.approx(6, abs=0.3)
    assert 0.1 < found.spread < 1
    assert not found.collapsed
    assert found.warning == ""


@pytest.mark.parametrize(
    "collapsed",
    [
        codes(np.zeros((1, 6))),
        codes(1e-3 * np.eye(6)),  # it tells recordings apart, and nothing else
        codes(np.eye(6)[:1]),  # all along one line
        [np.zeros((10, 6))],
        [np.full((10, 6), np.nan)],
        [np.ones((1, 6))],
    ],
)
def test_a_code_that_says_nothing_of_posture_has_collapsed(collapsed: list[np.ndarray]) -> None:
    found = health(collapsed)
    assert found.collapsed
    assert "collapsed" in found.warning
    assert np.isfinite([found.spread, found.rank]).all()


def test_landmarks_that_crowd_in_the_middle_have_collapsed() -> None:
    """Beside their own size, which is next to nothing, they would seem to move."""
    crowd = [1e-3 * RNG.normal(size=(20, 6)) for _ in range(3)]
    assert not health(crowd).collapsed
    assert health(crowd, 1.0).collapsed


@pytest.mark.parametrize("n_frames", [1, 3, 100])
def test_the_sample_is_small_and_looking_changes_neither_model_nor_chance(
    n_frames: int, footage: list[Footage]
) -> None:
    films = [Footage(f.subject, np.resize(f.frames, (n_frames, 32, 32, 3)), f.background, f.fps) for f in footage * 5]
    model = ConvEncoder(8, N_CHANNELS).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(1)
    sample = CodeSample(films)
    assert sum(len(frames) for frames, _ in sample.parts) == 8 * min(8, n_frames)
    one, two = sample.look(model), sample.look(model)
    assert one == two
    assert model.training
    assert torch.rand(()) == torch.rand((), generator=torch.Generator().manual_seed(1))
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())
    assert all(p.requires_grad for p in model.parameters())
