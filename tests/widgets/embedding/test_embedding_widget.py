import re
import shutil
import threading

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QAbstractButton, QComboBox, QFileDialog, QLineEdit, QListWidget

from napari_ubam.settings import MapSettings
from napari_ubam.study import Embedding, Interval, Study, read_intervals, write_embedding
from napari_ubam.widgets.embedding.embedding_data import load_map
from napari_ubam.widgets.embedding.embedding_widget import EmbeddingWidget
from napari_ubam.widgets.embedding.map_view import MapView
from napari_ubam.widgets.layers import current_frame, find_layer, go_to_frame


@pytest.fixture
def embedded(study):
    """Give the study with embeddings of three of its recordings; the codes run along a line, frame by frame."""
    for i, recording in enumerate(study.recordings[:3]):
        frame = np.arange(2, 8)
        posture = np.stack([frame + 10 * i, np.zeros(6), np.zeros(6)], axis=1).astype(np.float32)
        write_embedding(study, recording.name, Embedding(posture, posture[:, :2], frame), {})
    return study


@pytest.fixture
def deviating(embedded):
    """Add deviations of the first recording."""
    path = embedded.results_folder / "deviation.csv"
    path.parent.mkdir()
    rows = "".join(f"walk_0,s0,healthy,{t},{t / 10},0.5,True\n" for t in range(8))
    path.write_text("recording,subject,group,frame,deviation,percentile,reliable\n" + rows)
    return embedded


@pytest.fixture
def widget(make_napari_viewer):
    viewer = make_napari_viewer()
    widget = EmbeddingWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Embedding")
    return widget


def open_study(qtbot, widget, study):
    widget.centred.setChecked(False)  # the recordings' points lie apart
    widget.session.open(study.folder)
    qtbot.waitUntil(lambda: widget.map.data is not None and widget.worker is None, timeout=20_000)


def place_of(widget, row):
    """Give where in the map a point is drawn."""
    x, y = widget.map.view.frame.to_pixels(widget.map.data.position[[row]])[0]
    return QPoint(round(x), round(y))


def click(qtbot, widget, row):
    qtbot.mouseClick(widget.map.view, Qt.MouseButton.LeftButton, pos=place_of(widget, row))
    qtbot.waitUntil(lambda: not widget.opening.busy, timeout=30_000)


def test_every_frame_is_a_point_with_its_recording(embedded):
    data = load_map(embedded, MapSettings(code="posture", centred=False))
    assert data.position.shape == (18, 2)
    assert [data.recording_of(row).name for row in (0, 6, 17)] == ["walk_0", "walk_1", "walk_2"]
    assert data.before(8, 5).tolist() == [6, 7]
    assert data.frame[:6].tolist() == [2, 3, 4, 5, 6, 7]
    assert data.row_of("walk_1", 4) == 8
    assert data.row_of("walk_1", 100) == 11
    assert data.row_of("walk_3", 4) is None
    assert np.isnan(data.deviation).all()


def test_a_recordings_mean_can_be_taken_off(embedded):
    apart = load_map(embedded, MapSettings(code="posture", centred=False)).position
    together = load_map(embedded, MapSettings(code="posture", centred=True)).position
    assert np.ptp(apart[:, 0]) == pytest.approx(25, abs=0.1)
    assert np.ptp(together[:, 0]) == pytest.approx(5, abs=0.1)


def test_points_know_their_deviation(deviating):
    data = load_map(deviating, MapSettings(code="behaviour", centred=False))
    assert data.deviation[:6] == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    assert np.isnan(data.deviation[6:]).all()


def test_a_method_that_is_not_installed_cannot_be_chosen_and_says_so(make_napari_viewer, monkeypatch):
    monkeypatch.setattr("napari_ubam.widgets.embedding.embedding_widget.can_lay_out", lambda method: method != "umap")
    widget = EmbeddingWidget(make_napari_viewer())
    method = widget.method
    items = [method.model().item(i) for i in range(method.count())]
    assert [item.isEnabled() for item in items] == [True, True, False]
    assert "pip install" in items[2].toolTip()
    widget.map.close_threads()
    widget.neighbours.close_thread()
    widget.chosen.close_thread()


