"""The *Transfer* widget: postures of some recordings, drawn on the subjects of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtWidgets import QAbstractItemView, QLabel, QListWidget

from napari_ubam.settings import TransferSettings
from napari_ubam.widgets.dock import DockWidget, button
from napari_ubam.widgets.form import SettingsForm
from napari_ubam.widgets.layers import KEY, about, fit_to_view
from napari_ubam.widgets.notices import errors_shown
from napari_ubam.widgets.remembered import RememberedChoices

if TYPE_CHECKING:
    from napari.viewer import Viewer

LAYER = "posture transfer"


class TransferWidget(DockWidget):
    """Shows the grid of postures as an image layer, which napari can save."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.sources = _choice("Postures of", "Whose postures are drawn; choose several with Ctrl or Shift.")
        self.targets = _choice("Drawn on", "On whom they are drawn; choose several with Ctrl or Shift.")
        self.form = SettingsForm(TransferSettings(), choices={"device": ["auto", "cpu"]}, folded={"device"})
        self.run_button = button(
            "Draw", "Draw every posture on every subject, and below it a simple baseline.", self._on_run_clicked
        )
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.form.rows.insertRow(0, "Postures of", self.sources)
        self.form.rows.insertRow(1, "Drawn on", self.targets)
        self.column.addWidget(self.form)
        self.column.addWidget(self.run_button)
        self.column.addWidget(self.progress)
        self.column.addWidget(self.hint)
        self.column.addStretch(1)

        RememberedChoices(self, self.form.some("n_postures", "device"))
        for choice in (self.sources, self.targets):
            choice.itemSelectionChanged.connect(self._on_selection_changed)
        self.session.table_changed.connect(self._on_table_changed)
        self.session.study_changed.connect(self._on_table_changed)
        self._on_table_changed()

    @errors_shown()
    def transfer(self) -> None:
        """Draw the grid in a thread, and show it as a layer."""
        settings, sources, targets = self.form.settings(), _chosen(self.sources), _chosen(self.targets)
        self.run_on_study(
            "transferring postures",
            lambda steps, study, report: steps.transfer(study, sources, targets, settings, report=report).grid(),
            self._show,
        )

    def _show(self, grid: np.ndarray) -> None:
        known = next((layer for layer in self.viewer.layers if about(layer).get("role") == LAYER), None)
        if known is None:
            known = self.viewer.add_image(grid, name=LAYER, rgb=True, metadata={KEY: {"role": LAYER}})
        known.data = grid
        known.visible = True
        self.viewer.layers.selection.active = known
        fit_to_view(self.viewer, [known])

    def _on_run_clicked(self) -> None:
        self.transfer()

    def _on_selection_changed(self) -> None:
        self._on_running_changed(self.worker is not None)

    def _on_table_changed(self) -> None:
        names = [recording.name for recording in self.session.recordings]
        for choice in (self.sources, self.targets):
            chosen = _chosen(choice)
            choice.clear()
            choice.addItems(names)
            for row, name in enumerate(names):
                choice.item(row).setSelected(name in chosen)
        self.hint.setText(self.session.hint)
        self._on_running_changed(self.worker is not None)

    def _on_running_changed(self, running: bool) -> None:
        chosen = bool(_chosen(self.sources) and _chosen(self.targets))
        self.run_button.setEnabled(self.session.study is not None and chosen and not running)


def _choice(name: str, tip: str) -> QListWidget:
    made = QListWidget()
    made.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
    made.setAccessibleName(name)
    made.setToolTip(f"<qt>{tip}</qt>")
    return made


def _chosen(choice: QListWidget) -> list[str]:
    """Return the selected recordings in the table's order."""
    items = [choice.item(row) for row in range(choice.count())]
    return [item.text() for item in items if item is not None and item.isSelected()]
