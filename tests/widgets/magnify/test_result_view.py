import numpy as np

from napari_ubam.settings import MagnifySettings
from napari_ubam.widgets.magnify.result_view import show_result


def test_the_recording_with_its_heatmap_stands_beside_the_magnified_one(make_napari_viewer, trained):
    viewer = make_napari_viewer()
    recording = trained.recordings[-1]
    show_result(viewer, trained, recording, 7, MagnifySettings(device="cpu"))
    assert [layer.name for layer in viewer.layers] == [recording.name, "deviation", "magnified", "direction"]
    video, deviation, magnified, direction = viewer.layers
    assert video.data.shape == magnified.data.shape == (*deviation.data.shape, 3)
    for layer in (deviation, magnified):
        np.testing.assert_array_equal(layer.extent.world, video.extent.world)
    assert deviation.blending == "additive"
    assert deviation.contrast_limits[0] == 1  # what reference subjects show is dark
    assert direction.ndim == 3
    assert viewer.dims.current_step[0] == 7
    cells = [indices for _, indices in viewer.canvas.grid.iter_viewboxes(viewer.layers)]
    assert cells == [(0, 1), (2, 3)]


def test_the_magnify_widget_is_ready_for_the_same_recording(make_napari_viewer, trained):
    viewer = make_napari_viewer()
    recording = trained.recordings[-1]
    show_result(viewer, trained, recording, 0, MagnifySettings(device="cpu"))
    (widget,) = viewer.window.dock_widgets.values()
    assert widget.session.study.folder == trained.folder
    assert widget.recording.currentText() == recording.name
    assert widget.run_button.isEnabled()
