"""The *Study* widget: which recordings are compared, who is seen in them, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari.layers import Image
from napari.utils.notifications import show_info
from qtpy.QtCore import QEvent, QObject
from qtpy.QtGui import QDragEnterEvent, QDropEvent, QShowEvent
from qtpy.QtWidgets import QComboBox, QFileDialog, QLabel, QMessageBox

from napari_ubam.errors import UbamError
from napari_ubam.progress import Report
from napari_ubam.study import Recording, read_table
from napari_ubam.study.editing import changed
from napari_ubam.study.recording import REGION
from napari_ubam.study.study import is_study
from napari_ubam.video import VIDEO_SUFFIXES
from napari_ubam.widgets.dock import DockWidget, button, row
from napari_ubam.widgets.fold import Fold
from napari_ubam.widgets.form import SettingsForm
from napari_ubam.widgets.layers import about, find_layer
from napari_ubam.widgets.notices import errors_shown, tell_error, warn_of_problems
from napari_ubam.widgets.remembered import remember_study
from napari_ubam.widgets.study.add_recordings import (
    Looked,
    Source,
    copy_layer,
    known_of,
    look_at,
    merged,
    recordings_of,
)
from napari_ubam.widgets.study.layer_axes import axes_of, file_of, frames_of_layer, remember_copy
from napari_ubam.widgets.study.offers import Offers
from napari_ubam.widgets.study.region import draw_region, drawn_over, drawn_region
from napari_ubam.widgets.study.study_panel import StudyPanel
from napari_ubam.widgets.study.study_table import summary

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

_Answer = QMessageBox.StandardButton


class StudyWidget(DockWidget):
    """Edits the session's table of recordings, and saves and opens studies."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.setAcceptDrops(True)
        self.title = QLabel()
        self.title.setWordWrap(True)
        self.offers = Offers(self.session, self.viewer)
        self.panel = StudyPanel(self.session)
        self.reference = QComboBox()
        self.reference.setToolTip("<qt>The group that deviations are measured from, usually the healthy one.</qt>")
        self.reference.setAccessibleName("Reference group")
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.form = SettingsForm(self.session.settings)
        self._coming: list[Path] = []  # files that were not looked at yet
        self._lay_out()

        self.panel.open_requested.connect(self._on_open_requested)
        self.panel.selection_changed.connect(self._on_selection_changed)
        self.reference.activated.connect(self._on_reference_chosen)
        self.form.changed.connect(self._on_settings_edited)
        self.offers.study_requested.connect(self.open_study)
        self.offers.widgets_requested.connect(self._on_widgets_requested)
        self.session.table_changed.connect(self._on_table_changed)
        self.session.study_changed.connect(self._on_study_changed)
        self.session.modified_changed.connect(self._on_modified_changed)
        self.destroyed.connect(self.panel.facts.close)  # the viewer was closed
        self._on_table_changed()
        self._on_study_changed()

    def _lay_out(self) -> None:
        self.draw_button = button(
            "Draw region", "Draw a rectangle around the subject of the selected recording.", self._on_draw_clicked
        )
        self.use_button = button(
            "Use rectangle", "Make the rectangle the region of all selected recordings.", self._on_use_clicked
        )
        self.clear_button = button("Whole picture", "Take the region away again.", self._on_clear_clicked)
        reference_label = QLabel("Reference group")
        reference_label.setBuddy(self.reference)
        self.column.addLayout(
            row(
                button("New", "Start a study with an empty table.", self._on_new_clicked),
                button("Open…", "Open the folder of a study.", self._on_open_clicked),
                button(
                    "Save",
                    "Write the table to the study's folder. Once it has one, changes are saved by themselves.",
                    self._on_save_clicked,
                ),
            )
        )
        self.column.addWidget(self.title)
        self.column.addWidget(self.offers)
        self.column.addLayout(
            row(
                button("Add layers", "Add the selected image layers as recordings.", self._on_add_layers_clicked),
                button(
                    "Add files…",
                    "Add videos or TIFFs. You can also drop them here, or folders.",
                    self._on_add_files_clicked,
                ),
                button("Import table…", "Add the rows of a CSV: path, subject, group, …", self._on_import_clicked),
            )
        )
        self.column.addWidget(self.progress)
        self.column.addWidget(self.panel, 1)
        self.column.addLayout(row(self.draw_button, self.use_button, self.clear_button))
        self.column.addLayout(row(reference_label, self.reference))
        self.column.addWidget(self.summary)
        self.column.addWidget(Fold("Settings of the study", self.form))

    def add_files(self, paths: Iterable[Path]) -> None:
        """Add files as recordings, and the videos in folders; those that are there already are passed over.

        They are looked at in a thread; what cannot be read is told of, and left out.
        """
        self._coming += paths
        self.run_step("looking at files", partial(look_at, self._coming), self._on_looked)

    def import_table(self, path: Path) -> None:
        """Add the rows of a CSV."""
        with errors_shown():
            self.session.edit("importing a table", recordings=merged(self.session.recordings, read_table(path)))

    @errors_shown()
    def add_layers(self, layers: Sequence[Image]) -> None:
        """Add image layers as recordings; those without a file are first copied into the study's folder."""
        if not layers:
            show_info("Select the image layers that are to be added.")
            return
        axes = {}
        for layer in layers:
            if file_of(layer) is None:
                known = axes_of(self.viewer, layer, self)
                if known is None:
                    return
                axes[layer] = known
        if not axes:
            self._add_layers_with_files(layers)
            return
        folder = self.session.folder or self._ask_for_folder(
            "Choose the study's folder: layers without a file go there"
        )
        if folder is None:
            return
        self.session.folder = folder

        def copy(report: Report) -> dict[Image, Path]:
            paths = {}
            for layer, known in axes.items():
                frames, fps = frames_of_layer(layer, known), float(about(layer).get("fps", 30))
                paths[layer] = copy_layer(folder, layer.name, frames, fps, report)
            return paths

        def add(paths: dict[Image, Path]) -> None:
            others = [layer for layer, path in paths.items() if not remember_copy(layer, axes[layer], path)]
            self._add_layers_with_files(layers)
            for layer in others:  # time is at another place in them: what is shown from now on is the copy
                layer.visible = False
                path = paths[layer].resolve()
                self.opening.show(next(x for x in self.session.recordings if x.path == path))

        self.run_step("copying layers", copy, add)

    def open_study(self, folder: Path) -> None:
        """Open the study in a folder, after asking about unsaved changes."""
        if self.may_leave():
            with errors_shown():
                self.session.open(folder)

    def save_study(self) -> bool:
        """Save, asking for a folder if there is none yet; tell whether it was saved."""
        if self.session.folder is None:
            self.session.folder = self._ask_for_folder("Choose a folder for the study")
            if self.session.folder is None:
                return False
        try:
            self.session.save()
        except UbamError as error:
            tell_error(error)
            if self.session.study is None:  # so that another folder can be chosen
                self.session.folder = None
            return False
        return True

    def may_leave(self) -> bool:
        """Save, or ask what to do with changes that cannot be saved by themselves; tell whether to go on."""
        if self.session.save_by_itself() or (self.session.study is None and not self.session.recordings):
            return True
        answer = QMessageBox.question(
            self,
            "Unsaved changes",
            f"The study has changes that are not saved. {self.session.problem}".strip(),
            _Answer.Save | _Answer.Discard | _Answer.Cancel,
            _Answer.Save,
        )
        if answer == _Answer.Save:
            return self.save_study()
        if answer == _Answer.Discard:
            self.session.discard()
        return answer == _Answer.Discard

    def _on_new_clicked(self) -> None:
        if self.may_leave():
            self.session.clear()

    def _on_open_clicked(self) -> None:
        if folder := self._ask_for_folder("Open a study"):
            self.open_study(folder)

    def _on_save_clicked(self) -> None:
        self.save_study()

    def _on_add_layers_clicked(self) -> None:
        self.add_layers([x for x in self.viewer.layers if x in self.viewer.layers.selection and isinstance(x, Image)])

    def _on_add_files_clicked(self) -> None:
        suffixes = " ".join(f"*{suffix}" for suffix in (*VIDEO_SUFFIXES, ".tif", ".tiff", ".npy"))
        kinds = f"Videos, TIFFs and arrays ({suffixes})"
        paths, _ = QFileDialog.getOpenFileNames(self, "Add recordings", "", f"{kinds};;All files (*)")
        if paths:
            self.add_files(map(Path, paths))

    def _on_import_clicked(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Import a table of recordings", "", "Tables (*.csv);;All files (*)")
        if path:
            self.import_table(Path(path))

    def _on_draw_clicked(self) -> None:
        recording = self.panel.view.selected()[0]
        self.opening.show(recording, then=lambda video: draw_region(self.viewer, recording, video))

    def _on_use_clicked(self) -> None:
        first = self.panel.view.selected()[0]
        video = drawn_over(self.viewer) or find_layer(self.viewer, first)
        if video is None:
            self.opening.show(first, then=self._use_rectangle)
        else:
            self._use_rectangle(video)

    @errors_shown()
    def _use_rectangle(self, video: Layer) -> None:
        self._set_region(lambda recording: drawn_region(self.viewer, recording, video))

    def _on_clear_clicked(self) -> None:
        self._set_region(lambda recording: (None,) * 4)

    def _on_open_requested(self, recording: Recording) -> None:
        self.opening.show(recording)

    def _on_widgets_requested(self, names: Sequence[str]) -> None:
        for name in names:
            with suppress(KeyError, ValueError):  # there is no such widget any more
                self.viewer.window.add_plugin_dock_widget("napari-ubam", name, tabify=True)

    def _on_reference_chosen(self) -> None:
        self.session.edit("choosing the reference group", reference=self.reference.currentText())

    def _on_settings_edited(self) -> None:
        with errors_shown():
            settings = self.form.settings()
            if settings != self.session.settings:
                self.session.edit("changing the settings", settings=settings)

    def _on_selection_changed(self) -> None:
        some = self.panel.view.has_selection
        for made in (self.draw_button, self.use_button, self.clear_button):
            made.setEnabled(some)

    def _on_table_changed(self) -> None:
        self.reference.clear()
        self.reference.addItems(list(dict.fromkeys(recording.group for recording in self.session.recordings)))
        self.reference.setCurrentText(self.session.reference)
        self.reference.setEnabled(self.reference.count() > 0)
        self.summary.setText(summary(self.session.recordings))
        self.form.show_settings(self.session.settings)
        self._on_modified_changed(self.session.modified)
        self._on_selection_changed()

    def _on_modified_changed(self, modified: bool) -> None:
        name = self.session.place or "New study"
        kept = "not saved" if self.session.study is not None else "kept as a draft: Save puts it into a folder"
        saved = kept if modified else "saved"
        if self.session.study is None and not modified:
            self.title.setText(name)
        else:
            self.title.setText(f"{name} {'●' if modified else '✓'} {self.session.problem or saved}")

    def _on_study_changed(self) -> None:
        if self.session.folder is not None and self.session.study is not None:
            remember_study(self.session.folder)
        self._on_modified_changed(self.session.modified)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files that are dragged here."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Add files that are dropped here, and the videos in folders; a CSV is imported as a table, a study opened."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        tables = [path for path in paths if path.suffix.lower() == ".csv"]
        studies = [path for path in paths if is_study(path)]
        others = [path for path in paths if path not in (*tables, *studies)]
        for study in studies[:1]:
            self.open_study(study)
        for table in tables:
            self.import_table(table)
        if others:
            self.add_files(others)
        event.acceptProposedAction()

    def showEvent(self, event: QShowEvent) -> None:
        """Watch the main window, to ask about unsaved changes before it closes."""
        super().showEvent(event)
        self.main_window().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Ask about unsaved changes when the main window is about to close; look at files when it is come back to."""
        is_main = watched is self.main_window()
        if event.type() == QEvent.Type.WindowActivate and is_main:
            self.panel.facts.look_again()
        closing = event.type() == QEvent.Type.Close and is_main and watched.isVisible()
        if closing and not self.may_leave():
            event.ignore()
            return True
        return super().eventFilter(watched, event)

    def _on_closed(self) -> None:
        super()._on_closed()
        self.destroyed.disconnect(self.panel.facts.close)
        self.panel.facts.close()

    def _on_looked(self, looked: Looked) -> None:
        if looked.problems:  # napari shows the first line until the message is unfolded
            names = ", ".join(path.name for path in looked.problems)
            warn_of_problems([f"Not added: {names}.", *looked.problems.values()])
        if looked.recordings:
            self._add(map(Source, looked.recordings))

    def _on_cancel_requested(self) -> None:
        self._coming.clear()
        super()._on_cancel_requested()

    def _add(self, sources: Iterable[Source]) -> None:
        with errors_shown():
            if added := recordings_of(sources, self.session.recordings):
                self.session.edit("adding recordings", recordings=(*self.session.recordings, *added))
            else:
                show_info("The table has these recordings already.")

    def _add_layers_with_files(self, layers: Iterable[Image]) -> None:
        self._add(Source(path, known_of(about(layer))) for layer in layers if (path := file_of(layer)) is not None)

    def _set_region(self, region_of: Callable[[Recording], tuple[int | None, ...]]) -> None:
        names = {recording.name for recording in self.panel.view.selected()}
        recordings = [
            changed(x, **dict(zip(REGION, region_of(x), strict=True)), boxes=None) if x.name in names else x
            for x in self.session.recordings
        ]
        self.session.edit("setting the region", recordings=recordings)

    def _ask_for_folder(self, title: str) -> Path | None:
        folder = QFileDialog.getExistingDirectory(self, title)
        return Path(folder) if folder else None
