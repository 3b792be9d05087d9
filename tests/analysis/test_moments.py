import numpy as np
import pytest

from napari_ubam.analysis import moments
from napari_ubam.analysis.moments import Library, SomeFrames, Spacing, Track, ask_for_all, match_moments
from napari_ubam.analysis.search import nearest

D = 6


def track(n: int, seed: int = 0, fps: float = 30.0, seconds: float = 0.4, sure: np.ndarray | None = None) -> Track:
    codes = np.random.default_rng(seed).normal(size=(n, D)).astype(np.float32)
    return Track(codes, codes + 1, np.ones(n, bool) if sure is None else sure, Spacing.of(fps, seconds))


def one_by_one(query: Track, other: Track, n: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compare all contexts as they are, and those of the other's ``rows``."""
    every = np.arange(len(query.codes), dtype=float)
    contexts = other.contexts(rows.astype(float))
    distance, index = nearest(query.contexts(every), contexts, n)
    return other.shown[rows][index].mean(1), distance[:, 0] / np.sqrt(contexts.shape[1])


@pytest.mark.parametrize("n", [1, 30, 300])
@pytest.mark.parametrize(("fps", "other_fps", "seconds"), [(30, 30, 0.4), (29.97, 60, 0.4), (25, 30, 0.4), (30, 30, 0)])
def test_the_same_as_comparing_contexts_one_by_one(
    n: int, fps: float, other_fps: float, seconds: float, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(moments, "ROWS", 20)  # several blocks
    monkeypatch.setattr(moments, "COLUMNS", 32)
    query, other = track(50, 1, fps, seconds), track(n, 2, other_fps, seconds)
    posture, distance = match_moments(ask_for_all(query), Library([other], 1000), 4)
    wanted = one_by_one(query, other, 4, np.arange(n))
    np.testing.assert_allclose(posture, wanted[0], atol=1e-5)
    np.testing.assert_allclose(distance, wanted[1], atol=1e-4)


def test_some_frames_show_the_same_as_all():
    query, library, rows = track(50, 1), Library([track(300, 2)], 1000), np.array([0, 17, 49])
    for some, every in zip(
        match_moments(SomeFrames(query, rows), library, 4), match_moments(ask_for_all(query), library, 4), strict=True
    ):
        np.testing.assert_allclose(some, every[rows], atol=1e-4)


def test_moments_are_kept_in_evenly_spread_parts():
    library = Library([track(20_000), track(20_000, 1)], 1000)
    assert 900 <= library.n <= 1100
    rows = library.shown[library.square.unfold(0, 9, 1).sum(1) < np.inf]
    assert len(rows) == library.n
    first = {tuple(code) for code in (track(20_000).codes[10_000:] + 1).tolist()}
    late = sum(tuple(code) in first for code in rows.tolist())
    assert 200 <= late <= 300  # of the second half of the first recording, a quarter of all


def test_what_is_kept_does_not_reach_over_gaps():
    """Every moment that is kept has the context that it has in its recording."""
    sure = np.random.default_rng(3).random(400) < 0.7
    other = track(400, 2, sure=sure)
    library = Library([other, track(90, 4)], 150)
    itself = match_moments(ask_for_all(other), library, 1)[1] < 1e-2
    assert 50 <= itself.sum() <= 150
    assert sure[itself].all()


def test_frames_that_are_not_sure_are_not_shown():
    sure = np.ones(200, bool)
    sure[50:120] = False
    other = track(200, 2, sure=sure)
    posture, distance = match_moments(ask_for_all(other), Library([other], 1000), 3)
    wanted = one_by_one(other, other, 3, np.flatnonzero(sure))
    np.testing.assert_allclose(posture, wanted[0], atol=1e-5)
    assert distance[50:120].min() > 0.5


@pytest.mark.parametrize("fps", [25.0, 30.0])
def test_a_single_sure_frame_is_enough(fps: float):
    other = track(40, 2, fps, sure=np.arange(40) == 7)
    posture, _ = match_moments(ask_for_all(track(20)), Library([other], 1000), 8)
    np.testing.assert_allclose(posture, np.tile(other.shown[7], (20, 1)))


def test_a_moment_that_repeats_is_found_at_a_distance_of_nothing():
    still = Track(np.ones((60, D), np.float32), np.ones((60, D)), np.ones(60, bool), Spacing.of(30, 0.4))
    posture, distance = match_moments(ask_for_all(still), Library([still], 1000), 8)
    np.testing.assert_allclose(posture, 1)
    np.testing.assert_allclose(distance, 0, atol=1e-3)


def test_the_same_moments_are_found_at_any_frame_rate():
    def swing(fps: float) -> Track:
        phase = 5 * np.arange(int(3 * fps)) / fps
        codes = np.stack([np.sin(phase), np.cos(phase)], 1).astype(np.float32)
        return Track(codes, codes, np.ones(len(codes), bool), Spacing.of(fps, 0.3))

    for fps in (25, 30, 50, 120):
        posture, distance = match_moments(ask_for_all(swing(fps)), Library([swing(30)], 1000), 1)
        assert np.abs(posture - swing(fps).codes)[fps // 2 : -fps // 2].max() < 0.1
        assert distance[fps // 2 : -fps // 2].max() < 0.1


def test_two_moments_that_look_alike_are_told_apart():
    """A pendulum passes its middle in both directions: the picture is the same, the movement is not."""
    codes = np.sin(2 * np.pi * np.arange(120) / 30)[:, None].astype(np.float32)
    rising, falling = 30.0, 45.0

    def apart(seconds: float) -> float:
        swing = Track(codes, codes, np.ones(120, bool), Spacing.of(30, seconds))
        one, other = swing.contexts(np.array([rising, falling]))
        return float(np.abs(one - other).max())

    assert apart(0.3) > 1
    assert apart(0) < 1e-5
