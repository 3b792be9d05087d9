import numpy as np
import pytest

from napari_ubam.video import open_frames
from napari_ubam.widgets.layers import find_layer, go_to_frame, show_recording
from napari_ubam.widgets.magnify_widget import MagnifyWidget


@pytest.fixture
def widget(make_napari_viewer):
    viewer = make_napari_viewer()
    widget = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Magnify")
    return widget


def wait(qtbot, widget):
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)


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
    assert widget.run_button.isEnabled()


def test_factor_one_shows_the_recording_itself(qtbot, widget, trained):
    widget.session.open(trained.folder)
    widget.form.fields["factor"].value = 1
    widget.magnify()
    wait(qtbot, widget)
    video, magnified = widget.viewer.layers[:2]
    difference = np.asarray(video.data[:]).astype(int) - magnified.data
    assert np.abs(difference).mean() < 1


def test_a_few_frames_around_the_current_one(qtbot, widget, trained):
    widget.session.open(trained.folder)
    video = show_recording(widget.viewer, trained.recordings[0], 10)
    widget.range.setCurrentText("around the current one")
    assert widget.reach.isVisibleTo(widget)
    widget.reach.setValue(2)
    widget.magnify()
    wait(qtbot, widget)
    magnified = widget.viewer.layers["magnified"]
    assert len(magnified.data) == 5
    assert magnified.data_to_world((0, 0, 0))[0] == video.data_to_world((8, 0, 0))[0]
    go_to_frame(widget.viewer, video, 20)
    widget.magnify()
    wait(qtbot, widget)
    assert len(widget.viewer.layers) == 4
    assert magnified.data_to_world((0, 0, 0))[0] == video.data_to_world((18, 0, 0))[0]


def test_a_video_is_saved(qtbot, widget, trained, tmp_path, notifications):
    widget.session.open(trained.folder)
    widget.save_video(tmp_path / "magnified.mkv")
    wait(qtbot, widget)
    assert len(open_frames(tmp_path / "magnified.mkv")) == 24
    assert "magnified.mkv was written: 24 frames" in notifications[-1]


def test_it_can_be_cancelled(qtbot, widget, trained):
    widget.session.open(trained.folder)
    widget.magnify()
    widget.progress.cancel.click()
    wait(qtbot, widget)
    assert [layer.name for layer in widget.viewer.layers] == [trained.recordings[0].name]


def test_a_layer_that_is_removed_meanwhile_is_opened_again(qtbot, widget, trained):
    widget.session.open(trained.folder)
    widget.magnify()
    widget.viewer.layers.clear()
    wait(qtbot, widget)
    assert find_layer(widget.viewer, trained.recordings[0]) is not None
    assert "magnified" in widget.viewer.layers


def test_an_untrained_study_is_a_message(qtbot, widget, study, notifications):
    widget.session.open(study.folder)
    widget.magnify()
    wait(qtbot, widget)
    assert len(notifications) == 1
    assert str(study.folder) in notifications[0]


def test_without_a_study_there_is_nothing_to_magnify(widget):
    assert not widget.run_button.isEnabled()
    assert "No study is open" in widget.hint.text()