def test_the_map_is_laid_out_anew_when_asked(qtbot, widget, embedded):
    open_study(qtbot, widget, embedded)
    first = widget.map.data
    codes = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    write_embedding(embedded, "walk_3", Embedding(codes, codes, np.arange(30)), {})
    for button, stays in ((None, True), (widget.anew_button, False)):
        before = widget.map.data
        button.click() if button else widget.load()
        qtbot.waitUntil(lambda before=before: widget.worker is None and widget.map.data is not before, timeout=20_000)
        assert len(widget.map.data.frame) == 48
        assert np.allclose(widget.map.data.position[:18], first.position) == stays


def test_a_click_opens_the_recording_at_the_frame(qtbot, widget, embedded):
    open_study(qtbot, widget, embedded)
    click(qtbot, widget, 8)
    layer = find_layer(widget.viewer, embedded.recording("walk_1"))
    assert current_frame(widget.viewer, layer) == 4
    assert widget.map.view.marked == 8
    click(qtbot, widget, 1)
    assert widget.viewer.layers.selection.active is find_layer(widget.viewer, embedded.recording("walk_0"))
    assert not layer.visible


def test_the_mark_follows_the_slider_and_the_active_recording(qtbot, widget, embedded):
    open_study(qtbot, widget, embedded)
    click(qtbot, widget, 0)
    click(qtbot, widget, 6)
    layer = find_layer(widget.viewer, embedded.recording("walk_1"))
    go_to_frame(widget.viewer, layer, 5)
    assert widget.map.view.marked == 9
    widget.colour_by.setCurrentText("subject")
    assert widget.map.view.marked == 9
    widget.viewer.layers.selection.active = find_layer(widget.viewer, embedded.recording("walk_0"))
    assert widget.map.view.marked == 3
    widget.viewer.layers.selection.active = None
    assert widget.map.view.marked is None


def test_colours_say_what_is_chosen_also_a_column_of_the_table(qtbot, widget, deviating):
    recordings = [
        recording.model_copy(update={"covariates": {"age": str(30 + i), "camera": "ab"[i % 2]}})
        for i, recording in enumerate(deviating.recordings)
    ]
    deviating.replace(recordings=recordings).save()
    open_study(qtbot, widget, deviating)
    offered = [widget.colour_by.itemText(i) for i in range(widget.colour_by.count())]
    assert offered == ["group", "subject", "recording", "session", "time", "deviation", "age", "camera"]
    for name, kinds in (("subject", "s0 s1 s2"), ("group", "healthy impaired"), ("session", "1"), ("camera", "a b")):
        widget.colour_by.setCurrentText(name)
        assert widget.map.colours.names == tuple(kinds.split())
    for name, high in (("time", 7), ("deviation", 0.7), ("age", 32)):
        widget.colour_by.setCurrentText(name)
        assert widget.map.colours.high == pytest.approx(high, abs=0.01)
    assert widget.map.legend.high.text() == "32"


def test_colours_say_where_a_keypoint_is_from_the_middle_of_all(qtbot, widget, embedded, tmp_path, notifications):
    lines = [f"{t},nose,{10 + t},5\n{t},tail,{10 - t},5" for t in range(2, 8)]
    (tmp_path / "points.csv").write_text("\n".join(["frame,keypoint,x,y", *lines]) + "\n")
    (tmp_path / "bad.csv").write_text("nothing\n")
    first, second, *others = embedded.recordings
    first = first.model_copy(update={"keypoints": tmp_path / "points.csv"})
    second = second.model_copy(update={"keypoints": tmp_path / "bad.csv"})
    embedded.replace(recordings=[first, second, *others]).save()
    open_study(qtbot, widget, embedded)
    assert "bad.csv" in notifications[0]
    widget.colour_by.setCurrentText("nose: x")
    assert widget.map.colours.values[:6].tolist() == [2, 3, 4, 5, 6, 7]
    assert np.isnan(widget.map.colours.values[6:]).all()
    widget.colour_by.setCurrentText("tail: y")
    assert widget.map.colours.values[:6].tolist() == [0] * 6


def test_hidden_groups_cannot_be_clicked(qtbot, widget, embedded):
    open_study(qtbot, widget, embedded)
    legend = widget.map.legend.kinds
    legend.item(1).setCheckState(Qt.CheckState.Unchecked)  # impaired: walk_2
    click(qtbot, widget, 14)
    assert len(widget.viewer.layers) == 0
    legend.itemDoubleClicked.emit(legend.item(1))  # alone
    click(qtbot, widget, 2)
    assert len(widget.viewer.layers) == 0
    click(qtbot, widget, 14)
    assert [layer.name for layer in widget.viewer.layers] == ["walk_2"]


