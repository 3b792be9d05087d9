import numpy as np
import pytest

from napari_ubam.errors import StudyError
from napari_ubam.pipeline import Magnifier
from napari_ubam.settings import MagnifySettings
from napari_ubam.widgets.layers import open_recording
from napari_ubam.widgets.magnify.drawn_frames import DrawnFrames
from napari_ubam.widgets.magnify.magnify_layers import frames_of, show_magnification, with_time


@pytest.fixture
def frames(trained):
    return DrawnFrames(Magnifier(trained, trained.recordings[0].name, "cpu"), 2.5)


def test_arrows_are_placed_in_time():
    arrows = np.array([[[4, 5], [1, -1]]], np.float32)
    assert with_time(arrows, 7).tolist() == [[[7, 4, 5], [0, 1, -1]]]


def test_frames_keep_to_the_recordings_start_and_stop(recordings):
    recording = recordings[0].model_copy(update={"start": 2, "stop": 7})
    assert frames_of(recordings[0], 8) == range(8)
    assert frames_of(recording, 8) == range(2, 7)
    assert frames_of(recording, 8, around=3, reach=2) == range(2, 6)
    with pytest.raises(StudyError, match="from frame 2 to 6"):
        frames_of(recording, 8, around=0, reach=1)


def test_layers_lie_over_the_video_in_space_and_time(make_napari_viewer, trained, frames):
    viewer = make_napari_viewer()
    video = open_recording(viewer, trained.recordings[0])
    video.scale, video.translate = (0.5, 2, 2), (1, 10, 20)
    layers = show_magnification(viewer, trained.recordings[0], video, frames, MagnifySettings(factor=4))
    assert [layer.name for layer in layers] == ["magnified", "deviation", "direction"]
    for layer in layers:
        assert layer.data_to_world((4, 7, 9)) == pytest.approx(video.data_to_world((4, 7, 9)))
    image, deviation, _ = layers
    assert image.data.shape == video.data.shape
    assert deviation.data.shape == video.data.shape[:3]
    assert deviation.blending == "additive"
    assert deviation.contrast_limits[0] == 1  # what reference subjects show is dark
    assert deviation.colormap.map(np.zeros(1))[0, :3].max() == 0  # and adds nothing to the picture
    assert image.metadata["ubam"]["settings"]["factor"] == 4
    assert image.metadata["ubam"]["fps"] == video.data.fps


def test_running_again_gives_the_same_layers_new_data(make_napari_viewer, trained, frames):
    viewer = make_napari_viewer()
    recording = trained.recordings[0]
    video = open_recording(viewer, recording)
    show_magnification(viewer, recording, video, frames, MagnifySettings())
    viewer.layers["magnified"].name = "mine"
    viewer.layers["deviation"].contrast_limits = (0, 9)
    again = DrawnFrames(Magnifier(trained, recording.name, "cpu"), 1)
    show_magnification(viewer, recording, video, again, MagnifySettings(factor=1))
    assert [layer.name for layer in viewer.layers] == [recording.name, "mine", "deviation", "direction"]
    assert viewer.layers["mine"].data.frames is again
    assert viewer.layers["deviation"].contrast_limits == [0, 9]
    assert viewer.layers["mine"].metadata["ubam"]["settings"]["factor"] == 1


def test_the_layers_lie_over_the_video_whatever_was_removed_or_opened(make_napari_viewer, trained, frames):
    viewer = make_napari_viewer()
    first, second = trained.recordings[:2]

    def shown(recording):
        video = open_recording(viewer, recording)
        show_magnification(viewer, recording, video, frames, MagnifySettings())
        return [layer.name for layer in viewer.layers]

    ours = ["magnified", "deviation", "direction"]
    assert shown(first) == [first.name, *ours]
    viewer.layers.remove("magnified")
    viewer.layers.remove(first.name)
    assert shown(first) == [first.name, *ours]
    assert shown(second) == [first.name, second.name, *ours]  # which was added last
    viewer.layers.move(3, 2)
    assert shown(second) == [first.name, second.name, "deviation", "magnified", "direction"]  # as the user wants it
