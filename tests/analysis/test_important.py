import numpy as np
import pandas as pd
import pytest

from napari_ubam.analysis.important import group_means, important_frames, worst_frame


def frames(scores: dict[str, np.ndarray], reliable: dict[str, np.ndarray] | None = None) -> pd.DataFrame:
    """A table of frames; subjects h… are healthy."""
    tables = [
        pd.DataFrame(
            {"subject": s, "group": "healthy" if s[0] == "h" else "impaired", "deviation": x,
             "reliable": (reliable or {}).get(s, np.ones(len(x), bool))}
        )
        for s, x in scores.items()
    ]  # fmt: skip
    return pd.concat(tables)


def test_reference_subjects_exceed_the_threshold_at_the_error_rate():
    rng = np.random.default_rng(0)
    found = important_frames(frames({f"h{i}": rng.normal(size=400) for i in range(8)}), "healthy", 0.05)
    assert found["important"].mean() == pytest.approx(5, abs=1)


def test_who_deviates_more_has_more_important_frames():
    rng = np.random.default_rng(0)
    scores = {f"h{i}": rng.normal(size=400) for i in range(8)} | {"i0": rng.normal(3, 1, 400), "i1": rng.normal(size=9)}
    found = important_frames(frames(scores), "healthy", 0.05).set_index("subject")
    assert found.loc["i0", "important"] == pytest.approx(91, abs=3)  # P(N(3, 1) > 1.645)
    assert found.loc["i0", "threshold"] == pytest.approx(1.645, abs=0.1)
    assert found.loc["i0", "group"] == "impaired"


def test_nobody_sets_its_own_threshold():
    scores = {"h0": np.full(100, 9.0), "h1": np.arange(100.0) / 100, "h2": np.arange(100.0) / 100}
    found = important_frames(frames(scores), "healthy", 0.1).set_index("subject")
    assert found.loc["h0", "important"] == 100
    assert found.loc["h0", "threshold"] == pytest.approx(0.9, abs=0.02)
    assert found.loc["h1", "important"] == 0


def test_a_long_recording_counts_no_more_than_a_short_one():
    scores = {"h0": np.zeros(5000), "h1": np.linspace(0, 1, 50), "h2": np.linspace(0, 1, 5000)}
    found = important_frames(frames(scores), "healthy", 0.2).set_index("subject")
    assert found.loc["h0", "threshold"] == pytest.approx(0.8, abs=0.02)
    assert found.loc["h2", "threshold"] == pytest.approx(0.6, abs=0.03)  # half of all mass is h1's


def test_others_are_measured_against_all_reference_subjects_but_one_in_turn():
    scores = {"h0": np.zeros(10), "h1": np.full(10, 2.0), "i0": np.array([1.0, 3.0])}
    found = important_frames(frames(scores), "healthy").set_index("subject")
    assert found.loc["i0", "threshold"] == 1  # the mean of 2 and 0
    assert found.loc["i0", "important"] == 75  # half its frames, then all


def test_unreliable_frames_do_not_count_unless_there_are_no_others():
    scores = {"h0": np.zeros(10), "h1": np.zeros(10), "i0": np.array([5.0, 0, 0, 0]), "i1": np.array([5.0, 0])}
    reliable = {"i0": np.array([False, True, True, True]), "i1": np.zeros(2, bool)}
    found = important_frames(frames(scores, reliable), "healthy").set_index("subject")
    assert found.loc["i0", "important"] == 0
    assert found.loc["i1", "important"] == 50


def test_group_means_have_intervals_over_subjects():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"group": ["a"] * 100 + ["b"] * 2 + ["c"], "x": [*rng.normal(5, 1, 100), 1.0, 3.0, 7.0], "y": np.nan}
    )
    found = group_means(table, ["x", "y"]).set_index(["group", "measure"])
    a, b, c = (found.loc[(group, "x")] for group in "abc")
    assert a["high"] - a["low"] == pytest.approx(2 * 1.96 / 10, rel=0.2)
    assert a["low"] < a["mean"] < a["high"]
    assert (b["mean"], b["low"], b["high"]) == (2, 1, 3)
    assert (c["n"], c["mean"]) == (1, 7)
    assert np.isnan(c["low"])
    assert found.loc[("a", "y"), "n"] == 0
    assert np.isnan(found.loc[("a", "y"), "mean"])


def test_a_frame_without_a_good_reference_is_the_worst_one_only_where_none_has():
    table = frames({"i0": np.array([1.0, 3.0, 2.0, 9.0])}, {"i0": np.array([True, True, True, False])})
    assert worst_frame(table)["deviation"] == 3
    assert worst_frame(table.assign(reliable=False))["deviation"] == 9
