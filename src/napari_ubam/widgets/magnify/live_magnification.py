"""A magnified recording in a viewer: redrawn in a thread as the factor and the time change."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_ubam.magnify.marks import Marks
from napari_ubam.progress import Report
from napari_ubam.settings import MagnifySettings
from napari_ubam.study import Recording
from napari_ubam.widgets.latest_call import LatestCall
from napari_ubam.widgets.layers import KEY, about, current_frame, find_layer, fit_to_view, open_recording
from napari_ubam.widgets.magnify.compare_row import Compare
from napari_ubam.widgets.magnify.drawn_frames import DrawnFrames
from napari_ubam.widgets.magnify.magnify_layers import put_below, show_magnification, with_time

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_ubam.pipeline import Magnifier

AHEAD = 8  # frames that are drawn before they are looked at, while time moves
_GAP = 0.03  # between pictures side by side [share of their width]


class LiveMagnification(QObject):
    """Shows a recording magnified, and keeps what is shown up to date.

    Parameters
    ----------
    viewer : napari.Viewer
        Where.
    recording : Recording
        Opened if no layer shows it.
    magnifier : Magnifier
        Draws its frames.
    settings : MagnifySettings
        The factor to begin with.
    """

    failed = Signal(object)  # an exception
    told = Signal(str)  # what is to be known of the current frame

    def __init__(self, viewer: Viewer, recording: Recording, magnifier: Magnifier, settings: MagnifySettings) -> None:
        super().__init__()
        self.viewer, self.recording, self.settings = viewer, recording, settings
        self.magnifier = magnifier
        self.video = open_recording(viewer, recording)
        self.frames = DrawnFrames(magnifier, settings.factor)
        self.frames.ask = _ignore
        self._way, self._share = Compare.OVERLAY, 1.0
        self._at, self._time_moves = -1, False
        self._whole, self._arrows = range(0), np.zeros((0, 2, 3), np.float32)  # drawn by `fill`
        self._pointed = -1  # frame whose arrows are shown
        self._latest = LatestCall(self)
        self._latest.done.connect(self._on_drawn)
        self._latest.failed.connect(self._on_failed)
        self._asked = (-1, settings.factor)
        self.layers: list[Layer] = []
        self.show()
        self.frames.ask = self._ask  # only now: napari begins every layer with its first frame
        self._refresh()
        self._at = self._now()
        viewer.dims.events.current_step.connect(self._on_time_moved)
        viewer.layers.events.removed.connect(self._on_seen)

    def show(self) -> None:
        """Show recording and layers, adding what was removed."""
        if self.video not in self.viewer.layers:
            self.video = find_layer(self.viewer, self.recording) or self.viewer.add_layer(self.video)
            put_below(self.viewer, self.video, self.layers)
        if self.layers and all(layer in self.viewer.layers for layer in self.layers):
            return
        self.layers = show_magnification(self.viewer, self.recording, self.video, self.frames, self.settings)
        for layer in self.layers:
            layer.events.visible.connect(self._on_seen)
        self._on_seen()
        self.viewer.layers.selection.active = self.video
        self._pointed = -1
        self.compare(self._way, self._share)
        self._point()

    def set_factor(self, settings: MagnifySettings) -> None:
        """Draw with another factor from now on, the current frame first."""
        self.settings, self.frames.factor = settings, settings.factor
        self.frames.ask = self._ask  # try again, should it have failed
        self._time_moves = False
        self.show()
        for layer in self.layers:
            layer.metadata = {**layer.metadata, KEY: {**about(layer), "settings": settings.model_dump()}}
        self._refresh()

    def compare(self, way: Compare, share: float) -> None:
        """Lay the magnified frames over the recording, beside it, or behind a curtain.

        Parameters
        ----------
        way : Compare
            How.
        share : float
            The overlay's opacity, or how far the curtain is drawn from the left; 0 to 1.
        """
        beside = Compare.SIDE_BY_SIDE
        turned = (way is beside) != (self._way is beside)
        self._way, self._share = way, share
        magnified, _, direction = self.layers
        place = np.array(self.video.translate, float)
        if way is beside:
            place[-1] += self.video.scale[-1] * self.frames.original.shape[2] * (1 + _GAP)
        for layer in (magnified, direction):
            if not np.array_equal(layer.translate, place):  # napari takes its time over it
                layer.translate = place
        magnified.opacity = share if way is Compare.OVERLAY else 1.0
        split = share if way is Compare.CURTAIN else 0.0
        if split != self.frames.split:
            self.frames.split = split
            magnified.refresh()
        if turned:
            fit_to_view(self.viewer, [self.video, *self.layers])

    def fill(self, frames: range, report: Report) -> tuple[range, np.ndarray]:
        """Draw a range of frames ahead, until the factor is changed; in any thread.

        Returns
        -------
        range
            The frames that were drawn.
        ndarray of float32, shape (n, 2, 3)
            Their arrows, for `take_arrows`.
        """
        factor, arrows = self.frames.factor, [np.zeros((0, 2, 3), np.float32)]
        if self.frames.wants_marks:
            with closing(self.magnifier.iterate(factor, frames, report)) as found:
                for one in found:
                    if self.frames.factor != factor:
                        break
                    self.frames.keep_image(one.frame, one.image, factor)
                    self.frames.keep_marks(one.frame, Marks(one.heatmap, one.vectors))
                    arrows.append(with_time(one.vectors, one.frame))
            return range(frames.start, frames.start + len(arrows) - 1), np.concatenate(arrows)
        with closing(self.magnifier.iterate_images(factor, frames, report)) as images:
            for frame, image in zip(frames, images, strict=False):
                if self.frames.factor != factor:
                    break
                self.frames.keep_image(frame, image, factor)
        return range(0), arrows[0]

    def take_arrows(self, frames: range, arrows: np.ndarray) -> None:
        """Show the arrows of many frames at once, as `fill` gives them."""
        self.show()
        self._whole, self._arrows, self._pointed = frames, arrows, -1
        self._refresh()

    def tell(self) -> None:
        """Say whether the current frame is left as it is."""
        frame = self._now()
        left = frame in self.frames.left
        self.told.emit(f"Frame {frame} has no good reference and is left as it is." if left else "")

    def close(self) -> None:
        """Leave the layers to themselves: they are drawn without a thread from now on."""
        self.viewer.dims.events.current_step.disconnect(self._on_time_moved)
        self.viewer.layers.events.removed.disconnect(self._on_seen)
        for layer in self.layers:
            layer.events.visible.disconnect(self._on_seen)
        self.frames.ask = None
        self._latest.close()

    def _ask(self, frame: int) -> None:
        if self._latest.busy and self._asked == (frame, self.frames.factor):
            return  # both image layers ask for it
        self._asked = (frame, self.frames.factor)
        self._latest.ask(lambda: self._prepared(frame))

    def _prepared(self, frame: int) -> int:
        self.frames.prepare(frame)
        return frame

    def _on_seen(self) -> None:
        """Draw from now on what is seen."""
        image, heat, arrows = (layer.visible and layer in self.viewer.layers for layer in self.layers)
        self.frames.wants_image, self.frames.wants_marks = image, heat or arrows
        self._point()

    def _on_time_moved(self) -> None:
        if (now := self._now()) != self._at:  # napari also tells of it when the layers' extents change
            self._at, self._time_moves = now, True
            self.tell()
            self._point()

    def _on_drawn(self, frame: int) -> None:
        now = self._now()
        if frame == now or not self.frames.is_ready(now):
            self._refresh()
        if self._time_moves and not self._latest.busy:
            self._draw_ahead(range(now + 1, min(now + 1 + AHEAD, len(self.frames.original))))

    def _on_failed(self, error: Exception) -> None:
        self.frames.ask = _ignore  # one message is enough
        self.failed.emit(error)

    def _draw_ahead(self, frames: Iterable[int]) -> None:
        wanted = next((t for t in frames if not self.frames.is_ready(t)), None)
        if wanted is not None and self._is_seen():
            self._ask(wanted)

    def _refresh(self) -> None:
        """Let napari read the current frame again, which asks for it where it is not drawn."""
        for layer in self.layers[:2]:
            layer.refresh(extent=False)
        self._point()

    def _point(self) -> None:
        """Show the current frame's arrows, if it is drawn."""
        now, direction = self._now(), self.layers[2]
        if now == self._pointed or not self.frames.wants_marks:
            return
        marks = self.frames.kept(now).marks
        if now in self._whole:
            found = np.zeros((0, 2, 3), np.float32)  # it has them
        elif marks is None:
            if self.frames.ask is not None:
                self.frames.ask(now)
            return
        else:
            found = with_time(marks.vectors, now)
        self._pointed = now
        direction.data = np.concatenate([self._arrows, found])

    def _is_seen(self) -> bool:
        return any(layer.visible and layer in self.viewer.layers for layer in self.layers)

    def _now(self) -> int:
        return current_frame(self.viewer, self.video)


def _ignore(frame: int) -> None:
    """Draw nothing."""
