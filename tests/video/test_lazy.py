import gc
import pickle
import threading

import av
import numpy as np
import pytest

from napari_ubam.errors import VideoError
from napari_ubam.video import LazyVideo, decoder, indexing, lazy, matching, write_video
from napari_ubam.video.decoder import Decoder
from napari_ubam.video.frame_cache import FRAME_CACHE
from napari_ubam.video.packets import open_container

KINDS = [
    "constant.mp4",
    "variable.mp4",
    "open_gop.mkv",
    "open_gop.mov",
    "intra_refresh.mp4",
    "long_gop.mp4",
    "lossless.mkv",
    "no_index.ts",
    "mpeg2.mpg",
    "mpeg2.mts",
    "b_frames.avi",
    "h264.avi",
    "windows.wmv",
    "web.webm",
    "edit_list.mp4",
    "fragmented.mp4",
    "h265.mp4",
    "vp9.webm",
    "av1.mkv",
    "av1.mp4",
    "photos.avi",
    "photos.mov",
    "prores.mov",
    "raw.avi",
    "raw.mov",
    "animation.gif",
    "interlaced.mts",
    "interlaced.mpg",
    "10_bits.mkv",
    "grey_16_bits.mkv",
    "odd.mkv",
    "odd.webm",
    "wide_pixels.mp4",
    "late.mp4",
    "no_keyframe_first.ts",
    "no_keyframe_first.mkv",
    "jump.mkv",
    "jump_back.ts",
    "camera.flv",
    "bare.h264",
    "bare.mjpeg",
]


@pytest.fixture
def no_cache(monkeypatch):
    monkeypatch.setattr(FRAME_CACHE, "limit", 0)


@pytest.fixture
def jumps(monkeypatch):
    """Count how often decoding starts somewhere else than where it stands."""
    count = []
    jump = Decoder._jump
    monkeypatch.setattr(Decoder, "_jump", lambda self, key, *t: (count.append(key), jump(self, key, *t))[1])
    return count


@pytest.mark.parametrize("kind", KINDS)
def test_any_order_gives_the_frames_of_plain_decoding(videos, kit, kind, no_cache):
    truth = kit.decode_all(videos(kind))
    with LazyVideo(videos(kind)) as video:
        assert video.shape == (len(truth), *truth[0].shape)
        assert bool(video.problem) == kind.startswith("no_keyframe_first.mkv")  # the header promises more frames
        for t in [*np.random.default_rng(0).permutation(len(truth)), *range(len(truth))[::-3]]:
            np.testing.assert_array_equal(video[int(t)], truth[t], err_msg=f"frame {t}")
        for t, frame in enumerate(video):
            np.testing.assert_array_equal(frame, truth[t], err_msg=f"frame {t}")


def test_an_edit_list_cuts_frames_away(videos, kit):
    assert len(LazyVideo(videos("edit_list.mp4"))) == kit.n - 5


@pytest.mark.parametrize("name", ["horse.mp4", "bridge.mp4", pytest.param("mirror_mouse.mp4", marks=pytest.mark.slow)])
def test_real_recordings_in_any_order(shared, kit, name, no_cache):
    path = shared / "data" / name
    truth = kit.decode_all(path)
    with LazyVideo(path) as video:
        assert len(video) == len(truth)
        for t in np.random.default_rng(0).permutation(len(truth))[:40]:
            np.testing.assert_array_equal(video[int(t)], truth[t])


@pytest.mark.parametrize("kind", ["constant.mp4", "variable.mp4", "h264.avi", "no_index.ts"])
def test_one_frame_after_the_other_does_not_seek(videos, kind, jumps, no_cache):
    video = LazyVideo(videos(kind))
    jumps.clear()
    for t in range(10, len(video)):
        video[t]
    assert len(jumps) <= 1
    jumps.clear()
    assert sum(1 for _ in video.iterate(10)) == len(video) - 10
    assert len(jumps) <= 1


def test_frames_near_the_last_one_come_from_the_cache(videos, jumps):
    video = LazyVideo(videos("constant.mp4"))
    video[20]
    jumps.clear()
    video.read([20, 19, 20])
    assert not jumps


