import numpy as np
import pytest

from napari_ubam.analysis.reference import match_frames, movement_context
from napari_ubam.analysis.uncertainty import find_reliable, reference_uncertainty, usual_spread

FPS, SECONDS, N, T, D = 30, 0.4, 6, 240, 8


def walk(seed: int) -> np.ndarray:
    """Give postures (T, D) of a subject with a build, a rhythm and some noise of its own."""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * (np.arange(T) / (28 + rng.uniform(-2, 2)) + rng.uniform())
    limbs = np.sin(phase[:, None] + np.arange(D) * 2.4) * (1 + 0.1 * rng.normal(size=D))
    return limbs + 0.5 * rng.normal(size=D) + 0.05 * rng.normal(size=(T, D))


def context(codes: np.ndarray) -> np.ndarray:
    return movement_context(codes, codes.mean(0), np.ones(D), FPS, SECONDS)


def shown_by(query: np.ndarray, others: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Match a recording with others: what they show, less their means, and how far they are."""
    found = [match_frames(context(query), context(other), other - other.mean(0), 4) for other in others]
    return np.stack([posture for posture, _ in found], 1), np.median([distance for _, distance in found], 0)


@pytest.fixture(scope="module")
def healthy() -> list[np.ndarray]:
    return [walk(seed) for seed in range(N)]


def measured(query: np.ndarray, healthy: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give uncertainty, distance and whether each frame is reliable."""
    normal = [shown_by(one, [other for other in healthy if other is not one]) for one in healthy]
    usual = usual_spread(shown for shown, _ in normal)
    pool = np.concatenate([reference_uncertainty(shown, usual) for shown, _ in normal])
    far = np.concatenate([distance for _, distance in normal])
    shown, distance = shown_by(query, healthy)
    uncertainty = reference_uncertainty(shown, usual)
    return uncertainty, distance, find_reliable(uncertainty, distance, pool, far)


def test_normal_frames_are_reliable_and_as_sure_as_usual(healthy: list[np.ndarray]):
    uncertainty, _, reliable = measured(walk(99), healthy)
    assert reliable.mean() > 0.97
    assert np.median(uncertainty) == pytest.approx(1, abs=0.35)


def test_a_posture_that_nobody_shows_is_a_deviation_and_no_missing_reference(healthy: list[np.ndarray]):
    """A limb that is held out makes every match a far one; what the others show then is as sure as before."""
    query = walk(99)
    query[80:160, 0] += 4
    _, usual, _ = measured(walk(99), healthy)
    uncertainty, distance, reliable = measured(query, healthy)
    assert np.median(distance[90:150]) > 3 * np.median(usual)
    assert np.median(uncertainty[90:150]) < 1.5
    assert reliable.mean() > 0.95


@pytest.mark.parametrize("kind", ["backwards", "still", "other limbs"])
def test_a_movement_that_nobody_shows_has_no_good_reference(healthy: list[np.ndarray], kind: str):
    query = walk(99)
    bout = query[80:160]
    query[80:160] = {"backwards": bout[::-1], "still": bout[:1], "other limbs": bout[:, ::-1]}[kind]
    uncertainty, _, reliable = measured(query, healthy)
    assert not reliable[95:145].any()
    assert reliable[:60].all()
    assert np.median(uncertainty[95:145]) > 2 * np.median(uncertainty[:60])


def test_a_single_frame_is_not_told_apart_from_its_neighbours():
    normal, alone = np.linspace(0, 1, 101), np.zeros(40)
    alone[20] = 3
    assert not find_reliable(alone, alone, normal, normal)[20]
    assert find_reliable(alone, alone, normal, normal, width=3).all()


def test_either_agreement_or_a_match_is_enough():
    normal = np.linspace(0, 1, 101)
    uncertainty, distance = np.array([0.5, 2.0, 0.5, 2.0]), np.array([0.5, 0.5, 2.0, 2.0])
    np.testing.assert_array_equal(find_reliable(uncertainty, distance, normal, normal), [True, True, True, False])


def test_entries_that_never_vary_do_not_count_too_much():
    shown = np.random.default_rng(0).normal(size=(50, 4, 3))
    shown[..., 0] = 0
    usual = usual_spread([shown])
    assert (usual > 0).all()
    assert reference_uncertainty(shown, usual).mean() == pytest.approx(np.sqrt(2 / 3), abs=0.1)


def test_one_subject_cannot_disagree():
    shown = np.random.default_rng(0).normal(size=(5, 1, 3))
    np.testing.assert_array_equal(reference_uncertainty(shown, np.ones(3)), np.zeros(5))
