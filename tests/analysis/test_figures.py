import io

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from napari_ubam.analysis.figures import (
    group_colours,
    plot_deviation,
    plot_groups,
    plot_map,
    plot_pairs,
    plot_subjects,
    plot_training,
)
from napari_ubam.analysis.groups import compare_groups
from napari_ubam.analysis.theme import DARK

SUBJECTS = pd.DataFrame(
    {
        "subject": ["anna", "ben", "cleo", "dan", "eva"],
        "group": ["healthy"] * 3 + ["impaired"] * 2,
        "deviation": [1.0, 2.0, 1.5, 4.0, 1.2],
        "p_value": [0.75, 0.25, 0.5, 0.25, np.nan],
    }
)
FRAMES = pd.DataFrame(
    {
        "recording": ["walk_1"] * 10 + ["walk_2"] * 10,
        "frame": [*range(100, 110), *range(10)],
        "deviation": np.linspace(0, 3, 20),
        "reliable": [True] * 4 + [False] * 3 + [True] * 13,
    }
)
PAIRS = SUBJECTS.assign(x=1.0, y=[1.0, 2.0, 3.0, 8.0, 6.0])
LOG = pd.DataFrame({"stage": ["posture"] * 5 + ["generator"] * 5, "step": [*range(5)] * 2, "loss": np.arange(10.0)})


def texts(figure):
    return " ".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def draw(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=50)
    return buffer.getvalue()


def all_figures(dark):
    comparison = compare_groups(SUBJECTS, "healthy")
    positions = np.random.default_rng(0).normal(size=(30, 2))
    return [
        plot_subjects(SUBJECTS, "healthy", dark=dark),
        plot_deviation(FRAMES, ["walk_1", "walk_2"], normal=1.0, dark=dark),
        plot_groups(SUBJECTS, comparison, "healthy", dark=dark),
        plot_map(positions, ["healthy"] * 30, "healthy", dark=dark),
        plot_training(LOG, dark=dark),
        plot_pairs(PAIRS, {"one": ("x", "y")}, "healthy", names=("before", "after"), label="share", dark=dark),
    ]


@pytest.mark.parametrize("dark", [False, True])
def test_every_figure_is_drawn_labelled_and_repeatable(dark):
    for first, second in zip(all_figures(dark), all_figures(dark), strict=True):
        assert draw(first) == draw(second)
        assert any(axes.get_xlabel() or axes.get_ylabel() for axes in first.axes)
        assert (to_hex(first.get_facecolor()) == DARK.background) == dark


def test_global_state_is_left_alone():
    before = dict(mpl.rcParams)
    all_figures(True)
    assert dict(mpl.rcParams) == before


def test_groups_have_colours_of_their_own_and_the_reference_the_first():
    colours = group_colours(["impaired", "treated", "healthy", "impaired"], "healthy")
    assert list(colours) == ["healthy", "impaired", "treated"]
    assert len(set(colours.values())) == 3
    assert group_colours(["x", "healthy"], "healthy")["healthy"] == colours["healthy"]


def test_subjects_are_named_with_their_p_values():
    figure = plot_subjects(SUBJECTS, "healthy")
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ben", "cleo", "anna", "dan", "eva"]
    assert sum(len(line.get_xdata()) for line in axes.lines) == 5
    assert "0.75" in texts(figure)
    assert "deviation" in axes.get_xlabel()
    band = axes.patches[0]
    assert (band.get_x(), band.get_width()) == (1.0, 1.0)


def test_deviation_is_over_seconds_where_the_rate_is_known():
    figure = plot_deviation(FRAMES, ["walk_2", "walk_1"], fps={"walk_1": 10.0, "walk_2": 10.0})
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["walk_2", "walk_1"]
    assert figure.axes[-1].get_xlabel() == "time [s]"
    assert figure.axes[1].lines[0].get_xdata()[0] == 10.0
    unknown = plot_deviation(FRAMES, ["walk_1"], fps={"walk_1": 0.0})
    assert unknown.axes[0].get_xlabel() == "frame"


def test_unreliable_parts_are_grey():
    axes = plot_deviation(FRAMES, ["walk_1"]).axes[0]
    band = axes.patches[0]
    assert (band.get_x(), band.get_width()) == (103.5, 3.0)
    sure, unsure = axes.lines[0].get_ydata(), axes.lines[1].get_ydata()
    assert np.isfinite(sure).sum() == 7
    assert np.isfinite(unsure).sum() == 3


def test_groups_show_every_subject_and_the_result():
    scores = pd.concat([SUBJECTS, pd.DataFrame({"subject": ["f"], "group": ["single"], "deviation": [9.0]})])
    figure = plot_groups(scores, compare_groups(scores, "healthy"), "healthy")
    assert sum(len(line.get_xdata()) for line in figure.axes[0].lines) == 6
    shown = texts(figure)
    assert "AUC 0.67" in shown
    assert "not tested" in shown
    assert "n = 3" in shown


def test_map_draws_every_frame_up_to_a_limit():
    positions = np.random.default_rng(0).normal(size=(50, 2))
    groups = ["healthy"] * 20 + ["impaired"] * 30
    axes = plot_map(positions, groups, "healthy").axes[0]
    assert len(axes.collections[0].get_offsets()) == 50
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["healthy", "impaired"]
    few = plot_map(positions, groups, max_points=10).axes[0]
    assert len(few.collections[0].get_offsets()) == 10


def test_training_has_a_panel_a_stage():
    figure = plot_training(LOG)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["posture", "generator"]
    assert figure.axes[0].get_ylabel() == "loss"


def test_pairs_join_every_subject_and_the_groups_means():
    panels = {"there": ("x", "y"), "back": ("y", "x")}
    figure = plot_pairs(PAIRS, panels, "healthy", names=("before", "after"), label="share")
    assert [axes.get_title() for axes in figure.axes] == ["there", "back"]
    drawn = [tuple(line.get_ydata()) for line in figure.axes[0].lines]
    assert {(1.0, 8.0), (1.0, 6.0), (1.0, 2.0), (1.0, 7.0)} <= set(drawn)  # the means last
    assert len(drawn) == 5 + 2
    assert figure.axes[1].lines[0].get_ydata()[0] == 1.0
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["healthy", "impaired"]


def test_subjects_are_drawn_by_any_measure():
    axes = plot_subjects(PAIRS, "healthy", measure="y", label="share [%]").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cleo", "ben", "anna", "dan", "eva"]
    assert axes.get_xlabel() == "share [%]"


def test_nothing_to_draw_is_no_error():
    draw(plot_subjects(SUBJECTS[:0], "healthy"))
    draw(plot_deviation(FRAMES, []))
    draw(plot_deviation(FRAMES, ["unknown"]))
    draw(plot_map(np.empty((0, 2)), []))
    draw(plot_training(LOG[:0]))