def test_a_jump_keeps_the_frame_before_and_going_back_keeps_all(videos, jumps):
    video = LazyVideo(videos("long_gop.mp4"))

    def kept():
        return [t for t in range(len(video)) if FRAME_CACHE.get(video._key, t) is not None]

    video.close()
    video[40]
    assert kept() == [39, 40]
    video._wanted = 39
    video._decoded(38)
    assert kept() == list(range(41))


@pytest.mark.parametrize("kind", ["long_gop.mp4", "h265.mp4"])
def test_a_jump_leaves_out_frames_that_no_other_depends_on(videos, kind):
    decoder = LazyVideo(videos(kind))._open_decoder()
    given = [number for number, _ in decoder.show(46)]
    assert given[-1] == 46
    assert 2 < len(given) < 40
    assert [number for number, _ in decoder.show(23, behind=4)][-5:] == [19, 20, 21, 22, 23]


def test_frames_of_layers_are_not_left_out(kit, tmp_path, no_cache):
    layers = {"x265-params": "temporal-layers=3:bframes=4:log-level=none"}
    kit.make_video(tmp_path / "layers.mp4", "libx265", gop=100, b_frames=None, options=layers)
    truth = kit.decode_all(tmp_path / "layers.mp4")
    video = LazyVideo(tmp_path / "layers.mp4")
    assert [number for number, _ in video._open_decoder().show(46)][-40:] == list(range(7, 47))
    for t in (46, 23, 11, 47):
        np.testing.assert_array_equal(video[t], truth[t])


def test_where_leaving_frames_out_goes_wrong_all_are_decoded(videos, kit, monkeypatch, no_cache):
    monkeypatch.setattr(matching, "_LEFT_OUT", "ALL")  # also those that are needed
    truth = kit.decode_all(videos("constant.mp4"))
    video = LazyVideo(videos("constant.mp4"))
    for t in (46, 11, 23, 47):
        np.testing.assert_array_equal(video[t], truth[t])
    assert not len(video.damaged)
    assert not video.problem


def test_indexing_is_that_of_numpy(videos):
    video = LazyVideo(videos("constant.mp4"))
    whole = np.asarray(video)
    assert whole.shape == video.shape
    assert (video.ndim, video.dtype, video.size) == (4, np.uint8, whole.size)
    mask = np.arange(len(video)) % 7 == 0
    for key in [
        3,
        -1,
        np.int64(4),
        slice(5, 30, 5),
        slice(None, None, -9),
        [7, 2, 2, -3],
        np.array([1, 40]),
        mask,
        (slice(2, 4), slice(10, 20)),
        (5, slice(10, 20), 3),
        (..., 0),
        (slice(0, 3), ..., slice(0, 2)),
        (6, 7, 8, 1),
        slice(4, 4),
        [],
        None,
        (None, 3, ..., None),
        ([1, 5], [2, 3]),
        ([[1], [5]], slice(4), [2, 3]),
        (3, slice(None), [1, 2]),
        (slice(0, 9, 4), [1, 2], [3, 4]),
    ]:
        np.testing.assert_array_equal(video[key], whole[key], err_msg=str(key))
    np.testing.assert_array_equal(video.read([9, 3, 9]), whole[[9, 3, 9]])
    np.testing.assert_array_equal(list(video.iterate(45)), whole[45:])
    np.testing.assert_array_equal(list(video.iterate(4, 6)), whole[4:6])
    assert list(video.iterate(6, 6)) == []
    for key in [len(video), -len(video) - 1, (0, 0, 0, 0, 0), mask[:-1], 1.0, (..., ...)]:
        with pytest.raises(IndexError):
            video[key]


def test_what_is_given_may_be_changed(videos):
    video = LazyVideo(videos("constant.mp4"))
    video[5][:] = 0
    assert video[5].any()


def test_mean_rate(videos, kit):
    assert LazyVideo(videos("constant.mp4")).fps == 25
    assert LazyVideo(videos("lossless.mkv")).fps == 25
    times = np.cumsum(np.random.default_rng(0).integers(5, 90, kit.n))
    assert LazyVideo(videos("variable.mp4")).fps == pytest.approx(1000 * (kit.n - 1) / (times[-1] - times[0]), rel=0.02)


