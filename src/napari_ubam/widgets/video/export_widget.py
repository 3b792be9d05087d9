"""The *Export video* widget: layers into one video, side by side or as the viewer blends them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.layers import Image, Vectors
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QSpinBox,
)

from napari_ubam.errors import VideoError
from napari_ubam.pipeline.layering import write_layers
from napari_ubam.progress import Report
from napari_ubam.settings import ExportSettings, Layout, Quality
from napari_ubam.widgets.dock import DockWidget, button, row
from napari_ubam.widgets.layers import path_of
from napari_ubam.widgets.notices import errors_shown
from napari_ubam.widgets.remembered import RememberedChoices
from napari_ubam.widgets.save_dialog import ask_where_to_save
from napari_ubam.widgets.video.shown_layers import shown_arrows, shown_image

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

BESIDE, BLENDED = "side by side, with names", "blended, as the viewer shows them"
_LAYOUTS: dict[str, Layout] = {BESIDE: "side-by-side", BLENDED: "blended"}
_FILTER = "H.264 (*.mp4);;Lossless (*.mkv);;QuickTime (*.mov);;VP9 (*.webm);;GIF (*.gif);;TIFF (*.tif)"
_QUALITIES: dict[str, Quality] = {"good": "good", "small file": "small", "best": "best"}


class ExportWidget(DockWidget):
    """Chooses layers and how they are put together, and writes them in a thread."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.choice = QListWidget()
        self.choice.setAccessibleName("Layers")
        self.choice.setToolTip("<qt>The image layers that are written, from left to right, or from bottom to top.</qt>")
        self.arrangement = QComboBox()
        self.arrangement.addItems([BESIDE, BLENDED])
        self.arrangement.setAccessibleName("Arrangement")
        self.arrangement.setToolTip(
            "<qt>Beside one another under their names, or over one another with the colormap, contrast limits, opacity "
            "and blending of each, on the pixels of the lowest.</qt>"
        )
        self.arrows = QCheckBox("Draw arrows")
        self.arrows.setToolTip("<qt>Also draw the arrows of the layers of vectors that are visible.</qt>")
        self.arrows.setChecked(True)
        self.quality = QComboBox()
        self.quality.addItems(list(_QUALITIES))
        self.quality.setAccessibleName("Quality")
        self.quality.setToolTip("<qt>Of formats that are not lossless. 'good': no loss that can be seen.</qt>")
        self.first, self.last = QSpinBox(), QSpinBox()
        self.first.setAccessibleName("First frame")
        self.last.setAccessibleName("Last frame")
        for box in (self.first, self.last):
            box.setMaximum(0)
            box.setToolTip("<qt>The first and the last frame that are written.</qt>")
        self.run_button = button(
            "Export video…", "Choose a file and write it; other work can go on meanwhile.", self._on_export_clicked
        )
        self.hint = QLabel("Open a video or an image first.")
        self.hint.setWordWrap(True)
        form = QFormLayout()
        form.addRow("Layers", self.choice)
        form.addRow("Arrangement", self.arrangement)
        form.addRow("Frames", row(self.first, QLabel("to"), self.last))
        form.addRow("Quality", self.quality)
        form.addRow("", self.arrows)
        self.column.addLayout(form)
        self.column.addWidget(self.run_button)
        self.column.addWidget(self.progress)
        self.column.addWidget(self.hint)
        self.column.addStretch(1)

        RememberedChoices(self, {"arrangement": self.arrangement, "quality": self.quality, "arrows": self.arrows})
        self._layers: list[Image] = []
        events = self.viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered):
            event.connect(self._on_layers_changed)
        self.choice.itemChanged.connect(self._on_choice_changed)
        self._on_layers_changed()

    def chosen(self) -> list[Image]:
        """Give the layers that are ticked, the lowest first."""
        ticked = (self.choice.item(i).checkState() == Qt.CheckState.Checked for i in range(self.choice.count()))
        return [layer for layer, yes in zip(self._layers, ticked, strict=True) if yes]

    def export(self, out: Path) -> None:
        """Write the chosen layers to a file, in a thread; one that is there is replaced."""
        with errors_shown():
            layers = self.chosen()
            if not layers:
                raise VideoError("No layer is chosen. Tick the ones that are to be written.")
            for layer in self.viewer.layers:
                if path_of(layer) == out.resolve():
                    raise VideoError(f"{out} is open as the layer '{layer.name}'. Choose another name to write to.")
            images = [shown_image(layer) for layer in layers]
            arrows = [shown_arrows(layer) for layer in self.viewer.layers if _has_arrows(layer)]
            settings = ExportSettings(
                layout=_LAYOUTS[self.arrangement.currentText()], quality=_QUALITIES[self.quality.currentText()],
                start=self.first.value(), stop=self.last.value() + 1,
            )  # fmt: skip
            drawn = arrows if self.arrows.isChecked() else []

            def step(report: Report) -> int:
                return write_layers(out, images, settings, arrows=drawn, report=report)

            self.run_step("exporting", step, lambda n: f"{out} was written: {n} frames.")

    def _on_export_clicked(self) -> None:
        name = "_".join(layer.name for layer in self.chosen()[:2]) or "video"
        if out := ask_where_to_save(self, "Export video", f"{name}.mp4", _FILTER):
            self.export(out)

    def _on_layers_changed(self) -> None:
        ticked = {id(layer) for layer in self.chosen()} if self._layers else None
        known = {id(layer) for layer in self._layers}
        self._layers = [layer for layer in self.viewer.layers if isinstance(layer, Image)]
        self.choice.blockSignals(True)
        self.choice.clear()
        for layer in self._layers:
            item = QListWidgetItem(layer.name)
            as_before = ticked is not None and id(layer) in known
            yes = id(layer) in (ticked or ()) if as_before else layer.visible
            item.setCheckState(Qt.CheckState.Checked if yes else Qt.CheckState.Unchecked)
            self.choice.addItem(item)
        self.choice.blockSignals(False)
        self._on_choice_changed()

    def _on_choice_changed(self) -> None:
        lengths = [layer.data.shape[0] for layer in self.chosen() if layer.ndim > 2 and not layer.multiscale]
        last = max(lengths, default=1) - 1
        was_last = self.last.value() == self.last.maximum()
        for box in (self.first, self.last):
            box.setMaximum(last)
        if was_last:
            self.last.setValue(last)
        self._on_running_changed(self.worker is not None)

    def _on_running_changed(self, running: bool) -> None:
        self.run_button.setEnabled(bool(self._layers) and not running)
        self.hint.setVisible(not self._layers)

    def _on_closed(self) -> None:
        events = self.viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered):
            event.disconnect(self._on_layers_changed)
        super()._on_closed()


def _has_arrows(layer: Layer) -> bool:
    return isinstance(layer, Vectors) and layer.visible and len(layer.data) > 0
