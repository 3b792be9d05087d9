import threading
from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from napari_ubam.errors import VideoError
from napari_ubam.pipeline import drawing
from napari_ubam.video import open_frames
from napari_ubam.widgets.layers import current_frame, find_layer, go_to_frame, show_recording
from napari_ubam.widgets.magnify.magnify_layers import with_time
from napari_ubam.widgets.magnify.magnify_widget import MagnifyWidget
from napari_ubam.widgets.session import session_of


@pytest.fixture
def widget(make_napari_viewer):
    viewer = make_napari_viewer()
    widget = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Magnify")
    return widget


def wait(qtbot, widget):
    qtbot.waitUntil(lambda: widget.worker is None and not widget.opening.busy, timeout=60_000)


def drawn(widget):
    return {t for t in range(24) if widget.live.frames.is_ready(t)}


def grey_levels_apart(image, expected):
    """Give the largest difference: 1 is a value halfway between two, rounded otherwise by another thread's sums."""
    return np.abs(image.astype(int) - expected).max()


def wait_for_image(qtbot, widget, expected):
    """Wait until the viewer shows an image, and say what stands in the way if it never does."""
    magnified, errors = widget.viewer.layers["magnified"], []
    widget.live.failed.connect(errors.append)

    def shown():
        image, live = magnified._slice.image.raw, widget.live
        drawn_so = live.frames.kept(current_frame(widget.viewer, live.video)).image
        assert grey_levels_apart(image, expected) <= 1, (
            f"{np.sum(image != expected)} values differ, {np.sum(drawn_so != expected)} in what was drawn; "
            f"drawn: {drawn(widget)}, busy: {live._latest.busy}, asked: {live._asked}, errors: {errors}"
        )

    qtbot.waitUntil(shown, timeout=30_000)


def fail(frames, factor=None):
    raise VideoError(f"frame {frames[0]} cannot be decoded")


def test_the_recording_that_is_shown_is_chosen_at_first(make_napari_viewer, trained):
    viewer = make_napari_viewer()
    session_of(viewer).open(trained.folder)
    show_recording(viewer, trained.recordings[1])
    widget = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Magnify")
    assert widget.recording.currentText() == trained.recordings[1].name


def test_a_recording_is_magnified_over_its_video(qtbot, widget, trained):
    widget.session.open(trained.folder)
    name = trained.recordings[-1].name
    widget.recording.setCurrentText(name)
    widget.run_button.click()
    assert not widget.run_button.isEnabled()
    wait(qtbot, widget)
    assert [layer.name for layer in widget.viewer.layers] == [name, "magnified", "deviation", "direction"]
    video, magnified, deviation, direction = widget.viewer.layers
    assert magnified.data.shape == video.data.shape
    assert deviation.data.shape == video.data.shape[:3]
    assert direction.ndim == 3
    assert set(direction.data[:, 0, 0]) <= set(range(24))  # hardly trained, it may move nothing
    assert widget.viewer.dims.range[0].stop == 23
    assert drawn(widget) == set(range(24))
    assert widget.run_button.isEnabled()


def test_a_few_frames_around_the_current_one_are_drawn_ahead(qtbot, widget, trained):
    widget.session.open(trained.folder)
    show_recording(widget.viewer, trained.recordings[0], 10)
    widget.range.setCurrentText("around the current one")
    assert widget.reach.isVisibleTo(widget)
    widget.reach.setValue(2)
    widget.magnify()
    wait(qtbot, widget)
    assert drawn(widget) == {8, 9, 10, 11, 12}


def test_the_factor_redraws_the_current_frame(qtbot, widget, trained):
    widget.session.open(trained.folder)
    video = show_recording(widget.viewer, trained.recordings[-1], 10)
    widget.recording.setCurrentText(trained.recordings[-1].name)
    factor = widget.form.fields["factor"]
    factor.value = 7.5  # opens it
    wait(qtbot, widget)
    magnified = widget.viewer.layers["magnified"]
    for value in (7, 0, 3):  # as it is dragged
        factor.value = value
    qtbot.waitUntil(lambda: drawn(widget) == {10}, timeout=30_000)
    expected, before = (widget.live.magnifier.draw([10], factor)[0].image for factor in (3, 0))
    assert grey_levels_apart(before, expected) > 10
    wait_for_image(qtbot, widget, expected)
    assert magnified.metadata["ubam"]["settings"]["factor"] == 3
    go_to_frame(widget.viewer, video, 15)
    expected = widget.live.magnifier.draw([15], 3)[0].image
    wait_for_image(qtbot, widget, expected)
    qtbot.waitUntil(lambda: drawn(widget) == {10, *range(15, 24)}, timeout=30_000)  # ahead, as time has moved


