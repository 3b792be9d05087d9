import numpy as np
import pytest

from napari_ubam.analysis.keypoints import ALL, BLOCKS, SUBJECTS, Poses, predict_keypoints
from napari_ubam.errors import StudyError

NAMES = ("head", "hand", "foot")


def recording(subject: str, seed: int, n: int = 120, noise: float = 0.0, marked: bool = True) -> Poses:
    """Make a body of its own size and place, whose keypoints follow its codes linearly; the foot is beyond the code."""
    rng = np.random.default_rng(seed)
    hidden = np.stack([np.sin(np.arange(n) / 5 + seed), np.cos(np.arange(n) / 7), rng.normal(size=n)], 1)
    build = 0.3 + 0.1 * rng.random()
    mixing = np.random.default_rng(99).normal(size=(2, 6))
    mean = rng.normal(size=6)
    posture = hidden[:, :2] @ mixing + mean + noise * rng.normal(size=(n, 6))
    shape = np.array([[0, -1.0], [1, 0], [0, 1]]) * build
    moved = np.stack([hidden[:, :2], hidden[:, 1::-1], hidden[:, [2, 2]]], 1) * build * 0.2
    return Poses(subject, posture, shape + moved + 0.1 * mean[:2] if marked else None)


def cohort(**options: float) -> dict[str, Poses]:
    return {f"r{i}": recording(f"s{i}", i, **options) for i in range(6)}


def test_what_the_codes_say_is_found_in_unseen_subjects_and_what_they_do_not_is_not():
    poses = cohort()
    predicted = predict_keypoints(poses, NAMES)
    scores = predicted.scores.set_index("keypoint")
    assert scores.index.tolist() == [ALL, *NAMES]
    assert scores.loc[["head", "hand"], "r2"].min() > 0.99
    assert -0.2 < scores.loc["foot", "r2"] < 0.1
    assert scores.loc["foot", "r2"] < scores.loc[ALL, "r2"] < 0.99
    assert (scores["unseen"] == SUBJECTS).all()
    assert scores["n_frames"].tolist() == [2160, 720, 720, 720]
    assert (scores["n_subjects"] == 6).all()
    for name, pose in poses.items():
        np.testing.assert_allclose(predicted.points[name][:, :2], pose.points[:, :2], atol=0.01)


def test_the_score_is_of_subjects_that_were_not_learned_from():
    """A code that says who it is, and what that subject does, says nothing of another one."""
    poses = {}
    for i in range(4):
        rng = np.random.default_rng(i)
        own = np.zeros((100, 4))
        own[:, i] = rng.normal(size=100)
        poses[f"r{i}"] = Poses(f"s{i}", own, np.stack([own[:, [i, i]], -own[:, [i, i]] + 3], 1))
    r2 = predict_keypoints(poses, NAMES[:2]).scores["r2"]
    assert (r2 < 0.05).all()


def test_two_recordings_of_a_subject_are_left_out_together():
    poses = {f"r{i}": recording(f"s{i // 2}", i) for i in range(6)}
    scores = predict_keypoints(poses, NAMES).scores
    assert (scores["n_subjects"] == 3).all()
    assert (scores["unseen"] == SUBJECTS).all()


def test_one_subject_is_tried_on_stretches_of_time():
    poses = {"r0": recording("s0", 0, n=200, noise=0.01)}
    poses["r0"].points[50:150] = np.nan  # labelled in part
    predicted = predict_keypoints(poses, NAMES)
    scores = predicted.scores.set_index("keypoint")
    assert (scores["unseen"] == BLOCKS).all()
    assert scores.loc["head", "r2"] > 0.95
    assert np.isfinite(predicted.points["r0"]).all()


def test_recordings_without_keypoints_get_them_where_their_codes_say_so():
    poses = {f"r{i}": recording(f"s{i}", i) for i in range(12)}
    truth = recording("new", 50).points
    poses["new"] = recording("new", 50, marked=False)
    found = predict_keypoints(poses, NAMES).points["new"]
    moved, true = found[:, 0] - found[:, 0].mean(0), truth[:, 0] - truth[:, 0].mean(0)
    assert np.corrcoef(moved.ravel(), true.ravel())[0, 1] > 0.99
    assert np.linalg.norm(found.mean(0) - truth.mean(0), axis=-1).max() < 0.15  # of the mean code, as builds differ


def test_missing_keypoints_are_passed_over_each_on_its_own():
    poses = cohort()
    rng = np.random.default_rng(0)
    for i, pose in enumerate(poses.values()):
        pose.points[rng.random(pose.points.shape[:2]) < 0.3] = np.nan
        if i > 1:
            pose.points[:, 0] = np.nan
    predicted = predict_keypoints(poses, NAMES)
    scores = predicted.scores.set_index("keypoint")
    assert scores.loc["head", "n_subjects"] == 2
    assert scores.loc["hand", "r2"] > 0.99
    assert all(np.isfinite(points).all() for points in predicted.points.values())


def test_a_keypoint_that_is_hardly_ever_seen_is_left_out():
    poses = cohort()
    for pose in poses.values():
        pose.points[3:, 0] = np.nan
    predicted = predict_keypoints(poses, NAMES)
    assert predicted.scores["keypoint"].tolist() == [ALL, "hand", "foot"]
    assert np.isnan(predicted.points["r0"][:, 0]).all()
    for pose in poses.values():
        pose.points[3:] = np.nan
    with pytest.raises(StudyError, match="20 frames"):
        predict_keypoints(poses, NAMES)


def test_a_single_keypoint_and_long_codes():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(6, 300))
    poses = {name: Poses(p.subject, p.posture @ mixing, p.points[:, :1]) for name, p in cohort().items()}
    assert predict_keypoints(poses, NAMES[:1]).scores["r2"].min() > 0.98
