import base64
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from napari_ubam.analysis.groups import compare_groups, describe_covariates
from napari_ubam.analysis.report import (
    Section,
    caveats,
    comparison_table,
    findings,
    how_to_read,
    provenance_table,
    render_report,
)

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


def subjects(n_reference=4):
    return pd.DataFrame(
        {
            "subject": ["a", "b", "c", "d", "e", "x", "y", "z"],
            "group": ["healthy"] * 5 + ["impaired"] * 3,
            "deviation": [1.0, 1.1, 1.2, 1.3, 1.4, 5, 6, 1.05],
            "p_value": [1, 0.8, 0.6, 0.4, 0.2, 0.2, 0.2, 0.8],
            "n_reference": n_reference,
        }
    )


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


def test_findings_name_who_stands_out():
    sentences = findings(subjects(), compare_groups(subjects(), "healthy"), "healthy")
    assert len(sentences) == 1
    assert "2 of 3 subjects of the group impaired deviate more than every healthy subject: y, x." in sentences[0]
    assert "probability 0.73" in sentences[0]


def test_findings_without_a_test():
    few = subjects().iloc[[0, 1, 2, 7]]
    sentence = findings(few, compare_groups(few, "healthy"), "healthy")[0]
    assert sentence.startswith("0 of 1 subject of the group impaired deviate more than every healthy subject.")
    assert "p =" not in sentence


def test_caveats_say_what_cannot_be_shown():
    table = subjects()
    comparison = compare_groups(table.iloc[:7].drop(index=[2, 3, 4]), "healthy")
    frames = pd.DataFrame({"recording": ["r"] * 4 + ["s"] * 6, "reliable": [False] * 3 + [True] * 7})
    about = table.assign(age=[20, 21, 22, 23, 24, 60, 61, 62], sex=["f", "m", "f", "m", "f", "m", "f", "f"])
    covariates = describe_covariates(about, "healthy", ["age", "sex"])
    text = "\n".join(caveats(table, comparison, frames=frames, covariates=covariates, problems=["z was left out: x"]))
    assert "1/5 = 0.2" in text
    assert "takes 20 reference subjects" in text
    assert "impaired (2) and healthy (2), the smallest possible p is 0.333" in text
    assert "3 of 10 frames (30 %)" in text
    assert "r (75 %)" in text
    assert "differ in age" in text
    assert "differ in sex" not in text
    assert "z was left out: x" in text


def test_enough_subjects_and_sure_frames_need_no_caveat():
    frames = pd.DataFrame({"recording": ["r"], "reliable": [True]})
    text = "\n".join(caveats(subjects(30), compare_groups(subjects(), "healthy"), frames=frames))
    assert "takes 20" not in text
    assert "no good reference" not in text
    assert "1/31" in text


def test_comparison_is_shortened():
    table = comparison_table(compare_groups(subjects(), "healthy"))
    row = table.iloc[0]
    assert row["groups (subjects)"] == "impaired (3), healthy (5)"
    assert row["medians"] == "5, 1.2"
    assert row["AUC (95 %)"].startswith("0.73 (0.")
    assert len(comparison_table(compare_groups(subjects().iloc[:5], "healthy"))) == 0


def test_provenance_is_flattened():
    table = provenance_table({"seed": 0, "settings": {"train": {"preset": "quick", "minutes": None}}})
    assert table.to_numpy().tolist() == [
        ["seed", "0"],
        ["settings.train.preset", "quick"],
        ["settings.train.minutes", "none"],
    ]


def test_how_to_read_names_the_reference_group():
    assert "controls" in how_to_read("controls")[0]
