import math

import numpy as np
import pytest

from napari_ubam.analysis.intervals import INTERVAL_COLUMNS, SUMMARY_COLUMNS, Marked, compare_intervals
from napari_ubam.sample.cohort import Walker
from napari_ubam.sample.gait import ANGLES

KNEE = ANGLES.index("right_knee")


def subjects(change: float, n: int = 6, length: int = 600) -> dict[str, Marked]:
    """Walk with a right knee that is bent more while it is on, in stretches of 50 frames; codes are joint angles."""
    found = {}
    for i in range(n):
        angles = Walker.draw((4, 0, i), 0.0, length, 64).healthy_angles.copy()
        on = np.arange(length) // 50 % 2 == 1
        angles[on, KNEE] += change
        found[f"s{i}"] = Marked("healthy", angles, on)
    return found


def test_a_change_in_one_limb_is_found_within_and_across_subjects():
    table, summary = compare_intervals(subjects(30.0), "light", n_permutations=19)
    assert tuple(table.columns) == INTERVAL_COLUMNS
    assert tuple(summary.columns) == SUMMARY_COLUMNS
    assert table["auc_within"].mean() > 0.9
    assert table["auc_unseen"].mean() > 0.8
    assert summary.loc[0, "p_value"] == summary.loc[0, "smallest_p"] == 1 / 20


def test_nothing_is_found_where_nothing_changes():
    _, summary = compare_intervals(subjects(0.0), "light", n_permutations=19)
    assert summary.loc[0, "auc_unseen"] == pytest.approx(0.5, abs=0.1)
    assert summary.loc[0, "p_value"] > 0.05


def test_too_few_frames_and_subjects_are_said():
    few = subjects(30.0, n=2)
    few["s1"] = Marked("healthy", few["s1"].codes, np.arange(600) < 5)
    table, summary = compare_intervals(few, "light")
    assert table["note"].tolist() == ["", "fewer than 10 frames on or off"]
    assert math.isnan(table.loc[0, "auc_unseen"])
    assert table.loc[0, "auc_within"] > 0.9
    assert summary.loc[0, "note"] == "fewer than two subjects"
    assert math.isnan(summary.loc[0, "p_value"])


def test_what_one_subject_does_left_and_another_right_is_found_with_mirror_images():
    """Of two wings, the one subject holds out the first, the other the second: codes of the mirror image swap them."""
    rng = np.random.default_rng(2)
    on = np.arange(300) // 30 % 2 == 1
    marked = {}
    for i in range(2):
        codes = 0.3 * rng.normal(size=(300, 2))
        codes[on, i] += 1
        marked[str(i)] = Marked("male", codes, on, codes[:, ::-1] + 0.3 * rng.normal(size=(300, 2)))
    alone = {s: Marked(m.group, m.codes, m.on) for s, m in marked.items()}
    assert compare_intervals(alone, "out")[0]["auc_unseen"].max() < 0.7
    table, summary = compare_intervals(marked, "out", n_permutations=19)
    assert table[["auc_within", "auc_unseen"]].min(axis=None) > 0.9
    assert summary.loc[0, "p_value"] == 1 / 20


def test_recordings_of_a_subject_are_put_together_with_their_mirror_images():
    parts = [Marked("a", np.full((3, 2), i), np.arange(3) < i, np.full((3, 2), -i)) for i in range(2)]
    both = Marked.together(parts)
    assert both.codes[:, 0].tolist() == [0, 0, 0, 1, 1, 1]
    assert both.examples[1, :, 1].tolist() == [0, 0, 0, -1, -1, -1]
    assert both.on.tolist() == [False, False, False, True, False, False]
    assert len(Marked.together([Marked("a", both.codes, both.on)]).examples) == 1


def test_slow_movements_are_no_false_alarm():
    """Codes wander as slowly as intervals are long, which looks like a difference."""
    rng = np.random.default_rng(1)
    rejected = 0
    for i in range(10):
        walks = np.cumsum(rng.normal(size=(4, 120, 3)), axis=1)
        marked = {
            str(k): Marked("a", walk - walk.mean(0), np.arange(120) // 30 % 2 == 1) for k, walk in enumerate(walks)
        }
        rejected += compare_intervals(marked, "on", n_permutations=9, seed=i)[1].loc[0, "p_value"] <= 0.1
    assert rejected <= 4  # 1 is expected
    assert math.isnan(compare_intervals(marked, "on", n_permutations=0)[1].loc[0, "p_value"])