def test_arrows_are_those_of_the_current_frame(qtbot, widget, trained):
    widget.session.open(trained.folder)
    video = show_recording(widget.viewer, trained.recordings[-1], 10)
    widget.recording.setCurrentText(trained.recordings[-1].name)
    widget.form.fields["factor"].value = 3
    wait(qtbot, widget)
    direction = widget.viewer.layers["direction"]
    for t in (12, 14):
        go_to_frame(widget.viewer, video, t)
        expected = with_time(widget.live.frames.marks(t).vectors, t)
        qtbot.waitUntil(lambda e=expected: np.array_equal(direction.data, e), timeout=30_000)


def test_hidden_layers_are_not_drawn(qtbot, widget, trained):
    widget.session.open(trained.folder)
    video = show_recording(widget.viewer, trained.recordings[-1], 10)
    widget.recording.setCurrentText(trained.recordings[-1].name)
    widget.form.fields["factor"].value = 3
    wait(qtbot, widget)
    qtbot.waitUntil(lambda: widget.live.frames.is_ready(10), timeout=30_000)
    _, magnified, deviation, direction = widget.viewer.layers
    deviation.visible = direction.visible = False
    go_to_frame(widget.viewer, video, 12)
    qtbot.waitUntil(lambda: widget.live.frames.is_ready(12), timeout=30_000)
    assert widget.live.frames.kept(12).marks is None
    direction.visible = True
    expected = with_time(widget.live.magnifier.marks([12])[0].vectors, 12)
    qtbot.waitUntil(lambda: np.array_equal(direction.data, expected), timeout=30_000)
    widget.viewer.layers.remove(magnified)
    assert not widget.live.frames.wants_image


def test_a_frame_without_a_good_reference_is_left_as_it_is_and_marked(qtbot, widget, trained, monkeypatch):
    read = drawing.read_reference
    few = np.arange(24) != 12
    monkeypatch.setattr(drawing, "read_reference", lambda *given: replace(read(*given), reliable=few))
    widget.session.open(trained.folder)
    recording = trained.recordings[-1]
    video = show_recording(widget.viewer, recording, 12)
    widget.recording.setCurrentText(recording.name)
    widget.form.fields["factor"].value = 6
    wait(qtbot, widget)
    assert widget.hint.text() == "Frame 12 has no good reference and is left as it is."
    _, magnified, deviation, _ = widget.viewer.layers
    assert magnified.metadata["ubam"]["left_as_they_are"] == [12]
    np.testing.assert_array_equal(magnified.data[12], video.data[12])
    assert not deviation.data[12].any()
    go_to_frame(widget.viewer, video, 13)
    assert not widget.hint.text()
    widget.form.fields["unreliable"].value = "magnify"
    wait(qtbot, widget)
    go_to_frame(widget.viewer, video, 12)
    assert not widget.hint.text()
    assert deviation.data[12].any()


def test_ways_to_compare_are_undone(qtbot, widget, trained):
    widget.session.open(trained.folder)
    widget.form.fields["factor"].value = 3
    wait(qtbot, widget)
    video, magnified, deviation, direction = widget.viewer.layers
    row = widget.compare
    assert not row.slider.isHidden()
    row.slider.setValue(40)
    assert magnified.opacity == 0.4
    row.choice.setCurrentText("side by side")
    assert row.slider.isHidden()
    assert magnified.opacity == 1
    right = video.extent.world[1, -1]
    assert magnified.extent.world[0, -1] > right
    assert direction.translate[-1] > right
    np.testing.assert_array_equal(deviation.extent.world, video.extent.world)
    row.choice.setCurrentText("curtain")
    row.slider.setValue(25)
    np.testing.assert_array_equal(magnified.extent.world, video.extent.world)
    np.testing.assert_array_equal(magnified.data[5][:, :16], video.data[5][:, :16])
    row.choice.setCurrentText("overlay")
    assert magnified.opacity == 0.4
    np.testing.assert_array_equal(magnified.extent.world, video.extent.world)
    np.testing.assert_array_equal(magnified.data[5], widget.live.frames.image(5))


