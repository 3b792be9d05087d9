from types import SimpleNamespace

import dask.array
import numpy as np
import pytest
import zarr
from PIL import Image
from qtpy.QtCore import QItemSelectionModel, QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QCloseEvent, QDropEvent
from qtpy.QtWidgets import QFileDialog, QInputDialog, QMainWindow, QMessageBox

from napari_ubam.settings import StudySettings
from napari_ubam.study import Study, write_table
from napari_ubam.study.drafts import Draft, left_drafts, new_draft_path, write_draft
from napari_ubam.study.editing import changed
from napari_ubam.video import open_frames
from napari_ubam.widgets.layers import find_layer
from napari_ubam.widgets.session import session_of
from napari_ubam.widgets.study.region import corners
from napari_ubam.widgets.study.study_widget import StudyWidget


@pytest.fixture
def widget(make_napari_viewer):
    viewer = make_napari_viewer()
    widget = StudyWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Study")
    return widget


def answer(monkeypatch, button):
    monkeypatch.setattr(QMessageBox, "question", lambda *args: button)


def choose_folder(monkeypatch, folder):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args: str(folder))


def select(widget, row):
    view = widget.panel.view
    flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
    view.selectionModel().select(view.filtered.mapFromSource(widget.panel.table.index(row, 0)), flags)


def add_files(qtbot, widget, paths):
    widget.add_files(paths)
    looked_at(qtbot, widget)


def looked_at(qtbot, widget):
    qtbot.waitUntil(lambda: widget.worker is None and not widget.opening.busy, timeout=30_000)


def names(widget):
    return [recording.name for recording in widget.session.recordings]


def test_a_study_is_made_from_files(qtbot, widget, videos, tmp_path, monkeypatch, notifications):
    for some in (videos[:1], videos[1:2], videos[2:]):  # the others while the first is looked at
        widget.add_files(some)
    looked_at(qtbot, widget)
    add_files(qtbot, widget, videos[:1])
    assert notifications == ["The table has these recordings already."]
    assert names(widget) == ["walk_0", "walk_1", "walk_2", "walk_3"]
    for row, group in enumerate(["healthy", "healthy", "impaired", "impaired"]):
        widget.panel.table.setData(widget.panel.table.index(row, 2), group)
    assert "2 in healthy, 2 in impaired" in widget.summary.text()
    assert "kept as a draft" in widget.title.text()
    widget.reference.setCurrentText("impaired")
    widget.reference.activated.emit(1)
    choose_folder(monkeypatch, tmp_path / "made")
    assert widget.save_study()
    study = Study.open(tmp_path / "made")
    assert study.reference == "impaired"
    assert study.groups == ["healthy", "impaired"]
    assert "draft" not in widget.title.text()


def test_a_layer_without_a_file_is_copied_without_loss(qtbot, widget, frames, tmp_path, monkeypatch):
    layer = widget.viewer.add_image(
        frames, rgb=True, name="from memory", metadata={"ubam": {"subject": "s9", "group": "healthy"}}
    )
    choose_folder(monkeypatch, tmp_path / "made")
    widget.viewer.layers.selection.active = layer
    widget._on_add_layers_clicked()
    qtbot.waitUntil(lambda: widget.session.recordings != (), timeout=10_000)
    (recording,) = widget.session.recordings
    assert (recording.subject, recording.group) == ("s9", "healthy")
    assert recording.path.parent == tmp_path / "made" / "recordings"
    assert (open_frames(recording.path)[:] == frames).all()
    assert widget.save_study()
    widget.add_layers([layer])
    assert len(widget.session.recordings) == 1


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
def test_where_it_is_open_which_axis_is_time_the_widget_asks(qtbot, widget, tmp_path, monkeypatch, kind):
    frames = np.random.default_rng(1).integers(0, 255, (20, 24, 32), dtype=np.uint8)
    data = np.ascontiguousarray(frames.transpose(1, 2, 0))
    if kind != "numpy":
        data = dask.array.from_array(data) if kind == "dask" else zarr.array(data)
    layer = widget.viewer.add_image(data, name="from memory")
    asked = []

    def choose(parent, title, text, items, at, editable):
        asked.append((items, at))
        return items[-1], True

    monkeypatch.setattr(QInputDialog, "getItem", choose)
    choose_folder(monkeypatch, tmp_path / "made")
    widget.add_layers([layer])
    qtbot.waitUntil(lambda: widget.session.recordings != (), timeout=10_000)
    (recording,) = widget.session.recordings
    np.testing.assert_array_equal(open_frames(recording.path)[:][..., 0], frames)
    items = ["Axis 1: 24 frames of 32 × 20", "Axis 2: 32 frames of 24 × 20", "Axis 3: 20 frames of 24 × 32"]
    assert asked == [(items, 0)]  # its slider moves the first
    looked_at(qtbot, widget)
    shown = find_layer(widget.viewer, recording)
    assert shown is not layer  # whose time is not where that of recordings is
    assert (shown.data.shape[:3], shown.visible, layer.visible) == ((20, 24, 32), True, False)
    widget.add_layers([layer])
    assert (len(widget.session.recordings), len(asked)) == (1, 1)


