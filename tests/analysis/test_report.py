import base64
import re
from html.parser import HTMLParser
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from napari_ubam.analysis.figures import plot_groups, plot_map, plot_subjects
from napari_ubam.analysis.groups import compare_groups
from napari_ubam.analysis.report import Section, encode_figure, provenance_table, render_report
from napari_ubam.analysis.session_figures import plot_sessions

VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Checks that every tag is closed in order, and collects what is on the page."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.links, self.text = [], [], [], ""
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_page_is_well_formed_and_needs_nothing_else():
    figure = Figure()
    figure.add_subplot().plot([1, 2])
    table = pd.DataFrame({"subject": ["a", "b"], "p_value": [0.01234, np.nan], "reliable": [True, False]})
    sections = [
        Section("First", ["Some text."], ["a point"], caption="A curve", figure=figure),
        Section("Second", table=table, caption="A table"),
    ]
    html = render_report("A study", sections)
    page = Page(html)
    assert page.tags.count("section") == 2
    assert page.tags.count("tr") == 3
    assert "0.0123" in page.text
    assert "nan" not in page.text.lower()
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.links)
    assert not re.search(r"https?:|<script|<link|url\(|@import", html)
    picture = next(link for link in page.links if link.startswith("data:"))
    assert base64.b64decode(picture.split(",")[1]).startswith(b"\x89PNG")
    assert html == render_report("A study", sections)


def test_all_text_is_escaped():
    evil = "<script>alert('x')</script>&\""
    figure = Figure()
    html = render_report(
        evil,
        [Section(evil, [evil], [evil], caption=evil, figure=figure), Section("t", table=pd.DataFrame({evil: [evil]}))],
    )
    assert "<script" not in html
    assert Page(html).text.count(evil) == 9  # title, heading, link, paragraph, item, caption, column, cell, h1


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_names_are_no_formulas(kind: Literal["png", "svg"]):
    names = [f"$s{i}_^$" for i in range(6)]
    group, reference = "a$\\frac$", "$healthy$"
    scores = pd.DataFrame(
        {"subject": names, "group": [reference] * 3 + [group] * 3, "deviation": range(6), "p_value": 0.5}
    )
    scores = pd.concat([scores.assign(session=day) for day in ("1", "2")])
    once = scores[scores["session"] == "1"]
    figures = [
        plot_subjects(once, reference),
        plot_groups(once, compare_groups(once, reference), reference),
        plot_map(np.random.default_rng(0).random((6, 2)), list(once["group"]), reference),
        plot_sessions(scores, reference),
    ]
    drawn = [encode_figure(figure, kind) for figure in figures]
    if kind == "svg":
        assert names[5] in drawn[0].decode()
        assert all(reference in text.decode() for text in drawn[1:])


def test_long_tables_are_folded_and_long_cells_kept_whole():
    table = pd.DataFrame({"value": ["x" * 200] * 40})
    html = render_report("t", [Section("s", table=table)])
    assert "All 40 rows" in html
    assert html.count("x" * 200) == 40


def test_numbers_are_readable():
    table = pd.DataFrame({"n": [3], "small": [0.000123], "large": [123456.7], "auc_low": [0.5]})
    page = Page(render_report("t", [Section("s", table=table)]))
    for text in ("3", "0.000123", "123457", "AUC low"):
        assert text in page.text


def test_provenance_is_flattened():
    table = provenance_table({"seed": 0, "settings": {"train": {"preset": "quick", "minutes": None}}})
    assert table.to_numpy().tolist() == [
        ["seed", "0"],
        ["settings.train.preset", "quick"],
        ["settings.train.minutes", "none"],
    ]
