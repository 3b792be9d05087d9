import io

import pandas as pd
import pytest

from napari_ubam.analysis.session_figures import plot_sessions


@pytest.mark.parametrize("sessions", [["0", "1", "10"], ["before", "after", "later"]])
def test_sessions_are_drawn_in_their_order_and_distance(sessions):
    table = pd.DataFrame(
        [(s, g, day, i) for s, g in (("a", "x"), ("b", "y")) for i, day in enumerate(sessions) if (s, i) != ("b", 1)],
        columns=["subject", "group", "session", "deviation"],
    )
    figure = plot_sessions(table, "x", dark=True)
    figure.savefig(io.BytesIO(), dpi=30)
    axes = figure.axes[0]
    places = axes.get_xticks().tolist()
    assert places == ([0, 1, 10] if sessions[0] == "0" else [0, 1, 2])
    assert [t.get_text() for t in axes.get_xticklabels()] == (sessions if sessions[0] == "0" else sorted(sessions))
    assert len(axes.lines) == 4  # a subject and a group's mean each
    assert axes.get_ylabel()