def test_another_recording_takes_over_the_layers(qtbot, widget, trained):
    widget.session.open(trained.folder)
    for recording in trained.recordings[:2]:
        widget.recording.setCurrentText(recording.name)
        widget.form.fields["factor"].value += 1
        wait(qtbot, widget)
        assert widget.live.recording == recording
        assert widget.viewer.layers["magnified"].data.path == recording.path
    assert len(widget.viewer.layers) == 5


def test_layers_outlive_the_widget(qtbot, widget, trained):
    viewer = widget.viewer
    widget.session.open(trained.folder)
    widget.form.fields["factor"].value = 3
    wait(qtbot, widget)
    video, magnified = viewer.layers[:2]
    expected = widget.live.magnifier.draw([9], 3)[0].image
    viewer.window.remove_dock_widget(widget)
    go_to_frame(viewer, video, 9)
    np.testing.assert_array_equal(magnified._slice.image.raw, expected)


def test_closing_the_viewer_ends_the_thread(qtbot, widget, trained, monkeypatch):
    before = set(threading.enumerate())
    widget.session.open(trained.folder)
    widget.form.fields["factor"].value = 3
    wait(qtbot, widget)
    widget.form.fields["factor"].value = 5
    of_live = {t for t in set(threading.enumerate()) - before if t.name.startswith("napari-ubam-live")}
    assert of_live
    widget.viewer.close()
    qtbot.waitUntil(lambda: not any(t.is_alive() for t in of_live), timeout=30_000)


def test_a_video_that_is_gone_is_one_message(qtbot, widget, trained, notifications):
    widget.session.open(trained.folder)
    factor = widget.form.fields["factor"]
    factor.value = 3
    wait(qtbot, widget)
    notifications.clear()
    widget.live.magnifier.images = widget.live.magnifier.marks = fail
    for value in (4, 5, 6):
        factor.value = value
    qtbot.waitUntil(lambda: len(notifications) > 0 and not widget.live._latest.busy, timeout=30_000)
    assert set(notifications) == {f"frame {widget.live._now()} cannot be decoded"}


def test_a_video_is_saved(qtbot, widget, trained, tmp_path, notifications):
    widget.session.open(trained.folder)
    widget.save_video(tmp_path / "magnified.mkv")
    wait(qtbot, widget)
    assert len(open_frames(tmp_path / "magnified.mkv")) == 24
    assert "magnified.mkv was written: 24 frames" in notifications[-1]


def test_the_name_that_is_typed_gets_the_suffix_that_is_chosen(qtbot, widget, trained, tmp_path, monkeypatch):
    widget.session.open(trained.folder)
    saved = []
    monkeypatch.setattr(widget, "save_video", saved.append)
    typed = str(tmp_path / "magnified")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: (typed, "Lossless (*.mkv)"))
    widget.save_button.click()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: ("", ""))  # thought better of it
    widget.save_button.click()
    assert saved == [tmp_path / "magnified.mkv"]


def test_it_can_be_cancelled(qtbot, widget, trained):
    widget.session.open(trained.folder)
    widget.magnify()
    widget.progress.cancel.click()
    wait(qtbot, widget)
    assert "magnified" not in widget.viewer.layers


def test_a_layer_that_is_removed_meanwhile_is_opened_again(qtbot, widget, trained):
    widget.session.open(trained.folder)
    widget.magnify()
    widget.viewer.layers.clear()
    wait(qtbot, widget)
    assert find_layer(widget.viewer, trained.recordings[0]) is not None
    assert "magnified" in widget.viewer.layers


def test_a_video_that_is_removed_comes_back_below_what_is_magnified(qtbot, widget, trained):
    widget.session.open(trained.folder)
    widget.magnify()
    wait(qtbot, widget)
    name = trained.recordings[0].name
    widget.viewer.layers.remove(name)
    widget.form.fields["factor"].value = 1
    assert [layer.name for layer in widget.viewer.layers] == [name, "magnified", "deviation", "direction"]


def test_an_untrained_study_is_a_message(qtbot, widget, study, notifications):
    widget.session.open(study.folder)
    widget.magnify()
    wait(qtbot, widget)
    widget.form.fields["factor"].value = 3  # what failed is not tried again by the slider
    assert widget.worker is None
    assert len(notifications) == 1
    assert str(study.folder) in notifications[0]


def test_without_a_study_there_is_nothing_to_magnify(widget):
    assert not widget.run_button.isEnabled()
    assert "No study is open" in widget.hint.text()
