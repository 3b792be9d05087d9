"""How figures look: colours, and what all axes have."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

MARKERS = "osD^vPX"


@dataclass(frozen=True)
class Theme:
    """The colours of a figure."""

    background: str
    text: str
    muted: str
    palette: tuple[str, ...]


# Okabe and Ito's colours, which colour-blind people tell apart; dark is napari's own background
LIGHT = Theme("#ffffff", "#222222", "#8a8a8a", ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"))
DARK = Theme("#262930", "#f0f1f2", "#868e93", ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442"))


def new_figure(width: float, height: float, theme: Theme) -> Figure:
    """Make an empty figure of that size [inches]."""
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    return Figure(figsize=(width, height), layout=layout, facecolor=theme.background)


def finish(axes: Axes, theme: Theme, *, x: str = "", y: str = "", grid: str = "") -> None:
    """Put the theme on axes, and name them."""
    axes.set_facecolor(theme.background)
    axes.tick_params(colors=theme.text, labelsize=9)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.muted)
    if x:
        axes.set_xlabel(x, color=theme.text)
    if y:
        axes.set_ylabel(y, color=theme.text)
    if grid:
        axes.grid(axis=grid, color=theme.muted, alpha=0.25, lw=0.7)  # type: ignore[arg-type]
        axes.set_axisbelow(True)


def legend_above(axes: Axes, theme: Theme) -> None:
    """Name what is drawn above the axes, if anything has a name."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=4,
            frameon=False,
            fontsize=9,
            labelcolor=theme.text,
            borderaxespad=0.2,
        )
