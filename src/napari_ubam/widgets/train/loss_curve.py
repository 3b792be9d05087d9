"""The loss over the steps of training, one panel a stage, drawn while it runs; earlier trainings to compare with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer

from napari_ubam.progress import Progress
from napari_ubam.widgets.figure import ThemedCanvas

if TYPE_CHECKING:
    from matplotlib.lines import Line2D
    from napari.viewer import Viewer

    from napari_ubam.training.log import Point

_MILLISECONDS_BETWEEN_DRAWINGS = 500
_NOTHING = [(0, float("nan"))]  # what a line shows of a stage that was not trained
Losses = dict[str, list[tuple[int, float]]]  # by stage: step, loss


class LossCurve(ThemedCanvas):
    """Collects what a training reports; drawn at most twice a second."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(viewer, height=110)
        self.losses: Losses = {}
        self.others: dict[str, Losses] = {}  # by what they are called
        self._lines: dict[str, Line2D] = {}
        self._laid_out: list[str] = []  # stages and others that there are panels and lines for
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.redraw)

    def clear(self) -> None:
        """Forget an earlier training."""
        self.losses = {}
        self.redraw()

    def add(self, progress: Progress) -> None:
        """Take in a report; those without a loss are passed over."""
        if progress.loss is None:
            return
        points = self.losses.setdefault(progress.stage, [])
        while points and points[-1][0] >= progress.done:  # resumed from a checkpoint that was written before
            points.pop()
        points.append((progress.done, progress.loss))
        if not self._timer.isActive():
            self._timer.start(_MILLISECONDS_BETWEEN_DRAWINGS)

    def show_log(self, log: Mapping[str, list[Point]]) -> None:
        """Show a training as its log tells it."""
        self.losses = _losses(log)
        self.redraw()

    def compare(self, logs: Mapping[str, Mapping[str, list[Point]]]) -> None:
        """Show earlier trainings beside it, each under its name."""
        self.others = {name: _losses(log) for name, log in logs.items()}
        self.redraw()

    def redraw(self) -> None:
        """Draw all stages side by side."""
        stages = list(dict.fromkeys([*self.losses, *(stage for losses in self.others.values() for stage in losses)]))
        if self._laid_out != [*stages, *self.others]:
            self._lay_out(stages)
            self._laid_out = [*stages, *self.others]
        for axes, stage in zip(self.figure.axes, stages, strict=True):
            self._lines[stage].set_data(*zip(*self.losses.get(stage, _NOTHING), strict=True))
            axes.relim()
            axes.autoscale_view()
        self.draw_idle()

    def _lay_out(self, stages: list[str]) -> None:
        self.figure.clear()
        self._lines = {}
        if not stages:
            return
        panels = self.figure.subplots(1, len(stages), squeeze=False)[0]
        for axes, stage in zip(panels, stages, strict=True):
            (self._lines[stage],) = axes.plot([], [], linewidth=1, label="this one" if self.others else None)
            for name, losses in self.others.items():
                points = losses.get(stage, _NOTHING)
                axes.plot(*zip(*points, strict=True), linewidth=0.8, alpha=0.7, label=name)
            axes.set(title=stage, xlabel="step")
            axes.locator_params(nbins=3)
        panels[0].set_ylabel("loss")
        if self.others:
            panels[0].legend(loc="upper right")
        self.apply_theme()


def _losses(log: Mapping[str, list[Point]]) -> Losses:
    return {stage: [(point.step, point.loss) for point in points] for stage, points in log.items()}
