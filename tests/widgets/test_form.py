import pytest
from pydantic import Field, model_validator

from napari_ubam.errors import UbamError
from napari_ubam.settings import (
    CompareSettings,
    DeviateSettings,
    MagnifySettings,
    Settings,
    StudySettings,
    TrainSettings,
)
from napari_ubam.widgets.form import SettingsForm


@pytest.mark.parametrize(
    "settings",
    [TrainSettings(), StudySettings(), DeviateSettings(), MagnifySettings(), CompareSettings()],
    ids=lambda settings: type(settings).__name__,
)
def test_a_form_gives_back_the_settings_that_it_shows(qtbot, settings):
    form = SettingsForm(settings)
    qtbot.addWidget(form)
    assert form.settings() == settings


def test_other_settings_can_be_shown(qtbot):
    form = SettingsForm(TrainSettings())
    qtbot.addWidget(form)
    other = TrainSettings(preset="quick", minutes=1.5, seed=7, objective="order", n_landmarks=32)
    form.show_settings(other)
    assert form.settings() == other
    form.show_settings(TrainSettings())
    assert form.settings() == TrainSettings()


def test_titles_descriptions_choices_and_bounds_come_from_the_settings(qtbot):
    form = SettingsForm(TrainSettings())
    qtbot.addWidget(form)
    preset, landmarks = form.fields["preset"], form.fields["n_landmarks"]
    assert preset.choices == ("quick", "standard", "thorough")
    assert "laptop" in preset.native.toolTip()
    assert (landmarks.min, landmarks.max) == (4, 64)
    assert landmarks.native.accessibleName() == "Landmarks"


def test_a_missing_number_is_shown_as_none(qtbot):
    form = SettingsForm(TrainSettings())
    qtbot.addWidget(form)
    assert form.fields["minutes"].native.text() == "none"
    form.fields["minutes"].value = 2.5
    assert form.settings().minutes == 2.5


def test_folded_settings_are_part_of_the_form(qtbot):
    form = SettingsForm(TrainSettings(), folded={"seed"})
    qtbot.addWidget(form)
    form.fields["seed"].value = 3
    assert form.settings().seed == 3


def test_text_can_be_offered_as_choices(qtbot):
    form = SettingsForm(TrainSettings(), choices={"device": ["auto", "cpu"]})
    qtbot.addWidget(form)
    form.fields["device"].value = "cpu"
    form.set_choices("device", ["auto", "cpu", "cuda"])
    assert form.settings().device == "cpu"


def test_a_change_is_told(qtbot):
    form = SettingsForm(MagnifySettings())
    qtbot.addWidget(form)
    with qtbot.waitSignal(form.changed):
        form.fields["factor"].value = 4


class Span(Settings):
    start: int = Field(0, ge=0, title="Start")
    stop: int = Field(10, ge=0, title="Stop")

    @model_validator(mode="after")
    def _in_order(self):
        if self.stop <= self.start:
            raise ValueError("stop must be after start")
        return self


def test_values_that_do_not_fit_together_are_a_message(qtbot):
    form = SettingsForm(Span())
    qtbot.addWidget(form)
    form.fields["start"].value = 20
    with pytest.raises(UbamError, match="stop must be after start"):
        form.settings()


def test_a_number_can_be_a_slider_that_tells_of_every_move(qtbot):
    form = SettingsForm(MagnifySettings(), sliders={"factor"})
    qtbot.addWidget(form)
    factor = form.fields["factor"]
    assert (factor.min, factor.max, factor.step) == (0, 8, 0.1)
    told = []
    form.changed.connect(lambda: told.append(form.settings().factor))
    factor.value = 4.3
    factor.value = 0
    assert told == pytest.approx([4.3, 0])
