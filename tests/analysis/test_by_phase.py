import numpy as np
import pandas as pd

from napari_ubam.analysis.by_phase import beyond_by_phase, deviation_by_phase, plot_phases, without_phases


def frames(n_reference=4):
    """Give frames of subjects of whom ``x`` alone deviates, from 0.6 to 0.8 of the cycle."""
    rng = np.random.default_rng(0)
    tables = []
    for subject in [*(f"h{i}" for i in range(n_reference)), "x", "y"]:
        phase = (np.arange(300) % 30 + 0.5) / 30
        deviation = 1 + 0.1 * rng.random(300) + 2 * ((subject == "x") & (phase >= 0.6) & (phase < 0.8))
        tables.append(
            pd.DataFrame(
                {"recording": f"{subject}_1", "subject": subject, "group": "healthy" if subject[0] == "h" else "sick",
                 "frame": np.arange(300), "deviation": deviation, "reliable": True, "phase": phase}
            )
        )  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def test_a_deviation_is_found_in_its_part_of_the_cycle():
    table = deviation_by_phase(frames(), "healthy")
    assert table["n_frames"].eq(30).all()
    assert list(table["subject"].unique()) == ["h0", "h1", "h2", "h3", "x", "y"]
    own = table[table["subject"] == "x"].set_index("phase")
    assert list(own.index) == [i / 10 for i in range(10)]
    high = own["deviation"] > own["reference_high"] + 1
    assert list(own.index[high]) == [0.6, 0.7]
    assert (own.loc[[0.6, 0.7], "rank"] == 1).all()
    assert own.loc[0.6, "frame"] % 30 in (18, 19, 20)
    sentences = beyond_by_phase(table, "healthy")
    assert any(s.startswith("x: more deviation than in every healthy") and "0.6 to 0.8 of" in s for s in sentences)
    assert "one of 5 parts" in sentences[-1]


def test_subjects_who_deviate_alike_share_a_sentence():
    given = frames()
    given.loc[given["group"] != "healthy", "deviation"] += 10
    sentences = beyond_by_phase(deviation_by_phase(given, "healthy"), "healthy")
    assert sentences[0] == "x, y: more deviation than in every healthy subject throughout the cycle."
    assert len(sentences) == 2


def test_a_reference_subject_is_ranked_among_the_others():
    table = deviation_by_phase(frames(), "healthy")
    own = table[table["group"] == "healthy"]
    assert own["n_reference"].eq(3).all()
    assert set(own.groupby("phase")["rank"].agg(tuple).map(sorted).map(tuple)) == {(1, 2, 3, 4)}
    assert table.loc[table["subject"] == "y", "n_reference"].eq(4).all()


def test_unreliable_frames_and_those_without_a_phase_do_not_count():
    given = frames()
    is_x = given["subject"] == "x"
    given.loc[is_x & (given["deviation"] > 2), "reliable"] = False
    given.loc[given["subject"] == "y", "reliable"] = False  # it has no others
    given.loc[given["subject"] == "h0", "phase"] = np.nan
    table = deviation_by_phase(given, "healthy", n_phases=5)
    assert list(table.loc[table["subject"] == "x", "phase"]) == [0, 0.2, 0.4, 0.8]
    assert (table["subject"] == "y").sum() == 5
    assert "h0" not in set(table["subject"])
    assert table.loc[table["subject"] == "x", "n_reference"].eq(3).all()


def test_a_single_reference_subject_has_no_band():
    table = deviation_by_phase(frames(1), "healthy")
    own = table[table["subject"] == "h0"]
    assert own["n_reference"].eq(0).all()
    assert own[["reference_low", "reference_high"]].isna().all(axis=None)


def test_without_phases_there_is_nothing():
    given = frames().assign(phase=np.nan)
    table = deviation_by_phase(given, "healthy")
    assert table.empty
    assert beyond_by_phase(table, "healthy") == []


def test_who_was_left_out_is_named_with_the_reason():
    cycles = pd.DataFrame(
        {"recording": ["a", "b", "c"], "note": ["", "its posture never changes", "its posture never changes"]}
    )
    assert without_phases(cycles) == ["Left out: b, c, for its posture never changes."]


def test_every_subject_is_a_line_beside_the_band():
    table = deviation_by_phase(frames(), "healthy")
    panels = plot_phases(table, "healthy").axes
    assert [axes.get_title() for axes in panels] == ["healthy, n = 4", "sick, n = 2"]
    assert [len(axes.lines) for axes in panels] == [4 + 1, 2 + 1]
    assert all(len(axes.collections) == 1 for axes in panels)
    assert len(plot_phases(table[table["subject"] == "x"], "healthy").axes) == 2  # no reference subject: no band


def test_a_group_may_be_called_anything():
    given = frames()
    given["group"] = given["group"].replace("sick", "$<b>=1+1")
    figure = plot_phases(deviation_by_phase(given, "healthy"), "healthy")
    figure.canvas.draw()
    assert figure.axes[1].get_title() == "$<b>=1+1, n = 2"