def test_without_an_answer_which_axis_is_time_nothing_is_added(widget, monkeypatch):
    layer = widget.viewer.add_image(np.zeros((20, 24, 32), np.uint8))
    monkeypatch.setattr(QInputDialog, "getItem", lambda *args: ("", False))
    widget.add_layers([layer])
    assert widget.worker is None
    assert names(widget) == []


def test_nothing_is_asked_where_the_layer_names_its_axes(qtbot, widget, tmp_path, monkeypatch):
    data = np.zeros((20, 24, 32), np.uint8)
    layer = widget.viewer.add_image(data, axis_labels=("y", "x", "t"))
    choose_folder(monkeypatch, tmp_path / "made")
    widget.add_layers([layer])
    qtbot.waitUntil(lambda: widget.session.recordings != (), timeout=10_000)
    assert open_frames(widget.session.recordings[0].path).shape == (32, 20, 24, 3)


def test_a_layer_with_too_many_axes_is_refused_with_a_reason(widget, notifications):
    widget.add_layers([widget.viewer.add_image(np.zeros((2, 20, 24, 32), np.uint8), name="cells")])
    assert "'cells' has 4 axes besides colour (2 × 20 × 24 × 32)" in notifications[-1]
    assert names(widget) == []


def test_a_layer_that_is_no_video_is_refused_with_a_reason(qtbot, widget, frames, tmp_path, monkeypatch, notifications):
    layer = widget.viewer.add_image(frames[..., 0].astype(float))
    choose_folder(monkeypatch, tmp_path / "made")
    widget.add_layers([layer])
    qtbot.waitUntil(lambda: widget.worker is None, timeout=10_000)
    assert "8-bit" in notifications[-1]
    assert names(widget) == []


def test_layers_of_videos_keep_their_file(widget, recordings):
    from napari_ubam.widgets.layers import open_recording

    layer = open_recording(widget.viewer, recordings[0])
    widget.add_layers([layer])
    assert [recording.path for recording in widget.session.recordings] == [recordings[0].path]


def test_videos_and_tables_can_be_dropped(qtbot, widget, videos, recordings, tmp_path):
    write_table(tmp_path / "table.csv", recordings[:2])
    drop(widget, tmp_path / "table.csv", videos[3])
    looked_at(qtbot, widget)
    assert names(widget) == ["walk_0", "walk_1", "walk_3"]
    assert [recording.group for recording in widget.session.recordings] == ["healthy", "healthy", "unassigned"]


def test_what_is_no_recording_is_told_of_by_name_and_left_out(qtbot, widget, videos, tmp_path, notifications):
    (tmp_path / "notes.md").write_text("# Notes\n")
    (tmp_path / "walk_9.mp4").write_bytes(b"never written to its end")
    (tmp_path / "empty").mkdir()
    odd = videos[1].rename(tmp_path / "walk without a suffix")
    drop(widget, tmp_path / "notes.md", videos[0], tmp_path / "walk_9.mp4", tmp_path / "empty", odd)
    looked_at(qtbot, widget)
    assert names(widget) == ["walk_0", "walk without a suffix"]
    (told,) = notifications
    first, *lines = told.splitlines()
    assert first == "Not added: notes.md, walk_9.mp4, empty."
    assert [line.split(" ")[0] for line in lines] == [str(tmp_path / x) for x in ("notes.md", "walk_9.mp4", "empty")]