def test_a_turned_picture_is_set_upright(videos, kit, tmp_path):
    plain = kit.decode_all(videos("constant.mp4"))
    video = LazyVideo(kit.remux(videos("constant.mp4"), tmp_path / "turned.mp4", rotation=90))
    assert video.shape == (kit.n, 64, 48, 3)
    np.testing.assert_array_equal(video[7], np.rot90(plain[7]))
    np.testing.assert_array_equal(next(video.iterate(7)), np.rot90(plain[7]))


@pytest.mark.parametrize("rotation", [0, 90])
def test_pixels_that_are_not_square(videos, kit, tmp_path, rotation):
    path = kit.remux(videos("wide_pixels.mp4"), tmp_path / "v.mp4", rotation=rotation)
    assert LazyVideo(path).pixel_aspect == pytest.approx(3 / 4 if rotation else 4 / 3)


@pytest.mark.parametrize(("pix_fmt", "bits"), [("gray", 8), ("gray10le", 10), ("gray12le", 12), ("gray16le", 16)])
def test_grey_values_are_given_as_they_are_stored(tmp_path, pix_fmt, bits):
    values = np.random.default_rng(0).integers(0, 2**bits, (9, 33, 47)).astype(np.uint8 if bits == 8 else np.uint16)
    with av.open(str(tmp_path / "v.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25, options={"level": "3"})
        stream.width, stream.height, stream.pix_fmt = 47, 33, pix_fmt
        for image in values:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format=pix_fmt)))
        container.mux(stream.encode())
    video = LazyVideo(tmp_path / "v.mkv", native=True)
    assert (video.shape, video.dtype, video.ndim, video.bits) == (values.shape, values.dtype, 3, bits)
    np.testing.assert_array_equal(video[[8, 0, 3], ..., 5:], values[[8, 0, 3], ..., 5:])
    np.testing.assert_array_equal(np.asarray(video), values)
    assert LazyVideo(tmp_path / "v.mkv").shape == (9, 33, 47, 3)


def test_colours_of_ten_bits(videos, kit):
    video = LazyVideo(videos("10_bits.mkv"), native=True)
    assert (video.dtype, video.shape) == (np.uint16, (kit.n, 48, 64, 3))
    plain = LazyVideo(videos("10_bits.mkv"))
    assert np.abs((video[9] >> 8).astype(int) - plain[9]).max() <= 4


def test_time_stamps(videos, kit):
    steps = np.random.default_rng(0).integers(5, 90, kit.n)
    np.testing.assert_allclose(LazyVideo(videos("variable.mp4")).timestamps, np.cumsum(steps) / 1000, atol=1e-3)
    np.testing.assert_allclose(LazyVideo(videos("b_frames.avi")).timestamps, np.arange(kit.n) / 25, atol=0.05)
    late = LazyVideo(videos("late.mp4")).timestamps
    assert late[0] == pytest.approx(60 / 25, abs=0.1)
    np.testing.assert_allclose(np.diff(late), 1 / 25, atol=1e-6)
    jump = LazyVideo(videos("jump.mkv")).timestamps
    assert np.diff(jump).max() == pytest.approx(40, abs=0.1)
    assert len(LazyVideo(videos("jump_back.ts")).timestamps) == 2 * kit.n


@pytest.mark.parametrize("kind", ["constant.mp4", "open_gop.mkv", "edit_list.mp4", "b_frames.avi"])
def test_keyframes(videos, kind):
    with av.open(str(videos(kind))) as container:
        said = [t for t, frame in enumerate(container.decode(video=0)) if frame.key_frame]
    assert set(said) <= set(LazyVideo(videos(kind)).keyframes.tolist())


def test_dask_and_torch_take_it(videos, kit):
    torch, da = pytest.importorskip("torch"), pytest.importorskip("dask.array")
    video = LazyVideo(videos("constant.mp4"))
    lazy = da.from_array(video, chunks=(10, -1, -1, -1))
    np.testing.assert_array_equal(lazy[13:29:5].compute(), video[13:29:5])
    batches = torch.utils.data.DataLoader(video, batch_size=8, num_workers=0)
    np.testing.assert_array_equal(next(iter(batches)), video[:8])


