import json
from types import SimpleNamespace

import pytest
from qtpy.QtWidgets import QCheckBox, QComboBox, QSpinBox, QWidget

from napari_ubam.settings import CompareSettings, TrainSettings
from napari_ubam.widgets.form import SettingsForm
from napari_ubam.widgets.remembered import RememberedChoices


@pytest.fixture
def kept(monkeypatch):
    """Give what napari keeps for us."""
    settings = SimpleNamespace(choices=SimpleNamespace(last=""))
    monkeypatch.setattr("napari_ubam.widgets.remembered.get_plugin_settings", lambda name: settings)
    return settings.choices


class Chooser(QWidget):
    def __init__(self):
        super().__init__()
        self.method, self.centred, self.reach = QComboBox(), QCheckBox(), QSpinBox()
        self.method.addItems(["PCA", "t-SNE", "UMAP"])
        self.method.model().item(2).setEnabled(False)  # as where it is not installed
        self.train, self.compare = SettingsForm(TrainSettings()), SettingsForm(CompareSettings())
        controls = {"method": self.method, "centred": self.centred, "reach": self.reach}
        fields = self.train.some("preset", "minutes") | self.compare.some("error_rate", "baselines")
        self.choices = RememberedChoices(self, controls | fields)


@pytest.fixture
def make(qtbot):
    def made():
        widget = Chooser()
        qtbot.addWidget(widget)
        return widget

    return made


def test_what_was_chosen_last_is_chosen_again(qtbot, kept, make):
    first = make()
    first.method.setCurrentText("t-SNE")
    first.centred.setChecked(True)
    first.reach.setValue(7)
    first.train.fields["preset"].value = "thorough"
    first.train.fields["minutes"].value = 4
    first.compare.fields["error_rate"].value = 0.1
    assert kept.last == ""  # a slider tells of many changes
    qtbot.waitUntil(lambda: kept.last != "", timeout=5000)
    second = make()
    assert (second.method.currentText(), second.centred.isChecked(), second.reach.value()) == ("t-SNE", True, 7)
    assert second.train.settings() == TrainSettings(preset="thorough", minutes=4)
    assert second.compare.settings() == CompareSettings(error_rate=0.1)


def test_widgets_do_not_forget_the_choices_of_others(kept, make):
    kept.last = json.dumps({"Other": {"a": 1}})
    widget = make()
    widget.choices.keep()
    assert json.loads(kept.last)["Other"] == {"a": 1}


@pytest.mark.parametrize(
    "last",
    [
        "nonsense {",
        "[1, 2]",
        json.dumps({"Chooser": 3}),
        json.dumps({"Chooser": {"method": "UMAP"}}),
        json.dumps({"Chooser": {"method": "gone", "reach": "many", "preset": "endless", "minutes": "x"}}),
    ],
)
def test_what_is_not_offered_or_was_edited_by_hand_is_passed_over(kept, make, last):
    kept.last = last
    widget = make()
    assert (widget.method.currentText(), widget.reach.value()) == ("PCA", 0)
    assert widget.train.settings() == TrainSettings()


def test_where_napari_does_not_know_the_plugin_nothing_is_remembered(monkeypatch, make):
    def unknown(name):
        raise KeyError(name)

    monkeypatch.setattr("napari_ubam.widgets.remembered.get_plugin_settings", unknown)
    widget = make()
    widget.reach.setValue(7)
    widget.choices.keep()
    second = make()
    assert second.reach.value() == 0
