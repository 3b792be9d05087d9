"""The loss over the steps of training, one panel a stage, drawn while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer

from napari_ubam.progress import Progress
from napari_ubam.widgets.figure import ThemedCanvas

if TYPE_CHECKING:
    from matplotlib.lines import Line2D
    from napari.viewer import Viewer

_MILLISECONDS_BETWEEN_DRAWINGS = 500


class LossCurve(ThemedCanvas):
    """Collects what a training reports; drawn at most twice a second."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(viewer)
        self.losses: dict[str, list[tuple[int, float]]] = {}  # stage: (step, loss)
        self._lines: dict[str, Line2D] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.redraw)

    def clear(self) -> None:
        """Forget an earlier training."""
        self.losses, self._lines = {}, {}
        self.figure.clear()
        self.redraw()

    def add(self, progress: Progress) -> None:
        """Take in a report; those without a loss are passed over."""
        if progress.loss is None:
            return
        self.losses.setdefault(progress.stage, []).append((progress.done, progress.loss))
        if not self._timer.isActive():
            self._timer.start(_MILLISECONDS_BETWEEN_DRAWINGS)

    def redraw(self) -> None:
        """Draw all stages side by side."""
        if list(self._lines) != list(self.losses):
            self._lay_out()
        for axes, (stage, points) in zip(self.figure.axes, self.losses.items(), strict=True):
            self._lines[stage].set_data(*zip(*points, strict=True))
            axes.relim()
            axes.autoscale_view()
        self.draw_idle()

    def _lay_out(self) -> None:
        self.figure.clear()
        panels = self.figure.subplots(1, len(self.losses), squeeze=False)[0]
        for axes, stage in zip(panels, self.losses, strict=True):
            (self._lines[stage],) = axes.plot([], [], linewidth=1)
            axes.set(title=stage, xlabel="step")
            axes.locator_params(nbins=3)
        panels[0].set_ylabel("loss")
        self.apply_theme()