def test_a_library_that_fails_at_one_file_keeps_no_other_out(qtbot, widget, videos, monkeypatch, notifications):
    def fail(container, stream):
        if container.name.endswith("walk_1.mkv"):
            raise RuntimeError("a mistake of a library")
        return 8

    monkeypatch.setattr("napari_ubam.video.glance.length_by_header", fail)
    drop(widget, *videos[:3])
    looked_at(qtbot, widget)
    assert names(widget) == ["walk_0", "walk_2"]
    assert "walk_1.mkv cannot be read (a mistake of a library)" in notifications[-1]


def test_files_at_which_the_look_fails_do_not_come_again(qtbot, widget, videos, monkeypatch, notifications):
    def fail(paths, report):
        raise RuntimeError("a mistake of ours")

    with monkeypatch.context() as patch:
        patch.setattr("napari_ubam.widgets.study.add_recordings.videos_in", fail)
        drop(widget, videos[0])
        looked_at(qtbot, widget)
    assert notifications == ["a mistake of ours"]
    drop(widget, videos[1])
    looked_at(qtbot, widget)
    assert names(widget) == ["walk_1"]


def drop(widget, *paths):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    flags = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    widget.dropEvent(QDropEvent(QPointF(1, 1), *flags))


def test_the_videos_in_a_folder_that_is_dropped_are_added(qtbot, widget, videos, tmp_path):
    folder = videos[0].parent
    (folder / "day2").mkdir()
    videos[3].rename(folder / "day2" / "WALK.MKV")
    (folder / "notes.txt").touch()
    (folder / ".hidden.mkv").touch()
    (tmp_path / "pictures").mkdir()
    for i in range(2):
        Image.new("RGB", (32, 32)).save(tmp_path / "pictures" / f"{i}.png")
    drop(widget, folder, tmp_path / "pictures")
    qtbot.waitUntil(lambda: len(names(widget)) == 5, timeout=10_000)
    assert names(widget) == ["walk_0", "walk_1", "walk_2", "WALK", "pictures"]


def test_a_study_that_is_dropped_is_opened(widget, study):
    drop(widget, study.folder)
    assert widget.session.study == study


def test_a_table_that_cannot_be_read_is_a_message(widget, tmp_path, notifications):
    (tmp_path / "table.csv").write_text("file,who\na,b\n")
    widget.import_table(tmp_path / "table.csv")
    assert "no column path" in notifications[-1]


def test_a_region_is_drawn_for_the_selected_recordings(qtbot, widget, study):
    widget.open_study(study.folder)
    select(widget, 1)
    widget._on_draw_clicked()
    looked_at(qtbot, widget)
    widget.viewer.layers["region"].add_rectangles([corners((5, 6, 30, 40))])
    widget._on_use_clicked()
    assert [x.region for x in widget.session.recordings] == [None, (5, 6, 30, 40), None, None]
    widget._on_clear_clicked()
    assert widget.session.recordings[1].region is None
    widget.panel.view.selectAll()
    widget._on_use_clicked()
    assert {x.region for x in widget.session.recordings} == {(5, 6, 30, 40)}
    assert [layer.name for layer in widget.viewer.layers] == ["walk_1", "region"]  # the others need not be opened
    widget.viewer.layers.remove("walk_1")
    widget._on_clear_clicked()
    widget._on_use_clicked()
    looked_at(qtbot, widget)
    assert {x.region for x in widget.session.recordings} == {(5, 6, 30, 40)}
    assert [layer.name for layer in widget.viewer.layers] == ["region", "walk_0"]  # as large as the one that is gone


def test_rows_are_removed(widget, study):
    widget.open_study(study.folder)
    remove = next(action for action in widget.panel.menu.actions() if action.text() == "Remove")
    assert not remove.isEnabled()
    select(widget, 0)
    remove.trigger()
    assert names(widget) == ["walk_1", "walk_2", "walk_3"]


def test_a_study_with_a_folder_is_saved_by_itself(qtbot, widget, study):
    widget.open_study(study.folder)
    widget.panel.table.edit([0], "Session", "2")
    assert "not saved" in widget.title.text()
    qtbot.waitUntil(lambda: Study.open(study.folder).recordings[0].session == "2", timeout=10_000)
    assert "✓ saved" in widget.title.text()
    widget.session.undo.undo()
    widget._on_new_clicked()  # which does not wait for it
    assert Study.open(study.folder) == study


