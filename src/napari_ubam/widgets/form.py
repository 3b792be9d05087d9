"""A form made from a settings class: its titles, tooltips, choices and bounds are the class's own."""

from __future__ import annotations

import types
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin

from magicgui.widgets import ComboBox, FloatSlider, FloatSpinBox, LineEdit, SpinBox, create_widget
from magicgui.widgets.bases import ValueWidget
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractSlider, QAbstractSpinBox, QDoubleSpinBox, QFormLayout, QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from napari_ubam.errors import UbamError
from napari_ubam.settings import Settings
from napari_ubam.widgets.fold import Fold

S = TypeVar("S", bound=Settings)

_NO_NUMBER = "none"
_SLIDER_STEP = 0.1
_NUMBER_WIDTH = 45  # of the number beside a slider [px]
_MAXIMUM = 2_000_000_000  # of a spin box, where the settings have no bound


class SettingsForm(QWidget, Generic[S]):
    """One row a setting; reading it back gives a validated settings object.

    Parameters
    ----------
    settings : Settings
        What is shown at first; its class gives the rows.
    choices : mapping of str to sequence of str, optional
        Settings that are text, offered as a choice of these.
    folded : collection of str
        Settings that are shown only when *More settings* is unfolded.
    sliders : collection of str
        Numbers with both bounds that are shown as a slider, with the number beside it.
    """

    changed = Signal()

    def __init__(
        self,
        settings: S,
        *,
        choices: Mapping[str, Sequence[str]] | None = None,
        folded: Collection[str] = (),
        sliders: Collection[str] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._class = type(settings)
        self.fields: dict[str, ValueWidget] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.rows = shown = _form_layout()
        hidden = _form_layout()
        for name, info in self._class.model_fields.items():
            value = getattr(settings, name)
            field = make_slider(info, value) if name in sliders else make_field(info, value, (choices or {}).get(name))
            field.changed.connect(self._on_field_changed)
            self.fields[name] = field
            (hidden if name in folded else shown).addRow(info.title or name, field.native)
            _explain(hidden if name in folded else shown, field.native, info)
        layout.addLayout(shown)
        if folded:
            content = QWidget()
            content.setLayout(hidden)
            layout.addWidget(Fold("More settings", content))

    def settings(self) -> S:
        """Give what the form shows as a settings object.

        Raises
        ------
        UbamError
            If the values do not fit together; the message names the setting.
        """
        try:
            return self._class(**{name: read_field(field) for name, field in self.fields.items()})
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else ""
            title = self._class.model_fields[name].title if name in self._class.model_fields else name
            raise UbamError(f"{title or 'The settings'}: {first['msg']}.") from error

    def some(self, *names: str) -> dict[str, ValueWidget]:
        """Give the fields of some settings."""
        return {name: self.fields[name] for name in names}

    def show_settings(self, settings: S) -> None:
        """Show other settings, without telling of a change."""
        with signals_blocked(self):
            for name, field in self.fields.items():
                write_field(field, getattr(settings, name))

    def set_choices(self, name: str, choices: Sequence[str]) -> None:
        """Offer other choices for a setting, and keep the one that is chosen if it is among them."""
        field = self.fields[name]
        assert isinstance(field, ComboBox)
        field.choices = tuple(choices)

    def set_labels(self, name: str, labels: Mapping[str, str]) -> None:
        """Show the choices of a setting in other words."""
        field = self.fields[name].native
        for i in range(field.count()):
            field.setItemText(i, labels[field.itemData(i)])

    def _on_field_changed(self) -> None:
        self.changed.emit()


def make_field(info: FieldInfo, value: Any, choices: Sequence[str] | None = None) -> ValueWidget:
    """Make the widget for one setting.

    Parameters
    ----------
    info : FieldInfo
        The setting, as pydantic describes it: its type, bounds and description.
    value : object
        What is shown at first.
    choices : sequence of str, optional
        Offer only these.

    Returns
    -------
    magicgui ValueWidget
        Its value is read with `read_field`.
    """
    annotation, optional = _without_none(info.annotation)
    if get_origin(annotation) is Literal:
        choices = get_args(annotation)
    if choices is not None:
        return ComboBox(choices=tuple(choices), value=value)
    if annotation in (int, float):
        return _make_number(annotation, value, optional, info)
    if annotation is str:
        return LineEdit(value=value)
    field = create_widget(value=value, annotation=annotation)
    assert isinstance(field, ValueWidget)
    return field


def make_slider(info: FieldInfo, value: float) -> ValueWidget:
    """Make a slider for a number with both bounds; it tells of every change while it is dragged."""
    bounds = _bounds(info)
    slider = FloatSlider(value=value, min=bounds["ge"], max=bounds["le"], step=_SLIDER_STEP, tracking=True)
    for number in slider.native.findChildren(QDoubleSpinBox):
        number.setMinimumWidth(_NUMBER_WIDTH)  # magicgui makes it as narrow as it is without napari's style
    return slider


def read_field(field: ValueWidget) -> Any:
    """Give the value that a field shows, None where it shows that there is no number."""
    if _shows_no_number(field):
        return None
    return field.value


def write_field(field: ValueWidget, value: Any) -> None:
    """Show ``value``; None is shown as the absence of a number."""
    field.value = field.min if value is None and isinstance(field, SpinBox | FloatSpinBox) else value


def _make_number(annotation: type, value: float | None, optional: bool, info: FieldInfo) -> ValueWidget:
    bounds = _bounds(info)
    step = bounds.get("multiple_of", 1 if annotation is int else _step(bounds, info.default))
    least = bounds.get("ge", bounds.get("gt", -_MAXIMUM))
    if optional:  # one step below what is allowed stands for None
        least = least if "gt" in bounds else least - step
    elif "gt" in bounds:
        least += step
    most = bounds.get("le", bounds.get("lt", _MAXIMUM))
    shown: Any = least if value is None else value
    field = (SpinBox if annotation is int else FloatSpinBox)(value=shown, min=least, max=most, step=step)
    if optional:
        field.native.setSpecialValueText(_NO_NUMBER)
    field.native.setMinimumWidth(70)
    return field


def _shows_no_number(field: ValueWidget) -> bool:
    return (
        isinstance(field, SpinBox | FloatSpinBox)
        and field.native.specialValueText() == _NO_NUMBER
        and field.value <= field.min
    )


def _bounds(info: FieldInfo) -> dict[str, Any]:
    """Collect the bounds ``ge``, ``gt``, ``le``, ``lt`` and ``multiple_of`` of a setting."""
    bounds: dict[str, Any] = {}
    for constraint in info.metadata:
        for name in ("ge", "gt", "le", "lt", "multiple_of"):
            if (bound := getattr(constraint, name, None)) is not None:
                bounds[name] = bound
    return bounds


def _step(bounds: Mapping[str, float], default: Any) -> float:
    if bounds.get("le", _MAXIMUM) > 5:
        return 0.5
    return 0.01 if isinstance(default, float) and 0 < default < 0.05 else 0.05


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """Split ``X | None`` into ``X`` and True."""
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        return (kinds[0] if len(kinds) == 1 else annotation), len(kinds) < len(get_args(annotation))
    return annotation, False


def _form_layout() -> QFormLayout:
    layout = QFormLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    layout.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
    return layout


def _explain(layout: QFormLayout, field: QWidget, info: FieldInfo) -> None:
    """Put a setting's description on its label and its field."""
    text = f"<qt>{info.description}</qt>" if info.description else ""  # as rich text, so that long ones are wrapped
    for each in (field, *field.findChildren(QAbstractSlider), *field.findChildren(QAbstractSpinBox)):
        each.setToolTip(text)
        each.setAccessibleName(info.title or "")
    label = layout.labelForField(field)
    if label is not None:
        label.setToolTip(text)
