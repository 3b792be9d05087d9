from pathlib import Path

import numpy as np
import pytest

from napari_ubam import pipeline
from napari_ubam.errors import VideoError
from napari_ubam.magnify.compose import BRIGHTEST, FRAME_SHARE, HEAT_SHARE, NORMAL, overlay_heatmap
from napari_ubam.pipeline import FileLayer
from napari_ubam.pipeline.layering import ShownImage
from napari_ubam.progress import Cancelled, Progress
from napari_ubam.settings import ExportSettings
from napari_ubam.video import LazyVideo, write_video
from napari_ubam.video.panel import Panel

RNG = np.random.default_rng(0)
VIDEO = RNG.integers(0, 256, (6, 240, 60, 3)).astype(np.uint8)
BLENDED = ExportSettings(layout="blended")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    write_video(tmp_path / "video.mkv", VIDEO, 10)
    return tmp_path / "video.mkv"


def other(folder: Path, n: int, fps: float) -> Path:
    write_video(folder / "other.mkv", np.full((n, 24, 30, 3), 200, np.uint8), fps)
    return folder / "other.mkv"


def read(path: Path) -> np.ndarray:
    with LazyVideo(path) as frames:
        return np.asarray(frames)


def test_one_file_blended_is_that_file(video: Path, tmp_path: Path):
    out = tmp_path / "out.mkv"
    assert pipeline.export([FileLayer(video)], out, BLENDED) == 6
    np.testing.assert_array_equal(read(out), VIDEO)
    assert LazyVideo(out).fps == 10


def test_side_by_side_at_the_first_ones_rate_with_differences_told(video: Path, tmp_path: Path):
    out, told = tmp_path / "out.mkv", []
    layers = [FileLayer(video), FileLayer(other(tmp_path, 4, 25), "shorter")]
    assert pipeline.export(layers, out, report=lambda p: told.append(p.message)) == 6
    shown = read(out)
    assert LazyVideo(out).fps == 10
    assert shown.shape[2] > 60 + 300  # the small one is as high as the other
    at = np.argwhere(np.all(shown[3] == VIDEO[3, 0, 0], axis=-1))
    assert any(np.array_equal(shown[3, y : y + 240, x : x + 60], VIDEO[3]) for y, x in at)
    assert np.all(shown[3, 120, -150] == 200)
    assert np.all(shown[4, 120, -150] == 0)
    said = [message for message in told if message]
    assert said == [
        "Lengths differ: video has 6 frames, shorter has 4 frames. What ends earlier turns black.",
        "Frames a second differ: video has 10, shorter has 25. They are put together frame by frame, and shown at 10 a "
        "second.",
    ]


def test_nothing_is_told_of_videos_that_are_alike(video: Path, tmp_path: Path):
    told: list[str] = []
    pipeline.export([FileLayer(video), FileLayer(video)], tmp_path / "o.mkv", report=lambda p: told.append(p.message))
    assert not any(told)


def test_a_heatmap_glows_as_the_magnify_step_lets_it(video: Path, tmp_path: Path):
    heat = RNG.random((6, 240, 60)).astype(np.float32) * 4
    np.save(tmp_path / "heat.npy", heat)
    layers = [
        FileLayer(video, opacity=FRAME_SHARE),
        FileLayer(tmp_path / "heat.npy", "", HEAT_SHARE, "additive", "glow", (NORMAL, BRIGHTEST)),
    ]
    pipeline.export(layers, tmp_path / "out.mkv", BLENDED)
    for t, shown in enumerate(read(tmp_path / "out.mkv")):
        np.testing.assert_allclose(shown, overlay_heatmap(VIDEO[t], heat[t]).astype(int), atol=3)


def test_a_heatmap_is_blended_with_colormap_limits_and_opacity(video: Path, tmp_path: Path):
    colours = pytest.importorskip("napari.utils.colormaps").ensure_colormap("hot")
    heat = RNG.random((6, 240, 60)).astype(np.float32) * 4
    np.save(tmp_path / "heat.npy", heat)
    layers = [
        FileLayer(video, opacity=0.7),
        FileLayer(tmp_path / "heat.npy", "", 0.8, "additive", "hot", (1.0, 3.5)),
    ]
    pipeline.export(layers, tmp_path / "out.mkv", BLENDED)
    shown = read(tmp_path / "out.mkv")
    for t in (0, 5):
        glow = 255 * colours.map((heat[t].ravel() - 1) / 2.5)[:, :3].reshape(240, 60, 3)
        np.testing.assert_allclose(shown[t], np.clip(0.7 * VIDEO[t] + 0.8 * glow, 0, 255), atol=3)


