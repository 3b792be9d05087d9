import numpy as np
import pytest

from napari_ubam.analysis.phases import find_cycles
from napari_ubam.sample.cohort import Walker


def walkers(n_healthy=5, n_impaired=3, n_frames=200, noise=0.01):
    """Give the joints of sample walkers, the noise of landmarks added, and their true phases."""
    rng = np.random.default_rng(0)
    codes, phase = {}, {}
    for group, n in enumerate((n_healthy, n_impaired)):
        for i in range(n):
            walker = Walker.draw((0, group, i), 1.0 * group, n_frames, 64)
            joints = walker.pose(1.0).joint_array().reshape(n_frames, -1)
            codes["hi"[group] + str(i)] = joints + rng.normal(0, noise, joints.shape)
            phase["hi"[group] + str(i)] = walker.phase
    return codes, phase


def off_by(found, true):
    """Give how far phases are from the true ones, apart from where 0 is, in cycles."""
    turned = np.exp(2j * np.pi * (np.concatenate(found) - np.concatenate(true)))
    return np.angle(turned / turned.mean()) / (2 * np.pi)


def test_phases_are_the_same_for_all_walkers():
    codes, true = walkers()
    found = find_cycles(codes, {name: name for name in codes if name[0] == "h"})
    assert all(cycle.period.found for cycle in found.values())
    error = off_by([found[name].phase for name in codes], [true[name] for name in codes])
    assert np.abs(error).max() < 0.05
    assert min(cycle.like for cycle in found.values()) > 0.9


def test_phase_0_is_where_the_entry_that_swings_most_is_highest():
    time = np.arange(120) / 24
    codes = np.stack([np.cos(2 * np.pi * (time - 0.3)), 3 * np.cos(2 * np.pi * (time - 0.6))], 1)
    cycle = find_cycles({"a": codes}, {"a": "a"})["a"]
    at = np.argmin(np.minimum(cycle.phase, 1 - cycle.phase)[30:60]) + 30
    assert time[at] % 1 == pytest.approx(0.6, abs=0.03)


def test_a_recording_of_half_cycles_gets_the_others_period():
    time = np.arange(200) / 30
    fundamental, second = np.cos(2 * np.pi * time), np.cos(4 * np.pi * time)
    stride = np.stack([fundamental, np.sin(2 * np.pi * time), second], 1)
    nearly_steps = stride * [0.2, 0.2, 1]
    codes = {"a": stride, "b": stride, "c": stride, "d": nearly_steps}
    found = find_cycles(codes, dict.fromkeys("abc", "x"))
    assert found["d"].period.frames == pytest.approx(30, rel=0.02)
    np.testing.assert_allclose(off_by([found["d"].phase], [found["a"].phase]), 0, atol=0.03)


def test_those_that_do_not_move_so_are_left_out():
    codes, _ = walkers()
    time = np.arange(200)[:, None] / 30
    codes["noise"] = np.random.default_rng(1).standard_normal(codes["h0"].shape)
    other_way = np.random.default_rng(2).normal(0, 0.1, (2, codes["h0"].shape[1]))
    codes["other"] = np.sin(2 * np.pi * time) * other_way[0] + np.cos(2 * np.pi * time) * other_way[1]
    found = find_cycles(codes, {name: name for name in codes if name[0] == "h"})
    assert found["noise"].period.note == "its movement does not repeat itself"
    assert found["other"].period.note == "its cycle is another one than that of the reference group"
    assert np.isnan(found["other"].phase).all()
    assert found["other"].like < 0.5
    without = find_cycles(codes, {"noise": "noise"})
    assert without["h0"].period.note == "no reference subject moves periodically"
    assert all(np.isnan(cycle.phase).all() for cycle in without.values())


def test_a_pause_has_no_phase():
    time = np.minimum(np.arange(400), 250) / 25  # stands still from frame 250 on
    codes = np.stack([np.cos(2 * np.pi * time), np.sin(2 * np.pi * time)], 1)
    phase = find_cycles({"a": codes}, {"a": "a"})["a"].phase
    assert not np.isnan(phase[:230]).any()
    assert np.isnan(phase[320:]).all()
