"""Put results into one HTML page that needs nothing else: no files beside it, no scripts, no network."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

LONG_TABLE = 25  # rows; longer tables are folded

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; color: #222; background: #fff;
  max-width: 54rem; margin: 2.5rem auto 5rem; padding: 0 1.25rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 .6rem; padding-top: .8rem; border-top: 1px solid #ddd; }
nav { font-size: .95rem; } nav a { color: #0072b2; margin-right: 1.1rem; white-space: nowrap; }
p, ul { margin: .5rem 0; } li { margin: .25rem 0; }
figure { margin: 1.2rem 0; } img { max-width: 100%; height: auto; }
figcaption, caption { font-size: .9rem; color: #555; text-align: left; }
.scroll { overflow-x: auto; margin: 1rem 0; } summary { cursor: pointer; color: #0072b2; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: left; border-bottom: 1px solid #e5e5e5; vertical-align: top; }
th { border-bottom: 2px solid #999; white-space: nowrap; } .number { text-align: right; }
@media print { body { max-width: none; margin: 0; } figure, tr { break-inside: avoid; } nav { display: none; } }
"""


@dataclass(frozen=True)
class Section:
    """One section of a report; all text is plain, and escaped when it is written.

    Attributes
    ----------
    heading : str
        Its title.
    paragraphs : sequence of str
        Text, before everything else.
    items : sequence of str
        A list of points.
    figure : Figure or None
        A figure, embedded as a picture.
    table : DataFrame or None
        A table; the index is not shown.
    caption : str
        What the figure, or without a figure the table, shows.
    """

    heading: str
    paragraphs: Sequence[str] = ()
    items: Sequence[str] = ()
    figure: Figure | None = None
    table: pd.DataFrame | None = None
    caption: str = ""