def test_what_lies_over_a_video_lets_it_be_seen(video: Path, tmp_path: Path):
    pipeline.export([FileLayer(video), FileLayer(other(tmp_path, 6, 10))], tmp_path / "out.mkv", BLENDED)
    shown = read(tmp_path / "out.mkv")
    np.testing.assert_allclose(shown[2, :24, :30].astype(int), VIDEO[2, :24, :30] / 2 + 100, atol=1)
    np.testing.assert_array_equal(shown[2, 24:], VIDEO[2, 24:])


def test_some_frames_and_their_time_stamps(tmp_path: Path):
    times = np.cumsum([0.0, 0.1, 0.3, 0.1, 0.2, 0.4])
    write_video(tmp_path / "uneven.mkv", VIDEO, 10, times=times)
    settings = ExportSettings(layout="blended", start=2, stop=5)
    assert pipeline.export([FileLayer(tmp_path / "uneven.mkv")], tmp_path / "out.mkv", settings) == 3
    with LazyVideo(tmp_path / "out.mkv") as out:
        np.testing.assert_array_equal(np.asarray(out), VIDEO[2:5])
        np.testing.assert_allclose(out.timestamps, times[2:5] - times[2], atol=2e-3)


def test_stopped_or_failed_leaves_nothing(video: Path, tmp_path: Path):
    def stop(progress: Progress) -> None:
        if progress.done == 3:
            raise Cancelled

    before = sorted(tmp_path.iterdir())
    with pytest.raises(Cancelled):
        pipeline.export([FileLayer(video)], tmp_path / "out.mp4", report=stop)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("layer", "out", "settings", "said"),
    [
        ({"path": "missing.mp4"}, "out.mkv", {}, "missing.mp4 was not found"),
        ({"path": "text.mp4"}, "out.mkv", {}, "text.mp4 cannot be read as a video"),
        ({}, "video.mkv", {}, "video.mkv is one of the files"),
        ({}, "out.xyz", {}, "out.xyz cannot be written"),
        ({}, "out.mkv", {"start": 6}, "There are frames 0 to 5"),
        ({}, "out.mkv", {"start": 3, "stop": 3}, "no frame is left"),
        ({"colormap": "hot"}, "out.mkv", {}, "video.mkv is coloured"),
        ({"limits": (1.0, 2.0)}, "out.mkv", {}, "video.mkv is coloured"),
        ({"blending": "mixed"}, "out.mkv", {}, "no blending 'mixed'. Choose one of translucent"),
        ({"path": "grey.npy", "colormap": "no such"}, "out.mkv", {}, "There is no colormap 'no such'"),
    ],
)
def test_what_cannot_be_done_is_said(video: Path, tmp_path: Path, layer: dict, out: str, settings: dict, said: str):
    (tmp_path / "text.mp4").write_text("this is no video")
    np.save(tmp_path / "grey.npy", VIDEO[..., 0])
    layer = {"path": "video.mkv", **layer}
    layer["path"] = tmp_path / layer["path"]
    content = video.read_bytes()
    with pytest.raises(VideoError, match=said):
        pipeline.export([FileLayer(**layer)], tmp_path / out, ExportSettings(**settings))
    assert video.read_bytes() == content
    assert not (tmp_path / "out.mkv").exists()


def test_no_file_is_an_error(tmp_path: Path):
    with pytest.raises(VideoError, match="no file was named"):
        pipeline.export([], tmp_path / "out.mkv")


def test_a_still_picture_has_no_length_and_no_rate_that_could_differ():
    from napari_ubam.pipeline.layering import differences

    def shown(data: np.ndarray, fps: float) -> ShownImage:
        return ShownImage(Panel(data, rgb=True), np.ones(2), np.zeros(2), 1.0, "opaque", fps, None)

    assert differences([shown(VIDEO, 10.0), shown(VIDEO[0], 0.0)], 10.0) == []
    assert len(differences([shown(VIDEO, 10.0), shown(VIDEO[:3], 0.0)], 10.0)) == 1  # without a rate: goes along
