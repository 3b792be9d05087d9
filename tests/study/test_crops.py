import errno
import json
import os
import shutil

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_ubam.errors import StudyError, UbamError, VideoError
from napari_ubam.progress import Cancelled
from napari_ubam.settings import StudySettings
from napari_ubam.study import Crops, cache_size, check_disk, cut_square, load_crops, resize_square
from napari_ubam.study.npy import NpyWriter
from napari_ubam.video import write_video


def load(study, report=None) -> Crops:
    return load_crops(study, study.recordings[0], *([report] if report else []))


def written(study) -> int:
    """When the recording's cache was written [ns]."""
    return (study.cache_folder / "walk" / "crops.json").stat().st_mtime_ns


def test_the_whole_picture_becomes_a_square(make_study, frames):
    crops = load(make_study())
    assert crops.frames.shape == (12, 32, 32, 3)
    assert isinstance(crops.frames, np.memmap)
    np.testing.assert_array_equal(crops.frame, np.arange(12))
    np.testing.assert_array_equal(crops.squares, [[0, -8, 64, 0]] * 12)
    assert not crops.interpolated.any()
    assert (crops.fps, crops.mirrored) == (25, False)
    expected = np.stack([resize_square(cut_square(frame, crops.squares[0]), 32) for frame in frames])
    np.testing.assert_array_equal(crops.frames, expected)


def test_a_region_becomes_the_square_around_its_centre(make_study, frames):
    crops = load(make_study(x=10, y=20, width=32, height=11))
    np.testing.assert_array_equal(crops.squares[0], [10, 9, 32, 0])
    np.testing.assert_array_equal(crops.frames, frames[:, 9:41, 10:42])


def test_start_and_stop_count_frames_of_the_file(make_study, frames):
    crops = load(make_study(start=3, stop=7, x=0, y=0, width=32, height=32))
    np.testing.assert_array_equal(crops.frame, [3, 4, 5, 6])
    np.testing.assert_array_equal(crops.frames, frames[3:7, :32, :32])
    np.testing.assert_array_equal(load(make_study(start=10, stop=99)).frame, [10, 11])


@pytest.mark.parametrize(("side", "mirrored"), [("right", True), ("left", False), (None, False)])
def test_the_other_side_is_mirrored(make_study, frames, side, mirrored):
    settings = StudySettings(crop_size=32, mirror_to="left", background="median")
    crops = load(make_study(settings, side=side, x=8, y=8, width=32, height=32))
    shown = frames[:, 8:40, 8:40]
    assert crops.mirrored == mirrored
    np.testing.assert_array_equal(crops.frames, shown[:, :, ::-1] if mirrored else shown)
    background = np.sort(shown, axis=0)[6]
    np.testing.assert_array_equal(crops.background, background[:, ::-1] if mirrored else background)
    np.testing.assert_array_equal(crops.squares[0], [8, 8, 32, 0])


def test_boxes_are_followed(make_study, tmp_path, frames):
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("frame,x,y,width,height\n2,4,8,32,20\n6,12,8,30,32\n")
    crops = load(make_study(StudySettings(crop_size=32, hide_others=False), boxes=boxes, start=1, stop=8))
    np.testing.assert_array_equal(crops.interpolated, [1, 0, 1, 1, 1, 0, 1])
    np.testing.assert_allclose(crops.squares[:, 0], [4, 4, 5.75, 7.5, 9.25, 11, 11])
    assert (crops.squares[:, 2] == 32).all()
    np.testing.assert_array_equal(crops.frames[1], frames[2, 2:34, 4:36])
    assert crops.background is None


@pytest.mark.parametrize("mirrored", [False, True])
def test_crops_are_turned_so_that_the_head_is_up(make_study, tmp_path, frames, mirrored):
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("frame,x,y,width,height,angle\n0,8,8,32,32,90\n11,8,8,32,32,90\n")
    settings = StudySettings(crop_size=32, hide_others=False, turn="body", mirror_to="left" if mirrored else "none")
    crops = load(make_study(settings, boxes=boxes, side="right"))
    np.testing.assert_array_equal(crops.squares, [[8, 8, 32, 90]] * 12)
    upright = np.rot90(frames[:, 8:40, 8:40], axes=(1, 2))  # what was right is up
    np.testing.assert_array_equal(crops.frames, upright[:, :, ::-1] if mirrored else upright)
    plain = load(make_study(StudySettings(crop_size=32, hide_others=False), boxes=boxes))
    np.testing.assert_array_equal(plain.frames, frames[:, 8:40, 8:40])


