import pytest
from qtpy.QtCore import QModelIndex, Qt

from napari_ubam.errors import StudyError
from napari_ubam.widgets.session import Session
from napari_ubam.widgets.study_table import COLUMNS, StudyTable, edited


@pytest.fixture
def table(qapp, qtmodeltester, study):
    session = Session()
    table = StudyTable(session)
    session.open(study.folder)
    qtmodeltester.check(table)
    return table


def cell(table, row, column) -> QModelIndex:
    return table.index(row, COLUMNS.index(column))


def test_there_is_one_row_a_recording(table):
    assert table.rowCount() == 4
    assert [cell(table, 2, column).data() for column in COLUMNS] == ["walk_2", "s2", "impaired", "1", ""]


def test_subject_group_and_session_can_be_edited_and_the_rest_cannot(table):
    assert table.setData(cell(table, 0, "Session"), " before ")
    assert table.session.recordings[0].session == "before"
    assert table.session.modified
    editable = [bool(table.flags(cell(table, 0, column)) & Qt.ItemFlag.ItemIsEditable) for column in COLUMNS]
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


def test_a_subject_stays_in_one_group(recordings):
    same = edited(recordings, 1, "subject", "s0")
    assert [x.group for x in edited(same, 0, "group", "control")] == ["control", "control", "impaired", "impaired"]
    joined = edited(recordings, 0, "subject", "s2")
    assert (joined[0].subject, joined[0].group) == ("s2", "impaired")


def test_a_wrong_value_names_the_recording(recordings):
    with pytest.raises(StudyError, match="walk_0"):
        edited(recordings, 0, "subject", "")
