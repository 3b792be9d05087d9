import json
import os
import shutil

import pytest

from napari_ubam import pipeline
from napari_ubam.settings import StudySettings
from napari_ubam.study import Study
from napari_ubam.study.editing import changed, edited
from napari_ubam.study.state import State, backgrounds_differ, holding_subject, states


def words(study: Study) -> list[str]:
    return [state.word for _, state in states(study)]


def state(study: Study, name: str) -> State:
    return dict(states(study))[name]


def test_a_finished_study_is_up_to_date(finished: Study):
    assert words(finished) == ["measured"] * 5
    assert str(state(finished, "h01")) == "cropped: yes\nembedded: yes\nmeasured: yes"


def test_every_step_is_told_as_far_as_it_went(finished: Study):
    shutil.rmtree(finished.results_folder / "reference")
    assert words(finished) == ["embedded"] * 5
    shutil.rmtree(finished.embeddings_folder / "h02.zarr")
    assert words(finished) == ["embedded", "cropped", *["embedded"] * 3]
    shutil.rmtree(finished.cache_folder / "h02")
    assert words(finished)[1] == "new"
    assert "embedded: not yet" in str(state(finished, "h02"))


def test_what_was_changed_is_named_and_others_stay_as_they_are(finished: Study):
    moved = changed(finished.recording("i01"), x=2, y=2, width=50, height=50)
    study = finished.replace(recordings=[moved if x.name == "i01" else x for x in finished.recordings])
    assert words(study) == [*["measured"] * 3, "out of date", "measured"]
    assert state(study, "i01") == State("", ("the region",), ("the region",), ("its embedding",))
    assert "embedded: out of date, as the region changed since" in str(state(study, "i01"))


def test_settings_and_the_reference_group_count_for_all(finished: Study):
    study = finished.replace(settings=StudySettings(crop_size=96))
    assert state(study, "h01").embedded == ("the setting crop_size",)
    study = finished.replace(recordings=edited(finished.recordings, [0], "group", "impaired"))
    assert {x.measured for _, x in states(study)} == {("the reference group",)}
    assert {x.embedded for _, x in states(study)} == {()}
    pipeline.deviate(study)
    assert words(study) == ["measured"] * 5


def test_it_agrees_with_what_embed_does(finished: Study):
    os.utime(finished.recording("h01").path, (1, 1))
    assert state(finished, "h01").embedded == ("the video",)
    told = []
    pipeline.embed(finished, report=lambda progress: told.append(progress.message))
    assert told[0].startswith("4 of 5 recordings are embedded already")
    assert state(finished, "h01").embedded == ()


def test_a_missing_video_is_told_with_what_to_do(finished: Study):
    finished.recording("i02").path.unlink()
    assert state(finished, "i02").word == "missing"
    assert "Put it back" in str(state(finished, "i02"))


def test_damaged_crops_count_as_none(finished: Study):
    (finished.cache_folder / "h01" / "index.npz").write_bytes(b"no archive")
    assert state(finished, "h01").cropped is None


def put_subject_into_background(study: Study, name: str) -> None:
    """Let the cache say that the subject could not be taken out."""
    path = study.cache_folder / name / "crops.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"has_background": True, "is_empty": False}))


def test_a_background_that_holds_the_subject_alone_is_told_with_what_to_do(finished: Study):
    assert {json.loads(p.read_text())["is_empty"] for p in finished.cache_folder.glob("*/crops.json")} == {True}
    put_subject_into_background(finished, "h02")
    assert words(finished) == ["measured", "measured, background differs", *["measured"] * 3]
    assert "Draw the region" in str(state(finished, "h02"))
    assert not state(finished, "h01").held
    for name in ("h01", "h03", "i01", "i02"):
        put_subject_into_background(finished, name)
    assert words(finished) == ["measured"] * 5


def test_crops_that_are_out_of_date_say_nothing_of_the_background(finished: Study):
    put_subject_into_background(finished, "h02")
    assert words(finished.replace(settings=StudySettings(crop_size=96))) == ["out of date"] * 5
    assert not any(state.held for _, state in states(finished.replace(settings=StudySettings(crop_size=96))))


@pytest.mark.parametrize(
    ("is_empty", "held"),
    [
        ({}, []),
        ({"a": True}, []),
        ({"a": False, "b": False}, []),
        ({"a": False, "b": None}, []),
        ({"a": True, "b": True}, []),
        ({"a": True, "b": False, "c": None, "d": False}, ["b", "d"]),
    ],
)
def test_who_is_in_a_background_counts_only_where_others_are_not(finished: Study, is_empty, held):
    assert holding_subject(finished, is_empty) == held
    assert holding_subject(finished.replace(settings=StudySettings(background="median")), is_empty) == []


def test_recordings_whose_background_holds_the_subject_are_named():
    message = backgrounds_differ(["walk_2"])
    assert "background of walk_2, as it was" in message
    assert 'background = "median"' in message
    assert "background of 1, 2, 3, 4, 5 and 4 more, as" in backgrounds_differ(list("123456789"))