def render_report(title: str, sections: Sequence[Section]) -> str:
    """Write a report as one self-contained HTML page.

    Parameters
    ----------
    title : str
        The title of the page.
    sections : sequence of Section
        What it holds, in order.

    Returns
    -------
    str
        The page. The same input gives the same text.
    """
    links = " ".join(f'<a href="#s{i}">{escape(section.heading)}</a>' for i, section in enumerate(sections))
    body = "\n".join(_section(i, section) for i, section in enumerate(sections))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<nav>{links}</nav>
{body}
</body>
</html>
"""


def findings(subjects: pd.DataFrame, comparison: pd.DataFrame, reference: str) -> list[str]:
    """Say in words what was found.

    Parameters
    ----------
    subjects : DataFrame
        One row a subject: columns ``subject``, ``group``, ``deviation``, ``p_value`` and ``n_reference``.
    comparison : DataFrame
        The result of `napari_ubam.analysis.groups.compare_groups`.
    reference : str
        The reference group.

    Returns
    -------
    list of str
        One sentence or two for every group but the reference.
    """
    out = subjects["p_value"] <= 1 / (subjects["n_reference"] + 1) + 1e-9
    sentences = []
    for group in sorted(set(subjects["group"]) - {reference}):
        own = subjects["group"] == group
        names = subjects.loc[own & out].sort_values("deviation", ascending=False)["subject"].astype(str)
        text = (
            f"{len(names)} of {own.sum()} {_plural('subject', own.sum())} of the group {group} "
            f"{'deviates' if len(names) == 1 else 'deviate'} more than every {reference} subject"
        )
        text += f": {', '.join(names)}." if len(names) else "."
        for row in comparison[comparison["group"] == group].to_dict("records"):
            if math.isfinite(row["auc"]):
                text += (
                    f" In {row['measure']}, a subject of this group scores higher than a {reference} subject with "
                    f"probability {row['auc']:.2f} (95 % confidence: {row['auc_low']:.2f} to {row['auc_high']:.2f}"
                )
                tested = math.isfinite(row["p_adjusted"])
                text += f"; p = {_number(row['p_adjusted'])}, corrected for multiple testing)." if tested else ")."
        sentences.append(text)
    return sentences


def how_to_read(reference: str) -> list[str]:
    """Explain the measures to a reader who was not there.

    Parameters
    ----------
    reference : str
        The reference group.

    Returns
    -------
    list of str
        One paragraph a measure.
    """
    return [
        "Deviation: how far a subject's postures lie from the reference posture, that is, from what subjects of the "
        f"group {reference} show at the same point of the same movement. Everyone is measured against the same number "
        "of reference subjects and never against themselves, so reference subjects have deviations too: theirs are "
        "what is usual.",
        "p of a subject: the share of reference subjects, the subject itself included, that deviate at least as much.",
        "AUC: the probability that a random subject of a group scores higher than a random reference subject. 0.5: no "
        "difference; 1: every one does. p of a group: the share of all ways to shuffle subjects between the two "
        "groups whose AUC is as far from 0.5; adjusted: corrected by Holm's method for the number of comparisons.",
        "Hedges' g: the difference of the means in standard deviations, corrected for small groups.",
    ]


def caveats(
    subjects: pd.DataFrame,
    comparison: pd.DataFrame,
    *,
    frames: pd.DataFrame | None = None,
    covariates: pd.DataFrame | None = None,
    problems: Sequence[str] = (),
) -> list[str]:
    """Say what the results cannot show.

    Parameters
    ----------
    subjects : DataFrame
        One row a subject: columns ``subject``, ``p_value`` and ``n_reference``.
    comparison : DataFrame
        The result of `napari_ubam.analysis.groups.compare_groups`.
    frames : DataFrame, optional
        One row a frame: columns ``recording`` and ``reliable``.
    covariates : DataFrame, optional
        The result of `napari_ubam.analysis.groups.describe_covariates`.
    problems : sequence of str
        What was left out, and why.

    Returns
    -------
    list of str
        One caveat each.
    """
    return [
        *_about_small_numbers(subjects, comparison),
        *(_about_frames(frames) if frames is not None and len(frames) else ()),
        *(_about_covariates(covariates) if covariates is not None else ()),
        *problems,
        "A deviation is a difference from the reference group in these recordings. It is not a diagnosis: camera, "
        "room, clothes, instructions and build can differ between groups too.",
    ]


def comparison_table(comparison: pd.DataFrame) -> pd.DataFrame:
    """Make the comparison of groups short enough for a page.

    Parameters
    ----------
    comparison : DataFrame
        The result of `napari_ubam.analysis.groups.compare_groups`.

    Returns
    -------
    DataFrame
        One row a measure and group; numbers of subjects and medians of both groups share a column, and so do the AUC
        and its interval.
    """

    def short(row: dict) -> dict:
        interval = f"{row['auc']:.2f} ({row['auc_low']:.2f} to {row['auc_high']:.2f})"
        return {
            "measure": row["measure"],
            "groups (subjects)": f"{row['group']} ({row['n_group']}), {row['reference']} ({row['n_reference']})",
            "medians": f"{_number(row['median_group'])}, {_number(row['median_reference'])}",
            "hedges_g": row["hedges_g"],
            "AUC (95 %)": interval if math.isfinite(row["auc"]) else "",
            "p_value": row["p_value"],
            "p_adjusted": row["p_adjusted"],
            "smallest_p": row["smallest_p"],
        }

    return pd.DataFrame([short(row) for row in comparison.to_dict("records")])


def provenance_table(run: Mapping[str, Any]) -> pd.DataFrame:
    """List what a result was made with.

    Parameters
    ----------
    run : mapping
        Settings, versions, seed and so on; mappings may hold mappings.

    Returns
    -------
    DataFrame
        Columns ``what`` (the names, joined by dots) and ``value``.
    """

    def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
        for name, value in values.items():
            if isinstance(value, Mapping):
                yield from flat(value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", "none" if value is None else str(value)

    return pd.DataFrame(list(flat(run)), columns=["what", "value"])


def _about_small_numbers(subjects: pd.DataFrame, comparison: pd.DataFrame) -> Iterator[str]:
    if len(subjects):
        n = int(subjects["n_reference"].min())
        text = f"Single subjects are ranked among {n} reference {_plural('subject', n)}: "
        text += f"the smallest possible p is 1/{n + 1} = {_number(1 / (n + 1))}. "
        text += "No single subject can reach p < 0.05; that takes 20 reference subjects. " if n < 20 else ""
        expected = len(subjects) * max(0.05, 1 / (n + 1))
        text += (
            f"These p-values are not corrected for {len(subjects)} subjects: about {_number(expected)} would be "
            f"at or below {_number(max(0.05, 1 / (n + 1)))} by chance."
        )
        yield text
    for row in comparison.to_dict("records"):
        pair = f"{row['group']} ({row['n_group']}) and {row['reference']} ({row['n_reference']})"
        if row["note"]:
            yield f"{row['measure']} of {pair} subjects: {row['note']}."
        if row["smallest_p"] > 0.05:
            yield (
                f"With so few subjects, {pair}, the smallest possible p is {_number(row['smallest_p'])}: no difference "
                "between these groups could be significant at 0.05."
            )


def _about_frames(frames: pd.DataFrame) -> Iterator[str]:
    unreliable = ~frames["reliable"].astype(bool)
    if not unreliable.any():
        return
    text = (
        f"{unreliable.sum()} of {len(frames)} frames ({100 * unreliable.mean():.0f} %) have no good reference posture"
    )
    shares = unreliable.groupby(frames["recording"]).mean()
    worst = shares[shares > 0.5].sort_values(ascending=False)
    if len(worst):
        text += "; more than half of " + ", ".join(f"{name} ({100 * share:.0f} %)" for name, share in worst.items())
    yield text + ". Their deviations are given but grey, for there was little to compare them with."


def _about_covariates(covariates: pd.DataFrame) -> Iterator[str]:
    groups = [column for column in covariates if column not in ("covariate", "imbalance", "differs")]
    for row in covariates[covariates["differs"]].to_dict("records"):
        values = "; ".join(f"{group}: {row[group]}" for group in groups)
        yield f"The groups differ in {row['covariate']} ({values}), which may explain a deviation too."


def _section(i: int, section: Section) -> str:
    parts = [f'<section id="s{i}">', f"<h2>{escape(section.heading)}</h2>"]
    parts += [f"<p>{escape(text)}</p>" for text in section.paragraphs]
    if section.items:
        parts.append("<ul>" + "".join(f"<li>{escape(text)}</li>" for text in section.items) + "</ul>")
    if section.figure is not None:
        parts.append(_figure(section.figure, section.caption or section.heading))
    if section.table is not None:
        parts.append(_table(section.table, "" if section.figure is not None else section.caption))
    return "\n".join([*parts, "</section>"])


def _figure(figure: Figure, caption: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    width = round(figure.get_figwidth() * 96)
    picture = f'<img width="{width}" alt="{escape(caption)}" src="data:image/png;base64,{data}">'
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def _table(table: pd.DataFrame, caption: str) -> str:
    aligned = {c: ' class="number"' if pd.api.types.is_numeric_dtype(table[c]) else "" for c in table}
    head = "".join(f"<th{aligned[c]}>{escape(_heading(str(c)))}</th>" for c in table)
    rows = [
        "<tr>" + "".join(f"<td{aligned[c]}>{escape(_number(row[c]))}</td>" for c in table) + "</tr>"
        for row in table.to_dict("records")
    ]
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    html = (
        f'<div class="scroll"><table>{title}<thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )
    if len(table) > LONG_TABLE:
        return f"<details><summary>All {len(table)} rows</summary>{html}</details>"
    return html


def _heading(column: str) -> str:
    return column.replace("hedges_g", "Hedges' g").replace("auc", "AUC").replace("p_value", "p").replace("_", " ")


def _number(value: Any) -> str:
    """Give a value as a reader wants it: three digits, no exponents where they can be spared."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, float):  # numpy's float64 is one
        if math.isnan(value):
            return ""
        return f"{value:.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"
    return "" if value is None else str(value)


def _plural(word: str, n: int) -> str:
    return word if n == 1 else f"{word}s"