def test_another_process_gets_it_pickled(videos, monkeypatch):
    video = LazyVideo(videos("variable.mp4"))
    frame = video[17]
    monkeypatch.setattr("napari_ubam.video.lazy.open_indexed", None)  # what is known is sent along
    copy = pickle.loads(pickle.dumps(video))
    assert (copy.shape, copy.path) == (video.shape, video.path)
    np.testing.assert_array_equal(copy[17], frame)
    np.testing.assert_array_equal(copy.timestamps, video.timestamps)


@pytest.mark.parametrize("kind", ["variable.mp4", "h264.avi", "edit_list.mp4"])
def test_the_index_is_kept_and_made_anew_when_the_file_changes(videos, kit, tmp_path, kind, monkeypatch):
    monkeypatch.setenv("NAPARI_UBAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(indexing, "_WORTH_KEEPING", 0)
    path = kit.cut(videos(kind), tmp_path / kind, 1.0)
    first = LazyVideo(path)
    assert len(list((tmp_path / "cache" / "indices").iterdir())) == 1
    with monkeypatch.context() as patch:
        patch.setattr(indexing, "scan", None)
        again = LazyVideo(path)
        np.testing.assert_array_equal(again.timestamps, first.timestamps)
        np.testing.assert_array_equal(again[::-3], first[::-3])
    path.write_bytes(videos("long_gop.mp4").read_bytes())
    assert len(LazyVideo(path).keyframes) == 1
    for file in (tmp_path / "cache" / "indices").iterdir():
        file.write_bytes(b"no index")
    assert len(LazyVideo(path)) == kit.n


def test_frames_that_packets_do_not_tell_are_exact_and_it_is_said(videos, kit, monkeypatch, no_cache):
    decode = indexing.decode
    monkeypatch.setattr(indexing, "_tried_out", lambda *_: None)
    monkeypatch.setattr(indexing, "decode", lambda *args: ((None, frame) for _, frame in decode(*args)))
    truth = kit.decode_all(videos("variable.mp4"))
    video = LazyVideo(videos("variable.mp4"))
    assert "exact but slow. Make a scrubbing copy" in video.problem
    assert str(videos("variable.mp4")) in video.problem
    for t in [30, 7, 49, 0]:
        np.testing.assert_array_equal(video[t], truth[t])
    assert video.keyframes.tolist() == [0]


def test_opening_tells_how_far_it_is(videos, tmp_path, monkeypatch):
    told = []
    monkeypatch.setenv("NAPARI_UBAM_CACHE", str(tmp_path))
    monkeypatch.setattr("napari_ubam.video.packets._BETWEEN_REPORTS", 10)
    LazyVideo(videos("h264.avi"), report=told.append)
    assert {progress.stage for progress in told} == {"reading h264.avi", "decoding h264.avi once"}
    assert all(0 <= progress.done <= progress.total for progress in told)


def test_playing_reads_ahead_both_ways(videos, jumps):
    video = LazyVideo(videos("long_gop.mp4"))

    def read_by_the_thread(t):
        lazy._thread.submit(lambda: None).result()  # after what was begun
        return FRAME_CACHE.get(video._key, t) is not None

    video[20]
    assert not read_by_the_thread(21)
    video[21]
    assert read_by_the_thread(21 + 16)
    video.close()
    video[40], video[39]
    assert read_by_the_thread(39 - 16)
    assert len(jumps) <= 3


def test_memory_stays_within_its_limit(videos, monkeypatch):
    monkeypatch.setattr(FRAME_CACHE, "limit", 3_000_000)
    video, other = LazyVideo(videos("constant.mp4")), LazyVideo(videos("variable.mp4"))
    for t in range(len(video)):
        video[t], other[-t - 1]
    lazy._thread.submit(lambda: None).result()
    assert 1_500_000 < FRAME_CACHE.size <= 3_000_000
    video.close()
    del other
    gc.collect()
    lazy._thread.submit(lambda: None).result()
    assert FRAME_CACHE.get(video._key, 49) is None


def test_several_threads(videos, kit, no_cache):
    truth = kit.decode_all(videos("constant.mp4"))
    video = LazyVideo(videos("constant.mp4"))
    wrong = []

    def look(seed):
        for t in np.random.default_rng(seed).integers(0, kit.n, 15):
            if not np.array_equal(video[int(t)], truth[t]):
                wrong.append(t)

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for frame, expected in zip(video.iterate(), truth, strict=True):
        np.testing.assert_array_equal(frame, expected)
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_closed_video_opens_again(videos):
    with LazyVideo(videos("constant.mp4")) as video:
        frame = video[9]
    np.testing.assert_array_equal(video[9], frame)


def test_a_single_frame(kit, tmp_path):
    video = LazyVideo(kit.make_video(tmp_path / "one.mp4", "libx264", n=1))
    assert video.shape == (1, 48, 64, 3)
    assert video[0].shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("kind", "part"), [("fragmented.mp4", 0.6), ("b_frames.avi", 0.6), ("lossless.mkv", 0.6), ("open_gop.mkv", 0.8)]
)
def test_what_is_left_of_a_truncated_file_can_be_read(videos, kit, tmp_path, kind, part):
    truth = kit.decode_all(videos(kind))
    video = LazyVideo(kit.cut(videos(kind), tmp_path / kind, part))
    assert 0 < len(video) < len(truth)
    assert f"{len(video)} of " in video.problem
    assert str(tmp_path / kind) in video.problem
    whole = list(video.iterate())
    assert len(whole) == len(video)
    for t in range(len(video))[::-1]:
        np.testing.assert_array_equal(video[t], whole[t])
    for t in range(len(video) - 3):  # the last may be made up in part
        np.testing.assert_array_equal(video[t], truth[t])


