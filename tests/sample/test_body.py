import numpy as np
import pytest

from napari_ubam.sample.body import FAR_SHIFT, FLOOR, JOINTS, Build, pose
from napari_ubam.sample.gait import Gait, jitter, within_limits

N_FRAMES = 60


@pytest.fixture(params=[(0, 0.0), (1, 1.0), (2, 1.0)], ids=["healthy", "impaired", "magnified"])
def walk(request):
    seed, severity = request.param
    factor = 2.5 if request.node.callspec.id == "magnified" else 1.0
    rng = np.random.default_rng(seed)
    build, gait = Build.draw(rng), Gait.draw(rng, severity)
    phase = gait.phase(N_FRAMES)
    angles = gait.healthy(phase) + factor * gait.deviation(phase) + jitter(rng, N_FRAMES)
    return build, pose(build, within_limits(angles), phase), phase


def test_limbs_keep_their_lengths(walk):
    build, posed, _ = walk
    for side in ("right", "left"):
        for part, a, b in (("thigh", "hip", "knee"), ("shank", "knee", "ankle"), ("upper_arm", "shoulder", "elbow")):
            lengths = np.linalg.norm(posed.joints[f"{side}_{a}"] - posed.joints[f"{side}_{b}"], axis=1)
            np.testing.assert_allclose(lengths, build.length[part])


def test_feet_stand_on_the_floor_and_never_in_it(walk):
    build, posed, phase = walk
    below = []
    for side, shift in (("right", 0.0), ("left", FAR_SHIFT[1])):
        foot = posed.direction[f"{side}_foot"]
        sole = build.length["ankle"] * np.stack([-foot[:, 1], foot[:, 0]], axis=-1)
        heel = posed.joints[f"{side}_ankle"] - 0.27 * build.length["foot"] * foot + sole
        lowest = np.maximum(heel[:, 1], posed.joints[f"{side}_ball"][:, 1]) - FLOOR - shift
        below.append(lowest)
        assert (posed.joints[f"{side}_toe"][:, 1] < FLOOR + shift + 0.001).all()
    below = np.array(below)
    assert below.max() < 0.004  # half a pixel at 128 px
    assert below.max(axis=0).min() > -0.004  # always one of them
    stance = (phase > 0.12) & (phase < 0.35)
    assert np.abs(below[0, stance]).max() < 0.004


def test_knees_point_forward(walk):
    _, posed, _ = walk
    for side in ("right", "left"):
        hip, knee, ankle = (posed.joints[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
        thigh, shank = knee - hip, ankle - knee
        assert (thigh[:, 0] * shank[:, 1] - thigh[:, 1] * shank[:, 0] >= -1e-9).all()


def test_joints_are_given_in_their_order(walk):
    _, posed, _ = walk
    joints = posed.joint_array()
    assert joints.shape == (N_FRAMES, len(JOINTS), 2)
    np.testing.assert_array_equal(joints[:, JOINTS.index("left_knee")], posed.joints["left_knee"])
