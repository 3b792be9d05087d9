import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QDockWidget, QFileDialog

from napari_ubam.study import Interval, write_intervals
from napari_ubam.widgets.embedding.ethogram_widget import EthogramWidget
from napari_ubam.widgets.layers import current_frame, find_layer, go_to_frame, show_recording


@pytest.fixture
def widget(make_napari_viewer):
    viewer = make_napari_viewer()
    widget = EthogramWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Ethogram")
    return widget


def open_study(qtbot, widget, study):
    widget.session.open(study.folder)
    qtbot.waitUntil(lambda: widget.worker is None and widget.data is not None, timeout=30_000)


def lanes(widget):
    return {lane.title: lane.stretches for lane in widget.lanes.lanes}


def test_a_recording_is_shown_over_time_and_a_click_goes_to_the_frame(qtbot, widget, finished):
    assert "No study is open" in widget.hint.text()
    open_study(qtbot, widget, finished)
    assert "click on the map" in widget.hint.text()
    layer = show_recording(widget.viewer, finished.recording("i01"), 12)
    assert "i01 (impaired)" in widget.hint.text()
    assert widget.lanes.marked == 12
    curve = widget.lanes.curve
    assert curve.frame.tolist() == list(range(40))
    assert 0 <= curve.low < curve.high
    widget.lanes.frame_clicked.emit(30)
    assert current_frame(widget.viewer, layer) == 30
    assert widget.lanes.marked == 30
    show_recording(widget.viewer, finished.recording("h02"), 3)
    assert "h02 (healthy)" in widget.hint.text()
    assert widget.lanes.curve.high != curve.high  # a reference subject is not compared with itself


def test_a_recording_whose_layer_is_removed_is_opened_again_by_a_click(qtbot, widget, finished):
    open_study(qtbot, widget, finished)
    recording = finished.recording("i01")
    widget.viewer.layers.remove(show_recording(widget.viewer, recording, 12))
    widget.lanes.frame_clicked.emit(30)
    qtbot.waitUntil(lambda: not widget.opening.busy, timeout=30_000)
    assert current_frame(widget.viewer, find_layer(widget.viewer, recording)) == 30


def test_clusters_are_found_and_shown(qtbot, widget, finished):
    open_study(qtbot, widget, finished)
    show_recording(widget.viewer, finished.recording("i01"))
    assert "Clusters are not found yet" in widget.hint.text()
    widget.cluster_button.click()
    assert not widget.cluster_button.isEnabled()
    qtbot.waitUntil(lambda: widget.worker is None and widget.data.frames["cluster"].notna().any(), timeout=60_000)
    own = widget.data.frames_of("i01")
    shown = {t for x in lanes(widget)["clusters"] for t in range(x.start, x.stop)}
    assert shown == set(own.loc[own["cluster"] >= 0, "frame"])


def test_intervals_and_chosen_frames_are_lanes_of_their_own(qtbot, widget, finished, tmp_path, monkeypatch):
    open_study(qtbot, widget, finished)
    show_recording(widget.viewer, finished.recording("i01"))
    path = tmp_path / "on.csv"
    write_intervals(
        path, [Interval("i01", 5, 9, "light"), Interval("h01", 0, 3, "tone"), Interval("i01", 20, 30, "light")]
    )
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: (str(path), ""))
    widget.intervals_button.click()
    assert [(x.start, x.stop) for x in lanes(widget)["light"]] == [(5, 9), (20, 30)]
    assert "tone" not in lanes(widget)
    widget.session.choose([Interval("i01", 7, 8, "limp"), Interval("h01", 1, 2, "limp")])
    assert [(x.start, x.stop, x.text) for x in lanes(widget)["chosen"]] == [(7, 8, "limp")]
    widget.session.choose([])
    assert "chosen" not in lanes(widget)


def test_intervals_are_shown_before_anything_is_measured(qtbot, widget, study, tmp_path):
    open_study(qtbot, widget, study)
    layer = show_recording(widget.viewer, study.recording("walk_2"), 2)
    write_intervals(tmp_path / "on.csv", [Interval("walk_2", 3, 6, "on")])
    widget.open_intervals(tmp_path / "on.csv")
    assert [(x.start, x.stop) for x in lanes(widget)["on"]] == [(3, 6)]
    x = round(widget.lanes.x_of(4.5))
    assert widget.lanes.x_of(0) < x < widget.lanes.x_of(8) == widget.lanes.width()
    qtbot.mouseClick(widget.lanes, Qt.MouseButton.LeftButton, pos=QPoint(x, 20))
    assert current_frame(widget.viewer, layer) == 4


def test_what_is_said_in_two_lines_takes_no_room_from_the_lanes(widget):
    line = widget.hint.fontMetrics().lineSpacing()
    widget.hint.resize(160, line)
    widget._say("It is said at length, so that it is broken into several lines.")
    assert widget.hint.minimumHeight() >= 2 * line
    widget._say("Short.")
    assert widget.hint.minimumHeight() < 2 * line


def test_bad_intervals_are_a_message(qtbot, widget, finished, tmp_path, notifications):
    open_study(qtbot, widget, finished)
    path = tmp_path / "on.csv"
    path.write_text("recording,start,stop,label\nfly,0,5,on\n")
    widget.open_intervals(path)
    assert "no recording 'fly'" in notifications[-1]


def test_a_study_without_results_says_what_to_do(qtbot, widget, study):
    open_study(qtbot, widget, study)
    assert not widget.cluster_button.isEnabled()
    show_recording(widget.viewer, study.recordings[0])
    assert "press Compute" in widget.hint.text()
    widget.lanes.frame_clicked.emit(0)
    assert widget.lanes.curve is None


def test_it_goes_below_the_video_and_nothing_follows_after_closing(qtbot, widget, finished):
    dock = widget.parent()
    assert isinstance(dock, QDockWidget)
    window = widget.viewer.window._qt_window
    window.show()
    qtbot.waitUntil(lambda: window.dockWidgetArea(dock) == Qt.DockWidgetArea.BottomDockWidgetArea)
    open_study(qtbot, widget, finished)
    viewer, recording = widget.viewer, finished.recording("h01")
    show_recording(viewer, recording, 3)
    marked = []
    widget.lanes.mark = marked.append
    go_to_frame(viewer, find_layer(viewer, recording), 6)
    assert marked[-1] == 6
    viewer.window.remove_dock_widget(widget)
    go_to_frame(viewer, find_layer(viewer, recording), 7)
    assert marked[-1] == 6
