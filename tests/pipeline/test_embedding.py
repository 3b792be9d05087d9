"""What `embed` does anew, what it skips, and that stopping it loses nothing."""

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from safetensors.torch import load_file, save_file

from napari_ubam import pipeline
from napari_ubam.models.behaviour import BehaviourEncoder
from napari_ubam.models.store import save_model
from napari_ubam.pipeline import embedding, reading
from napari_ubam.progress import Cancelled, Progress
from napari_ubam.settings import EmbedSettings
from napari_ubam.study import Study, embedding_path, load_crops, read_embedding, read_provenance

CPU = EmbedSettings(device="cpu")
ANEW = EmbedSettings(device="cpu", anew=True)
NAMES = ["h01", "h02", "h03", "i01", "i02"]


@pytest.fixture
def embedded(finished: Study, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Embed the study; gives the names of the recordings that were embedded, in order."""

    def run(settings: EmbedSettings = CPU, study: Study = finished, **how: object) -> list[str]:
        done: list[str] = []
        write = embedding.write_embedding
        with monkeypatch.context() as patch:
            patch.setattr(embedding, "write_embedding", lambda s, name, *a: done.append(name) or write(s, name, *a))
            pipeline.embed(study, settings, **how)
        return done

    return run


def change(study: Study, name: str, **values: object) -> Study:
    return study.replace(recordings=[r.model_copy(update=values) if r.name == name else r for r in study.recordings])


def test_what_is_up_to_date_is_skipped_and_the_user_is_told(finished: Study, embedded: Callable[..., list[str]]):
    told: list[Progress] = []
    assert embedded(report=told.append) == []
    assert [p.message for p in told if p.message] == [
        "5 of 5 recordings are embedded already and were skipped; 'anew' does all again."
    ]
    assert told[-1].done == told[-1].total == 5
    assert embedded(ANEW, report=told.append) == NAMES


def test_neither_cache_nor_training_is_needed_to_see_that_all_is_there(
    finished: Study, embedded: Callable[..., list[str]]
):
    for path in finished.cache_folder.rglob("*.npy"):
        path.unlink()
    assert embedded() == []


@pytest.mark.parametrize(
    "values", [{"start": 5}, {"stop": 30}, {"x": 0, "y": 0, "width": 50, "height": 50}, {"side": "left"}]
)
def test_a_recording_that_was_changed_is_embedded_anew(
    values: dict[str, object], finished: Study, embedded: Callable[..., list[str]]
):
    settings = finished.settings.model_copy(update={"mirror_to": "right"}) if "side" in values else finished.settings
    study = change(finished, "i01", **values).replace(settings=settings)
    assert embedded(study=study) == ["i01"]
    assert embedded(study=study) == []


def test_a_video_that_was_changed_is_embedded_anew(finished: Study, embedded: Callable[..., list[str]]):
    path = finished.recording("h02").path
    os.utime(path, ns=(1, 1))
    assert embedded() == ["h02"]


def test_what_is_missing_or_damaged_is_embedded(finished: Study, embedded: Callable[..., list[str]]):
    (embedding_path(finished, "h01") / "posture" / "zarr.json").write_text("{")
    embedding_path(finished, "i02").rename(embedding_path(finished, "elsewhere"))
    assert embedded() == ["h01", "i02"]


@pytest.mark.parametrize("part", ["posture", "behaviour"])
def test_other_weights_make_all_embeddings_stale(part: str, finished: Study, embedded: Callable[..., list[str]]):

    path = finished.models_folder / part / "model.safetensors"
    weights = load_file(path)
    name = next(name for name in weights if name.endswith("bias"))
    weights[name] += 0.5
    save_file(weights, path)
    assert embedded() == NAMES


def test_the_same_weights_make_no_embedding_stale_though_they_were_trained_again(
    finished: Study, embedded: Callable[..., list[str]]
):
    path = finished.models_folder / "posture" / "config.json"
    path.write_text(path.read_text().replace('"seconds": ', '"seconds": 1'))
    assert embedded() == []


def test_embeddings_of_an_older_format_are_made_anew(finished: Study, embedded: Callable[..., list[str]]):
    group = zarr.open_group(embedding_path(finished, "h03"), mode="a")
    group.attrs["made_of"] = dict(group.attrs["made_of"]) | {"format": 1}
    assert embedded() == ["h03"]


def test_frames_whose_clips_reach_beyond_the_recording_are_marked(finished: Study):
    """Clips of 0.6 s at 30 frames a second reach 9 frames before and after."""
    padded = read_embedding(finished, "h01").behaviour_padded
    assert padded.tolist() == [True] * 9 + [False] * 22 + [True] * 9


def test_the_models_own_clips_count_and_older_models_that_do_not_tell_have_theirs(
    finished: Study, embedded: Callable[..., list[str]]
):
    path = finished.models_folder / "behaviour" / "config.json"
    config = json.loads(path.read_text())
    assert config["arguments"]["seconds"] == 0.6
    assert config["arguments"]["stride"] == 0.04
    config["arguments"]["seconds"] = 1.0
    path.write_text(json.dumps(config))
    embedded(ANEW)
    assert read_embedding(finished, "h01").behaviour_padded.sum() == 30

    older = {"posture_dimension": config["arguments"]["posture_dimension"]}
    save_model(path.parent, BehaviourEncoder(**older), older, {})
    assert embedded() == NAMES
    assert read_embedding(finished, "h01").behaviour_padded.sum() == 18


def test_an_embedding_says_what_it_was_made_of(finished: Study):
    about = dict(zarr.open_group(embedding_path(finished, "h01"), mode="r").attrs)
    made_of = about["made_of"]
    assert Path(finished.folder, made_of["crops"]["video"][0]).resolve() == finished.recording("h01").path
    assert {"posture", "behaviour", "format"} <= set(made_of)
    assert about["version"]
    assert json.loads(json.dumps(about)) == read_provenance(finished, "h01")


@pytest.mark.parametrize("at", [0, 1, 3])
def test_stopped_it_keeps_what_is_done_and_goes_on_from_there(
    at: int, finished: Study, embedded: Callable[..., list[str]]
):
    """It is stopped in the middle of a recording."""
    before = {name: read_embedding(finished, name) for name in NAMES}
    for name in NAMES:
        embedding_path(finished, name).rename(embedding_path(finished, f"old_{name}"))

    def stop(progress: Progress) -> None:
        if progress.stage == f"embedding {NAMES[at]}":
            raise Cancelled

    with pytest.raises(Cancelled):
        embedded(report=stop)
    assert [n for n in NAMES if embedding_path(finished, n).exists()] == NAMES[:at]
    assert not [p for p in finished.folder.rglob(".*") if ".part" in p.name]
    assert embedded() == NAMES[at:]
    for name in NAMES:
        for part in ("posture", "behaviour", "frame"):
            one, other = getattr(before[name], part), getattr(read_embedding(finished, name), part)
            np.testing.assert_array_equal(one, other)


def test_the_next_recording_is_decoded_while_one_is_embedded(finished: Study, monkeypatch: pytest.MonkeyPatch):
    begun = {name: threading.Event() for name in NAMES}
    load, encode = reading.load_crops, embedding.encode_postures
    waited = []

    def watched(study: Study, recording, report):
        begun[recording.name].set()
        return load(study, recording, report)

    def encoded(*args, **how):
        if len(waited) < len(NAMES) - 1:
            waited.append(begun[NAMES[len(waited) + 1]].wait(10))
        return encode(*args, **how)

    monkeypatch.setattr(reading, "load_crops", watched)
    monkeypatch.setattr(embedding, "encode_postures", encoded)
    pipeline.embed(finished, ANEW)
    assert waited == [True] * 4


def test_codes_of_mirror_images_are_those_of_the_recording_filmed_in_a_mirror(
    finished: Study, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(embedding, "load_config", lambda folder: {"mirrored": True})
    recording = finished.recordings[0]
    crops = load_crops(finished, recording)
    assert crops.background is not None
    in_mirror = replace(crops, frames=crops.frames[:, :, ::-1], background=crops.background[:, ::-1])
    monkeypatch.setattr(embedding, "load_crops", lambda *args: in_mirror)
    posture, behaviour = embedding.embed_mirror_images(finished, [recording])[recording.name]
    written = read_embedding(finished, recording.name)
    np.testing.assert_allclose(posture, written.posture, atol=1e-3)
    np.testing.assert_allclose(behaviour, written.behaviour, atol=1e-2)
