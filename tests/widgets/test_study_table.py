import pytest
from qtpy.QtCore import QModelIndex, Qt

from napari_ubam.widgets.session import Session
from napari_ubam.widgets.study_table import StudyTable


@pytest.fixture
def table(qapp, qtmodeltester, study):
    session = Session()
    table = StudyTable(session)
    session.open(study.folder)
    qtmodeltester.check(table)
    return table


def cell(table, row, column) -> QModelIndex:
    return table.index(row, table.columns.index(column))


def test_there_is_one_row_a_recording(table):
    assert table.rowCount() == 4
    assert [cell(table, 2, column).data() for column in table.columns] == ["walk_2", "s2", "impaired", "1", ""]


def test_subject_group_and_session_can_be_edited_and_the_rest_cannot(table):
    assert table.setData(cell(table, 0, "Session"), " before ")
    assert table.session.recordings[0].session == "before"
    assert table.session.modified
    editable = [bool(table.flags(cell(table, 0, column)) & Qt.ItemFlag.ItemIsEditable) for column in table.columns]
    assert editable == [False, True, True, True, False]
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


def test_a_missing_file_is_shown(table, study):
    study.recordings[3].path.unlink()
    assert "missing" in cell(table, 3, "Recording").data(Qt.ItemDataRole.ToolTipRole)
    assert cell(table, 3, "Recording").data(Qt.ItemDataRole.ForegroundRole) is not None
    assert cell(table, 0, "Recording").data(Qt.ItemDataRole.ForegroundRole) is None


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
