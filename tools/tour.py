"""Drive the dock widgets in a real napari window, and take the pictures that the README and the guide show.

    python tools/tour.py STUDY OUT [--size 1280x800] [--pause 1.5]      # or: make tour

STUDY is a study with every step done, such as the demo's. The files in it stay as they are. Each stop opens one widget
as a user would, waits until what it does in the background is done, and saves what is on the screen as OUT/NAME.png.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
from PIL import Image
from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QWidget

from napari_ubam.analysis.important import worst_frame
from napari_ubam.files import atomic_path
from napari_ubam.study import Study, read_result
from napari_ubam.widgets.layers import show_recording
from napari_ubam.widgets.session import session_of

PLUGIN = "napari-ubam"
EDGE = 15  # frames at the ends of recordings that are not shown
PATIENCE = 300.0  # seconds that one stop may take


class Tour:
    """A window with a study open.

    Parameters
    ----------
    study : Study
        A study with every step done.
    out : Path
        Where the pictures go.
    size : tuple of int
        Width and height of the window [px].
    pause : float
        How long to wait at every stop for what is drawn later, such as thumbnails [s].
    """

    def __init__(self, study: Study, out: Path, size: tuple[int, int], pause: float) -> None:
        self.study, self.out, self.pause = study, out, pause
        frames = read_result(study, "deviation", "deviate")
        last = frames.groupby("recording")["frame"].transform("max")
        inside = frames["frame"].between(EDGE, last - EDGE)  # where the movement around a frame is seen whole
        worst = worst_frame(frames[inside & (frames["group"] != study.reference)])
        self.recording, self.frame = study.recording(worst["recording"]), int(worst["frame"])
        self.viewer = napari.Viewer()
        self.viewer.window.resize(*size)
        session_of(self.viewer).open(study.folder)

    def stop(self, name: str, title: str, do: Callable[[Any], None] = lambda widget: None) -> None:
        """Open a widget, use it, and take a picture of the window."""
        dock, widget = self.viewer.window.add_plugin_dock_widget(PLUGIN, title)
        self._wait(self.pause / 3)
        do(widget)
        self._until(lambda: getattr(widget, "worker", None) is None, title)
        self._wait(self.pause)
        shown = Image.fromarray(self.viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
        with atomic_path(self.out / f"{name}.png") as temporary:
            shown.quantize(256, dither=Image.Dither.NONE).save(temporary, optimize=True)  # a third of the size
        dock.close()
        self._wait(0.2)

    def open_recording(self, widget: QWidget) -> None:
        """Show the recording that deviates most at the moment in which it does."""
        del widget
        show_recording(self.viewer, self.recording, self.frame)
        self.viewer.reset_view()

    def foretell(self, widget: Any) -> None:
        """Wait until it is known what there is to train on, and how long a training takes there."""
        presets = widget.form.fields["preset"].native
        self._until(lambda: "GiB" in widget.times.text(), "looking for devices")
        self._until(lambda: "about" in presets.currentText(), "foretelling the time of a training")

    def magnify(self, widget: Any) -> None:
        """Magnify it, as somebody does who chooses it and presses the button."""
        widget.recording.setCurrentText(self.recording.name)
        widget.magnify()
        self._until(lambda: widget.worker is None, "Magnify")
        self.open_recording(widget)

    def close(self) -> None:
        """Close the window."""
        self.viewer.close()

    def _until(self, done: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(f"{what} is not done after {PATIENCE:.0f} s.")
            self._wait(0.1)

    @staticmethod
    def _wait(seconds: float) -> None:
        loop = QEventLoop()
        QTimer.singleShot(round(1000 * seconds), loop.quit)
        loop.exec()


def main() -> None:
    """Take the tour."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", default="1280x800", help="of the window")
    parser.add_argument("--pause", type=float, default=1.5, help="at every stop, for what is drawn later [s]")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    tour = Tour(Study.open(options.study), options.out, (width, height), options.pause)
    tour.stop("study", "Study", tour.open_recording)
    tour.stop("train", "Train", tour.foretell)
    tour.stop("embedding", "Embedding")
    tour.stop("ethogram", "Ethogram")
    tour.stop("video", "Video")
    tour.stop("magnify", "Magnify", tour.magnify)
    tour.stop("compare_groups", "Compare groups")
    tour.stop("export_video", "Export video")
    tour.close()


if __name__ == "__main__":
    main()
