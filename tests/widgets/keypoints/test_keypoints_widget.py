import shutil

import numpy as np
import pytest

from napari_ubam.sample import make_cohort
from napari_ubam.study import Study
from napari_ubam.study.keypoints import Keypoints, read_keypoints
from napari_ubam.widgets.keypoints.keypoint_layer import LAYER, show_keypoints
from napari_ubam.widgets.keypoints.keypoints_widget import KeypointsWidget
from napari_ubam.widgets.layers import show_recording

NAMES = ("hip", "head")


@pytest.fixture
def widget(make_napari_viewer):
    viewer = make_napari_viewer()
    widget = KeypointsWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Keypoints")
    return widget


@pytest.fixture
def marked(trained: Study, tmp_path) -> Study:
    """Give a trained study of which one recording has keypoints."""
    shutil.copytree(trained.folder.parent, tmp_path / "cohort")
    study = Study.open(tmp_path / "cohort" / "study")
    first, *others = study.recordings
    joints = make_cohort(n_healthy=1, n_impaired=0, n_frames=24, size=64)[0].joints[:, :2]
    lines = [f"{t},{NAMES[k]},{x},{y}" for t, frame in enumerate(joints) for k, (x, y) in enumerate(frame)]
    path = tmp_path / "keypoints.csv"
    path.write_text("\n".join(["frame,keypoint,x,y", *lines]) + "\n")
    study = study.replace(recordings=[first.model_copy(update={"keypoints": path}), *others])
    study.save()
    return study


def idle(qtbot, widget):
    qtbot.waitUntil(lambda: widget.worker is None and not widget.opening.busy, timeout=120_000)


def test_keypoints_are_points_over_the_video(make_napari_viewer, recordings):
    viewer = make_napari_viewer()
    video = show_recording(viewer, recordings[0])
    video.scale, video.translate = (1, 2, 2), (0, 5, 0)
    xy = np.array([[[1.0, 2], [3, 4]], [[5, 6], [np.nan, np.nan]]])
    layer = show_keypoints(viewer, recordings[0], video, Keypoints(np.array([0, 4]), NAMES, xy))
    np.testing.assert_array_equal(layer.data, [[0, 2, 1], [0, 4, 3], [4, 6, 5]])
    assert layer.features["keypoint"].tolist() == ["hip", "head", "hip"]
    assert layer.axis_labels == ("frame", "y", "x")
    np.testing.assert_array_equal(layer.scale, video.scale)
    np.testing.assert_array_equal(layer.translate, video.translate)
    np.testing.assert_array_equal(layer.face_color[0], layer.face_color[2])
    assert not np.array_equal(layer.face_color[0], layer.face_color[1])
    assert layer.text.values.tolist() == ["hip", "head", "hip"]
    again = show_keypoints(viewer, recordings[0], video, Keypoints(np.array([0]), NAMES, xy[:1]))
    assert list(viewer.layers) == [video, again]


def test_they_are_predicted_and_shown(qtbot, widget, marked, notifications):
    widget.session.open(marked.folder)
    other = marked.recordings[1].name  # it has no keypoints of its own
    widget.recording.setCurrentText(other)
    widget.run_button.click()
    assert not widget.run_button.isEnabled()
    idle(qtbot, widget)
    layer = widget.viewer.layers[LAYER]
    assert layer.data.shape == (24 * 2, 3)
    shown = read_keypoints(marked.results_folder / "keypoints" / f"{other}.csv").xy
    np.testing.assert_array_equal(layer.data[:, :0:-1].reshape(24, 2, 2), shown)
    assert "all: " in widget.hint.text()
    assert "head: " in widget.hint.text()
    widget.recording.setCurrentText(marked.recordings[0].name)
    widget.show_button.click()
    idle(qtbot, widget)
    assert sum(layer.name.startswith(LAYER) for layer in widget.viewer.layers) == 1
    assert widget.viewer.layers[LAYER].metadata["ubam"]["recording"] == marked.recordings[0].name


def test_what_is_missing_is_a_message(qtbot, widget, trained, notifications):
    assert not widget.run_button.isEnabled()
    assert "No study is open" in widget.hint.text()
    widget.session.open(trained.folder)
    widget.run_button.click()
    idle(qtbot, widget)
    assert "column 'keypoints'" in notifications[-1]
    widget.show_button.click()
    idle(qtbot, widget)
    assert "napari-ubam keypoints" in notifications[-1]
    assert len(widget.viewer.layers) == 0