def move(widget, place):
    """Move the mouse over the map."""
    none = Qt.MouseButton.NoButton
    at = QPointF(place)
    widget.map.view.mouseMoveEvent(
        QMouseEvent(QEvent.Type.MouseMove, at, at, none, none, Qt.KeyboardModifier.NoModifier)
    )


def test_the_frame_under_the_mouse_is_shown(qtbot, widget, embedded):
    open_study(qtbot, widget, embedded)
    card = widget.map.card
    move(widget, place_of(widget, 8))
    qtbot.waitUntil(lambda: not card.isHidden(), timeout=20_000)
    assert card.text.text() == "s1 (healthy)\nwalk_1, frame 4"
    shown = card.picture.pixmap().toImage()
    assert shown.width() == shown.height() > 50
    assert shown.pixelColor(3 * shown.width() // 8, shown.height() // 2).red() > 150  # the bright square
    move(widget, QPoint(2, 2))
    assert card.isHidden()


def test_a_frame_whose_video_is_gone_is_not_shown_and_a_click_says_so(qtbot, widget, embedded, notifications):
    embedded.recording("walk_1").path.unlink()
    open_study(qtbot, widget, embedded)
    move(widget, place_of(widget, 8))
    qtbot.waitUntil(lambda: not widget.map._reader.busy, timeout=20_000)
    assert widget.map._hovered == 8
    assert widget.map.card.isHidden()
    click(qtbot, widget, 8)
    assert "walk_1" in notifications[-1]


def test_the_current_recordings_frames_are_joined(qtbot, widget, embedded):
    open_study(qtbot, widget, embedded)
    widget.tools.line.click()
    assert len(widget.map.view._line) == 0
    click(qtbot, widget, 8)
    assert widget.map.view._line.tolist() == [6, 7, 8, 9, 10, 11]
    assert widget.map.view.trail.tolist() == [6, 7]
    widget.tools.line.click()
    assert len(widget.map.view._line) == 0


def test_the_difference_between_groups_is_shown(qtbot, widget, embedded):
    open_study(qtbot, widget, embedded)
    shown = widget.tools.shown
    assert [shown.itemText(i) for i in range(shown.count())] == ["points", "impaired − healthy"]
    shown.setCurrentIndex(1)
    qtbot.waitUntil(lambda: widget.map.view._values is not None, timeout=20_000)
    values = widget.map.view._values
    positive, negative = (np.argwhere(each).mean(0)[1] for each in (values > 0.3, values < -0.3))
    impaired, healthy = (widget.map.data.position[rows, 0].mean() for rows in (slice(12, 18), slice(12)))
    assert (positive > negative) == (impaired > healthy)
    legend = widget.map.legend
    assert re.findall("more often ([a-z]+)", legend.difference.text()) == ["impaired", "healthy"]
    assert [x.isHidden() for x in (legend.kinds, legend.difference)] == [True, False]
    shown.setCurrentIndex(0)
    qtbot.waitUntil(lambda: widget.map.view._values is None, timeout=20_000)
    assert [x.isHidden() for x in (legend.kinds, legend.difference)] == [False, True]


def choose(qtbot, widget, rows):
    """Encircle these points: those of one recording lie on a line."""
    places = [place_of(widget, row) for row in rows]
    left, right = min(p.x() for p in places) - 3, max(p.x() for p in places) + 3
    y = places[0].y()
    loop = [QPoint(left, y - 8), QPoint(right, y - 8), QPoint(right, y + 8), QPoint(left, y + 8)]
    view = widget.map.view
    widget.tools.encircle.setChecked(True)
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=loop[0])
    for place in loop[1:]:
        move(widget, place)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=loop[-1])
    widget.tools.encircle.setChecked(False)


