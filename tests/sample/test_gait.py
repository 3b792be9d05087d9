import numpy as np
import pytest

from napari_ubam.sample.gait import ANGLES, Gait, jitter, normal_angles, within_limits

PHASE = np.linspace(0, 1, 50, endpoint=False)


def gait(severity: float) -> Gait:
    return Gait.draw(np.random.default_rng(3), severity)


def test_a_stride_is_periodic_and_anatomical():
    angles = normal_angles(PHASE)
    np.testing.assert_allclose(normal_angles(PHASE + 1), angles)
    hip, knee, ankle, _, elbow = angles.T
    assert knee.min() > 0
    assert 50 < knee.max() < 75
    assert 0.65 < PHASE[knee.argmax()] < 0.8  # the knee bends most in the swing
    assert hip.max() > 20
    assert hip.min() < -10
    assert -35 < ankle.min() < ankle.max() < 20
    assert elbow.min() > 0


def test_healthy_subjects_do_not_deviate():
    np.testing.assert_array_equal(gait(0).deviation(PHASE), 0)


def test_style_does_not_depend_on_severity():
    np.testing.assert_array_equal(gait(0).healthy(PHASE), gait(1).healthy(PHASE))


def test_deviation_grows_in_proportion_to_severity():
    np.testing.assert_allclose(gait(2).deviation(PHASE), 2 * gait(1).deviation(PHASE))


def test_impairments_are_as_described():
    subject = gait(1)
    healthy, deviation = subject.healthy(PHASE), subject.deviation(PHASE)
    impaired = healthy + deviation
    column = {name: i for i, name in enumerate(ANGLES)}

    def excursion(angles: np.ndarray, name: str) -> float:
        return float(np.ptp(angles[:, column[name]]))

    for name in ("right_hip", "right_knee", "right_shoulder"):
        assert excursion(impaired, name) < 0.9 * excursion(healthy, name)
    assert (deviation[:, column["trunk"]] > 3).all()
    swing = (PHASE > 0.7) & (PHASE < 0.95)
    assert (deviation[swing, column["right_ankle"]] < -1).all()
    right, left = np.abs(deviation[:, :5]).mean(), np.abs(deviation[:, 5:10]).mean()
    assert left < 0.5 * right


def test_jitter_is_smooth_and_a_longer_recording_begins_like_a_shorter_one():
    short, long = (jitter(np.random.default_rng(0), n) for n in (40, 2000))
    np.testing.assert_array_equal(short, long[:40])
    assert long.std(axis=0).mean() == pytest.approx(1.2, rel=0.25)
    assert np.abs(np.diff(long, axis=0)).mean() < 0.5 * np.abs(long).mean()


def test_magnified_knees_never_bend_the_wrong_way():
    angles = within_limits(gait(1).healthy(PHASE) + 10 * gait(1).deviation(PHASE))
    assert angles[:, [ANGLES.index("right_knee"), ANGLES.index("left_knee")]].min() >= 0
