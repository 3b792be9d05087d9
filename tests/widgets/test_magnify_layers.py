from dataclasses import replace

import numpy as np
import pytest

from napari_ubam.errors import StudyError
from napari_ubam.magnify.magnifier import MagnifiedFrame
from napari_ubam.settings import MagnifySettings
from napari_ubam.widgets import magnify_layers
from napari_ubam.widgets.layers import open_recording
from napari_ubam.widgets.magnify_layers import collect, frames_of, show_magnification


def magnified(frames, size):
    """Give frames as the magnifier does."""
    for frame in frames:
        yield MagnifiedFrame(
            frame=frame,
            image=np.full((*size, 3), frame, np.uint8),
            heatmap=np.full(size, frame / 10, np.float32),
            vectors=np.array([[[4, 5], [1, -1]]], np.float32),
        )


def test_frames_are_gathered_with_the_arrows_in_time():
    made = collect(magnified(range(3, 6), (4, 6)), range(3, 6), (4, 6))
    assert made.image[:, 0, 0, 0].tolist() == [3, 4, 5]
    assert made.deviation[:, 0, 0] == pytest.approx([0.3, 0.4, 0.5], abs=1e-3)
    assert made.vectors[1].tolist() == [[4, 4, 5], [0, 1, -1]]


def test_what_would_not_fit_into_memory_is_refused(monkeypatch):
    monkeypatch.setattr(magnify_layers, "MAX_BYTES", 1000)
    with pytest.raises(StudyError, match="fewer frames"):
        collect(iter(()), range(100), (4, 6))


def test_frames_keep_to_the_recordings_start_and_stop(recordings):
    recording = recordings[0].model_copy(update={"start": 2, "stop": 7})
    assert frames_of(recordings[0], 8) == range(8)
    assert frames_of(recording, 8) == range(2, 7)
    assert frames_of(recording, 8, around=3, reach=2) == range(2, 6)
    with pytest.raises(StudyError, match="from frame 2 to 6"):
        frames_of(recording, 8, around=0, reach=1)


def test_layers_lie_over_the_video_in_space_and_time(make_napari_viewer, recordings):
    viewer = make_napari_viewer()
    video = open_recording(viewer, recordings[0])
    video.scale, video.translate = (0.5, 2, 2), (1, 10, 20)
    made = collect(magnified(range(3, 6), (48, 64)), range(3, 6), (48, 64))
    layers = show_magnification(viewer, recordings[0], video, made, MagnifySettings(factor=4))
    assert [layer.name for layer in layers] == ["magnified", "deviation", "direction"]
    image, deviation, direction = layers
    expected = video.data_to_world((4, 7, 9))
    assert image.data_to_world((1, 7, 9)) == pytest.approx(expected)
    assert deviation.data_to_world((1, 7, 9)) == pytest.approx(expected)
    assert direction.data_to_world((4, 7, 9)) == pytest.approx(expected)
    assert deviation.blending == "additive"
    assert deviation.contrast_limits[0] == 1  # what reference subjects show is dark
    assert image.metadata["ubam"]["settings"]["factor"] == 4


def test_running_again_gives_the_same_layers_new_data(make_napari_viewer, recordings):
    viewer = make_napari_viewer()
    video = open_recording(viewer, recordings[0])
    first = collect(magnified(range(3, 6), (48, 64)), range(3, 6), (48, 64))
    show_magnification(viewer, recordings[0], video, first, MagnifySettings())
    viewer.layers["magnified"].name = "mine"
    viewer.layers["deviation"].contrast_limits = (0, 9)
    second = collect(magnified(range(8), (48, 64)), range(8), (48, 64))
    show_magnification(viewer, recordings[0], video, second, MagnifySettings(factor=1))
    assert [layer.name for layer in viewer.layers] == ["walk_0", "mine", "deviation", "direction"]
    assert viewer.layers["mine"].data.shape == (8, 48, 64, 3)
    assert viewer.layers["mine"].translate[0] == 0
    assert viewer.layers["deviation"].contrast_limits == [0, 9]
    assert len(viewer.layers["direction"].data) == 8
    assert viewer.layers["mine"].metadata["ubam"]["settings"]["factor"] == 1


def test_a_recording_that_deviates_nowhere_has_no_arrows(make_napari_viewer, recordings):
    viewer = make_napari_viewer()
    video = open_recording(viewer, recordings[0])
    none = np.zeros((0, 2, 2), np.float32)
    still = [replace(frame, vectors=none) for frame in magnified(range(2), (48, 64))]
    made = collect(still, range(2), (48, 64))
    show_magnification(viewer, recordings[0], video, made, MagnifySettings())
    assert len(viewer.layers["direction"].data) == 0
