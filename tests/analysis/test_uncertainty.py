import numpy as np
import pytest

from napari_ubam.analysis.moments import Library, Spacing, Track, ask_for_all, match_moments
from napari_ubam.analysis.reference import comparable, smooth_in_time
from napari_ubam.analysis.uncertainty import disagreement, find_reliable, reference_uncertainty, usual_disagreement

FPS, SECONDS, N, T, D = 30, 0.4, 6, 240, 8


def walk(seed: int) -> np.ndarray:
    """Give postures (T, D) of a subject with a build, a rhythm and some noise of its own."""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * (np.arange(T) / (28 + rng.uniform(-2, 2)) + rng.uniform())
    limbs = np.sin(phase[:, None] + np.arange(D) * 2.4) * (1 + 0.1 * rng.normal(size=D))
    return limbs + 0.5 * rng.normal(size=D) + 0.05 * rng.normal(size=(T, D))


def track(codes: np.ndarray) -> Track:
    compared = comparable(codes, codes.mean(0), np.ones(D))
    return Track(compared, codes, np.ones(len(codes), bool), Spacing.of(FPS, SECONDS))


def shown_by(query: np.ndarray, others: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Match a recording with others: how much they disagree, and how far they are."""
    found = [match_moments(ask_for_all(track(query)), Library([track(other)], T), 4) for other in others]
    shown = np.stack([posture for posture, _ in found], 1)
    means = np.stack([other.mean(0) for other in others])
    distance = np.median([distance for _, distance in found], 0)
    return disagreement(shown, means), smooth_in_time(distance, FPS, 0.1)


def uncertainty_of(found: np.ndarray, usual: np.ndarray) -> np.ndarray:
    return smooth_in_time(reference_uncertainty(found, usual), FPS, 0.1)


@pytest.fixture(scope="module")
def healthy() -> list[np.ndarray]:
    return [walk(seed) for seed in range(N)]


def measured(query: np.ndarray, healthy: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give uncertainty, distance and whether each frame is reliable."""
    normal = [shown_by(one, [other for other in healthy if other is not one]) for one in healthy]
    usual = usual_disagreement([found for found, _ in normal])
    pool = np.concatenate([uncertainty_of(found, usual) for found, _ in normal])
    far = np.concatenate([distance for _, distance in normal])
    found, distance = shown_by(query, healthy)
    uncertainty = uncertainty_of(found, usual)
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


def test_either_agreement_or_a_match_is_enough():
    normal = np.linspace(0, 1, 101)
    uncertainty, distance = np.array([0.5, 2.0, 0.5, 2.0]), np.array([0.5, 0.5, 2.0, 2.0])
    np.testing.assert_array_equal(find_reliable(uncertainty, distance, normal, normal), [True, True, True, False])


def test_entries_that_never_vary_do_not_count_too_much():
    shown = np.random.default_rng(0).normal(size=(50, 4, 3))
    shown[..., 0] = 0
    found = disagreement(shown, np.zeros((4, 3)))
    usual = usual_disagreement([found])
    assert (usual > 0).all()
    assert reference_uncertainty(found, usual).mean() == pytest.approx(np.sqrt(2 / 3), abs=0.1)


def test_builds_may_differ_without_a_disagreement():
    shown, builds = np.zeros((20, 4, 3)), np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_allclose(disagreement(shown + builds, builds), 0, atol=1e-20)


def test_one_subject_cannot_disagree():
    shown = np.random.default_rng(0).normal(size=(5, 1, 3))
    np.testing.assert_array_equal(disagreement(shown, np.zeros((1, 3))), np.zeros((5, 3)))
