"""Draw scores over sessions."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from napari_ubam.analysis.figures import group_colours
from napari_ubam.analysis.paired import session_key
from napari_ubam.analysis.theme import DARK, LIGHT, MARKERS, finish, legend_above, new_figure


def plot_sessions(
    scores: pd.DataFrame,
    reference: str,
    *,
    measure: str = "deviation",
    label: str = "deviation from the reference posture",
    dark: bool = False,
) -> Figure:
    """Draw every subject's score in every session, and every group's means.

    Parameters
    ----------
    scores : DataFrame
        One row a subject and session: columns ``subject``, ``group``, ``session`` and ``measure``.
    reference : str
        The reference group.
    measure : str
        The column to draw.
    label : str
        What it is, with its unit, for the axis.
    dark : bool
        Draw for a dark background.

    Returns
    -------
    Figure
        A thin line a subject, a thick one a group; sessions that are numbers lie as far apart as these do.
    """
    theme = DARK if dark else LIGHT
    sessions = sorted(scores["session"].unique(), key=session_key)
    numbers = pd.to_numeric(pd.Series(sessions), errors="coerce")
    places = dict(zip(sessions, numbers if numbers.notna().all() else range(len(sessions)), strict=True))
    figure = new_figure(7.5, 4, theme)
    axes = figure.add_subplot()
    for i, (group, colour) in enumerate(group_colours(list(scores["group"]), reference, dark=dark).items()):
        own = scores[scores["group"] == group].pivot(index="session", columns="subject", values=measure)
        own = own.reindex([session for session in sessions if session in own.index])
        x = [places[session] for session in own.index]
        for subject in own:
            known = own[subject].notna().to_numpy()
            days = [day for day, there in zip(x, known, strict=True) if there]
            axes.plot(days, own.loc[known, subject], MARKERS[i % 7], color=colour, alpha=0.45, lw=1, ls="-", ms=4)
        if len(own):
            axes.plot(x, own.mean(axis=1), MARKERS[i % 7], color=colour, lw=3, ls="-", ms=8, label=group)
    axes.set_xticks(list(places.values()), [str(session) for session in sessions])
    finish(axes, theme, x="session", y=label, grid="y")
    legend_above(axes, theme)
    return figure
