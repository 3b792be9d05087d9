"""Show recordings whose files are opened in a thread: the first pass over a long one takes its time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, NamedTuple

from qtpy.QtCore import QObject

from napari_ubam.progress import Cancelled, Progress, Report
from napari_ubam.widgets.activity import Activity
from napari_ubam.widgets.latest_call import LatestCall
from napari_ubam.widgets.layers import find_layer, open_recording, read_recording, show_recording
from napari_ubam.widgets.notices import tell_error

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_ubam.study import Recording
    from napari_ubam.video.napari_io import LayerData

Then = Callable[["Layer"], object]


class _Asked(NamedTuple):
    recording: Recording
    frame: int | None
    then: Then


class Opening(QObject):
    """Shows recordings in the order in which they were asked for.

    One that has a layer is shown at once, unless others are still being opened. How far that is stands in napari's
    activity dock, where it can be cancelled.

    Parameters
    ----------
    viewer : napari.Viewer
        Where to show them.
    parent : QObject
        What they are shown for.

    Attributes
    ----------
    stopped : Event
        Set to open nothing any more, from any thread.
    """

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self.stopped = Event()
        self._viewer = viewer
        self._asked: deque[_Asked] = deque()  # the first one is being opened
        self._reader = LatestCall(self)
        self._reader.done.connect(self._on_read)
        self._reader.failed.connect(self._on_failed)
        self._activity = Activity(self)
        self._activity.cancel_requested.connect(self.cancel)

    @property
    def busy(self) -> bool:
        """Whether a recording is still to be shown."""
        return bool(self._asked)

    def show(self, recording: Recording, frame: int | None = None, then: Then = lambda layer: None) -> None:
        """Show a recording as `napari_ubam.widgets.layers.show_recording` does.

        Parameters
        ----------
        recording, frame
            As there.
        then : callable
            Called with the layer as soon as it is shown.
        """
        self._asked.append(_Asked(recording, frame, then))
        if len(self._asked) == 1:  # else it follows by itself
            self._go_on()

    def cancel(self) -> None:
        """Open nothing of what was asked for."""
        self.stopped.set()

    def close(self) -> None:
        """Open nothing any more."""
        self.cancel()
        self._asked.clear()
        self._reader.close()
        self._activity.end()

    def _go_on(self) -> None:
        """Show what has a layer; open the first one that has none."""
        while self._asked:
            recording, frame, _ = self._asked[0]
            if find_layer(self._viewer, recording) is None:
                self.stopped.clear()
                self._activity.begin(f"opening {recording.name}")
                self._reader.ask(partial(read_recording, recording, frame, self._report()))
                return
            self._show()

    def _show(self, data: LayerData | None = None) -> None:
        """Show the first one; it is forgotten only then, as napari may handle events meanwhile."""
        recording, frame, then = self._asked[0]
        try:
            open_recording(self._viewer, recording, data)
            then(show_recording(self._viewer, recording, frame))
        except Exception as error:
            tell_error(error)
        if self._asked:  # it was not closed
            self._asked.popleft()

    def _report(self) -> Report:
        """Make what is told of the progress, in the reading thread: it only notes it down."""
        stopped, tell = self.stopped, self._activity.show_progress

        def report(progress: Progress) -> None:
            if stopped.is_set():
                raise Cancelled
            tell(progress)

        return report

    def _on_read(self, data: LayerData) -> None:
        self._activity.end()
        self._show(data)
        self._go_on()

    def _on_failed(self, error: Exception) -> None:
        self._activity.end()
        self._asked.popleft()
        if isinstance(error, Cancelled):
            self._asked.clear()
        else:
            tell_error(error)
        self._go_on()