def test_what_another_program_wrote_is_not_written_over_by_itself(widget, study, monkeypatch):
    widget.open_study(study.folder)
    study.replace(reference="impaired").save()
    widget.panel.table.edit([0], "Session", "2")
    assert not widget.session.save_by_itself()
    assert "another program has changed the study" in widget.title.text()
    assert Study.open(study.folder).reference == "impaired"
    answer(monkeypatch, QMessageBox.StandardButton.Cancel)
    widget._on_new_clicked()
    assert len(names(widget)) == 4
    assert widget.save_study()
    assert Study.open(study.folder).reference == "healthy"
    assert "✓ saved" in widget.title.text()


def test_unsaved_changes_are_asked_about(qtbot, widget, videos, tmp_path, monkeypatch):
    add_files(qtbot, widget, videos)
    answer(monkeypatch, QMessageBox.StandardButton.Cancel)
    widget._on_new_clicked()
    assert len(names(widget)) == 4
    answer(monkeypatch, QMessageBox.StandardButton.Save)
    choose_folder(monkeypatch, tmp_path / "made")
    widget._on_new_clicked()
    assert names(widget) == []
    assert len(Study.open(tmp_path / "made").recordings) == 4
    add_files(qtbot, widget, videos)
    answer(monkeypatch, QMessageBox.StandardButton.Discard)
    widget._on_new_clicked()
    assert names(widget) == []


@pytest.mark.parametrize("floating", [False, True])
def test_closing_napari_asks_about_unsaved_changes_where_another_tab_is_in_front(
    qtbot, widget, videos, monkeypatch, floating
):
    window = widget.viewer.window._qt_window
    monkeypatch.setattr(QMainWindow, "isVisible", lambda window: True)
    add_files(qtbot, widget, videos)
    widget.parent().setFloating(floating)
    widget.parent().hide()
    answer(monkeypatch, QMessageBox.StandardButton.Cancel)
    assert widget.eventFilter(window, QCloseEvent())
    assert not widget.eventFilter(widget.parent(), QCloseEvent())  # hiding a dock closes nothing
    answer(monkeypatch, QMessageBox.StandardButton.Discard)
    assert not widget.eventFilter(window, QCloseEvent())


def test_a_table_that_was_not_saved_is_offered_again(widget, recordings, monkeypatch):
    """As after a crash: another process has left it."""
    about = {"recordings": tuple(recordings), "reference": "impaired", "settings": StudySettings(crop_size=64)}
    path = new_draft_path()
    write_draft(path, Draft(**about, process={"pid": 0, "began": 0}))
    widget.session.clear()
    assert "with 4 recordings was not saved" in widget.offers.draft.text()
    widget.offers.draft.linkActivated.emit("restore")
    assert names(widget) == ["walk_0", "walk_1", "walk_2", "walk_3"]
    assert (widget.session.reference, widget.session.settings.crop_size) == ("impaired", 64)
    assert widget.offers.draft.isHidden()
    assert not path.exists()
    assert widget.session.draft.exists()  # until it is saved
    widget.session.undo.undo()
    assert names(widget) == []
    answer(monkeypatch, QMessageBox.StandardButton.Discard)
    widget.session.undo.redo()
    widget._on_new_clicked()
    assert left_drafts() == {}


def test_a_table_that_is_not_wanted_is_not_offered_again(widget, recordings):
    path = new_draft_path()
    draft = Draft(recordings=recordings, reference="healthy", settings=StudySettings(), process={"pid": 0, "began": 0})
    write_draft(path, draft)
    widget.session.clear()
    widget.offers.draft.linkActivated.emit("discard")
    assert widget.offers.draft.isHidden()
    assert names(widget) == []
    assert not path.exists()


def test_changes_that_could_not_be_saved_are_offered_with_their_study(widget, study):
    path, table = new_draft_path(), [changed(x, group="unsure") for x in study.recordings]
    about = {"folder": study.folder, "recordings": table, "reference": "unsure", "settings": StudySettings()}
    write_draft(path, Draft(**about, process={"pid": 0, "began": 0}))
    widget.open_study(study.folder)
    assert f"of the study {study.folder.name}" in widget.offers.draft.text()
    widget.offers.draft.linkActivated.emit("restore")
    assert widget.session.reference == "unsure"
    assert Study.open(study.folder).reference == "unsure"  # it can be saved now
    assert left_drafts() == {}
    widget.session.undo.undo()
    assert widget.session.reference == "healthy"


