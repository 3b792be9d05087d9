import pytest
from qtpy.QtCore import QCoreApplication, QEvent, QModelIndex, Qt

from napari_ubam.settings import StudySettings
from napari_ubam.study.editing import changed
from napari_ubam.widgets.session import Session
from napari_ubam.widgets.study.study_facts import StudyFacts
from napari_ubam.widgets.study.study_table import SORT_ROLE, StudyTable


@pytest.fixture
def table(qapp, qtmodeltester, study):
    session = Session()
    facts = StudyFacts(session)
    table = StudyTable(session, facts)
    session.open(study.folder)
    qtmodeltester.check(table)
    yield table
    facts.close()


def cell(table, row, column) -> QModelIndex:
    return table.index(row, table.columns.index(column))


def test_there_is_one_row_a_recording(table):
    assert table.rowCount() == 4
    assert [cell(table, 2, column).data() for column in table.columns][:3] == ["walk_2", "s2", "impaired"]


def test_subject_group_and_session_can_be_edited_and_the_rest_cannot(table):
    assert table.setData(cell(table, 0, "Session"), " before ")
    assert table.session.recordings[0].session == "before"
    assert table.session.modified
    editable = [bool(table.flags(cell(table, 0, column)) & Qt.ItemFlag.ItemIsEditable) for column in table.columns]
    assert editable == [False, True, True, False, True, False, False]
    assert not table.setData(cell(table, 0, "Recording"), "other")


def test_an_empty_cell_is_rejected_with_a_reason(qtbot, table):
    with qtbot.waitSignal(table.rejected) as told:
        assert not table.setData(cell(table, 1, "Group"), "  ")
    assert "walk_1" in told.args[0]
    assert table.session.recordings[1].group == "healthy"
    assert not table.session.modified


def test_the_reference_group_follows_when_it_is_renamed(table):
    table.setData(cell(table, 0, "Group"), "control")
    assert table.session.reference == "healthy"
    table.setData(cell(table, 1, "Group"), "control")
    assert table.session.reference == "control"


def test_editing_keeps_the_selection_and_other_rows_reset_it(qtbot, table):
    with qtbot.assertNotEmitted(table.modelReset):
        table.setData(cell(table, 0, "Group"), "control")
    with qtbot.waitSignal(table.modelReset):
        table.session.edit(recordings=table.session.recordings[:2])
    assert table.rowCount() == 2


def test_a_missing_file_is_shown(qtbot, table, study):
    qtbot.waitUntil(lambda: cell(table, 3, "Length").data() == "0.8 s", timeout=10_000)
    study.recordings[3].path.unlink()
    table.facts.look_again()
    qtbot.waitUntil(lambda: cell(table, 3, "State").data() == "missing", timeout=10_000)
    assert "missing" in cell(table, 3, "Recording").data(Qt.ItemDataRole.ToolTipRole)
    assert cell(table, 3, "Recording").data(Qt.ItemDataRole.ForegroundRole) is not None
    assert cell(table, 0, "Recording").data(Qt.ItemDataRole.ForegroundRole) is None


def test_length_and_region_are_shown_without_opening_the_recording(qtbot, table):
    moved = changed(table.session.recordings[1], x=0, y=0, width=20, height=10, stop=4)
    rows = list(table.session.recordings)
    table.session.edit(recordings=[rows[0], moved, *rows[2:]])
    qtbot.waitUntil(lambda: cell(table, 1, "Length").data() == "0.4 s", timeout=10_000)
    assert cell(table, 1, "Length").data(SORT_ROLE) == pytest.approx(0.4)
    picture = table.facts.of(moved).picture
    assert picture.width() == 2 * picture.height()
    assert cell(table, 1, "Region").data(Qt.ItemDataRole.DecorationRole).height() == 20
    assert "data:image/png" in cell(table, 1, "Region").data(Qt.ItemDataRole.ToolTipRole)


def test_a_file_that_is_no_video_is_told(qtbot, table, study):
    study.recordings[0].path.write_text("no video")
    table.facts.look_again()
    told = lambda: cell(table, 0, "Recording").data(Qt.ItemDataRole.ForegroundRole) is not None  # noqa: E731
    qtbot.waitUntil(told, timeout=10_000)
    assert "cannot be read as a video" in cell(table, 0, "Length").data(Qt.ItemDataRole.ToolTipRole)
    assert cell(table, 0, "Length").data() == ""


def test_the_state_follows_what_is_edited(qtbot, qapp, trained, monkeypatch):
    session = Session()
    facts = StudyFacts(session)
    table = StudyTable(session, facts)
    session.open(trained.folder)
    qtbot.waitUntil(lambda: cell(table, 0, "State").data() == "measured", timeout=20_000)
    session.edit(settings=StudySettings(crop_size=96))
    qtbot.waitUntil(lambda: cell(table, 0, "State").data() == "out of date", timeout=20_000)
    assert "the setting crop_size changed since" in cell(table, 0, "State").data(Qt.ItemDataRole.ToolTipRole)
    session.undo.undo()
    qtbot.waitUntil(lambda: cell(table, 0, "State").data() == "measured", timeout=20_000)
    assert cell(table, 0, "State").data(Qt.ItemDataRole.ForegroundRole) is None
    monkeypatch.setattr("napari_ubam.study.state.is_background_empty", lambda study, name: name != "h01")
    facts.look_again()
    words = "measured, background differs"
    qtbot.waitUntil(lambda: cell(table, 0, "State").data() == words, timeout=20_000)
    assert "Draw the region" in cell(table, 0, "State").data(Qt.ItemDataRole.ToolTipRole)
    assert cell(table, 0, "State").data(Qt.ItemDataRole.ForegroundRole).name() == "#d98c1f"
    session.clear()
    qtbot.waitUntil(lambda: facts.state(trained.recordings[0]).word == "new", timeout=20_000)
    facts.close()


def test_covariates_are_columns_that_can_be_edited(table):
    table.edit([1, 2], "severity", "3")
    assert table.columns[-1] == "severity"
    assert [cell(table, row, "severity").data() for row in range(4)] == ["", "3", "3", ""]
    assert [recording.covariates for recording in table.session.recordings[:2]] == [{}, {"severity": "3"}]
    assert table.setData(cell(table, 2, "severity"), "")
    assert table.session.recordings[2].covariates == {}


def test_many_rows_are_edited_at_once_and_undone_at_once(table):
    before = table.session.recordings
    assert table.edit([1, 2, 3], "Session", "2")
    assert [recording.session for recording in table.session.recordings] == ["1", "2", "2", "2"]
    table.session.undo.undo()
    assert table.session.recordings == before
    assert not table.session.modified
    table.session.undo.redo()
    assert [recording.session for recording in table.session.recordings] == ["1", "2", "2", "2"]


def test_a_column_that_does_not_exist_cannot_have_a_taken_name(qtbot, table):
    with qtbot.waitSignal(table.rejected) as told:
        assert not table.edit([0], "start", "3")
    assert "'start'" in told.args[0]


def test_files_are_looked_at_no_more_once_closed_whoever_goes_first(qtbot, study):
    session = Session()
    facts = StudyFacts(session)
    session.open(study.folder)
    facts.close()
    facts.look_again()
    qtbot.wait(400)
    assert facts.of(study.recordings[0]) is None
    session.deleteLater()
    QCoreApplication.sendPostedEvents(session, QEvent.Type.DeferredDelete)
    facts.close()  # as when a viewer is closed
