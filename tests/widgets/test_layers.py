import numpy as np
import pytest

from napari_ubam.errors import StudyError, VideoError
from napari_ubam.widgets.layers import current_frame, find_layer, go_to_frame, open_recording, show_recording
from napari_ubam.widgets.study.region import corners, draw_region, drawn_region, rectangle_in_pixels


def test_a_recording_is_opened_once(make_napari_viewer, recordings):
    viewer = make_napari_viewer()
    layer = open_recording(viewer, recordings[0])
    assert layer.name == "walk_0"
    assert layer.data.shape == (8, 48, 64, 3)
    assert open_recording(viewer, recordings[0]) is layer
    assert find_layer(viewer, recordings[1]) is None


def test_a_missing_file_is_a_message(make_napari_viewer, recordings):
    recordings[0].path.unlink()
    with pytest.raises(VideoError, match=r"walk_0\.mkv"):
        open_recording(make_napari_viewer(), recordings[0])


def test_showing_a_recording_goes_to_its_frame_and_hides_what_covers_it(make_napari_viewer, recordings):
    viewer = make_napari_viewer()
    first = show_recording(viewer, recordings[0], 3)
    aside = viewer.add_image(np.zeros((8, 10, 10)), translate=(0, 0, 100), metadata={"ubam": {"path": "aside.mkv"}})
    assert current_frame(viewer, first) == 3
    second = show_recording(viewer, recordings[1], 5)
    assert (first.visible, second.visible, aside.visible) == (False, True, True)
    assert viewer.layers.selection.active is second
    assert current_frame(viewer, second) == 5


def test_a_recording_is_seen_whatever_was_looked_at_before(make_napari_viewer, recordings):
    viewer = make_napari_viewer()
    long = viewer.add_image(np.zeros((90, 480, 640)), metadata={"ubam": {"path": "long.mkv"}})
    viewer.dims.set_point(0, 60)
    viewer.scene.camera.center, viewer.scene.camera.zoom = (40, 50), 0.1
    first = show_recording(viewer, recordings[0])  # of 8 frames, and smaller
    assert not long.visible
    assert viewer.dims.point[0] == 0
    assert np.allclose(viewer.scene.camera.center[-2:], first.extent.world[:, -2:].mean(0), atol=1)
    assert viewer.scene.camera.zoom > 1
    viewer.scene.camera.zoom = 7
    go_to_frame(viewer, first, 5)
    second = show_recording(viewer, recordings[1])  # as large: what is looked at stays
    assert current_frame(viewer, second) == 5
    assert viewer.scene.camera.zoom == 7


def test_frames_are_found_where_layers_are_scaled_shifted_and_of_more_dimensions(make_napari_viewer, recordings):
    viewer = make_napari_viewer()
    layer = open_recording(viewer, recordings[0])
    layer.scale, layer.translate = (0.5, 1, 1), (2, 0, 0)
    viewer.add_image(np.zeros((3, 8, 48, 64)))
    go_to_frame(viewer, layer, 6)
    assert viewer.dims.point[1] == pytest.approx(5)
    assert current_frame(viewer, layer) == 6


def test_a_rectangle_gives_whole_pixels_within_the_picture(make_napari_viewer, recordings):
    viewer = make_napari_viewer()
    layer = open_recording(viewer, recordings[0])
    layer.scale, layer.translate = (1, 2, 2), (0, 100, 0)
    shapes = draw_region(viewer, recordings[0], layer)
    shapes.add_rectangles([corners((10, 4, 20, 30))])
    assert rectangle_in_pixels(shapes, layer) == (10, 4, 20, 30)
    shapes.add_rectangles([corners((-10, -10, 500, 20))])
    assert rectangle_in_pixels(shapes, layer) == (0, 0, 64, 10)
    shapes.add_rectangles([corners((200, 0, 5, 5))])
    with pytest.raises(StudyError, match="beside the picture of walk_0"):
        drawn_region(viewer, recordings[0], layer)


def test_a_region_that_is_there_is_shown_to_be_changed(make_napari_viewer, recordings):
    viewer = make_napari_viewer()
    layer = open_recording(viewer, recordings[0])
    with pytest.raises(StudyError, match="Draw region"):
        drawn_region(viewer, recordings[0], layer)
    known = recordings[0].model_copy(update={"x": 1, "y": 2, "width": 30, "height": 40})
    draw_region(viewer, known, layer)
    assert drawn_region(viewer, known, layer) == (1, 2, 30, 40)
    show_recording(viewer, recordings[2])  # of which it says nothing
    assert not viewer.layers["region"].visible
    draw_region(viewer, recordings[1], layer)
    assert viewer.layers["region"].visible
    assert [layer.name for layer in viewer.layers].count("region") == 1
    assert viewer.layers["region"].nshapes == 0
    with pytest.raises(StudyError, match="walk_1"):
        drawn_region(viewer, recordings[1], layer)
