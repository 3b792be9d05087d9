import av
import numpy as np
import pytest

from napari_ubam.video import LazyVideo, write_video
from napari_ubam.widgets.layers import current_frame
from napari_ubam.widgets.video.video_widget import VideoWidget

N = 90


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Give an H.264 file at a variable rate, with a single keyframe."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.integers(5, 15, N)) / 1000
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=100, options={"g": "1000", "x264-params": "scenecut=0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = stream.time_base = 1 / stream.codec_context.framerate / 10
        for t in range(N):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 2 * t, np.uint8), format="rgb24")
            frame.pts = round(times[t] / float(stream.codec_context.time_base))
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture
def viewer(make_napari_viewer, clip):
    viewer = make_napari_viewer()
    viewer.open(clip, plugin="napari-ubam")
    viewer.dims.set_point(0, 0)
    return viewer


@pytest.fixture
def widget(viewer):
    _, widget = viewer.window.add_plugin_dock_widget("napari-ubam", "Video")
    assert isinstance(widget, VideoWidget)
    return widget


def test_steps_and_jumps(viewer, widget):
    now = lambda: current_frame(viewer, viewer.layers[0])  # noqa: E731
    widget.step(1)
    assert (now(), widget.frame.value()) == (1, 1)
    widget.step(10)
    widget.step(-1)
    assert now() == 10
    widget.to_keyframe(-1)
    assert now() == 0
    widget.to_keyframe(1)
    assert now() == 0  # there is no other keyframe
    widget.frame.setValue(70)
    assert now() == 70
    assert widget.time.value() == pytest.approx(viewer.layers[0].data.timestamps[70], abs=1e-3)
    widget.step(1000)
    assert now() == N - 1
    widget.time.setValue(float(viewer.layers[0].data.timestamps[33]) + 1e-3)
    widget.time.editingFinished.emit()
    assert now() == 33


def test_playing_leaves_no_frame_out_and_stays_between_the_marks(viewer, widget, qtbot):
    widget.go_to(20)
    widget.mark("in")
    widget.go_to(45)
    widget.mark("out")
    assert widget.stretch() == range(20, 46)
    shown = []
    viewer.dims.events.current_step.connect(lambda event: shown.append(current_frame(viewer, viewer.layers[0])))
    widget.toggle()
    qtbot.waitUntil(lambda: len(shown) >= 40, timeout=20_000)
    widget.toggle()
    assert not widget.player.playing
    assert shown[:27] == [*range(20, 46), 20]
    assert widget.player.rate > 0
    widget.unmark()
    assert widget.stretch() == range(N)


def test_playing_takes_the_recordings_own_time(viewer, widget, qtbot, monkeypatch):
    now = [0.0]
    waits = []
    monkeypatch.setattr("napari_ubam.widgets.video.player.time.monotonic", lambda: now[0])
    monkeypatch.setattr(widget.player._timer, "start", waits.append)
    widget.toggle()
    for _ in range(5):
        now[0] += waits[-1] / 1000
        widget.player._on_due()
    widget.player.stop()
    np.testing.assert_allclose(np.array(waits) / 1000, np.diff(widget.times[:7]), atol=2e-3)


def test_a_scrubbing_copy_is_the_same_frame_for_frame(viewer, widget, clip, tmp_path, qtbot):
    assert not widget.copy_button.isHidden()
    widget.make_copy(tmp_path / "copy.mkv")
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=30_000)
    copy, original = LazyVideo(tmp_path / "copy.mkv"), LazyVideo(clip)
    assert len(copy.keyframes) == len(copy) == N
    np.testing.assert_array_equal(np.asarray(copy), np.asarray(original))
    np.testing.assert_allclose(np.diff(copy.timestamps), np.diff(original.timestamps), atol=2e-3)
    assert widget.layer is viewer.layers[1]
    assert widget.copy_button.isHidden()


def test_a_copy_can_be_cancelled_and_never_replaces_the_video(viewer, widget, clip, tmp_path, qtbot, notifications):
    widget.make_copy(clip)
    assert "is the video itself" in notifications[-1]
    widget.make_copy(tmp_path / "copy.mkv")
    widget._on_cancel_requested()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=20_000)
    assert list(tmp_path.iterdir()) == []


def test_videos_come_and_go(viewer, widget, tmp_path):
    viewer.layers.clear()
    assert not widget.play_button.isEnabled()
    write_video(tmp_path / "v.mkv", np.zeros((5, 16, 16, 3), np.uint8), 10)
    viewer.open(tmp_path / "v.mkv", plugin="napari-ubam")
    assert widget.frame.maximum() == 4
    assert widget.copy_button.isHidden()
    viewer.add_image(np.zeros((7, 16, 16)))
    assert widget.frame.maximum() == 6
