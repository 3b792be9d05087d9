import numpy as np
import pytest

from napari_ubam.analysis.periods import find_period, self_likeness


def going_round(period, n_frames=200, noise=0.05, seed=0):
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * np.arange(n_frames) / period
    codes = np.stack([np.sin(phase), np.cos(phase), np.sin(2 * phase), np.sin(phase + 1)], 1)
    return codes + rng.normal(0, noise, codes.shape)


@pytest.mark.parametrize("period", [9.3, 31.4, 60])
def test_the_period_is_found_between_frames(period):
    found = find_period(going_round(period))
    assert found.frames == pytest.approx(period, rel=0.01)
    assert found.strength > 0.85
    assert found.found


def test_two_steps_that_nearly_look_alike_are_one_stride():
    step = going_round(15)
    stride = 0.8 * going_round(30, seed=1)
    assert find_period(step).frames == pytest.approx(15, rel=0.02)
    assert find_period(step + stride).frames == pytest.approx(30, rel=0.02)


def test_a_slow_drift_hides_no_period():
    codes = going_round(25) + np.linspace(0, 2, 200)[:, None]
    assert find_period(codes).frames == pytest.approx(25, rel=0.03)


@pytest.mark.parametrize("memory", [0.0, 0.9, 0.99])
def test_noise_is_not_periodic(memory):
    rng = np.random.default_rng(0)
    for _ in range(20):
        codes = rng.standard_normal((300, 6))
        for t in range(1, 300):
            codes[t] += memory * codes[t - 1]
        found = find_period(codes)
        assert not found.found
        assert np.isnan(found.frames)
        assert found.note == "its movement does not repeat itself"


@pytest.mark.parametrize(
    ("codes", "note"),
    [
        (np.ones((100, 3)), "its posture never changes"),
        (np.full((100, 3), np.nan), "its postures are not all numbers"),
        (np.zeros((0, 3)), "it has 0 frames, too few to see 3 cycles"),
        (going_round(3)[:9], "it has 9 frames, too few to see 3 cycles"),
        (going_round(80), "its movement does not repeat itself"),  # fewer than three cycles
    ],
)
def test_what_is_not_periodic_says_why(codes, note):
    assert find_period(codes).note == note


def test_likeness_is_that_of_its_definition():
    codes = np.random.default_rng(0).standard_normal((30, 2))
    direct = [2 * (codes[: 30 - lag] * codes[lag:]).sum() / ((codes[: 30 - lag] ** 2).sum() + (codes[lag:] ** 2).sum())
              for lag in range(30)]  # fmt: skip
    np.testing.assert_allclose(self_likeness(codes), direct, atol=1e-9)
