import cv2
import numpy as np
import pytest

from napari_ubam.errors import StudyError
from napari_ubam.progress import Cancelled
from napari_ubam.settings import TrackSettings
from napari_ubam.study import Recording, follow
from napari_ubam.study.follow import follow_subjects
from napari_ubam.video import open_frames, write_video

HEIGHT, WIDTH, FPS = 96, 128, 25


def floor(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 255, (HEIGHT, WIDTH, 3)).astype(np.float32)
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 4) * 1.5 - 40, 0, 255).astype(np.uint8)


def draw(picture: np.ndarray, centre: np.ndarray, angle: float, grey: int = 20) -> None:
    """Draw a body 22 px long and 10 px wide, with a thin tail, whose head points to ``angle`` (clockwise from up)."""
    head = np.array([np.sin(np.radians(angle)), -np.cos(np.radians(angle))])

    def at(point: np.ndarray) -> tuple[int, ...]:
        return tuple(np.round((point - 0.5) * 16).astype(int).tolist())  # in 1/16 px

    cv2.ellipse(picture, at(centre), (11 * 16, 5 * 16), angle - 90, 0, 360, (grey,) * 3, -1, cv2.LINE_AA, 4)
    cv2.line(picture, at(centre - 10 * head), at(centre - 18 * head), (grey,) * 3, 1, cv2.LINE_AA, 4)


def circle(n: int, radius: float = 28.0) -> tuple[np.ndarray, np.ndarray]:
    """Walk clockwise round the middle: places (n, 2) and where the head points (n,) [degrees]."""
    turn = np.linspace(0, 2 * np.pi, n)
    places = np.array([WIDTH / 2, HEIGHT / 2]) + radius * np.stack([np.sin(turn), -np.cos(turn)], 1)
    return places, (np.degrees(turn) + 90 + 180) % 360 - 180


def film(path, places, angles, *, hidden=(), light=None, second=None):
    """Write a video of one walker, or two."""
    frames = []
    for t, (place, angle) in enumerate(zip(places, angles, strict=True)):
        picture = floor()
        if t not in hidden:
            draw(picture, place, angle)
        if second is not None:
            draw(picture, second[0][t], second[1][t])
        frames.append(cv2.add(picture, (light[t],) * 3 + (0,)) if light is not None else picture)
    write_video(path, frames, FPS)
    return Recording(name="walk", path=path, subject="a", group="healthy")


def centres(boxes):
    return boxes.box[:, :2] + boxes.box[:, 2:] / 2


def apart(angle, other):
    return np.abs((angle - other + 180) % 360 - 180)


def test_a_subject_is_found_with_its_head(tmp_path):
    """Also under a light that changes, and although it walks backwards for a moment."""
    places, angles = circle(100)
    places = np.concatenate([places[:40], places[40:30:-1], places[30:]])
    angles = np.concatenate([angles[:40], angles[40:30:-1], angles[30:]])
    light = np.round(10 * np.sin(np.arange(len(places)) / 9)).tolist()
    (track,) = follow_subjects(film(tmp_path / "walk.mkv", places, angles, light=light), 1, TrackSettings(smooth=0))
    np.testing.assert_array_equal(track.frame, np.arange(len(places)))
    np.testing.assert_array_equal(track.boxes.frame, track.frame)
    assert track.doubts == ""
    assert np.linalg.norm(centres(track.boxes) - places, axis=1).max() < 1
    assert apart(track.boxes.angle, angles).max() < 6


def test_all_boxes_have_one_size_and_hold_the_subject(tmp_path):
    recording = film(tmp_path / "walk.mkv", *circle(80))
    side = follow_subjects(recording, 1, TrackSettings(margin=0))[0].boxes.box[:, 2:]
    assert (side == side[0, 0]).all()
    assert 30 <= side[0, 0] <= 40  # the tail reaches 18 px from the centre
    wider = follow_subjects(recording, 1, TrackSettings(margin=0.5))[0].boxes.box[0, 2]
    assert wider == pytest.approx(1.5 * side[0, 0], abs=1)
    assert (follow_subjects(recording, 1, TrackSettings(side=50))[0].boxes.box[:, 2:] == 50).all()


def test_smoothing_takes_jitter_off(tmp_path):
    places, angles = circle(80)
    shaken = places + np.random.default_rng(0).normal(0, 2, places.shape)
    recording = film(tmp_path / "walk.mkv", shaken, angles)
    raw, smooth = (follow_subjects(recording, 1, TrackSettings(smooth=s))[0].boxes for s in (0, 0.1))
    error = [np.linalg.norm(centres(boxes) - places, axis=1)[5:-5].mean() for boxes in (raw, smooth)]
    assert error[1] < 0.6 * error[0]


def test_frames_without_the_subject_are_gaps(tmp_path):
    hidden = range(30, 45)
    (track,) = follow_subjects(film(tmp_path / "walk.mkv", *circle(60), hidden=hidden), 1, TrackSettings())
    np.testing.assert_array_equal(track.frame, np.arange(60))
    np.testing.assert_array_equal(np.setdiff1d(track.frame, track.boxes.frame), hidden)
    assert "found in 75 % of the frames" in track.doubts


def test_a_subject_that_rests_most_of_the_time_is_no_background(tmp_path):
    places, angles = circle(30)
    places, angles = (
        np.concatenate([x[:1].repeat(35, axis=0), x, x[-1:].repeat(35, axis=0)]) for x in (places, angles)
    )
    (track,) = follow_subjects(film(tmp_path / "walk.mkv", places, angles), 1, TrackSettings(smooth=0))
    assert len(track.boxes.frame) == 100
    error = np.linalg.norm(centres(track.boxes) - places, axis=1)
    assert error.max() < 6  # just when it sets off
    assert error.mean() < 1


