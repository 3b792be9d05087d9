import json
from typing import Any

import pytest
from pydantic import ValidationError

from napari_ubam.settings import (
    CompareSettings,
    DeviateSettings,
    EmbedSettings,
    MagnifySettings,
    Settings,
    StudySettings,
    TrainSettings,
)

ALL = [StudySettings, TrainSettings, EmbedSettings, DeviateSettings, MagnifySettings, CompareSettings]


@pytest.mark.parametrize("kind", ALL)
def test_defaults_are_valid_and_survive_json(kind: type[Settings]) -> None:
    settings = kind()
    assert kind(**json.loads(settings.model_dump_json())) == settings


@pytest.mark.parametrize("kind", ALL)
def test_every_setting_has_what_its_form_and_its_help_show(kind: type[Settings]) -> None:
    for name, field in kind.model_json_schema()["properties"].items():
        assert field.get("title"), name
        assert field.get("description"), name


@pytest.mark.parametrize("kind", ALL)
def test_a_misspelt_setting_is_an_error(kind: type[Settings]) -> None:
    with pytest.raises(ValidationError, match="presett"):
        kind(presett="quick")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (TrainSettings, {"preset": "fast"}),
        (TrainSettings, {"minutes": 0}),
        (TrainSettings, {"seed": -1}),
        (TrainSettings, {"n_landmarks": 2}),
        (TrainSettings, {"objective": "keypoints"}),
        (TrainSettings, {"clip_seconds": 0}),
        (TrainSettings, {"clip_stride": 0.2}),  # a clip of 0.6 s would have 4 samples
        (TrainSettings, {"clip_stride": 0.001}),
        (StudySettings, {"crop_size": 100}),
        (StudySettings, {"crop_size": 1024}),
        (MagnifySettings, {"factor": 11}),
    ],
)
def test_values_that_make_no_sense_are_errors(kind: type[Settings], values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(values))):
        kind(**values)


@pytest.mark.parametrize("seconds", [0.1, 20])
def test_a_clip_that_does_not_fit_its_stride_is_an_error_though_the_stride_was_not_given(seconds: float) -> None:
    with pytest.raises(ValidationError, match=r"clip_stride\n.*4 to 256 strides"):
        TrainSettings(clip_seconds=seconds)
    assert TrainSettings(clip_seconds=seconds, clip_stride=seconds / 10).clip_seconds == seconds


def test_settings_cannot_change_by_accident() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrainSettings().seed = 1  # type: ignore[misc]


def test_the_papers_network_is_for_the_objectives_that_learn_a_vector() -> None:
    for objective in ("contrastive", "order"):
        assert TrainSettings(objective=objective, encoder="caffenet").encoder == "caffenet"
    for given in ({}, {"objective": "landmarks"}):
        with pytest.raises(ValidationError, match="needs the objective 'order' or 'contrastive'") as caught:
            TrainSettings(encoder="caffenet", **given)
        assert caught.value.errors()[0]["loc"] == ("encoder",)


@pytest.mark.parametrize("objective", ["contrastive", "order"])
def test_the_warp_generator_needs_landmarks(objective: Any) -> None:
    settings = TrainSettings(objective=objective, generator="warp")
    assert settings.generator == "vae"
    assert not settings.trained_together
    assert TrainSettings().trained_together
    assert not TrainSettings(generator="vae").trained_together