def test_what_cannot_be_turned_says_what_to_do(make_study, tmp_path):
    settings, boxes = StudySettings(crop_size=32, turn="body"), tmp_path / "boxes.csv"
    boxes.write_text("frame,x,y,width,height\n0,8,8,32,32\n")
    with pytest.raises(StudyError, match=r"walk cannot be turned.*boxes.csv has no angle.*track STUDY walk"):
        load(make_study(settings, boxes=boxes))
    with pytest.raises(StudyError, match=r"walk cannot be turned.*it has no boxes"):
        load(make_study(settings))


def test_the_background_is_at_the_videos_resolution(make_study, frames):
    crops = load(make_study(StudySettings(crop_size=32, background="median"), x=0, y=0, width=48, height=48))
    np.testing.assert_array_equal(crops.background, np.sort(frames[:, :48, :48], axis=0)[6])
    assert load(make_study(StudySettings(crop_size=32, background="none"))).background is None


def test_the_edge_of_a_region_that_moves_is_faded_to_the_colour_of_the_floor(make_study, frames):
    plain = load(make_study(StudySettings(crop_size=32, background="none", hide_others=False))).frames
    faded = load(make_study(StudySettings(crop_size=32, background="none"))).frames
    np.testing.assert_array_equal(faded[:, 10:22, 10:22], plain[:, 10:22, 10:22])
    corner = np.median(plain, (0, 1, 2)).astype(np.uint8)
    assert (faded[:, :3, :3] == corner).all()
    still = load(make_study(StudySettings(crop_size=32, background="median"))).frames
    np.testing.assert_array_equal(still, plain)


def test_the_background_is_found_without_being_asked_for(make_study, video):
    assert load(make_study()).background is not None
    noise = np.random.default_rng(0).integers(0, 255, (6, 80, 8, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=2)
    wide = noise.transpose(1, 0, 2, 3).reshape(80, -1, 3)[:48]
    write_video(video, [wide[:, 9 * t : 9 * t + 64] for t in range(30)], 25)
    assert load(make_study()).background is None


def test_tiff_stacks_and_folders_of_images(make_study, tmp_path, frames):
    stack, folder = tmp_path / "stack.tif", tmp_path / "images"
    tifffile.imwrite(stack, frames, photometric="rgb")
    folder.mkdir()
    for t, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{t}.png")
    expected = load(make_study()).frames
    for path in (stack, folder):
        crops = load(make_study(path=path))
        np.testing.assert_array_equal(crops.frames, expected)
        assert crops.fps == 0


def test_raw_arrays(make_study, tmp_path, frames):
    expected = load(make_study()).frames
    np.save(tmp_path / "a.npy", frames)
    zarr.create_array(tmp_path / "a.zarr", data=frames, chunks=(1, *frames.shape[1:]))
    for name in ("a.npy", "a.zarr"):
        np.testing.assert_array_equal(load(make_study(path=tmp_path / name)).frames, expected)
    zarr.open_array(tmp_path / "a.zarr", mode="r+")[1] = 255 - frames[1]  # a file deep in the folder
    assert not np.array_equal(load(make_study(path=tmp_path / "a.zarr")).frames[1], expected[1])


def test_the_second_time_comes_from_the_cache(make_study):
    study = make_study()
    first = load(study)
    when = written(study)
    again = load(study)
    assert written(study) == when
    for name in ("frames", "frame", "squares", "interpolated", "background"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))
    assert not (study.cache_folder / "walk" / "samples.npy").exists()


def test_the_cache_goes_out_of_date(make_study, tmp_path, video, frames):
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("frame,x,y,width,height\n0,4,8,32,32\n")
    about = make_study().cache_folder / "walk" / "crops.json"
    seen = []

    def is_decoded_again(*args, **attributes) -> bool:
        load(make_study(*args, **attributes))
        seen.append(json.loads(about.read_text())["key"])
        return len(seen) == 1 or seen[-1] != seen[-2]

    assert is_decoded_again()
    assert not is_decoded_again()
    assert not is_decoded_again(subject="b", session="2")  # names change no pixel
    assert is_decoded_again(x=0, y=0, width=9, height=9)
    assert is_decoded_again(start=1)
    assert is_decoded_again(StudySettings(crop_size=64))
    assert is_decoded_again(StudySettings(crop_size=64, background="none"))
    assert is_decoded_again(boxes=boxes)
    os.utime(boxes, ns=(1, 1))
    assert is_decoded_again(boxes=boxes)
    write_video(video, frames[:5], 25)
    assert is_decoded_again(boxes=boxes)
    assert len(load(make_study(boxes=boxes)).frame) == 5


