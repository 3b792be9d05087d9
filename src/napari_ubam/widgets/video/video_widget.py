"""The *Video* widget: play, step, go to a frame or a time, mark a stretch, make a copy that is quick to scrub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QDoubleSpinBox, QFormLayout, QLabel, QSpinBox

from napari_ubam.errors import VideoError
from napari_ubam.progress import Report
from napari_ubam.video import ASSUMED_FPS, LazyVideo, write_video
from napari_ubam.video.napari_io import LayerData, fps_of, read_layer
from napari_ubam.widgets.dock import DockWidget, button, row
from napari_ubam.widgets.layers import KEY, about, current_frame, go_to_frame
from napari_ubam.widgets.notices import errors_shown
from napari_ubam.widgets.save_dialog import ask_where_to_save
from napari_ubam.widgets.shortcuts import (
    BACK,
    KEYFRAME_AFTER,
    KEYFRAME_BEFORE,
    MARK_IN,
    MARK_OUT,
    ON,
    PLAY,
    BoundKeys,
    ShortcutsDialog,
)
from napari_ubam.widgets.video.player import Player

if TYPE_CHECKING:
    from napari.viewer import Viewer

_FAR = 60  # frames between keyframes: from here on jumping about is slow


class VideoWidget(DockWidget):
    """Goes about in the video of the selected layer, or of the topmost one if that is none."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.layer: Image | None = None
        self.times = np.zeros(1)
        self.player = Player(self.viewer, self)
        self.name = QLabel()
        self.name.setWordWrap(True)
        self.frame = QSpinBox()
        self.frame.setAccessibleName("Frame")
        self.frame.setToolTip("<qt>The frame that is shown, counted from 0. Type one to go there.</qt>")
        self.time = QDoubleSpinBox()
        self.time.setDecimals(3)
        self.time.setSuffix(" s")
        self.time.setAccessibleName("Time")
        self.time.setToolTip("<qt>When it is shown, as the file says. Type a time to go to the nearest frame.</qt>")
        self.play_button = button("Play", "Play at the recording's own rate; no frame is left out.", self.toggle)
        steps = [
            button("|◀", "To the keyframe before this frame.", lambda: self.to_keyframe(-1)),
            button("−10", "Ten frames back.", lambda: self.step(-10)),
            button("−1", "One frame back.", lambda: self.step(-1)),
            button("+1", "One frame on.", lambda: self.step(1)),
            button("+10", "Ten frames on.", lambda: self.step(10)),
            button("▶|", "To the next keyframe.", lambda: self.to_keyframe(1)),
        ]
        for each in steps:
            each.setMinimumWidth(10)
        self.mark_in = button("Mark in", "Here begins the stretch that is played.", lambda: self.mark("in"))
        self.mark_out = button("Mark out", "Here it ends.", lambda: self.mark("out"))
        self.unmark_button = button("Clear", "Play all of it.", self.unmark)
        self.marks = QLabel()
        self.copy_button = button(
            "Make a scrubbing copy…",
            "The keyframes of this video lie far apart, so that jumping about takes long. Write a copy (.mkv, "
            "lossless, larger) in which every frame is one: frame for frame the same.",
            self._on_copy_clicked,
        )
        self.shortcuts_button = button("Shortcuts", "Show the keys of all widgets.", self._on_shortcuts_clicked)
        self.state = QLabel()
        self.state.setWordWrap(True)
        form = QFormLayout()
        form.addRow("Video", self.name)
        form.addRow("Frame", self.frame)
        form.addRow("Time", self.time)
        form.addRow("Marked", self.marks)
        self.column.addLayout(form)
        self.column.addLayout(row(*steps[:3], self.play_button, *steps[3:]))
        self.column.addLayout(row(self.mark_in, self.mark_out, self.unmark_button))
        self.column.addWidget(self.copy_button)
        self.column.addWidget(self.shortcuts_button)
        self.column.addWidget(self.progress)
        self.column.addWidget(self.state)
        self.column.addStretch(1)
        self._controls = [self.frame, self.time, self.play_button, *steps, self.mark_in, self.mark_out]

        self.frame.valueChanged.connect(self.go_to)
        self.time.editingFinished.connect(self._on_time_typed)
        self.player.playing_changed.connect(self._on_playing_changed)
        layers = self.viewer.layers
        self._events = [layers.events.inserted, layers.events.removed, layers.selection.events.active]
        for event in self._events:
            event.connect(self._on_layers_changed)
        self.viewer.dims.events.current_step.connect(self._on_frame_shown)
        self._keys = BoundKeys(
            self.viewer,
            {
                PLAY: self.toggle,
                BACK: lambda: self.step(-10),
                ON: lambda: self.step(10),
                KEYFRAME_BEFORE: lambda: self.to_keyframe(-1),
                KEYFRAME_AFTER: lambda: self.to_keyframe(1),
                MARK_IN: lambda: self.mark("in"),
                MARK_OUT: lambda: self.mark("out"),
            },
        )
        self.destroyed.connect(self._keys.release)  # the viewer was closed
        self._on_layers_changed()

    def toggle(self) -> None:
        """Play, or stop."""
        if self.player.playing:
            self.player.stop()
        elif self.layer is not None:
            self.player.play(self.layer, self.times, self.stretch())

    def step(self, frames: int) -> None:
        """Go so many frames on, or back."""
        if self.layer is not None:
            self.go_to(current_frame(self.viewer, self.layer) + frames)

    def to_keyframe(self, direction: int) -> None:
        """Go to the next keyframe (1), or to the one before (-1)."""
        if self.layer is None:
            return
        now = current_frame(self.viewer, self.layer)
        known = self._video()
        keys = known.keyframes if known is not None else np.arange(len(self.times))
        beyond = keys[keys > now] if direction > 0 else keys[keys < now][::-1]
        if len(beyond):
            self.go_to(int(beyond[0]))

    def go_to(self, frame: int) -> None:
        """Go to a frame, or to the first or last one."""
        if self.layer is not None:
            go_to_frame(self.viewer, self.layer, min(max(frame, 0), len(self.times) - 1))

    def stretch(self) -> range:
        """Give the frames that are marked, or all."""
        marked = self._marks()
        return range(marked.get("in", 0), marked.get("out", len(self.times) - 1) + 1)

    def mark(self, which: str) -> None:
        """Let the stretch begin (``in``) or end (``out``) at the current frame."""
        if self.layer is None:
            return
        now = current_frame(self.viewer, self.layer)
        marked = {**self._marks(), which: now}
        if marked.get("in", 0) > marked.get("out", now):  # the other one no longer fits
            marked = {which: now}
        self._set_marks(marked)

    def unmark(self) -> None:
        """Mark all."""
        self._set_marks({})

    def make_copy(self, out: Path) -> None:
        """Write a copy in which every frame is a keyframe, in a thread, and open it."""
        with errors_shown():
            video = self._video()
            if video is None:
                return
            if out.resolve() == video.path.resolve():
                raise VideoError(f"{out} is the video itself. Choose another name to write to.")
            if out.suffix.lower() != ".mkv":
                raise VideoError(f"{out} was not written: choose a name that ends in .mkv, which is lossless.")
            times = video.timestamps if np.all(np.diff(video.timestamps) > 0) else None

            def step(report: Report) -> tuple[int, LayerData]:
                fps = video.fps or ASSUMED_FPS
                n = write_video(out, video.iterate(), fps, times=times, total=len(video), report=report)
                return n, read_layer(out, report)

            self.run_step("copying", step, lambda done: self._show_copy(out, *done))

    def _show_copy(self, out: Path, n: int, data: LayerData) -> str:
        from napari.layers import Layer

        self.viewer.layers.selection.active = self.viewer.add_layer(Layer.create(*data))
        return f"{out} was written: {n} frames."

    def _video(self) -> LazyVideo | None:
        return self.layer.data if self.layer is not None and isinstance(self.layer.data, LazyVideo) else None

    def _marks(self) -> dict[str, int]:
        found: dict[str, int] = {} if self.layer is None else about(self.layer).get("marked", {})
        return found

    def _set_marks(self, marked: dict[str, int]) -> None:
        if self.layer is not None:
            self.layer.metadata = {**self.layer.metadata, KEY: {**about(self.layer), "marked": marked}}
            playing = self.player.playing
            self.player.stop()
            if playing:
                self.toggle()
            self._show_marks()

    def _show_marks(self) -> None:
        marked, stretch = self._marks(), self.stretch()
        text = f"frames {stretch.start} to {stretch.stop - 1}" if marked else "nothing"
        self.marks.setText(text)
        self.unmark_button.setEnabled(bool(marked))

    def _on_layers_changed(self, event: Any = None) -> None:
        active = self.viewer.layers.selection.active
        chosen = [layer for layer in [active, *reversed(self.viewer.layers)] if _is_video(layer)]
        layer = chosen[0] if chosen else None
        if layer is not self.layer:
            self.player.stop()
        self.layer = layer
        self.name.setText("Open a video first." if layer is None else layer.name)
        for control in self._controls:
            control.setEnabled(layer is not None)
        video = self._video()
        if layer is not None:
            n, fps = layer.data.shape[0], fps_of({"metadata": layer.metadata}) or ASSUMED_FPS
            self.times = np.arange(n) / fps if video is None else video.timestamps
            with QSignalBlocker(self.frame), QSignalBlocker(self.time):
                self.frame.setMaximum(n - 1)
                self.time.setRange(float(self.times.min()), float(self.times.max()))
        keys = [] if video is None else [*video.keyframes, len(video)]
        self.copy_button.setVisible(bool(np.any(np.diff(keys) > _FAR)))
        self._show_marks()
        self._on_frame_shown()

    def _on_frame_shown(self, event: Any = None) -> None:
        if self.layer is None:
            self.state.clear()
            return
        now = current_frame(self.viewer, self.layer)
        with QSignalBlocker(self.frame), QSignalBlocker(self.time):
            self.frame.setValue(now)
            self.time.setValue(float(self.times[now]))
        said = []
        video = self._video()
        if video is not None and now in video.damaged:
            said.append("This frame is damaged: the last good one is shown.")
        if self.player.playing and self.player.rate:
            own = (len(self.times) - 1) / max(float(self.times[-1] - self.times[0]), 1e-6)
            said.append(f"{self.player.rate:.0f} of {own:.0f} frames per second.")
        self.state.setText(" ".join(said))

    def _on_time_typed(self) -> None:
        self.go_to(int(np.abs(self.times - self.time.value()).argmin()))

    def _on_playing_changed(self, playing: bool) -> None:
        self.play_button.setText("Stop" if playing else "Play")
        self._on_frame_shown()

    def _on_copy_clicked(self) -> None:
        video = self._video()
        if video is None:
            return
        name = str(video.path.with_name(f"{video.path.stem}_scrubbing.mkv"))
        if out := ask_where_to_save(self, "Make a scrubbing copy", name, "Lossless (*.mkv)"):
            self.make_copy(out)

    def _on_shortcuts_clicked(self) -> None:
        dialog = ShortcutsDialog(self)
        dialog.exec()
        dialog.deleteLater()

    def _on_running_changed(self, running: bool) -> None:
        self.copy_button.setEnabled(not running)

    def _on_closed(self) -> None:
        self._keys.release()
        self.player.stop()
        for event in self._events:
            event.disconnect(self._on_layers_changed)
        self.viewer.dims.events.current_step.disconnect(self._on_frame_shown)
        super()._on_closed()


def _is_video(layer: object) -> bool:
    return isinstance(layer, Image) and layer.ndim > 2 and not layer.multiscale and layer.data.shape[0] > 1
