"""At which point of a cycle subjects deviate."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from napari_ubam.analysis.figures import group_colours
from napari_ubam.analysis.important import counted_frames
from napari_ubam.analysis.stretches import stretches
from napari_ubam.analysis.theme import DARK, LIGHT, MARKERS, finish, new_figure

PHASE_COLUMNS = (
    "subject",
    "group",
    "phase",
    "n_frames",
    "deviation",
    "reference_low",
    "reference_high",
    "rank",
    "n_reference",
    "recording",
    "frame",
)


def deviation_by_phase(frames: pd.DataFrame, reference: str, n_phases: int = 10) -> pd.DataFrame:
    """Give every subject's deviation at every part of the cycle, beside that of the reference subjects.

    Parameters
    ----------
    frames : DataFrame
        One row a frame: ``recording``, ``subject``, ``group``, ``frame``, ``deviation``, ``reliable`` and ``phase`` (0
        to 1; frames without one do not count). Unreliable frames do not count either, unless a subject has no others.
    reference : str
        The reference group.
    n_phases : int
        Into how many equal parts the cycle is cut.

    Returns
    -------
    DataFrame
        One row a subject and part, in the order of the subjects: ``subject``, ``group``, ``phase`` (where the part
        begins), ``n_frames``, ``deviation`` (their mean), ``reference_low`` and ``reference_high`` (5th and 95th
        percentile of the reference subjects, the subject itself left out; NaN where there is no other), ``rank`` among
        them (1: deviates more than each), ``n_reference``, and the ``recording`` and ``frame`` that deviate most.
        Subjects without any phase have no rows; nor has a part in which a subject has no frame.
    """
    counted = counted_frames(frames[frames["phase"].notna()], ["subject"])
    if counted.empty:
        return pd.DataFrame(columns=list(PHASE_COLUMNS))
    part = np.minimum((counted["phase"] * n_phases).astype(int), n_phases - 1)
    counted = counted.assign(part=part)
    grouped = counted.groupby(["subject", "part"], sort=False)["deviation"]
    worst = counted.loc[grouped.idxmax(), ["subject", "part", "group", "recording", "frame"]]
    table = worst.merge(grouped.agg(deviation="mean", n_frames="size").reset_index(), "left", ["subject", "part"])
    is_reference = table["group"] == reference
    found = []
    for row in table.itertuples():
        others = table[is_reference & (table["part"] == row.part) & (table["subject"] != row.subject)]["deviation"]
        low, high = np.quantile(others, [0.05, 0.95]) if len(others) else (np.nan, np.nan)
        found.append((low, high, 1 + int((others >= row.deviation).sum()), len(others)))
    table[["reference_low", "reference_high", "rank", "n_reference"]] = found
    table = table.astype({"rank": int, "n_reference": int}).assign(phase=table["part"] / n_phases)
    order = {subject: i for i, subject in enumerate(frames["subject"].unique())}
    table = table.sort_values(["subject", "part"], key=lambda x: x.map(order) if x.name == "subject" else x)
    return table[list(PHASE_COLUMNS)].reset_index(drop=True)


def beyond_by_phase(table: pd.DataFrame, reference: str) -> list[str]:
    """Say who deviates more than every reference subject, and in which parts of the cycle.

    Parameters
    ----------
    table : DataFrame
        The result of `deviation_by_phase`.
    reference : str
        The reference group.

    Returns
    -------
    list of str
        A sentence for all subjects of other groups that do so in the same parts, the most parts first; then how often
        it is by chance.
    """
    others = table[(table["group"] != reference) & (table["n_reference"] > 0)]
    if others.empty:
        return []
    beyond = others[others["rank"] == 1]
    counts = beyond["subject"].value_counts(sort=False).sort_values(ascending=False, kind="stable")
    width = _width(table)
    alike: dict[str, list[str]] = {}
    for subject in counts.index:
        alike.setdefault(_parts(beyond, subject, width), []).append(str(subject))
    sentences = [
        f"{', '.join(names)}: more deviation than in every {reference} subject {where}."
        for where, names in alike.items()
    ]
    n = int(others["n_reference"].min())
    return [
        *sentences,
        f"By chance, a subject would do so in one of {n + 1} parts of the cycle; neighbouring parts are alike.",
    ]


def _width(table: pd.DataFrame) -> float:
    """Give how long the parts of the cycle are [cycles]."""
    phases = np.append(np.unique(table["phase"]), 1.0)
    return float(np.diff(phases).min())


def _parts(beyond: pd.DataFrame, subject: str, width: float) -> str:
    """Name the parts of a cycle in which a subject is beyond, those that follow one another together."""
    parts = np.unique(np.rint(beyond.loc[beyond["subject"] == subject, "phase"] / width).astype(int))
    if len(parts) == round(1 / width):
        return "throughout the cycle"
    return (
        f"in {', '.join(f'{start * width:.2g} to {stop * width:.2g}' for start, stop in stretches(parts))} of the cycle"
    )


def without_phases(cycles: pd.DataFrame) -> list[str]:
    """Name the recordings that have no phases, and say why: a sentence a reason.

    Parameters
    ----------
    cycles : DataFrame
        One row a recording: ``recording`` and ``note`` (empty where it has phases).
    """
    left_out = cycles[cycles["note"].fillna("") != ""]
    return [
        f"Left out: {', '.join(own['recording'].astype(str))}, for {note}."
        for note, own in left_out.groupby("note", sort=False)
    ]


def plot_phases(table: pd.DataFrame, reference: str, *, dark: bool = False) -> Figure:
    """Draw every subject's deviation over the cycle, a panel a group.

    Parameters
    ----------
    table : DataFrame
        The result of `deviation_by_phase`.
    reference : str
        The reference group, drawn first; what nine of ten of its subjects show is shaded in all panels.
    dark : bool
        Draw for a dark background.

    Returns
    -------
    Figure
        A thin line a subject, a thick one a group's mean.
    """
    theme = DARK if dark else LIGHT
    colours = group_colours(list(table["group"]), reference, dark=dark)
    figure = new_figure(max(4.5, 1 + 3 * len(colours)), 3.6, theme)
    panels = figure.subplots(1, len(colours), sharey=True, squeeze=False)[0]
    phases = np.sort(table["phase"].unique())
    middle = phases + _width(table) / 2
    normal = table[table["group"] == reference].groupby("phase")["deviation"].quantile([0.05, 0.95]).unstack()
    normal = normal.reindex(index=phases, columns=[0.05, 0.95])
    for i, (axes, (group, colour)) in enumerate(zip(panels, colours.items(), strict=True)):
        own = table[table["group"] == group].pivot(index="phase", columns="subject", values="deviation").reindex(phases)
        axes.fill_between(middle, normal[0.05], normal[0.95], color=theme.muted, alpha=0.35, lw=0)
        axes.plot(middle, own, color=colour, alpha=0.5, lw=1, marker=MARKERS[i % 7], ms=3)
        axes.plot(middle, own.mean(axis=1), color=colour, lw=3, marker=MARKERS[i % 7], ms=7)
        axes.set_title(f"{group}, n = {own.shape[1]}", fontsize=10, color=theme.text, parse_math=False)
        axes.set_xlim(0, 1)
        finish(axes, theme, x="phase of the cycle", grid="y")
    panels[0].set_ylabel("deviation", color=theme.text)
    panels[0].set_ylim(bottom=0)
    return figure