@pytest.fixture
def remembered(monkeypatch):
    """Keep what napari would remember for us."""
    kept = SimpleNamespace(study=SimpleNamespace(last="", widgets=""), choices=SimpleNamespace(last=""))
    monkeypatch.setattr("napari_ubam.widgets.remembered.get_plugin_settings", lambda name: kept)
    return kept


def test_the_last_study_is_offered_when_napari_is_opened_again(qtbot, remembered, make_napari_viewer, study):
    first = StudyWidget(make_napari_viewer())
    qtbot.addWidget(first)
    assert first.offers.last.isHidden()
    first.open_study(study.folder)
    second = StudyWidget(make_napari_viewer())
    qtbot.addWidget(second)
    assert second.session.study is None
    assert study.folder.name in second.offers.last.text()
    second.offers.last.linkActivated.emit(study.folder.as_uri())
    assert second.session.folder == study.folder
    assert second.offers.last.isHidden()


def test_the_widgets_that_were_open_are_offered_with_it(remembered, make_napari_viewer, study):
    first = make_napari_viewer()
    for name in ("Study", "Train", "Video"):
        _, widget = first.window.add_plugin_dock_widget("napari-ubam", name)
    assert remembered.study.widgets == "Study, Train, Video"
    first.window.remove_dock_widget(widget)
    session_of(first).open(study.folder)
    first.close()
    assert remembered.study.widgets == "Study, Train"
    second = make_napari_viewer()
    _, widget = second.window.add_plugin_dock_widget("napari-ubam", "Study")
    assert "with Train as then" in widget.offers.last.text()
    widget.offers.last.linkActivated.emit("widgets")
    assert widget.session.folder == study.folder
    assert widget.session.docks == ["Study", "Train"]
    widget.session.clear()
    assert "as then" not in widget.offers.last.text()


def test_changes_survive_closing_the_widget(widget, study):
    widget.open_study(study.folder)
    widget.panel.table.edit([0], "Session", "2")
    viewer = widget.viewer
    viewer.window.remove_dock_widget(widget)
    again = StudyWidget(viewer)
    viewer.window.add_dock_widget(again, name="Study")
    assert again.session.modified
    assert again.session.recordings[0].session == "2"


def test_a_folder_that_is_no_study_is_a_message(widget, tmp_path, notifications):
    widget.open_study(tmp_path)
    assert "is not a study" in notifications[-1]


def test_a_table_that_cannot_be_saved_is_a_message_and_is_kept(
    qtbot, widget, study, videos, monkeypatch, notifications
):
    add_files(qtbot, widget, videos[:1])
    choose_folder(monkeypatch, study.folder)
    assert not widget.save_study()
    assert "already" in notifications[-1]
    assert names(widget) == ["walk_0"]
    assert widget.session.folder is None


def test_a_last_study_that_is_gone_is_told_and_can_be_forgotten(qtbot, remembered, make_napari_viewer, study):
    remembered.study.last = str(study.folder)
    widget = StudyWidget(make_napari_viewer())
    qtbot.addWidget(widget)
    moved = study.folder.rename(study.folder.with_name("moved"))
    widget.offers.last.linkActivated.emit(study.folder.as_uri())  # it was there when it was offered
    assert "is not in" in widget.offers.last.text()
    assert widget.session.study is None
    moved.rename(study.folder)  # such as on a disk that was not plugged in
    widget.session.clear()
    assert "Go on with the last study" in widget.offers.last.text()
    study.folder.rename(moved)
    widget.session.clear()
    widget.offers.last.linkActivated.emit("forget")
    assert widget.offers.last.isHidden()
    assert remembered.study.last == ""


def test_settings_of_the_study_are_saved(widget, study):
    widget.open_study(study.folder)
    assert not widget.session.modified
    widget.form.fields["crop_size"].value = 64
    assert widget.save_study()
    assert Study.open(study.folder).settings.crop_size == 64


def test_opening_a_study_changes_nothing(widget, study):
    other = study.replace(settings=StudySettings(crop_size=64, background="none", mirror_to="left"))
    other.save()
    widget.open_study(study.folder)
    assert widget.session.settings == other.settings
    assert not widget.session.modified
