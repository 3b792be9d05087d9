"""Playing a layer at the recording's own rate, one frame after the other, none left out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_ubam.widgets.layers import current_frame, go_to_frame

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

_MEASURED = 10  # frames that the rate is measured over


class Player(QObject):
    """Moves the viewer's time slider when the next frame is due; where drawing takes longer, playing is slower.

    It tells ``playing_changed`` (with whether it plays).

    Parameters
    ----------
    viewer : napari.Viewer
        Whose slider.

    Attributes
    ----------
    rate : float
        Frames per second that were shown lately; 0.0 at first.
    """

    playing_changed = Signal(bool)

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rate = 0.0
        self._viewer = viewer
        self._layer: Layer | None = None
        self._shown: list[float] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_due)

    @property
    def playing(self) -> bool:
        """Whether it plays."""
        return self._layer is not None

    def play(self, layer: Layer, times: np.ndarray, frames: range) -> None:
        """Play some frames of a layer from the current one on, over and over.

        Parameters
        ----------
        layer : napari.layers.Layer
            Data (T, Y, X) or (T, Y, X, C).
        times : ndarray, shape (T,)
            When each frame is shown [s].
        frames : range
            Which ones, with a step of 1.
        """
        self._layer, self._times, self._frames = layer, times, frames
        self.rate, self._shown = 0.0, []
        self._due = time.monotonic()
        self.playing_changed.emit(True)
        self._wait(current_frame(self._viewer, layer))

    def stop(self) -> None:
        """Stop at the current frame."""
        if self._layer is not None:
            self._timer.stop()
            self._layer = None
            self.playing_changed.emit(False)

    def _wait(self, frame: int) -> None:
        """Wait as long as a frame is to be seen."""
        rest = np.diff(self._times[frame : frame + 2])
        usual = (self._times[-1] - self._times[0]) / max(len(self._times) - 1, 1)
        now = time.monotonic()
        # what was lost is not caught up with
        self._due = max(self._due + float(rest[0] if len(rest) and rest[0] > 0 else usual), now)
        self._timer.start(round(1000 * (self._due - now)))

    def _on_due(self) -> None:
        if self._layer is None or self._layer not in self._viewer.layers:
            self.stop()
            return
        frame = current_frame(self._viewer, self._layer) + 1
        if frame not in self._frames:
            frame = self._frames.start
        go_to_frame(self._viewer, self._layer, frame)
        self._shown = [*self._shown[-_MEASURED:], time.monotonic()]
        if len(self._shown) > 1:
            self.rate = (len(self._shown) - 1) / max(self._shown[-1] - self._shown[0], 1e-6)
        self._wait(frame)
