import os
from pathlib import Path

import psutil
import pytest

from napari_ubam.settings import StudySettings
from napari_ubam.study import Recording
from napari_ubam.study.drafts import Draft, left_drafts, new_draft_path, write_draft

ENDED = {"pid": os.getpid(), "began": 1.0}


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("NAPARI_UBAM_STATE", str(tmp_path))
    return tmp_path / "drafts"


def draft(tmp_path: Path, **values: object) -> Draft:
    recording = Recording(
        name="walk", path=tmp_path / "walk.mp4", subject="Ä", group="g", x=1, y=2, width=30, height=40,
        covariates={"age": "7"},
    )  # fmt: skip
    return Draft(recordings=(recording,), reference="", settings=StudySettings(crop_size=64), **values)


def test_a_draft_is_read_back_as_it_was(tmp_path: Path):
    before, path = draft(tmp_path, folder=tmp_path / "study", process=ENDED), new_draft_path()
    write_draft(path, before)
    assert left_drafts() == {path: before}


def test_the_newest_comes_first(tmp_path: Path):
    for when in (2.0, 3.0, 1.0):
        write_draft(new_draft_path(), draft(tmp_path, when=when, process=ENDED))
    assert [found.when for found in left_drafts().values()] == [3.0, 2.0, 1.0]


def test_those_that_are_worked_on_are_not_left(tmp_path: Path):
    ours, others = new_draft_path(), new_draft_path()
    write_draft(ours, draft(tmp_path))
    parent = psutil.Process().parent()
    write_draft(others, draft(tmp_path, process={"pid": parent.pid, "began": parent.create_time()}))
    assert list(left_drafts()) == [ours]
    assert left_drafts(kept=[ours]) == {}


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"format_version": 2}'])
def test_damaged_ones_are_passed_over(text: str, tmp_path: Path):
    new_draft_path().parent.mkdir()
    new_draft_path().write_text(text)
    write_draft(new_draft_path(), draft(tmp_path, process=ENDED))
    assert len(left_drafts()) == 1
