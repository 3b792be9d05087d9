"""Draw results as matplotlib figures, without pyplot's global state: for the report, and in dark for the viewer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from napari_ubam.analysis.theme import DARK, LIGHT, MARKERS, finish, legend_above, new_figure


def group_colours(groups: Sequence[str], reference: str = "", *, dark: bool = False) -> dict[str, str]:
    """Give every group a colour; the reference group's is always the same blue.

    Parameters
    ----------
    groups : sequence of str
        The groups' names; repeated names count once.
    reference : str
        The reference group.
    dark : bool
        Whether they are drawn on a dark background.

    Returns
    -------
    dict
        Group to colour, the reference group first.
    """
    palette = (DARK if dark else LIGHT).palette
    others = sorted(set(groups) - {reference})
    colours = {group: palette[1 + i % (len(palette) - 1)] for i, group in enumerate(others)}
    return {reference: palette[0], **colours} if reference else colours


def plot_subjects(
    subjects: pd.DataFrame,
    reference: str,
    *,
    measure: str = "deviation",
    label: str = "deviation from the reference posture",
    dark: bool = False,
) -> Figure:
    """Draw every subject's deviation, or another measure, against the range of the reference subjects.

    Parameters
    ----------
    subjects : DataFrame
        One row a subject: columns ``subject``, ``group``, ``measure``, and, where there are any, ``p_value``.
    reference : str
        The reference group, whose range is shaded.
    measure : str
        The column to draw.
    label : str
        What it is, with its unit, for the axis.
    dark : bool
        Draw for a dark background.

    Returns
    -------
    Figure
        One line a subject, groups below each other, the largest of a group at its top.
    """
    theme = DARK if dark else LIGHT
    colours = group_colours(subjects["group"], reference, dark=dark)
    order = {group: i for i, group in enumerate(colours)}
    table = subjects.assign(_order=subjects["group"].map(order))
    table = table.sort_values(["_order", measure], ascending=[True, False])
    y = np.arange(len(table)) + 0.8 * table["_order"].to_numpy(float)
    figure = new_figure(7.5, 1.4 + 0.24 * (y.max() + 1 if len(y) else 1), theme)
    axes = figure.add_subplot()
    normal = subjects.loc[subjects["group"] == reference, measure].dropna()
    if len(normal):
        axes.axvspan(normal.min(), normal.max(), color=theme.palette[0], alpha=0.15, lw=0)
    for i, (group, colour) in enumerate(colours.items()):
        own = (table["group"] == group).to_numpy()
        if own.any():
            name = f"{group} (range shaded)" if group == reference else group
            axes.plot(table[measure][own], y[own], MARKERS[i % 7], color=colour, ms=7, label=name, mec=theme.background)
    axes.set_yticks(y, [str(name) for name in table["subject"]])
    axes.set_ylim((y.max() if len(y) else 0) + 0.7, -0.7)
    if "p_value" in table:
        axes.text(1.02, 1.01, "p", transform=axes.transAxes, color=theme.text, style="italic", va="bottom")
        for row, p_value in zip(y, table["p_value"], strict=True):
            axes.text(
                1.02, row, _p(p_value), transform=axes.get_yaxis_transform(), color=theme.text, va="center", fontsize=9
            )
    finish(axes, theme, x=label, grid="both")
    legend_above(axes, theme)
    return figure


def plot_deviation(
    frames: pd.DataFrame,
    recordings: Sequence[str],
    *,
    fps: Mapping[str, float] | None = None,
    normal: float | None = None,
    dark: bool = False,
) -> Figure:
    """Draw the deviation over time, a panel a recording; unreliable parts are grey.

    Parameters
    ----------
    frames : DataFrame
        One row a frame: columns ``recording``, ``frame``, ``deviation`` and ``reliable``.
    recordings : sequence of str
        The recordings to draw, from top to bottom.
    fps : mapping of str to float, optional
        Frames per second of every recording; time is drawn in frames where one is missing or 0.
    normal : float, optional
        What reference subjects stay below, such as their 95th percentile; drawn as a line.
    dark : bool
        Draw for a dark background.

    Returns
    -------
    Figure
        The panels, which share the scale of the deviation.
    """
    theme = DARK if dark else LIGHT
    rates = [(fps or {}).get(name, 0.0) for name in recordings]
    in_seconds = bool(rates) and all(rate > 0 for rate in rates)
    figure = new_figure(8, 1.1 + 1.5 * max(len(recordings), 1), theme)
    panels = figure.subplots(max(len(recordings), 1), sharey=True, squeeze=False)[:, 0]
    for axes, name, rate in zip(panels, recordings, rates, strict=False):
        own = frames[frames["recording"] == name].sort_values("frame")
        time = own["frame"].to_numpy(float) / (rate if in_seconds else 1)
        deviation, reliable = own["deviation"].to_numpy(float), own["reliable"].to_numpy(bool)
        for start, stop in _runs(~reliable):
            step = (time[1] - time[0]) / 2 if len(time) > 1 else 0.5
            axes.axvspan(time[start] - step, time[stop - 1] + step, color=theme.muted, alpha=0.3, lw=0)
        axes.plot(time, np.where(reliable, deviation, np.nan), color=theme.palette[1], lw=1.2)
        axes.plot(time, np.where(reliable, np.nan, deviation), color=theme.muted, lw=1)
        if normal is not None:
            axes.axhline(normal, color=theme.palette[0], lw=1, ls="--")
        axes.set_title(name, loc="left", fontsize=10, color=theme.text)
        axes.margins(x=0)
        finish(axes, theme)
    panels[0].set_ylim(bottom=0)
    panels[-1].set_xlabel("time [s]" if in_seconds else "frame", color=theme.text)
    figure.supylabel("deviation", color=theme.text, fontsize=10)
    handles: list[Artist] = [
        panels[0].plot([], [], color=theme.palette[1], label="deviation")[0],
        panels[0].fill_between([], [], color=theme.muted, alpha=0.3, label="no good reference found"),
    ]
    if normal is not None:
        handles.append(
            panels[0].plot([], [], color=theme.palette[0], ls="--", lw=1, label="usual in reference subjects")[0]
        )
    figure.legend(handles=handles, loc="outside upper right", ncols=3, frameon=False, fontsize=9, labelcolor=theme.text)
    return figure


def plot_groups(
    scores: pd.DataFrame,
    comparison: pd.DataFrame,
    reference: str,
    *,
    measure: str = "deviation",
    label: str = "deviation from the reference posture",
    dark: bool = False,
) -> Figure:
    """Draw every group's subjects side by side, with what the comparison found.

    Parameters
    ----------
    scores : DataFrame
        One row a subject: columns ``group`` and ``measure``.
    comparison : DataFrame
        The result of `napari_ubam.analysis.groups.compare_groups`.
    reference : str
        The reference group, drawn first.
    measure : str
        The column to draw.
    label : str
        What it is, with its unit, for the axis.
    dark : bool
        Draw for a dark background.

    Returns
    -------
    Figure
        A dot a subject; bars are medians, boxes hold the middle half of the subjects.
    """
    theme = DARK if dark else LIGHT
    colours = group_colours(scores["group"], reference, dark=dark)
    figure = new_figure(max(4.5, 1.6 + 1.7 * len(colours)), 4.2, theme)
    axes = figure.add_subplot()
    names = []
    with_reference = (comparison["measure"] == measure) & (comparison["reference"] == reference)
    found = comparison[with_reference].set_index("group")
    for i, (group, colour) in enumerate(colours.items()):
        values = np.sort(scores.loc[scores["group"] == group, measure].dropna().to_numpy(float))
        if len(values) > 1:
            low, middle, high = np.percentile(values, [25, 50, 75])
            axes.bar(i, high - low, 0.56, low, color=colour, alpha=0.18)
            axes.hlines(middle, i - 0.28, i + 0.28, color=colour, lw=2.5)
        axes.plot(i + _jitter(len(values)), values, MARKERS[i % 7], color=colour, ms=7, mec=theme.background)
        names.append(f"{group}\nn = {len(values)}")
        if group in found.index:
            row = found.loc[group]
            text = f"AUC {row['auc']:.2f} ({row['auc_low']:.2f} to {row['auc_high']:.2f})\n{_p(row['p_adjusted'], 'p')}"
            axes.text(i, 1.02, text, transform=axes.get_xaxis_transform(), ha="center", fontsize=9, color=theme.text)
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.6, len(names) - 0.4)
    finish(axes, theme, y=label, grid="y")
    return figure


def plot_map(
    positions: ArrayLike,
    groups: Sequence[str],
    reference: str = "",
    *,
    labels: tuple[str, str] = ("first principal component", "second principal component"),
    max_points: int = 20_000,
    dark: bool = False,
) -> Figure:
    """Draw the map of postures, coloured by group.

    Parameters
    ----------
    positions : array (n, 2)
        Where each frame's posture lies, from `napari_ubam.analysis.projection.project`.
    groups : sequence of str (n,)
        The group of every frame.
    reference : str
        The reference group.
    labels : tuple of str
        What the two axes are.
    max_points : int
        Draw no more, taken at random; always the same.
    dark : bool
        Draw for a dark background.

    Returns
    -------
    Figure
        The map. Points are drawn in random order, so that no group hides another.
    """
    theme = DARK if dark else LIGHT
    positions, names = np.asarray(positions, float), np.asarray(groups, dtype=object)
    colours = group_colours(list(names), reference, dark=dark)
    shown = np.random.default_rng(0).permutation(len(positions))[:max_points]
    figure = new_figure(6.5, 5, theme)
    axes = figure.add_subplot()
    size = float(np.clip(20_000 / max(len(shown), 1), 3, 25))
    x, y = positions[shown].T
    colour_of = [colours[name] for name in names[shown]]
    axes.scatter(x, y, s=size, c=colour_of, alpha=0.55, lw=0, rasterized=True)
    for group, colour in colours.items():
        if (names == group).any():
            axes.plot([], [], "o", color=colour, label=group)
    axes.set_aspect("equal", adjustable="datalim")
    finish(axes, theme, x=labels[0], y=labels[1])
    legend_above(axes, theme)
    return figure


def plot_pairs(
    subjects: pd.DataFrame,
    panels: Mapping[str, tuple[str, str]],
    reference: str,
    *,
    names: tuple[str, str],
    label: str,
    dark: bool = False,
) -> Figure:
    """Draw two values of every subject side by side, joined by a line, and every group's means.

    Parameters
    ----------
    subjects : DataFrame
        One row a subject: column ``group``, and those that the panels name.
    panels : mapping of str to tuple of str
        Each panel's title, and the columns to its left and right.
    reference : str
        The reference group.
    names : tuple of str
        What the columns to the left and to the right are.
    label : str
        What their values are, with the unit, for the axis.
    dark : bool
        Draw for a dark background.

    Returns
    -------
    Figure
        A thin line a subject, a thick one a group, in a panel each.
    """
    theme = DARK if dark else LIGHT
    colours = group_colours(subjects["group"], reference, dark=dark)
    figure = new_figure(1.2 + 3 * len(panels), 3.8, theme)
    drawn = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, columns) in zip(drawn, panels.items(), strict=True):
        for i, (group, colour) in enumerate(colours.items()):
            values = subjects.loc[subjects["group"] == group, list(columns)].to_numpy(float)
            axes.plot([0, 1], values.T, color=colour, alpha=0.45, lw=1, marker=MARKERS[i % 7], ms=4)
            if len(values):
                axes.plot([0, 1], np.nanmean(values, 0), color=colour, lw=3, marker=MARKERS[i % 7], ms=8, label=group)
        axes.set_xticks([0, 1], names)
        axes.set_xlim(-0.25, 1.25)
        axes.set_title(title, fontsize=10, color=theme.text, pad=22)
        finish(axes, theme, grid="y")
    drawn[0].set_ylabel(label, color=theme.text)
    legend_above(drawn[0], theme)
    return figure


def plot_training(log: pd.DataFrame, *, dark: bool = False) -> Figure:
    """Draw the loss over the steps of training, a panel a stage.

    Parameters
    ----------
    log : DataFrame
        The training log: columns ``stage``, ``step`` and ``loss``.
    dark : bool
        Draw for a dark background.

    Returns
    -------
    Figure
        The logged losses, and their running mean.
    """
    theme = DARK if dark else LIGHT
    stages = list(dict.fromkeys(log["stage"]))
    figure = new_figure(max(4.5, 3.4 * len(stages)), 3, theme)
    panels = figure.subplots(1, max(len(stages), 1), squeeze=False)[0]
    for axes, stage in zip(panels, stages, strict=False):
        own = log[log["stage"] == stage].sort_values("step")
        smooth = own["loss"].rolling(max(len(own) // 20, 1), min_periods=1, center=True).mean()
        axes.plot(own["step"], own["loss"], color=theme.palette[0], alpha=0.3, lw=1)
        axes.plot(own["step"], smooth, color=theme.palette[0], lw=1.8)
        axes.set_title(stage, loc="left", fontsize=10, color=theme.text)
    for axes in panels:
        finish(axes, theme, x="step", grid="y")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    panels[0].set_ylabel("loss", color=theme.text)
    return figure


def _p(p_value: float, name: str = "") -> str:
    if math.isnan(p_value):
        return "not tested" if name else "none"
    text = "< 0.001" if p_value < 0.001 else f"{p_value:.3f}" if p_value < 0.1 else f"{p_value:.2f}"
    return f"{name} {text}" if name and text[0] == "<" else f"{name} = {text}" if name else text


def _jitter(n: int) -> NDArray[np.float64]:
    """Give offsets that keep sorted points from covering each other; the same every time."""
    return 0.18 * np.array([0, -1, 1, -0.5, 0.5])[np.arange(n) % 5]


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Give the half-open ranges in which ``mask`` is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
