import os
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import tifffile

from napari_ubam.errors import UbamError, VideoError
from napari_ubam.progress import Cancelled
from napari_ubam.video import LazyVideo, write, write_video


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(0, 256, (9, 33, 47, 3)).astype(np.uint8)


@pytest.mark.parametrize("fps", [25, 29.97, 250, 2000, 0.5])
def test_mkv_is_lossless(noise, tmp_path, fps):
    assert write_video(tmp_path / "new" / "v.MKV", iter(noise), fps) == 9
    video = LazyVideo(tmp_path / "new" / "v.MKV")
    assert video.shape == noise.shape
    assert video.fps == pytest.approx(fps, rel=1e-3)
    np.testing.assert_array_equal(np.asarray(video), noise)
    np.testing.assert_array_equal(video[[8, 3, 0]], noise[[8, 3, 0]])


def test_mp4_is_close_and_odd_sides_are_padded(kit, tmp_path):
    pictures = np.stack([kit.picture(t, 33, 63) for t in range(9)])
    assert write_video(tmp_path / "v.mp4", pictures, 30) == 9
    video = LazyVideo(tmp_path / "v.mp4")
    assert video.shape == (9, 34, 64, 3)
    assert video.fps == 30
    back = np.asarray(video).astype(int)
    assert np.abs(back[:, :8, :60] - pictures[:, :8, :60]).mean() < 8
    assert np.abs(back[:, 33, :60] - back[:, 32, :60]).mean() < 8


def test_grey_and_transparent_frames(noise, tmp_path):
    write_video(tmp_path / "grey.mkv", noise[..., 0], 25)
    np.testing.assert_array_equal(np.asarray(LazyVideo(tmp_path / "grey.mkv")), np.repeat(noise[..., :1], 3, axis=-1))
    write_video(tmp_path / "alpha.mkv", np.concatenate([noise, noise[..., :1]], axis=-1), 25)
    np.testing.assert_array_equal(np.asarray(LazyVideo(tmp_path / "alpha.mkv")), noise)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_nothing_is_left_of_a_video_that_cannot_be_written(noise, tmp_path, suffix):
    path = tmp_path / f"v{suffix}"
    path.write_bytes(b"the old video")
    for frames, message in [
        ([noise[0], noise[1][:-2]], "frame 1 is 47 x 31 pixels, the first is 47 x 33"),
        ([], "no frames"),
        ([noise[0].astype(float)], "type float64"),
        ([noise[0, 0, 0]], "grey or RGB"),
    ]:
        with pytest.raises(VideoError, match=message):
            write_video(path, frames, 25)
    for fps in [0, -1, np.nan, np.inf]:
        with pytest.raises(VideoError, match="frames per second"):
            write_video(path, noise, fps)

    def stopped():
        yield noise[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(path, stopped(), 25)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"the old video"


def test_an_unknown_suffix_names_the_choices(noise, tmp_path):
    with pytest.raises(VideoError, match=r"v\.flv cannot be written: choose .*\.mkv .*\.mp4"):
        write_video(tmp_path / "v.flv", noise, 25)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize(("suffix", "n"), [(".mkv", 9), (".mp4", 9), (".mkv", 400)])
def test_a_full_disk(noise, tmp_path, monkeypatch, suffix, n):
    def full(_, *args, **kwargs):
        return opened("/dev/full", *args, **kwargs)

    opened = av.open
    path = tmp_path / f"v{suffix}"
    path.write_bytes(b"the old video")
    monkeypatch.setattr(write.av, "open", full)
    with pytest.raises(UbamError, match=r"The disk is full: .*v\.m.* was not written"):
        write_video(path, (noise[t % 9] for t in range(n)), 25)
    assert path.read_bytes() == b"the old video"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_is_locked(noise, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UbamError, match="cannot be written"):
        write_video(tmp_path / "v.mkv", noise, 25)
    tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("dtype", "shape"), [("uint8", (33, 47)), ("uint16", (33, 47)), ("uint8", (33, 47, 3)), ("uint16", (33, 47, 3))]
)
def test_mkv_keeps_grey_and_colours_of_8_and_16_bits(tmp_path, dtype, shape):
    values = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, (7, *shape)).astype(dtype)
    write_video(tmp_path / "v.mkv", values, 25)
    video = LazyVideo(tmp_path / "v.mkv", native=True)
    assert video.dtype == dtype
    np.testing.assert_array_equal(np.asarray(video), values)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov", ".webm", ".gif"])
def test_variable_time_stamps_are_kept(kit, tmp_path, suffix):
    times = 3 + np.cumsum(np.random.default_rng(0).integers(2, 9, 20)) / 100
    write_video(tmp_path / f"v{suffix}", [kit.picture(t) for t in range(20)], 25, times=times)
    video = LazyVideo(tmp_path / f"v{suffix}")
    np.testing.assert_allclose(np.diff(video.timestamps), np.diff(times), atol=1e-3)
    assert np.abs(np.asarray(video).astype(int) - [kit.picture(t) for t in range(20)]).mean() < 9


@pytest.mark.parametrize(("suffix", "fps"), [(".mov", 29.97), (".webm", 50), (".gif", 20), (".gif", 12.5)])
def test_other_formats_keep_length_and_rate(kit, tmp_path, suffix, fps):
    write_video(tmp_path / f"v{suffix}", (kit.picture(t) for t in range(12)), fps)
    video = LazyVideo(tmp_path / f"v{suffix}")
    assert len(video) == 12
    assert video.fps == pytest.approx(fps, rel=1e-2)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_tiff_holds_the_values_as_they_are(tmp_path, dtype):
    values = (np.random.default_rng(0).random((5, 20, 30)) * 200).astype(dtype)
    write_video(tmp_path / "v.tif", values, 25, total=5)
    read = tifffile.imread(tmp_path / "v.tif")
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, values)


def test_quality_is_paid_for_in_bytes(noise, tmp_path):
    sizes = []
    for quality in ("small", "good", "best"):
        write_video(tmp_path / "v.mp4", noise, 25, quality=quality)
        sizes.append((tmp_path / "v.mp4").stat().st_size)
    assert sizes == sorted(set(sizes))


def test_progress_is_told_and_can_stop_the_writing(noise, tmp_path):
    told = []
    write_video(tmp_path / "v.mkv", noise, 25, total=9, report=told.append)
    assert [(p.done, p.total) for p in told] == [(i, 9) for i in range(1, 10)]
    assert told[-1].seconds_left == 0

    def cancel(progress):
        raise Cancelled

    with pytest.raises(Cancelled):
        write_video(tmp_path / "w.mkv", noise, 25, report=cancel)
    assert [p.name for p in tmp_path.iterdir()] == ["v.mkv"]


def test_what_a_format_cannot_hold(noise, tmp_path):
    with pytest.raises(VideoError, match="100 frames a second"):
        write_video(tmp_path / "v.gif", noise, 120)
    with pytest.raises(VideoError, match="do not increase"):
        write_video(tmp_path / "v.mp4", noise, 25, times=[0, 1, 1, 2])
    with pytest.raises(VideoError, match="of type uint8"):
        write_video(tmp_path / "v.mp4", noise.astype(np.uint16), 25)
    assert not list(tmp_path.iterdir())


def test_a_missing_encoder_is_named(noise, tmp_path, monkeypatch):
    formats = {".mp4": replace(write._FORMATS[".mp4"], codec="none264")}
    monkeypatch.setattr(write, "_FORMATS", formats)
    with pytest.raises(VideoError, match=r"without the encoder none264\. Choose another format"):
        write_video(tmp_path / "v.mp4", noise, 25)
