"""Put results into one HTML page that needs nothing else: no files beside it, no scripts, no network."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from napari_ubam.analysis.words import in_digits

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
    pictures : sequence of (ndarray of uint8, shape (Y, X, 3), and str)
        Pictures from recordings, each with its own caption.
    """

    heading: str
    paragraphs: Sequence[str] = ()
    items: Sequence[str] = ()
    figure: Figure | None = None
    table: pd.DataFrame | None = None
    caption: str = ""
    pictures: Sequence[tuple[np.ndarray, str]] = ()

    @cached_property
    def png(self) -> bytes:
        """Its figure as PNG, for the page and for a file of its own; empty without a figure."""
        return b"" if self.figure is None else encode_figure(self.figure, "png")

    @property
    def file_name(self) -> str:
        """What its figure is called as a file, without a suffix."""
        return re.sub("[^a-z0-9]+", "_", self.heading.lower()).strip("_")


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


def _section(i: int, section: Section) -> str:
    parts = [f'<section id="s{i}">', f"<h2>{escape(section.heading)}</h2>"]
    parts += [f"<p>{escape(text)}</p>" for text in section.paragraphs]
    if section.items:
        parts.append("<ul>" + "".join(f"<li>{escape(text)}</li>" for text in section.items) + "</ul>")
    if section.figure is not None:
        width = round(section.figure.get_figwidth() * 96)
        parts.append(_image("png", section.png, width, section.caption or section.heading))
    parts += [_picture(picture, caption) for picture, caption in section.pictures]
    if section.table is not None:
        parts.append(_table(section.table, "" if section.figure is not None else section.caption))
    return "\n".join([*parts, "</section>"])


def encode_figure(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    """Write a figure as PNG or SVG, the same bytes for the same figure; text of an SVG stays text."""
    buffer = io.BytesIO()
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a subject may be called $1_$
    with rc_context({"svg.hashsalt": "napari-ubam", "svg.fonttype": "none"}):
        figure.savefig(buffer, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()


def _picture(picture: np.ndarray, caption: str) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="jpeg", quality=88)
    return _image("jpeg", buffer.getvalue(), picture.shape[1], caption)


def _image(kind: str, content: bytes, width: int, caption: str) -> str:
    data = base64.b64encode(content).decode("ascii")
    picture = f'<img width="{width}" alt="{escape(caption)}" src="data:image/{kind};base64,{data}">'
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def _table(table: pd.DataFrame, caption: str) -> str:
    aligned = {c: ' class="number"' if pd.api.types.is_numeric_dtype(table[c]) else "" for c in table}
    head = "".join(f"<th{aligned[c]}>{escape(_heading(str(c)))}</th>" for c in table)
    rows = [
        "<tr>" + "".join(f"<td{aligned[c]}>{escape(in_digits(row[c]))}</td>" for c in table) + "</tr>"
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
    return (
        column.replace("hedges_g", "Hedges' g")
        .replace("cliffs_delta", "Cliff's delta")
        .replace("auc", "AUC")
        .replace("p_value", "p")
        .replace("_", " ")
    )
