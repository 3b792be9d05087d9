"""Files that are damaged, cut off, replaced or no video at all."""

import multiprocessing
import shutil
import warnings
import wave

import av
import numpy as np
import pytest

from napari_ubam.errors import VideoError
from napari_ubam.video import LazyVideo
from napari_ubam.video.packets import scan

FUZZED = ["constant.mp4", "open_gop.mkv", "no_index.ts", "b_frames.avi", "lossless.mkv", "vp9.webm", "mpeg2.mpg"]


def spoil(source, path, position):
    """Overwrite most of the packet at a position of the file."""
    data = bytearray(source.read_bytes())
    start = packet_start(source, position)
    size = int(scan(source).size[position])
    for i in range(start + size // 8, start + size):
        data[i] = (7 * i + 13) % 251
    path.write_bytes(data)
    return path


def packet_start(source, position):
    with av.open(str(source)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        found = source.read_bytes().find(bytes(packets[position]))
    assert found > 0
    return found


@pytest.mark.filterwarnings("ignore:.*is damaged")
@pytest.mark.parametrize("kind", ["constant.mp4", "open_gop.mkv", "lossless.mkv", "photos.mov"])
@pytest.mark.parametrize("order", ["forwards", "backwards", "random"])
def test_a_damaged_packet_costs_its_own_group_only(videos, kit, tmp_path, kind, order):
    truth = kit.decode_all(videos(kind))
    sound = LazyVideo(videos(kind))
    first, after = sound.keyframes[2:4]
    position = int(np.flatnonzero(scan(videos(kind)).key)[2])
    video = LazyVideo(spoil(videos(kind), tmp_path / kind, position))
    assert len(video) == len(truth)
    numbers = {
        "forwards": range(len(truth)),
        "backwards": range(len(truth))[::-1],
        "random": np.random.default_rng(0).permutation(len(truth)),
    }[order]
    shown = {int(t): video[int(t)] for t in numbers}
    assert first in video.damaged
    assert set(video.damaged) <= set(range(first - 4, after))
    assert "is damaged" in video.problem
    for t, frame in shown.items():
        last_good = max(g for g in range(t + 1) if g not in video.damaged)
        np.testing.assert_array_equal(frame, truth[last_good], err_msg=f"frame {t}")
    for t, frame in enumerate(video):
        np.testing.assert_array_equal(frame, shown[t])


def test_the_first_damaged_frame_warns(videos, tmp_path):
    video = LazyVideo(spoil(videos("photos.mov"), tmp_path / "v.mov", 40))
    video[39]
    with pytest.warns(UserWarning, match=r"v\.mov is damaged: frames .* last good one"):
        video[40]
    assert video.damaged.tolist() == [40]


def test_damage_at_the_start_shows_the_first_good_frame(videos, kit, tmp_path):
    truth = kit.decode_all(videos("lossless.mkv"))
    video = LazyVideo(spoil(videos("lossless.mkv"), tmp_path / "v.mkv", 0))
    good = min(set(range(kit.n)) - set(video.damaged))
    np.testing.assert_array_equal(video[0], truth[good + kit.n - len(video)])


@pytest.mark.parametrize("name", ["mit Leerzeichen.mp4", "движение 運動.mp4", "ö'\"%#.mp4", ".hidden.mp4"])
def test_names_with_spaces_and_letters_of_all_kinds(videos, tmp_path, name):
    (tmp_path / "a folder").mkdir()
    path = tmp_path / "a folder" / name
    shutil.copy(videos("constant.mp4"), path)
    np.testing.assert_array_equal(LazyVideo(path)[30], LazyVideo(videos("constant.mp4"))[30])


def test_a_sound_file_has_no_pictures(tmp_path):
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    (tmp_path / "sound.wav").rename(tmp_path / "sound.mp4")
    with pytest.raises(VideoError, match=r"sound\.mp4 has no pictures"):
        LazyVideo(tmp_path / "sound.mp4")


def test_a_file_that_changes_or_disappears_while_it_is_open(videos, kit, tmp_path):
    path = kit.cut(videos("long_gop.mp4"), tmp_path / "v.mp4", 1.0)
    video = LazyVideo(path)
    shutil.copy(videos("variable.mp4"), path)
    with pytest.raises(VideoError, match=r"v\.mp4 has changed since it was opened\. Open it again"):
        video[5]
    video = LazyVideo(path)
    video.close()
    path.unlink()
    with pytest.raises(VideoError, match=r"v\.mp4 was not found"):
        video[40]


def fuzz(source, path, seed):
    """Damage a file at random: bytes changed, left out, repeated, or the end cut off."""
    rng = np.random.default_rng(seed)
    data = bytearray(source.read_bytes())
    for _ in range(rng.integers(1, 6)):
        at, n = int(rng.integers(len(data))), int(rng.integers(1, 200))
        match int(rng.integers(4)):
            case 0:
                data[at : at + n] = rng.integers(0, 256, len(data[at : at + n]), np.uint8).tobytes()
            case 1:
                del data[at : at + n]
            case 2:
                data[at:at] = data[at : at + n]
            case 3:
                del data[max(200, len(data) - n * 20) :]
    path.write_bytes(data)
    return path


def read_all(paths, pipe):
    """Open and read each file in several orders; tell when each is done."""
    import resource

    warnings.simplefilter("ignore")
    for path in paths:
        try:
            with LazyVideo(path) as video:
                n = len(video)
                for t in [0, n - 1, *np.random.default_rng(0).integers(0, n, 12)]:
                    assert video[int(t)].shape == video.shape[1:]
                assert sum(1 for _ in video) == n
                assert len(video.timestamps) == n
            said = "read"
        except VideoError as error:
            said = str(error)
        pipe.send((said, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
    pipe.close()


@pytest.mark.parametrize("seeds", [range(5), pytest.param(range(5, 50), marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", FUZZED)
def test_no_damaged_file_crashes_hangs_or_fills_the_memory(videos, tmp_path, kind, seeds):
    pytest.importorskip("resource")
    paths = [fuzz(videos(kind), tmp_path / f"{seed}_{kind}", seed) for seed in seeds]
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=read_all, args=(paths, theirs))
    process.start()
    theirs.close()
    try:
        patience = 60  # for imports
        peaks = []
        for path in paths:
            assert ours.poll(patience), f"{path.name} hangs"
            said, peak = ours.recv()
            assert said == "read" or path.name in said
            peaks.append(peak)
            patience = 10
        assert peaks[-1] - peaks[0] < 300_000  # kB
        process.join(10)
        assert process.exitcode == 0
    finally:
        process.kill()