def test_a_file_without_its_end_that_holds_the_index(videos, kit, tmp_path):
    with pytest.raises(VideoError, match=r"cut\.mp4 cannot be read as a video.*end was never"):
        LazyVideo(kit.cut(videos("constant.mp4"), tmp_path / "cut.mp4", 0.6))


def test_a_file_damaged_after_it_was_opened_says_so(videos, kit, tmp_path):
    path = kit.cut(videos("lossless.mkv"), tmp_path / "v.mkv", 1.0)
    video = LazyVideo(path)
    video.close()
    kit.cut(videos("lossless.mkv"), path, 0.5)
    with pytest.raises(VideoError, match=r"v\.mkv has changed"):
        video[45]


def test_no_video(kit, tmp_path):
    with pytest.raises(VideoError, match=r"none\.mp4 was not found"):
        LazyVideo(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("frame, x, y\n" * 50)
    (tmp_path / "text.txt").write_text("frame, x, y\n" * 50)
    (tmp_path / "empty.avi").write_bytes(b"")
    for name in ["text.mp4", "text.txt", "empty.avi"]:
        with pytest.raises(VideoError, match=name):
            LazyVideo(tmp_path / name)
    with pytest.raises(VideoError, match=tmp_path.name):
        LazyVideo(tmp_path)


def test_a_frame_that_stands_for_itself_is_decoded_alone_however_many_threads_there_are(kit, tmp_path, monkeypatch):
    read, taken = decoder.read_packets, []

    def with_threads(path):
        container = open_container(path)
        container.streams.video[0].codec_context.thread_count = 8
        return container

    monkeypatch.setattr(decoder, "open_container", with_threads)
    monkeypatch.setattr(decoder, "read_packets", lambda *of: (taken.append(p.pts) or p for p in read(*of)))
    monkeypatch.setattr(FRAME_CACHE, "limit", 0)
    write_video(tmp_path / "copy.mkv", [kit.picture(t) for t in range(kit.n)], 25)
    video = LazyVideo(tmp_path / "copy.mkv")
    assert len(video.keyframes) == len(video)
    taken.clear()
    for t in (31, 4, 17, 40):
        video[t]
    assert len(taken) == 4
    assert len(list(video.iterate())) == len(video)  # with all its threads


def test_a_frame_is_asked_for_by_a_whole_number_of_any_type(videos):
    video = LazyVideo(videos("constant.mp4"))
    for t in (7, np.int64(7), np.uint8(7), np.array(7), -len(video) + 7):
        assert video[t].shape == video.shape[1:]
        np.testing.assert_array_equal(video[t], video[7])
    for wrong in (len(video), True, 1.0):
        with pytest.raises(IndexError):
            video[wrong]