def test_chosen_frames_stay_when_results_are_read_again_and_go_with_the_study(qtbot, widget, embedded, study):
    open_study(qtbot, widget, embedded)
    widget.choose(np.array([0, 1, 2, 14]))
    widget.session.results_changed.emit()  # as when clusters were found
    qtbot.waitUntil(lambda: widget.worker is None, timeout=20_000)
    qtbot.waitUntil(lambda: len(widget.session.chosen) == 2, timeout=20_000)
    assert widget.map.view.selected.tolist() == [0, 1, 2, 14]
    widget.session.open(study.folder)
    qtbot.waitUntil(lambda: widget.worker is None, timeout=20_000)
    assert not len(widget.chosen.rows)
    qtbot.waitUntil(lambda: widget.session.chosen == (), timeout=20_000)
    widget.choose(np.array([0]))
    frame = np.arange(4)
    write_embedding(study, "walk_1", Embedding(np.ones((4, 3), np.float32), np.ones((4, 2), np.float32), frame), {})
    widget.session.results_changed.emit()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=20_000)
    assert not len(widget.chosen.rows)  # there are other frames


def test_encircled_frames_are_saved_as_intervals_and_for_boris(qtbot, widget, embedded, tmp_path, monkeypatch):
    open_study(qtbot, widget, embedded)
    assert not widget.tools.save.isEnabled()
    choose(qtbot, widget, [7, 8, 9])
    assert widget.map.view.selected.tolist() == [7, 8, 9]
    widget.tools.label.setText("limping")
    widget.tools.label.editingFinished.emit()
    wanted = (Interval("walk_1", 3, 6, "limping"),)
    qtbot.waitUntil(lambda: widget.session.chosen == wanted)
    assert "3 frames chosen" in widget.hint.text()
    answers = iter([(tmp_path / "a.csv", "Intervals (*.csv)"), (tmp_path / "b.csv", "BORIS tabular events (*.csv)")])
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: tuple(map(str, next(answers))))
    widget.tools.save.click()
    widget.tools.save.click()
    assert read_intervals(tmp_path / "a.csv", ["walk_1"]) == [Interval("walk_1", 3, 6, "limping")]
    events = pd.read_csv(tmp_path / "b.csv")
    assert events["Image index"].tolist() == [3, 6]
    assert events["Time"].tolist() == [0.1, 0.2]  # no rate is known: 30 frames a second
    widget.tools.clear.click()
    qtbot.waitUntil(lambda: widget.session.chosen == ())
    assert not widget.tools.save.isEnabled()


def test_chosen_frames_are_shown_side_by_side_and_back_to_back(qtbot, widget, embedded):
    open_study(qtbot, widget, embedded)
    widget.choose(np.array([0, 1, 2, 14, 15]))
    for button, shape in ((widget.tools.montage, (128, 5 * 128, 3)), (widget.tools.clips, (5, 128, 128, 3))) * 2:
        button.click()
        qtbot.waitUntil(lambda: widget.worker is None, timeout=20_000)
        layer = widget.viewer.layers.selection.active
        assert layer.data.shape == shape
        assert widget.viewer.scene.camera.center[-2:] == pytest.approx((63.5, shape[-2] / 2 - 0.5))
    assert current_frame(widget.viewer, layer) == 0
    assert len(widget.viewer.layers) == 2
    square = layer.data[:, 64, :, 0].argmax(1)  # it moves to the right, 4 of 64 px a frame
    assert square[1] > square[0]
    click(qtbot, widget, 8)
    assert not layer.visible


def test_without_deviations_the_colour_stays_the_group(qtbot, widget, embedded, notifications):
    open_study(qtbot, widget, embedded)
    widget.colour_by.setCurrentText("deviation")
    assert widget.colour_by.currentText() == "group"
    assert "press Compute" in notifications[-1]


def test_another_layout_is_shown(qtbot, widget, embedded):
    open_study(qtbot, widget, embedded)
    before = widget.map.data
    widget.code.setCurrentText("behaviour")
    widget.centred.setChecked(True)
    qtbot.waitUntil(lambda: widget.worker is None and widget.map.data is not before, timeout=20_000)
    assert np.ptp(widget.map.data.position[:, 0]) == pytest.approx(5, abs=0.1)


def test_a_damaged_embedding_is_a_message(qtbot, widget, embedded, notifications):
    (embedded.embeddings_folder / "walk_0.zarr" / "zarr.json").write_text("{")
    widget.session.open(embedded.folder)
    qtbot.waitUntil(lambda: len(notifications) > 0, timeout=20_000)
    assert "walk_0" in notifications[-1]


def test_a_study_without_embeddings_says_what_to_do(widget, study):
    assert "No study is open" in widget.hint.text()
    assert not widget.compute_button.isEnabled()
    widget.session.open(study.folder)
    assert "train the models" in widget.hint.text()
    assert widget.compute_button.isEnabled()


