import pytest
from qtpy.QtCore import QItemSelectionModel, Qt
from qtpy.QtWidgets import QFileDialog, QInputDialog, QLineEdit, QMessageBox

from napari_ubam.study import read_table
from napari_ubam.widgets.session import Session
from napari_ubam.widgets.study import study_facts
from napari_ubam.widgets.study.study_panel import StudyPanel


@pytest.fixture
def panel(qtbot, study):
    session = Session()
    panel = StudyPanel(session)
    qtbot.addWidget(panel)
    session.open(study.folder)
    panel.show()
    yield panel
    panel.facts.close()


def shown(panel):
    filtered = panel.view.filtered
    return [filtered.index(row, 0).data() for row in range(filtered.rowCount())]


def groups(panel):
    return [recording.group for recording in panel.session.recordings]


def trigger(panel, text):
    (action,) = [action for action in panel.menu.actions() if action.text().startswith(text)]
    assert action.isEnabled()
    action.trigger()


def select(panel, *rows):
    panel.view.clearSelection()
    for row in rows:
        index = panel.view.filtered.mapFromSource(panel.table.index(row, 0))
        flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
        panel.view.selectionModel().select(index, flags)


def test_rows_are_filtered_by_words_in_any_column_or_in_one(panel):
    panel.filter.setText("IMPAIRED")
    assert shown(panel) == ["walk_2", "walk_3"]
    panel.filter.setText("impaired walk_3")
    assert shown(panel) == ["walk_3"]
    panel.filter.setText("subject:s1")
    assert shown(panel) == ["walk_1"]
    panel.filter.setText("group:s1")
    assert shown(panel) == []
    panel.filter.clear()
    assert len(shown(panel)) == 4


def test_numbers_in_names_are_sorted_as_numbers_and_the_own_order_comes_back(panel):
    for row, subject in enumerate(["s10", "s9", "s2", "S1"]):
        panel.table.edit([row], "Subject", subject)
    panel.view.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    assert shown(panel) == ["walk_3", "walk_2", "walk_1", "walk_0"]
    panel.view.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
    assert shown(panel) == ["walk_0", "walk_1", "walk_2", "walk_3"]


def test_what_is_selected_is_acted_on_however_it_is_sorted_and_filtered(qtbot, panel):
    panel.view.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    panel.filter.setText("impaired")
    select(panel, 3)
    assert [recording.name for recording in panel.view.selected()] == ["walk_3"]
    with qtbot.waitSignal(panel.open_requested) as asked:
        panel.view.doubleClicked.emit(panel.view.filtered.index(1, 0))
    assert asked.args[0].name == "walk_2"
    trigger(panel, "Remove")
    assert [recording.name for recording in panel.session.recordings] == ["walk_0", "walk_1", "walk_2"]


def type_into(qtbot, panel, row, column, text):
    panel.view.edit(panel.view.filtered.index(row, panel.table.columns.index(column)))
    editor = panel.view.viewport().findChild(QLineEdit)
    editor.setText(text)
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: panel.view.viewport().findChild(QLineEdit) is None)


def test_a_cell_that_is_edited_changes_all_selected_rows(qtbot, panel):
    select(panel, 0, 2)
    type_into(qtbot, panel, 2, "Session", "7")
    assert [recording.session for recording in panel.session.recordings] == ["7", "1", "7", "1"]
    select(panel, 0)
    type_into(qtbot, panel, 2, "Session", "8")
    assert [recording.session for recording in panel.session.recordings] == ["7", "1", "8", "1"]
    select(panel, 0, 2)
    type_into(qtbot, panel, 2, "Session", "8")  # which it was: nothing was meant to be changed
    assert panel.session.recordings[0].session == "7"


def test_what_is_typed_stays_when_facts_of_files_come_meanwhile(panel):
    index = panel.view.filtered.index(1, panel.table.columns.index("Session"))
    panel.view.edit(index)
    editor = panel.view.viewport().findChild(QLineEdit)
    assert editor.text() == "1"
    editor.setText("7")
    panel.table.dataChanged.emit(panel.table.index(0, 0), panel.table.index(3, len(panel.table.columns) - 1))
    assert editor.text() == "7"


