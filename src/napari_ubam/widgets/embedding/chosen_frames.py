"""The frames that were chosen on the map: saved as intervals, shown side by side, or back to back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.notifications import show_info
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QFileDialog

from napari_ubam.progress import Progress, Report
from napari_ubam.sampling import spread_rows
from napari_ubam.study import Recording, read_provenance, write_boris, write_intervals
from napari_ubam.video import ASSUMED_FPS
from napari_ubam.widgets.dock import DockWidget
from napari_ubam.widgets.embedding.embedding_data import MapData
from napari_ubam.widgets.embedding.frame_pictures import FramePictures, montage
from napari_ubam.widgets.embedding.map_tools import MapTools
from napari_ubam.widgets.latest_call import LatestCall
from napari_ubam.widgets.layers import KEY, fit_to_view, go_to_frame
from napari_ubam.widgets.notices import errors_shown

if TYPE_CHECKING:
    from napari.layers import Layer

N_MONTAGE = 48  # pictures of a montage
_COLUMNS = 8
MAX_CLIPS = 3000  # frames of a layer of clips; they are kept in memory
_INTERVALS, _BORIS = "Intervals (*.csv)", "BORIS tabular events (*.csv)"


class ChosenFrames(QObject):
    """Does what `MapTools` asks for with the frames that are chosen.

    Parameters
    ----------
    widget : DockWidget
        Runs what takes long, and has the viewer and the session.
    tools : MapTools
        What is asked.
    """

    def __init__(self, widget: DockWidget, tools: MapTools) -> None:
        super().__init__(widget)
        self._widget, self._tools = widget, tools
        self._data: MapData | None = None
        self._pictures: FramePictures | None = None
        self.rows = np.zeros(0, int)
        self._parted = LatestCall(self)
        self._parted.done.connect(widget.session.choose)
        tools.save_requested.connect(self._on_save_requested)
        tools.montage_requested.connect(self.show_montage)
        tools.clips_requested.connect(self.show_clips)
        tools.label.editingFinished.connect(self._tell)

    def choose(self, data: MapData | None, pictures: FramePictures | None, rows: np.ndarray) -> None:
        """Take these points of the map as the chosen ones."""
        self._data, self._pictures, self.rows = data, pictures, rows
        self._tools.set_chosen(len(rows) > 0)
        self._tell()

    def save(self, path: Path, *, boris: bool) -> None:
        """Write the chosen stretches as a CSV of intervals, or as BORIS's tabular events."""
        study, data, intervals = self._widget.session.study, self._data, self._widget.session.chosen
        if study is None or data is None:
            return
        with errors_shown():
            if boris:
                known = {}
                for recording in data.recordings:
                    last = data.frame[data.rows_of(recording.name).stop - 1]
                    fps = read_provenance(study, recording.name).get("fps") or ASSUMED_FPS
                    known[recording.name] = (recording, int(last) + 1, float(fps))
                write_boris(path, intervals, known)
            else:
                write_intervals(path, intervals)
            show_info(f"{path} was written: {len(intervals)} intervals.")

    def show_montage(self) -> None:
        """Show evenly spread frames side by side, in a layer."""
        spread = self.rows[spread_rows(len(self.rows), N_MONTAGE)]
        self._read(spread, "montage", lambda pictures: montage(pictures, min(_COLUMNS, len(pictures))))

    def show_clips(self) -> None:
        """Show all chosen frames one after the other, in a layer."""
        if len(self.rows) > MAX_CLIPS:
            show_info(f"{len(self.rows)} frames are chosen. The first {MAX_CLIPS} are shown.")
        self._read(self.rows[:MAX_CLIPS], "clips", lambda pictures: pictures)

    def close_thread(self) -> None:
        """Choose nothing any more."""
        self._parted.close()

    def _tell(self) -> None:
        """Let the session know the chosen stretches, which can be very many."""
        label, data, rows = self._tools.label.text().strip() or "chosen", self._data, self.rows
        self._parted.ask(lambda: [] if data is None or not len(rows) else data.intervals(rows, label))

    def _read(self, rows: np.ndarray, name: str, arrange: Any) -> None:
        data, pictures = self._data, self._pictures
        if data is None or pictures is None or not len(rows):
            return
        frames: list[tuple[Recording, int]] = [(data.recording_of(row), int(data.frame[row])) for row in rows]

        def step(report: Report) -> np.ndarray:
            found = []
            for i, (recording, frame) in enumerate(frames):
                report(Progress("reading pictures", i, len(frames)))
                found.append(pictures.picture(recording, frame))
            return arrange(np.stack(found))

        self._widget.run_step("reading pictures", step, lambda picture: self._show(picture, name))

    def _show(self, picture: np.ndarray, name: str) -> None:
        """Show pictures as a layer, in place of an older one, and hide what they would cover."""
        viewer = self._widget.viewer
        for layer in [layer for layer in viewer.layers if layer.metadata.get(KEY, {}).get("shows") == name]:
            viewer.layers.remove(layer)
        for layer in viewer.layers:
            if layer.visible:
                layer.visible = False
        axes = ("time", "y", "x")[4 - picture.ndim :]
        shown: Layer = viewer.add_image(
            picture, rgb=True, name=name, axis_labels=axes, metadata={KEY: {"recording": "", "shows": name}}
        )
        viewer.layers.selection.active = shown
        fit_to_view(viewer, [shown])
        if len(axes) == 3:
            go_to_frame(viewer, shown, 0)

    def _on_save_requested(self) -> None:
        study = self._widget.session.study
        if study is None:
            return
        name = str(study.folder / f"{self._tools.label.text().strip() or 'chosen'}.csv")
        path, kind = QFileDialog.getSaveFileName(self._widget, "Save chosen frames", name, f"{_INTERVALS};;{_BORIS}")
        if path:
            self.save(Path(path), boris=kind == _BORIS)
