"""Recordings are opened in a thread, whichever widget they are opened from, and shown in the order asked for."""

import threading

import pytest
from qtpy.QtCore import QModelIndex

from napari_ubam.progress import Cancelled, Progress
from napari_ubam.video import lazy
from napari_ubam.widgets.embedding.embedding_widget import EmbeddingWidget
from napari_ubam.widgets.embedding.ethogram_widget import EthogramWidget
from napari_ubam.widgets.groups.compare_widget import CompareWidget
from napari_ubam.widgets.layers import current_frame, find_layer, show_recording
from napari_ubam.widgets.magnify.magnify_widget import MagnifyWidget
from napari_ubam.widgets.opening import Opening
from napari_ubam.widgets.study.study_widget import StudyWidget


@pytest.fixture
def indexed(monkeypatch):
    """Note in which thread each first pass over a file was made."""
    found, open_indexed = [], lazy.open_indexed

    def open_it(path, report):
        found.append(threading.current_thread())
        return open_indexed(path, report)

    monkeypatch.setattr(lazy, "open_indexed", open_it)
    return found


@pytest.fixture
def opening(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    opening = Opening(viewer, viewer.window._qt_window)
    yield opening
    opening.close()


def active(opening):
    return opening._viewer.layers.selection.active


def test_recordings_are_shown_in_the_order_in_which_they_were_asked_for(qtbot, opening, recordings):
    known = show_recording(opening._viewer, recordings[2])
    told = []
    for recording, frame in ((recordings[0], 5), (recordings[2], 3), (recordings[1], 6), (recordings[0], 2)):
        opening.show(recording, frame, lambda layer: told.append((layer.name, current_frame(opening._viewer, layer))))
    assert told == []  # the first one is being opened
    qtbot.waitUntil(lambda: not opening.busy, timeout=30_000)
    assert told == [("walk_0", 5), ("walk_2", 3), ("walk_1", 6), ("walk_0", 2)]
    assert [layer.name for layer in opening._viewer.layers] == ["walk_2", "walk_0", "walk_1"]
    opening.show(recordings[2], 7)  # which has a layer
    assert (active(opening), current_frame(opening._viewer, known)) == (known, 7)


def test_one_that_cannot_be_opened_is_told_of_and_the_next_is_shown(qtbot, opening, recordings, notifications):
    recordings[0].path.write_bytes(b"no video")
    opening.show(recordings[0])
    opening.show(recordings[1])
    qtbot.waitUntil(lambda: not opening.busy, timeout=30_000)
    assert active(opening).name == "walk_1"
    assert len(notifications) == 1
    assert "walk_0.mkv cannot be read" in notifications[0]


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_a_long_first_pass_can_be_stopped(qtbot, opening, recordings, monkeypatch, notifications, how):
    begun, ended = threading.Event(), threading.Event()

    def pass_forever(path, report):
        begun.set()
        try:
            while True:
                report(Progress("decoding once", 1, 10))
        except Cancelled:
            ended.set()
            raise

    monkeypatch.setattr(lazy, "open_indexed", pass_forever)
    opening.show(recordings[0])
    opening.show(recordings[1])
    assert begun.wait(30)
    getattr(opening, how)()
    assert ended.wait(30)
    qtbot.waitUntil(lambda: not opening.busy, timeout=30_000)
    assert list(opening._viewer.layers) == []
    assert notifications == []


def double_click(widget, name):
    row = [x.name for x in widget.session.recordings].index(name)
    state = widget.panel.table.columns.index("State")
    at = widget.panel.view.filtered.mapFromSource(widget.panel.table.index(row, state, QModelIndex()))
    widget.panel.view.doubleClicked.emit(at)


def draw_region(widget, name):
    widget.panel.view.selectRow([x.name for x in widget.session.recordings].index(name))
    widget.draw_button.click()


def click_on_map(widget, name):
    widget.map.point_clicked.emit(widget.map.data.row_of(name, 12))


def click_on_lanes(widget, name):
    widget.recording = widget.session.study.recording(name)
    widget.lanes.frame_clicked.emit(12)


def magnify(widget, name):
    widget.recording.setCurrentText(name)
    widget.magnify()


@pytest.mark.parametrize(
    ("kind", "ask"),
    [
        (StudyWidget, double_click),
        (StudyWidget, draw_region),
        (EmbeddingWidget, click_on_map),
        (EthogramWidget, click_on_lanes),
        (CompareWidget, CompareWidget.show_subject),
        (MagnifyWidget, magnify),
    ],
)
def test_no_widget_opens_a_file_in_the_viewers_thread(qtbot, make_napari_viewer, finished, indexed, kind, ask):
    viewer = make_napari_viewer()
    widget = kind(viewer)
    viewer.window.add_dock_widget(widget, name="ours")
    widget.session.open(finished.folder)
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    indexed.clear()
    ask(widget, "i01")
    qtbot.waitUntil(lambda: find_layer(viewer, finished.recording("i01")) is not None, timeout=60_000)
    qtbot.waitUntil(lambda: widget.worker is None and not widget.opening.busy, timeout=60_000)
    assert indexed
    assert threading.main_thread() not in indexed