def test_what_flashes_up_is_not_the_subject(tmp_path):
    """For four frames a lamp as large as the subject shines elsewhere while the subject is hidden."""
    places, angles = circle(100)
    recording = film(tmp_path / "walk.mkv", places, angles, hidden=range(50, 54))
    with open_frames(recording.path) as source:
        frames = source[:]
    frames[50:54, 4:18, 4:18] = 255
    write_video(recording.path, frames, FPS)
    (track,) = follow_subjects(recording, 1, TrackSettings(smooth=0))
    np.testing.assert_array_equal(np.setdiff1d(track.frame, track.boxes.frame), range(50, 54))
    assert np.linalg.norm(centres(track.boxes) - places[track.boxes.frame], axis=1).max() < 1


def test_two_subjects_that_touch_keep_their_boxes(tmp_path):
    """One crosses the picture from left to right, the other one comes to it and goes back."""
    n = 60
    share = np.linspace(0, 1, n)
    first = np.stack([20 + 88 * share, np.full(n, 40.0)], 1)
    second = np.stack([np.full(n, 72.0), 76 - 21 * np.sin(np.pi * share)], 1)
    recording = film(tmp_path / "two.mkv", first, np.full(n, 90.0), second=(second, np.zeros(n)))
    left, right = follow_subjects(recording, 2, TrackSettings(smooth=0))
    for track, places in ((left, first), (right, second)):
        assert len(track.boxes.frame) > 0.9 * n
        assert np.linalg.norm(centres(track.boxes) - places[track.boxes.frame], axis=1).max() < 8  # of 22


def test_only_the_region_and_the_range_are_looked_at(tmp_path):
    n = 60
    share = np.linspace(0, 1, n)
    first, second = (np.stack([20 + 88 * share, np.full(n, y)], 1) for y in (24.0, 72.0))
    recording = film(tmp_path / "two.mkv", first, np.full(n, 90.0), second=(second, np.full(n, 90.0)))
    lower = recording.model_copy(update={"x": -5, "y": 48, "width": 200, "height": 48, "start": 10, "stop": 50})
    (track,) = follow_subjects(lower, 1, TrackSettings(smooth=0))
    np.testing.assert_array_equal(track.boxes.frame, np.arange(10, 50))
    assert np.linalg.norm(centres(track.boxes) - second[10:50], axis=1).max() < 1


def test_large_pictures_are_looked_at_smaller(tmp_path, monkeypatch):
    monkeypatch.setattr(follow, "_WORKING", 512)
    places, angles = circle(20)
    recording = film(tmp_path / "walk.mkv", places, angles)
    large = tmp_path / "large.mkv"
    with open_frames(recording.path) as source:
        write_video(large, [cv2.resize(f, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC) for f in source], FPS)
    (track,) = follow_subjects(recording.model_copy(update={"path": large}), 1, TrackSettings(smooth=0))
    assert np.linalg.norm(centres(track.boxes) - 5 * places, axis=1).max() < 5


def test_a_camera_that_moves_is_refused(tmp_path):
    path = tmp_path / "pan.mkv"
    noise = np.random.default_rng(0).integers(0, 255, (12, 60, 3), dtype=np.uint8)
    wide = cv2.resize(noise, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    write_video(path, [wide[:, 8 * t : 8 * t + WIDTH] for t in range(40)], FPS)
    with pytest.raises(StudyError, match=r"camera of .*pan.mkv moves.*boxes"):
        follow_subjects(Recording(name="pan", path=path, subject="a", group="b"), 1, TrackSettings())


def test_nobody_to_be_found(tmp_path):
    path = tmp_path / "empty.mkv"
    write_video(path, [floor()] * 10, FPS)
    recording = Recording(name="empty", path=path, subject="a", group="b")
    with pytest.raises(StudyError, match=r"Nothing moves in .*empty.mkv"):
        follow_subjects(recording, 1, TrackSettings())
    beside = recording.model_copy(update={"x": 500, "y": 0, "width": 20, "height": 20})
    with pytest.raises(StudyError, match=r"empty: its region .* outside the picture, which is 128 x 96 px"):
        follow_subjects(beside, 1, TrackSettings())


def test_more_subjects_than_there_are(tmp_path):
    with pytest.raises(StudyError, match=r"2 subjects were never seen apart in .*walk.mkv"):
        follow_subjects(film(tmp_path / "walk.mkv", *circle(40)), 2, TrackSettings())


def test_tracking_can_be_cancelled(tmp_path):
    def stop(progress):
        if progress.stage.startswith("tracking"):
            raise Cancelled

    with pytest.raises(Cancelled):
        follow_subjects(film(tmp_path / "walk.mkv", *circle(40)), 1, TrackSettings(), stop)


def test_the_mouse_is_followed(shared):
    """A real mouse in its arena: always found, never far from where it was, its box as large as it is."""
    recording = Recording(
        name="m", path=shared / "data" / "mouse_arena.mp4", subject="a", group="b", start=3000, stop=3200
    )
    (track,) = follow_subjects(recording, 1, TrackSettings())
    assert track.doubts == ""
    assert len(track.boxes.frame) == 200
    assert 90 <= track.boxes.box[0, 2] <= 160  # body and tail take 60 to 90 px
