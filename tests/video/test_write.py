import os
from pathlib import Path

import av
import numpy as np
import pytest

from napari_ubam.errors import UbamError, VideoError
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
    with pytest.raises(VideoError, match=r"v\.gif cannot be written: choose .*\.mkv .*\.mp4"):
        write_video(tmp_path / "v.gif", noise, 25)


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
