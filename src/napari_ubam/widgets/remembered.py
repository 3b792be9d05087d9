"""What is remembered from one start of napari to the next, kept by napari beside its own settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from magicgui.widgets.bases import ValueWidget
from napari.settings import get_plugin_settings
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QComboBox, QSpinBox, QWidget

from napari_ubam.widgets.form import read_field, write_field

Control: TypeAlias = QComboBox | QCheckBox | QSpinBox | ValueWidget

_DELAY = 500  # milliseconds from a change until it is kept: a slider tells of many


def last_study() -> Path | None:
    """Give the folder of the study that was open last, which may be gone by now."""
    settings = _settings()
    return Path(settings.study.last) if settings is not None and settings.study.last else None


def remember_study(folder: Path | None) -> None:
    """Remember that this study was open last, or that none was."""
    settings, last = _settings(), "" if folder is None else str(folder)
    if settings is not None and settings.study.last != last:
        settings.study.last = last


def last_widgets() -> list[str]:
    """Give the names of our widgets that were open last."""
    settings = _settings()
    return settings.study.widgets.split(", ") if settings is not None and settings.study.widgets else []


def remember_widgets(names: Iterable[str]) -> None:
    """Remember that these widgets are open; napari itself remembers where they were docked."""
    if (settings := _settings()) is not None:
        settings.study.widgets = ", ".join(names)


class RememberedChoices(QTimer):
    """Shows what was chosen last in a widget, and remembers what is chosen from now on.

    Parameters
    ----------
    widget : QWidget
        Whose choices they are; they are kept by the name of its class.
    controls : mapping of str to Control
        What is remembered, by name. What is no longer offered is passed over.
    """

    def __init__(self, widget: QWidget, controls: Mapping[str, Control]) -> None:
        super().__init__(widget)
        self._name, self._controls = type(widget).__name__, dict(controls)
        self.setSingleShot(True)
        self.setInterval(_DELAY)
        self.timeout.connect(self.keep)
        kept = _read_choices().get(self._name, {})
        for name, control in self._controls.items():
            if name in kept:
                _show(control, kept[name])
            _changed(control).connect(self._on_changed)

    def keep(self) -> None:
        """Keep what is chosen now."""
        settings = _settings()
        if settings is None:
            return
        chosen = {name: _chosen(control) for name, control in self._controls.items()}
        settings.choices.last = json.dumps({**_read_choices(), self._name: chosen})

    def _on_changed(self) -> None:
        self.start()


def _read_choices() -> dict[str, dict[str, Any]]:
    """Give what was chosen, by widget; nothing if that cannot be read."""
    settings = _settings()
    try:
        kept = json.loads(settings.choices.last) if settings is not None and settings.choices.last else {}
    except json.JSONDecodeError:  # edited by hand
        kept = {}
    return {k: v for k, v in kept.items() if isinstance(v, dict)} if isinstance(kept, dict) else {}


def _chosen(control: Control) -> Any:
    if isinstance(control, ValueWidget):
        return read_field(control)
    if isinstance(control, QComboBox):
        return control.currentText()
    return control.isChecked() if isinstance(control, QCheckBox) else control.value()


def _show(control: Control, value: Any) -> None:
    try:
        if isinstance(control, ValueWidget):
            write_field(control, value)
        elif isinstance(control, QComboBox):
            at = control.findText(str(value))
            if at >= 0 and control.model().item(at).isEnabled():  # a method may not be installed any more
                control.setCurrentIndex(at)
        elif isinstance(control, QCheckBox):
            control.setChecked(bool(value))
        else:
            control.setValue(int(value))
    except (ValueError, TypeError):  # it is not offered, or not of its kind
        return


def _changed(control: Control) -> Any:
    if isinstance(control, ValueWidget):
        return control.changed
    if isinstance(control, QComboBox):
        return control.currentTextChanged
    return control.toggled if isinstance(control, QCheckBox) else control.valueChanged


def _settings() -> Any:
    """Give our settings; None where napari does not know the plugin, such as when the widget is used by a script."""
    try:
        return get_plugin_settings("napari-ubam")
    except KeyError:
        return None
