import csv

import numpy as np
import pytest

from napari_ubam.progress import Progress
from napari_ubam.sample import ANGLES, JOINTS, make_cohort, write_cohort
from napari_ubam.video import open_frames

SMALL = {"n_frames": 12, "size": 48, "seed": 2}


@pytest.fixture(scope="module")
def cohort():
    return make_cohort(2, 2, **SMALL)


@pytest.fixture(scope="module")
def impaired(cohort):
    return cohort[2]


def test_shapes_and_groups(cohort):
    assert [r.group for r in cohort] == ["healthy", "healthy", "impaired", "impaired"]
    assert len({r.subject for r in cohort}) == len({r.name for r in cohort}) == 4
    for recording in cohort:
        assert recording.frames.shape == (12, 48, 48, 3)
        assert recording.frames.dtype == np.uint8
        assert recording.joints.shape == (12, len(JOINTS), 2)
        assert recording.deviation.shape == (12, len(ANGLES))
        assert recording.phase.shape == (12,)
        assert (recording.phase >= 0).all()
        assert (recording.phase < 1).all()
        assert recording.fps == 30


def test_the_same_seed_gives_the_same_cohort_and_another_another(cohort):
    again, other = make_cohort(2, 2, **SMALL), make_cohort(2, 2, **SMALL | {"seed": 3})
    for a, b, c in zip(cohort, again, other, strict=True):
        np.testing.assert_array_equal(a.frames, b.frames)
        np.testing.assert_array_equal(a.joints, b.joints)
        assert a.severity == b.severity
        assert (a.frames != c.frames).mean() > 0.5


def test_a_subject_does_not_depend_on_how_many_others_there_are(cohort):
    np.testing.assert_array_equal(make_cohort(0, 1, **SMALL)[0].frames, cohort[2].frames)
    np.testing.assert_array_equal(make_cohort(1, 0, **SMALL)[0].frames, cohort[0].frames)


def test_a_longer_recording_begins_like_a_shorter_one(cohort):
    longer = make_cohort(1, 0, **SMALL | {"n_frames": 20})[0]
    np.testing.assert_array_equal(longer.frames[:12], cohort[0].frames)


def test_size_changes_only_the_resolution(cohort):
    larger = make_cohort(1, 0, **SMALL | {"size": 96, "n_frames": 2})[0]
    np.testing.assert_allclose(larger.joints / 96, cohort[0].joints[:2] / 48)
    halved = larger.frames.reshape(2, 48, 2, 48, 2, 3).mean(axis=(2, 4))
    assert np.abs(halved - cohort[0].frames[:2]).mean() < 6


def test_subjects_look_different(cohort):
    backgrounds = [np.median(r.frames, axis=0) for r in cohort]
    for i, a in enumerate(backgrounds):
        for b in backgrounds[i + 1 :]:
            assert np.abs(a - b).mean() > 10


def test_factor_1_is_the_recording(cohort):
    for recording in cohort:
        np.testing.assert_array_equal(recording.counterfactual(1.0), recording.frames)
        np.testing.assert_array_equal(recording.counterfactual_joints(1.0), recording.joints)


def test_factor_0_is_the_same_subject_made_healthy(impaired):
    healthy = make_cohort(0, 1, **SMALL, severity=0.0)[0]
    assert healthy.severity == 0
    np.testing.assert_array_equal(healthy.deviation, 0)
    np.testing.assert_array_equal(impaired.counterfactual(0.0), healthy.frames)


def test_healthy_subjects_are_their_own_counterfactual(cohort):
    healthy = cohort[0]
    assert healthy.severity == 0
    np.testing.assert_array_equal(healthy.deviation, 0)
    np.testing.assert_array_equal(healthy.counterfactual(2.5), healthy.frames)


def test_deviation_grows_with_factor_and_severity(impaired):
    def distance(recording, factor: float) -> float:
        moved = recording.counterfactual_joints(factor) - recording.counterfactual_joints(0)
        return float(np.linalg.norm(moved, axis=-1).mean())

    distances = [distance(impaired, factor) for factor in (0, 0.5, 1, 2.5)]
    assert np.all(np.diff(distances) > 0)
    worse = make_cohort(0, 1, **SMALL, severity=1.6)[0]
    assert worse.severity == pytest.approx(1.6 * impaired.severity)
    assert distance(worse, 1) > distance(impaired, 1)
    assert np.abs(worse.deviation).sum() > np.abs(impaired.deviation).sum()


def test_only_the_figure_changes_with_the_factor(impaired):
    magnified = impaired.counterfactual(2.5)
    changed = (magnified != impaired.frames).any(axis=-1)
    assert changed.any(axis=(1, 2)).all()
    assert not changed[:, :, :8].any()  # room, noise included
    assert changed.mean() < 0.3


def test_another_look_shows_the_same_movement(impaired):
    one, two = impaired.in_look(0), impaired.in_look(1)
    np.testing.assert_array_equal(one, impaired.in_look(0))
    for a, b in ((impaired.frames, one), (one, two)):
        assert np.abs(np.median(a, 0) - np.median(b, 0)).mean() > 10
    walker = impaired.walker.in_look(0)
    np.testing.assert_array_equal(walker.pose(1.0).joint_array() * 48, impaired.joints)
    moved = (one != walker.empty_frames()).any(-1)  # where the figure is
    same = (impaired.frames != impaired.walker.empty_frames()).any(-1)
    assert (moved & same).sum() > 0.8 * (moved | same).sum()  # other hair, sleeves and trousers
    with pytest.raises(ValueError, match="no look -1"):
        impaired.in_look(-1)


@pytest.mark.parametrize("factor", [0.0, 1.0, 2.5])
def test_joints_lie_inside_the_picture_and_on_the_figure(cohort, factor):
    for recording in cohort:
        joints, frames = recording.counterfactual_joints(factor), recording.counterfactual(factor)
        assert joints.min() > 0
        assert joints.max() < 48
        empty = recording.walker.empty_frames()
        x, y = np.round(joints - 0.5).astype(int).transpose(2, 0, 1)
        t = np.arange(len(frames))[:, None]
        differs = (frames[t, y, x].astype(int) - empty[t, y, x] != 0).any(axis=-1)
        assert differs.mean(axis=0).min() > 0.9, dict(zip(JOINTS, differs.mean(axis=0), strict=True))


def test_the_table_is_written_and_read_back(tmp_path, cohort):
    reports: list[Progress] = []
    table = write_cohort(tmp_path / "cohort", 2, 2, **SMALL, report=reports.append)
    assert table == tmp_path / "cohort" / "recordings.csv"
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "subject", "group", "session", "severity"]
    assert [(r.done, r.total) for r in reports] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for row, recording in zip(rows, cohort, strict=True):
        assert (row["subject"], row["group"], row["session"]) == (recording.subject, recording.group, "1")
        assert float(row["severity"]) == pytest.approx(recording.severity, abs=1e-4)
        with open_frames(table.parent / row["path"]) as video:
            assert video.fps == pytest.approx(recording.fps)
            np.testing.assert_array_equal(video[:], recording.frames)


@pytest.mark.parametrize(
    "wrong", [{"n_healthy": -1}, {"n_frames": 0}, {"size": 8}, {"severity": -1.0}, {"seed": -1}, {"severity": np.nan}]
)
def test_numbers_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="sample cohort"):
        make_cohort(**wrong)