def test_nothing_follows_the_viewer_after_closing(qtbot, widget, embedded):
    open_study(qtbot, widget, embedded)
    click(qtbot, widget, 0)
    viewer, marked = widget.viewer, []
    widget.map.mark = marked.append
    go_to_frame(viewer, viewer.layers[0], 6)
    assert marked == [4]
    viewer.window.remove_dock_widget(widget)
    go_to_frame(viewer, viewer.layers[0], 7)
    assert marked == [4]


def test_embeddings_and_deviations_are_computed(qtbot, widget, trained, tmp_path):
    shutil.copytree(trained.folder.parent, tmp_path / "copy")
    study = Study.open(tmp_path / "copy" / "study")
    shutil.rmtree(study.embeddings_folder)
    shutil.rmtree(study.results_folder)
    widget.session.open(study.folder)
    assert widget.map.data is None
    widget.compute_button.click()
    qtbot.waitUntil(lambda: widget.map.data is not None and widget.worker is None, timeout=60_000)
    assert len(widget.map.data.frame) == 4 * 24
    assert np.isfinite(widget.map.data.deviation).all()


def test_all_is_computed_anew_only_when_asked(qtbot, widget, trained, tmp_path, notifications):
    shutil.copytree(trained.folder.parent, tmp_path / "copy")
    study = Study.open(tmp_path / "copy" / "study")
    paths = [study.embeddings_folder / f"{r.name}.zarr" for r in study.recordings]
    widget.session.open(study.folder)

    def written() -> list[int]:
        return [path.stat().st_mtime_ns for path in paths]

    def compute() -> list[int]:
        widget.compute()
        qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
        return written()

    before = written()
    assert compute() == before
    assert "4 of 4 recordings are embedded already" in notifications[0]
    widget.form.fields["anew"].value = True
    assert not set(compute()) & set(before)


def test_an_untrained_study_is_a_message(qtbot, widget, study, notifications):
    widget.session.open(study.folder)
    widget.compute()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=30_000)
    assert len(notifications) == 1
    assert "train" in notifications[0]


def test_every_control_says_what_it_does_and_can_be_reached_by_tab_from_top_to_bottom(qtbot, widget, embedded):
    open_study(qtbot, widget, embedded)
    widget.choose(np.array([1]))
    kinds = (QAbstractButton, QComboBox, QLineEdit, QListWidget, MapView)
    ours = [widget.anew_button, widget.code, widget.method, widget.colour_by, widget.centred, widget.map.view]
    ours += [widget.map.legend.kinds, widget.tools.shown, widget.tools.line, widget.tools.encircle, widget.tools.label]
    ours += [widget.tools.save, widget.tools.montage, widget.tools.clips, widget.tools.clear]
    ours += [widget.neighbours.group, widget.neighbours.gallery]
    for each in ours:
        assert isinstance(each, kinds)
        assert each.toolTip()
        assert each.accessibleName() or each.text()
    chain, at = [], widget.compute_button
    while (at := at.nextInFocusChain()) is not widget.compute_button:
        chain += [at] if at in ours else []
    assert chain[:5] == ours[:5]
    assert chain.index(widget.map.view) < chain.index(widget.tools.shown) < chain.index(widget.tools.save)


def test_the_map_stays_zoomed_when_results_come_but_it_is_not_laid_out_anew(qtbot, widget, deviating):
    open_study(qtbot, widget, deviating)
    view, before = widget.map.view, widget.map.data
    view.look(view.frame.zoomed(3, np.array([20, 20])))
    seen = view.frame
    widget.session.results_changed.emit()
    qtbot.waitUntil(lambda: widget.worker is None and widget.map.data is not before, timeout=20_000)
    assert view.frame == seen


def test_closing_it_midway_leaves_no_thread(qtbot, widget, embedded):
    before = set(threading.enumerate())
    open_study(qtbot, widget, embedded)
    widget.tools.shown.setCurrentIndex(1)
    move(widget, place_of(widget, 8))
    widget.choose(np.arange(18))
    widget.load(anew=True)

    def ours():
        return {x for x in threading.enumerate() if x.name.startswith("napari-ubam-live")} - before

    assert ours()
    widget.viewer.window.remove_dock_widget(widget)
    qtbot.waitUntil(lambda: not ours(), timeout=20_000)
