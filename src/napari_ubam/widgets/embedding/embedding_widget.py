"""The *Embedding* widget: a map of the postures that is linked with the video."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from napari.utils.notifications import show_info
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLabel, QTabWidget, QVBoxLayout, QWidget

from napari_ubam.analysis.projection import can_lay_out
from napari_ubam.errors import Problem
from napari_ubam.settings import EmbedSettings, MapSettings
from napari_ubam.widgets.dock import DockWidget, button, combo, row
from napari_ubam.widgets.embedding.chosen_frames import ChosenFrames
from napari_ubam.widgets.embedding.embedding_data import MapData, is_embedded, load_map
from napari_ubam.widgets.embedding.embedding_map import EmbeddingMap
from napari_ubam.widgets.embedding.frame_pictures import FramePictures
from napari_ubam.widgets.embedding.map_colours import choices
from napari_ubam.widgets.embedding.map_tools import MapTools
from napari_ubam.widgets.embedding.neighbours_page import NeighboursPage
from napari_ubam.widgets.form import SettingsForm
from napari_ubam.widgets.layers import shown_frame
from napari_ubam.widgets.notices import errors_shown, warn_of_problems
from napari_ubam.widgets.remembered import RememberedChoices
from napari_ubam.widgets.session import NO_STUDY, same_frames
from napari_ubam.widgets.study.study_table import group_colours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.viewer import Viewer

    from napari_ubam.study import Interval, Study

_METHODS: dict[str, Literal["pca", "tsne", "umap"]] = {"PCA": "pca", "t-SNE": "tsne", "UMAP": "umap"}


class EmbeddingWidget(DockWidget):
    """Computes embeddings and deviations, and shows the map of all frames."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.form = SettingsForm(
            EmbedSettings(), choices={"device": ["auto", "cpu"]}, folded=set(EmbedSettings.model_fields)
        )
        self.compute_button = button(
            "Compute",
            "Embed what is new or changed with the trained models, and measure deviations.",
            self._on_compute_clicked,
        )
        self.code = combo(["posture", "behaviour"], "Map of", _tip("code"))
        self.method = _method_combo()
        self.colour_by = combo(
            choices([]),
            "Coloured by",
            "What the colour of a point says; of a keypoint, where it is, from the middle of all keypoints.",
        )
        self.centred = QCheckBox("Without each recording's mean")
        self.centred.setToolTip(f"<qt>{_tip('centred')}</qt>")
        self.anew_button = button("Lay out anew", _tip("anew"), self._on_anew_clicked)
        self.centred.setChecked(True)
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.column.setSpacing(4)
        self.map = EmbeddingMap(self.viewer)
        self.tools = MapTools()
        self.chosen = ChosenFrames(self, self.tools)
        self.neighbours = NeighboursPage()
        self._data: MapData | None = None
        self._pictures: FramePictures | None = None
        layout = row(self.code, self.method)
        layout.setStretch(0, 3)
        layout.setStretch(1, 2)
        buttons = row(self.compute_button, self.anew_button)
        buttons.setStretch(0, 1)
        form = QFormLayout()
        form.addRow("Map of", layout)
        form.addRow("Coloured by", self.colour_by)
        form.addRow("", self.centred)
        self.column.addWidget(self.form)
        self.column.addLayout(buttons)
        self.column.addWidget(self.progress)
        self.column.addLayout(form)
        self.column.addWidget(self.hint)
        page = QWidget()
        below = QVBoxLayout(page)
        below.setContentsMargins(0, 4, 0, 0)
        below.addWidget(self.map, 1)
        below.addWidget(self.tools)
        self.views = QTabWidget()
        self.views.addTab(page, "Map")
        self.views.addTab(self.neighbours, "Neighbours")
        self.column.addWidget(self.views, 1)

        self._remember()
        for box in (self.code, self.method):
            box.currentTextChanged.connect(self._on_layout_chosen)
        self.centred.toggled.connect(self._on_layout_chosen)
        self.colour_by.currentTextChanged.connect(self._on_colour_chosen)
        self.map.point_clicked.connect(self._on_point_clicked)
        self.neighbours.point_clicked.connect(self._on_point_clicked)
        self.map.encircled.connect(self.choose)
        self.tools.encircling_changed.connect(self._on_encircling_changed)
        self.tools.shown_changed.connect(self._on_shown_changed)
        self.tools.clear_requested.connect(self._on_clear_requested)
        self.session.study_changed.connect(self._on_study_changed)
        self.session.study_saved.connect(self._on_study_saved)
        self.session.results_changed.connect(self._on_results_changed)
        self.session.chosen_changed.connect(self._on_chosen_changed)
        self.viewer.dims.events.point.connect(self._on_moved)
        self.viewer.layers.selection.events.active.connect(self._on_moved)
        self._on_study_changed()

    def _remember(self) -> None:
        map_of = {"code": self.code, "method": self.method, "centred": self.centred, "colour_by": self.colour_by}
        RememberedChoices(self, {**self.form.some("device"), **map_of})

    @errors_shown()
    def compute(self) -> None:
        """Embed all recordings and measure their deviations, in a thread."""
        settings = self.form.settings()
        self.run_on_study(
            "embedding",
            lambda steps, study, report: [
                *steps.embed(study, settings, report=report),
                *steps.deviate(study, report=report),
            ],
            self._on_computed,
        )

    def load(self, *, anew: bool = False) -> None:
        """Show the map, which is laid out in a thread if there is none yet, or ``anew``."""
        study = self.session.study
        if study is None or not is_embedded(study):
            self._on_loaded(None)
            return
        code, method, centred = self.code.currentText(), _METHODS[self.method.currentText()], self.centred.isChecked()
        settings = MapSettings(code=code, method=method, centred=centred, anew=anew)
        self.run_step("preparing the map", lambda report: load_map(study, settings, report), self._on_loaded)

    def choose(self, rows: np.ndarray) -> None:
        """Let these points of the map be the chosen ones; none for none."""
        self.map.view.select(rows)
        self.chosen.choose(self._data, self._pictures, rows)

    def _on_chosen_changed(self) -> None:
        self.hint.setText(_hint(self.session.study is not None, self._data, self.session.chosen))

    def _on_compute_clicked(self) -> None:
        self.compute()

    def _on_anew_clicked(self) -> None:
        self.load(anew=True)

    def _on_results_changed(self) -> None:
        self.load()

    def _on_layout_chosen(self) -> None:
        self.load()

    def _on_colour_chosen(self) -> None:
        self._draw()
        self._on_moved()

    def _on_computed(self, problems: list[Problem]) -> None:
        warn_of_problems(problems)
        self.session.results_changed.emit()

    def _on_loaded(self, data: MapData | None) -> None:
        self._close_pictures()
        study, before = self.session.study, self._data
        same = data is not None and before is not None and data.has_points_of(before)
        chosen = self.chosen.rows if same else np.zeros(0, int)  # what was encircled stays, wherever it lies now
        self._data = data
        if data is not None and study is not None:
            self._pictures = FramePictures(study)
            self.destroyed.connect(self._pictures.close)  # the viewer was closed
        self._show_data()
        self.choose(chosen)
        self._on_chosen_changed()

    def _show_data(self) -> None:
        data = self._data
        groups = [] if data is None else [x.group for x in data.recordings]
        self.tools.offer_groups(groups, self.session.reference)
        self.neighbours.show_data(data, self._pictures, groups)
        self._offer_colours()
        self._draw()
        self._on_shown_changed()
        self._on_moved()

    def _draw(self) -> None:
        data, colour_by = self._data, self.colour_by.currentText()
        if data is not None and colour_by == "deviation" and np.isnan(data.deviation).all():
            show_info("The deviations are not computed yet: press Compute.")
            colour_by = "group"
            self.colour_by.setCurrentText(colour_by)
        self.map.show_data(data, self._pictures, colour_by, group_colours(self.session.recordings))

    def _on_study_changed(self) -> None:
        self._on_running_changed(self.worker is not None)
        self.choose(np.zeros(0, int))
        self.load()

    def _on_study_saved(self, before: Study) -> None:
        """Lay out anew only if there are other frames; else it is at most said of the same ones who is seen in them."""
        study, data = self.session.study, self._data
        assert study is not None  # it was saved
        if data is None or self.worker is not None or not same_frames(before, study):
            self.load()
            return
        self._data = replace(data, recordings=tuple(study.recording(x.name) for x in data.recordings))
        self._show_data()
        self.chosen.choose(self._data, self._pictures, self.chosen.rows)

    def _on_running_changed(self, running: bool) -> None:
        self.compute_button.setEnabled(self.session.study is not None and not running)

    def _offer_colours(self) -> None:
        """Offer the columns of the table that there are now, and keep the choice where it is one of them."""
        clustered = self._data is not None and bool((self._data.cluster >= 0).any())
        keypoints = () if self._data is None else tuple(self._data.keypoints)
        offered = choices(self.session.recordings, clustered=clustered, keypoints=keypoints)
        chosen = self.colour_by.currentText()
        with QSignalBlocker(self.colour_by):
            self.colour_by.clear()
            self.colour_by.addItems(offered)
            self.colour_by.setCurrentText(chosen if chosen in offered else "group")

    def _on_point_clicked(self, row: int) -> None:
        """Show the frame that a point stands for."""
        assert self._data is not None
        recording, frame = self._data.recording_of(row), int(self._data.frame[row])
        self.opening.show(recording, frame, lambda video: self._on_moved())

    def _on_encircling_changed(self, encircling: bool) -> None:
        self.map.view.encircling = encircling

    def _on_shown_changed(self) -> None:
        self.map.show_line(self.tools.line.isChecked())
        self.map.show_difference(self.tools.difference)

    def _on_clear_requested(self) -> None:
        self.choose(np.zeros(0, int))

    def _on_moved(self) -> None:
        """Mark the frame that the viewer shows."""
        if self._data is None:
            return
        shown = shown_frame(self.viewer, self.session.recordings)
        row = None if shown is None else self._data.row_of(shown[0].name, shown[1])
        self.map.mark(row)
        self.neighbours.mark(row)

    def _close_pictures(self) -> None:
        if self._pictures is not None:
            self._pictures.close()
            self.destroyed.disconnect(self._pictures.close)
            self._pictures = None

    def _on_closed(self) -> None:
        super()._on_closed()
        self.map.close_threads()
        self.chosen.close_thread()
        self.neighbours.close_thread()
        self._close_pictures()
        self.viewer.dims.events.point.disconnect(self._on_moved)
        self.viewer.layers.selection.events.active.disconnect(self._on_moved)


def _method_combo() -> QComboBox:
    """Offer the methods; one that is not installed is shown, and says so."""
    box = combo(list(_METHODS), "Laid out by", _tip("method"))
    for i, method in enumerate(_METHODS.values()):
        if not can_lay_out(method):
            box.model().item(i).setEnabled(False)
            box.setItemData(i, "Not installed. Install it with: pip install umap-learn", Qt.ItemDataRole.ToolTipRole)
    return box


def _tip(setting: str) -> str:
    return MapSettings.model_fields[setting].description or ""


def _hint(has_study: bool, data: MapData | None, chosen: Sequence[Interval]) -> str:
    if not has_study:
        return NO_STUDY
    if data is None:
        return "Nothing is embedded yet: train the models, then press Compute."
    if chosen:
        n, names = sum(x.stop - x.start for x in chosen), {x.recording for x in chosen}
        stretches = "1 stretch" if len(chosen) == 1 else f"{len(chosen)} stretches"
        return (
            f"{n} frames chosen, in {stretches} of {'1 recording' if len(names) == 1 else f'{len(names)} recordings'}."
        )
    return f"{len(data.frame)} frames. Click a point to see its frame."
