"""The *Magnify* widget: a recording's deviation, magnified and laid over its video."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox, QSpinBox

from napari_ubam.progress import Report
from napari_ubam.settings import MagnifySettings
from napari_ubam.widgets.dock import button, row
from napari_ubam.widgets.form import SettingsForm
from napari_ubam.widgets.layers import current_frame, find_layer, open_recording, read_recording, show_recording
from napari_ubam.widgets.magnify.compare_row import CompareRow
from napari_ubam.widgets.magnify.live_magnification import LiveMagnification
from napari_ubam.widgets.magnify.magnify_layers import frames_of
from napari_ubam.widgets.notices import errors_shown
from napari_ubam.widgets.recording_widget import RecordingWidget
from napari_ubam.widgets.remembered import RememberedChoices
from napari_ubam.widgets.save_dialog import ask_where_to_save

if TYPE_CHECKING:
    from types import ModuleType

    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_ubam.pipeline import Magnifier
    from napari_ubam.study import Recording, Study
    from napari_ubam.video.napari_io import LayerData

_FILTER = "H.264 (*.mp4);;Lossless (*.mkv)"
_ALL, _AROUND = "all", "around the current one"


class MagnifyWidget(RecordingWidget):
    """Magnifies a recording of the open study.

    Attributes
    ----------
    live : LiveMagnification or None
        What is shown, and redrawn as the factor and the time change.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer, "Whose deviation is magnified.")
        self.live: LiveMagnification | None = None
        self._stopped = False  # the last step failed or was cancelled: the slider alone does not start it again
        self.form = SettingsForm(
            MagnifySettings(), choices={"device": ["auto", "cpu"]}, folded={"device", "unreliable"}, sliders={"factor"}
        )
        self.compare = CompareRow()
        self.range = QComboBox()
        self.range.addItems([_ALL, _AROUND])
        self.range.setAccessibleName("Frames")
        self.range.setToolTip(
            "<qt>Which frames are drawn ahead or saved: a few for a quick look, all of them for a video. "
            "Any other frame is drawn when it is looked at.</qt>"
        )
        self.reach = QSpinBox()
        self.reach.setRange(0, 100_000)
        self.reach.setValue(30)
        self.reach.setPrefix("± ")
        self.reach.setAccessibleName("Frames before and after the current one")
        self.reach.setToolTip("<qt>So many frames before and after the current one.</qt>")
        self.run_button = button(
            "Magnify",
            "Lay the magnified frames, a heatmap and arrows over the video, and draw the chosen frames ahead. "
            "The heatmap's thresholds are the contrast limits of the layer 'deviation': what lies below the lower one "
            "is dark; three in four reference subjects stay below 1 in 95 % of their frames.",
            self._on_run_clicked,
        )
        self.save_button = button("Save video…", "Write the magnified frames to a video.", self._on_save_clicked)
        self.form.rows.insertRow(0, "Recording", self.recording)
        self.form.rows.insertRow(1, "Frames", row(self.range, self.reach))
        self.form.rows.addRow("Compare", self.compare)
        self.column.addWidget(self.form)
        self.column.addLayout(row(self.run_button, self.save_button))
        self.column.addWidget(self.progress)
        self.column.addWidget(self.hint)
        self.column.addStretch(1)

        shown = {"range": self.range, "reach": self.reach, "compare": self.compare.choice}
        RememberedChoices(self, {**self.form.some("factor", "unreliable", "device"), **shown})
        self.range.currentTextChanged.connect(self._on_range_chosen)
        self.form.changed.connect(self._on_settings_changed)
        self.compare.changed.connect(self._on_compare_changed)
        self.recording.currentTextChanged.connect(self._on_recording_chosen)
        self.session.results_changed.connect(self._forget)
        self.session.study_changed.connect(self._forget)
        self.session.study_saved.connect(self._on_study_saved)
        self._on_range_chosen()
        self.follow_study(self.run_button, self.save_button)

    @errors_shown()
    def magnify(self) -> None:
        """Show the recording magnified, and draw the chosen frames in a thread, so that they play without a delay."""
        self._stopped = False
        self._with_live(self._fill)

    def take(self, recording: Recording, magnifier: Magnifier, settings: MagnifySettings) -> LiveMagnification:
        """Show a recording magnified in place of the one that was shown until now."""
        self._forget()
        self.live = LiveMagnification(self.viewer, recording, magnifier, settings)
        self.live.failed.connect(self._on_errored)
        self.live.told.connect(self.hint.setText)
        self.destroyed.connect(self.live.close)  # the viewer was closed
        self.live.tell()
        self.live.compare(self.compare.way, self.compare.share)
        return self.live

    def _with_live(self, then: Callable[[LiveMagnification], None]) -> None:
        """Call ``then`` with the recording as it is shown, magnified; open models and video first if need be."""
        settings, recording, live = self.form.settings(), self._chosen(), self.live
        opened_with = settings.model_dump(exclude={"factor"})
        if (
            live is not None
            and live.recording == recording
            and live.settings.model_dump(exclude={"factor"}) == opened_with
        ):
            live.set_factor(settings)
            then(live)
            return

        is_open = find_layer(self.viewer, recording) is not None

        def opened(steps: ModuleType, study: Study, report: Report) -> tuple[Magnifier, LayerData | None]:
            data = None if is_open else read_recording(recording, report=report)
            return steps.Magnifier(study, recording.name, settings.device, report, settings.unreliable), data

        @errors_shown()
        def show(found: tuple[Magnifier, LayerData | None]) -> None:
            magnifier, data = found
            now = self.form.settings().model_copy(update=opened_with)
            open_recording(self.viewer, recording, data)
            live = self.take(recording, magnifier, now)
            show_recording(self.viewer, recording)  # only now: else what is taken would be hidden and shown again
            then(live)

        self.run_on_study(f"opening {recording.name}", opened, show)

    def _fill(self, live: LiveMagnification) -> None:
        show_recording(self.viewer, live.recording)
        frames = self._frames(live.recording, live.video)
        live.frames.make_room(len(frames))
        self.run_step("magnifying", lambda report: live.fill(frames, report), lambda drawn: live.take_arrows(*drawn))

    @errors_shown()
    def save_video(self, out: Path) -> None:
        """Write the chosen frames, magnified, to a video, in a thread."""
        settings, recording = self.form.settings(), self._chosen()

        def save(video: Layer) -> None:
            frames = self._frames(recording, video)
            self.run_on_study(
                "saving",
                lambda steps, study, report: steps.save_magnified(
                    study, recording.name, out, settings, frames=frames, report=report
                ),
                lambda n: f"{out} was written: {n} frames.",
            )

        self.opening.show(recording, then=save)

    def _chosen(self) -> Recording:
        return self.session.saved_study().recording(self.recording.currentText())

    def _frames(self, recording: Recording, video: Layer) -> range:
        around = current_frame(self.viewer, video) if self.range.currentText() == _AROUND else None
        return frames_of(recording, video.data.shape[0], around, self.reach.value())

    @errors_shown()
    def _on_settings_changed(self) -> None:
        if self.session.study is None or self._stopped or (self.live is None and self.worker is not None):
            return  # what is being opened is shown with the settings of that moment
        self._with_live(lambda live: None)

    def _on_compare_changed(self) -> None:
        if self.live is not None:
            self.live.show()
            self.live.compare(self.compare.way, self.compare.share)

    def _on_recording_chosen(self) -> None:
        self._stopped = False

    def _forget(self) -> None:
        """Let go of a recording and models that may be others by now; its layers stay."""
        self._stopped = False
        if self.live is not None:
            self.destroyed.disconnect(self.live.close)
            self.live.close()
            self.live.told.disconnect(self.hint.setText)
            self.live = None
            self.hint.clear()

    def _on_study_saved(self, before: Study) -> None:
        study = self.session.study
        assert study is not None  # it was saved
        drawn_alike = (study.settings, study.reference) == (before.settings, before.reference)
        if self.live is not None and not (drawn_alike and self.live.recording in study.recordings):
            self._forget()

    def _on_errored(self, error: Exception) -> None:
        self._stopped = True
        super()._on_errored(error)

    def _on_cancel_requested(self) -> None:
        self._stopped = self.live is None
        super()._on_cancel_requested()

    def _on_closed(self) -> None:
        self._forget()
        super()._on_closed()

    def _on_run_clicked(self) -> None:
        self.magnify()

    def _on_save_clicked(self) -> None:
        name = f"{self.recording.currentText()}_magnified.mp4"
        if out := ask_where_to_save(self, "Save the magnified recording", name, _FILTER):
            self.save_video(out)

    def _on_range_chosen(self) -> None:
        self.reach.setVisible(self.range.currentText() == _AROUND)
