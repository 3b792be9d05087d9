from pathlib import Path

import pytest

from napari_ubam.errors import StudyError
from napari_ubam.settings import StudySettings
from napari_ubam.study import Study
from napari_ubam.study.drafts import left_drafts
from napari_ubam.study.editing import changed
from napari_ubam.widgets.session import Session


def test_a_new_study_is_made_in_its_folder(qapp, tmp_path, recordings):
    session = Session()
    session.edit(recordings=recordings)
    assert session.modified
    assert session.reference == "healthy"
    session.folder = tmp_path / "new"
    session.save()
    assert not session.modified
    assert Study.open(tmp_path / "new").recordings == tuple(recordings)


def test_a_table_without_a_folder_cannot_be_saved_and_is_kept(qapp, recordings):
    session = Session()
    session.edit(recordings=recordings)
    with pytest.raises(StudyError, match="no folder"):
        session.save()
    assert session.modified
    assert session.recordings == tuple(recordings)


def test_steps_get_the_study_with_its_changes_saved(qapp, study):
    session = Session()
    with pytest.raises(StudyError, match="No study is open"):
        session.saved_study()
    session.open(study.folder)
    session.edit(settings=StudySettings(crop_size=64), reference="impaired")
    assert session.saved_study() == Study.open(study.folder)
    assert Study.open(study.folder).reference == "impaired"
    assert Study.open(study.folder).settings.crop_size == 64


def test_what_cannot_be_opened_leaves_the_open_study_alone(qapp, study, tmp_path):
    session = Session()
    session.open(study.folder)
    with pytest.raises(StudyError):
        session.open(tmp_path)
    assert session.study == study


def test_the_reference_group_is_one_of_the_table(qapp, study):
    session = Session()
    session.open(study.folder)
    session.edit(recordings=[x for x in study.recordings if x.group == "impaired"])
    assert session.reference == "impaired"
    session.edit(recordings=[])
    assert session.reference == ""


def test_settings_that_are_changed_one_after_the_other_are_undone_together(qapp, study):
    session = Session()
    session.open(study.folder)
    for size in (160, 192, 224):
        session.edit(settings=StudySettings(crop_size=size))
    session.edit(reference="impaired")
    session.undo.undo()
    assert (session.reference, session.settings.crop_size) == ("healthy", 224)
    session.undo.undo()
    assert session.settings == study.settings
    assert not session.modified


def test_what_was_saved_can_still_be_undone(qapp, study):
    session = Session()
    session.open(study.folder)
    session.edit(reference="impaired")
    session.save()
    assert not session.modified
    session.undo.undo()
    assert session.modified
    session.save()
    assert Study.open(study.folder) == study


def test_a_study_at_home_is_named_from_there(study, monkeypatch):
    session = Session()
    assert session.place == ""
    session.open(study.folder)
    assert session.place == str(study.folder)
    monkeypatch.setenv("HOME", str(study.folder.parent))
    monkeypatch.setenv("USERPROFILE", str(study.folder.parent))
    assert session.place == str(Path("~") / study.folder.name)


@pytest.fixture
def drafts(monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_UBAM_STATE", str(tmp_path / "state"))
    return tmp_path / "state" / "drafts"


def test_a_table_without_a_folder_is_kept_as_a_draft_until_it_is_saved(qtbot, drafts, tmp_path, recordings):
    session = Session()
    session.edit(recordings=recordings)
    qtbot.waitUntil(lambda: len(list(drafts.glob("*.json"))) == 1, timeout=5000)
    (draft,) = left_drafts().values()
    assert draft.recordings == tuple(recordings)
    session.edit(reference="impaired")
    session.save_by_itself()
    (draft,) = left_drafts().values()
    assert draft.reference == "impaired"
    session.folder = tmp_path / "new"
    session.save()
    assert list(drafts.iterdir()) == []


def test_what_a_study_cannot_be_saved_with_is_kept_as_a_draft(qapp, drafts, study):
    session = Session()
    session.open(study.folder)
    first, second, *others = study.recordings
    session.edit(recordings=[first, changed(second, subject=first.subject, group="impaired"), *others])
    assert not session.save_by_itself()
    assert "is in two groups" in session.problem
    (path,) = left_drafts()
    again = Session()
    again.restore(path, left_drafts()[path])
    assert (again.study, again.recordings) == (study, session.recordings)
    assert not path.exists()
    again.undo.undo()
    again.save_by_itself()
    assert left_drafts() == {}


def test_what_is_not_wanted_is_not_kept_but_what_is_edited_then_is(qapp, drafts, recordings):
    session = Session()
    session.edit(recordings=recordings)
    session.save_by_itself()
    session.discard()
    session.save_by_itself()
    assert left_drafts() == {}
    session.edit(reference="impaired")
    session.save_by_itself()
    assert len(left_drafts()) == 1
    session.clear()
    assert left_drafts() == {}


def test_a_draft_that_cannot_be_written_is_told(qapp, drafts, recordings):
    drafts.parent.write_text("no folder")
    session = Session()
    session.edit(recordings=recordings)
    session.save_by_itself()
    assert str(drafts) in session.problem


def test_a_study_whose_folder_is_gone_is_not_made_a_second_time(qapp, drafts, study):
    session = Session()
    session.open(study.folder)
    moved = study.folder.rename(study.folder.with_name("moved"))
    session.edit(reference="impaired")
    assert not session.save_by_itself()
    assert "gone" in session.problem
    assert session.draft.exists()
    with pytest.raises(StudyError, match="gone"):
        session.save()
    assert not study.folder.exists()
    moved.rename(study.folder)
    assert session.save_by_itself()
    assert Study.open(study.folder).reference == "impaired"