def test_the_group_of_selected_rows_is_set_from_the_menu(panel, monkeypatch):
    offered = []

    def choose(parent, title, label, items, current, editable):
        offered.append((label, items, items[current]))
        return "control", True

    monkeypatch.setattr(QInputDialog, "getItem", choose)
    select(panel, 0, 1)
    trigger(panel, "Set group")
    assert offered == [("Group of 2 recordings", ["healthy", "impaired"], "healthy")]
    assert groups(panel) == ["control", "control", "impaired", "impaired"]
    assert panel.session.reference == "control"  # it was renamed, and goes on being the reference


def test_a_dialog_that_is_left_changes_nothing(panel, monkeypatch):
    monkeypatch.setattr(QInputDialog, "getItem", lambda *args: ("control", False))
    select(panel, 0)
    trigger(panel, "Set group")
    assert not panel.session.modified


def test_edits_are_undone_and_redone_by_keys(qtbot, panel):
    panel.table.edit([0, 1], "Group", "control")
    panel.session.edit("removing rows", recordings=panel.session.recordings[:1])
    with qtbot.waitActive(panel):
        panel.activateWindow()
    panel.view.setFocus()
    qtbot.keyClick(panel.view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert groups(panel) == ["control", "control", "impaired", "impaired"]
    qtbot.keyClick(panel.view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert groups(panel) == ["healthy", "healthy", "impaired", "impaired"]
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(panel.view, Qt.Key.Key_Z, both)
    assert groups(panel) == ["control", "control", "impaired", "impaired"]
    undo = panel.menu.actions()[0]
    assert undo.text() == "Undo setting the group"


def test_missing_files_are_located_and_those_that_moved_along_are_offered(qtbot, panel, tmp_path, monkeypatch):
    videos = panel.session.recordings[0].path.parent
    videos.rename(tmp_path / "moved")
    panel.facts.look_again()
    qtbot.waitUntil(lambda: len(panel.facts.missing()) == 4, timeout=10_000)
    asked = []

    def answer(parent, title, text):
        asked.append(text)
        return QMessageBox.StandardButton.Yes

    monkeypatch.setattr(QMessageBox, "question", answer)
    place = tmp_path / "moved" / "walk_2.mkv"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: (str(place), ""))
    select(panel, 2)
    trigger(panel, "Locate")
    assert asked[0].startswith("3 more")
    assert [x.path for x in panel.session.recordings] == [tmp_path / "moved" / f"walk_{i}.mkv" for i in range(4)]
    qtbot.waitUntil(lambda: panel.facts.missing() == [], timeout=10_000)
    panel.session.undo.undo()
    assert panel.session.recordings[0].path.parent == videos


def test_nothing_is_asked_where_no_file_is_missing(qtbot, panel, notifications):
    qtbot.waitUntil(lambda: panel.facts.of(panel.session.recordings[3]) is not None, timeout=10_000)
    trigger(panel, "Locate")
    assert notifications == ["No file is missing."]


def test_the_table_is_exported(panel, tmp_path, monkeypatch):
    panel.table.edit([0], "severity", "3")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: (str(tmp_path / "other" / "t.csv"), ""))
    trigger(panel, "Export")
    assert tuple(read_table(tmp_path / "other" / "t.csv")) == panel.session.recordings


def test_a_look_that_fails_is_told_and_the_other_files_are_looked_at(qtbot, panel, monkeypatch, notifications):
    look_at, failed = study_facts._look_at, []

    def fail_once(recordings, known):
        if not failed:
            failed.append(recordings)
            raise RuntimeError("a mistake of ours")
        return look_at(recordings, known)

    monkeypatch.setattr(study_facts, "_AT_ONCE", 1)
    monkeypatch.setattr(study_facts, "_look_at", fail_once)
    recordings = panel.session.recordings
    qtbot.waitUntil(lambda: all(panel.facts.of(x) is not None for x in recordings[1:]), timeout=10_000)
    assert notifications == ["a mistake of ours"]
