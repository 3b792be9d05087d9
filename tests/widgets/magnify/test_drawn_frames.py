import numpy as np
import pytest

from napari_ubam.errors import StudyError
from napari_ubam.pipeline import Magnifier
from napari_ubam.video import open_frames
from napari_ubam.video.napari_io import write_image
from napari_ubam.widgets.magnify import drawn_frames
from napari_ubam.widgets.magnify.drawn_frames import DeviationVideo, DrawnFrames, MagnifiedVideo


@pytest.fixture
def magnifier(trained):
    return Magnifier(trained, trained.recordings[-1].name, "cpu")


@pytest.fixture
def frames(magnifier):
    return DrawnFrames(magnifier, 6)


def test_any_frame_is_drawn_when_it_is_read(frames, magnifier):
    video, heat = MagnifiedVideo(frames), DeviationVideo(frames)
    one, other = magnifier.draw([3, 7], 6)
    np.testing.assert_allclose(video[3].astype(int), one.image, atol=1)  # a batch of another size rounds otherwise
    np.testing.assert_array_equal(video[3, 4:, :], video[3][4:])
    np.testing.assert_allclose(video[3:8:4].astype(int), [one.image, other.image], atol=1)
    np.testing.assert_allclose(heat[7], other.heatmap, rtol=0.01, atol=1e-3)
    assert heat[2:5, 1:].shape == (3, 63, 64)
    frames.factor = 0
    np.testing.assert_array_equal(video[3], magnifier.draw([3], 0)[0].image)


def test_factor_one_shows_the_recording_itself(frames):
    frames.factor = 1
    np.testing.assert_array_equal(np.asarray(MagnifiedVideo(frames)), frames.original[:])


def test_the_viewer_does_not_wait_but_is_given_what_there_is(frames):
    asked = []
    frames.ask = asked.append
    video = MagnifiedVideo(frames)
    view = (5, slice(None), slice(None))
    np.testing.assert_array_equal(video[view], frames.original[5])
    assert asked == [5]
    drawn = frames.image(5)
    np.testing.assert_array_equal(video[view], drawn)
    frames.factor = 0
    np.testing.assert_array_equal(video[view], drawn)  # until it is drawn at the new factor
    np.testing.assert_array_equal(video[6, :, :], drawn)  # the last that was seen
    assert asked == [5, 5, 6]
    assert (video[5] != drawn).any()  # who reads it otherwise gets it as it is
    assert asked == [5, 5, 6]


@pytest.mark.parametrize("seen", ["image", "marks"])
def test_what_is_not_seen_is_not_drawn(frames, monkeypatch, seen):
    def fail(*_: object) -> None:
        raise AssertionError("nobody wants it")

    hidden = "marks" if seen == "image" else "image"
    setattr(frames, f"wants_{hidden}", False)
    monkeypatch.setattr(frames._magnifier, "marks" if hidden == "marks" else "images", fail)
    assert not frames.is_ready(5)
    frames.prepare(5)
    assert frames.is_ready(5)
    setattr(frames, f"wants_{hidden}", True)
    assert not frames.is_ready(5)
    with pytest.raises(AssertionError, match="nobody"):
        frames.prepare(5)


def test_another_factor_does_not_draw_the_marks_again(frames, monkeypatch):
    frames.prepare(5)
    monkeypatch.setattr(frames._magnifier, "marks", None)
    heatmap = frames.marks(5).heatmap
    frames.factor = 2
    assert not frames.is_ready(5)
    frames.prepare(5)
    assert frames.is_ready(5)
    assert frames.marks(5).heatmap is heatmap


def test_the_viewer_sees_the_last_heatmap_until_the_next_is_there(frames):
    frames.ask = lambda frame: None
    heat = DeviationVideo(frames)
    assert not heat[5, :, :].any()
    found = frames.marks(5).heatmap
    np.testing.assert_array_equal(heat[5, :, :], found)
    np.testing.assert_array_equal(heat[6, :, :], found)


def test_the_curtain_hides_the_left(frames):
    video = MagnifiedVideo(frames)
    frames.split = 0.25
    np.testing.assert_array_equal(video[5][:, :16], frames.original[5][:, :16])
    np.testing.assert_array_equal(video[5][:, 16:], frames.image(5)[:, 16:])


def test_frames_that_do_not_belong_to_the_recording_stay_as_they_are(trained):
    magnifier = Magnifier(trained, trained.recordings[-1].name, "cpu")
    magnifier.frame, magnifier.left = magnifier.frame[4:], magnifier.left[4:]
    frames = DrawnFrames(magnifier, 6)
    np.testing.assert_array_equal(MagnifiedVideo(frames)[0], frames.original[0])
    assert not DeviationVideo(frames)[0].any()


def test_only_so_many_frames_are_kept(frames, monkeypatch):
    frames._room = 2
    for t in (1, 2, 3):
        frames.prepare(t)
    assert [frames.is_ready(t) for t in (1, 2, 3)] == [False, True, True]
    frames.make_room(3)
    frames.prepare(1)
    assert [frames.is_ready(t) for t in (1, 2, 3)] == [True, True, True]
    monkeypatch.setattr(drawn_frames, "MAX_BYTES", 1000)
    with pytest.raises(StudyError, match="fewer frames"):
        frames.make_room(24)


def test_the_writers_save_every_frame_magnified(frames, magnifier, tmp_path):
    frames.ask = lambda frame: None  # whatever the viewer shows
    write_image(str(tmp_path / "a.mkv"), MagnifiedVideo(frames), {"rgb": True})
    write_image(str(tmp_path / "b.mkv"), DeviationVideo(frames), {"contrast_limits": (1, 3.5)})
    with open_frames(tmp_path / "a.mkv") as video, open_frames(tmp_path / "b.mkv") as heat:
        expected = [one.image for one in magnifier.iterate(6)]
        np.testing.assert_allclose(video[:].astype(int), np.stack(expected).astype(int), atol=1)
        assert len(heat) == len(expected)