@pytest.mark.parametrize("name", ["crops.json", "crops.npy", "index.npz", "background.npy"])
def test_a_damaged_cache_does_not_count(make_study, name):
    study = make_study()
    expected = np.array(load(study).frames)
    path = study.cache_folder / "walk" / name
    path.write_bytes(path.read_bytes()[:100])
    np.testing.assert_array_equal(load(study).frames, expected)
    path.unlink()
    np.testing.assert_array_equal(load(study).frames, expected)


def test_stopping_leaves_nothing_half_written(make_study):
    study = make_study()
    reports = []

    def stop(progress):
        reports.append(progress)
        raise Cancelled

    with pytest.raises(Cancelled):
        load(study, stop)
    assert list(study.cache_folder.iterdir()) == []
    assert (reports[0].done, reports[0].total) == (0, 12)
    assert "walk" in reports[0].stage


def test_a_disk_that_fills_up(make_study, monkeypatch):
    def full(writer, picture):
        raise OSError(errno.ENOSPC, "No space left on device")

    study = make_study()
    with monkeypatch.context() as patch:
        patch.setattr(NpyWriter, "append", full)
        with pytest.raises(UbamError, match="disk is full"):
            load(study)
    assert list(study.cache_folder.iterdir()) == []
    assert len(load(study).frames) == 12


def test_progress_ends_at_its_total(make_study):
    reports = []
    load(make_study(), reports.append)
    assert (reports[-1].done, reports[-1].total, reports[-1].message) == (12, 12, "")


def test_a_missing_video(make_study, tmp_path):
    with pytest.raises(VideoError, match=r"none.mp4 is missing.*walk in .*recordings.csv"):
        load(make_study(path=tmp_path / "none.mp4"))
    with pytest.raises(StudyError, match=r"none.csv are missing"):
        load(make_study(boxes=tmp_path / "none.csv"))


def test_a_file_that_is_no_video(make_study, tmp_path):
    path = tmp_path / "text.mp4"
    path.write_text("hello")
    study = make_study(path=path)
    with pytest.raises(VideoError, match=r"text.mp4"):
        load(study)
    assert not study.cache_folder.exists()


def test_a_video_that_breaks_off_is_read_as_far_as_it_goes(make_study, video):
    content = video.read_bytes()
    video.write_bytes(content[: int(len(content) * 0.6)])
    reports = []
    crops = load(make_study(), reports.append)
    assert 1 < len(crops.frame) < 12
    assert len(crops.frames) == len(crops.frame) == len(crops.squares)
    assert str(video) in reports[-1].message


@pytest.mark.parametrize(
    "attributes",
    [
        {"x": 64, "y": 0, "width": 10, "height": 10},
        {"x": 0, "y": -20, "width": 20, "height": 20},
    ],
)
def test_a_region_outside_the_picture(make_study, attributes):
    with pytest.raises(StudyError, match=r"walk: its region.*outside the picture, which is 64 x 48 px"):
        load(make_study(**attributes))


def test_boxes_outside_the_picture(make_study, tmp_path):
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("frame,x,y,width,height\n0,100,0,9,9\n")
    with pytest.raises(StudyError, match=r"walk: every box of .*boxes.csv lies outside.*64 x 48 px"):
        load(make_study(boxes=boxes))


def test_a_start_beyond_the_end(make_study):
    with pytest.raises(StudyError, match=r"walk starts at frame 12, but .*walk.mkv has 12 frames"):
        load(make_study(start=12))


def test_the_size_of_the_cache_is_foretold(make_study, video):
    study = make_study(StudySettings(crop_size=64), start=2)
    recordings = (*study.recordings, study.recordings[0].model_copy(update={"name": "again", "stop": 5}))
    both = study.replace(recordings=recordings)
    assert cache_size(both, both.recordings) == (10 + 3) * 64 * 64 * 3
    crops = load_crops(both, both.recordings[0])
    assert len(crops.frames) == 10
    assert cache_size(both, both.recordings) == 3 * 64 * 64 * 3  # what is in the cache takes nothing more
    video.unlink()
    assert cache_size(both, both.recordings) == 0  # that it is missing is told when it is read


def test_too_little_room_on_the_disk_is_told_before_anything_is_decoded(make_study, monkeypatch):
    study = make_study(StudySettings(crop_size=64))
    usage = shutil.disk_usage(study.folder.parent)._replace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(StudyError, match=r"need 0\.1 MB in .*cache, and that disk has 0\.1 MB left\. Free some space"):
        check_disk(study, study.recordings)
    load(study)
    check_disk(study, study.recordings)
