import cv2
import numpy as np
import pytest

from napari_ubam.study.background import median_picture
from napari_ubam.study.empty_scene import empty_scene, is_anybody_always_there
from napari_ubam.video import open_frames

N = 48


def room(height, width):
    """Draw a wall with soft patches, a pillar, and a floor."""
    rng = np.random.default_rng(0)
    patches = rng.normal(0, 1, (height // 16 + 1, width // 16 + 1, 3)).astype(np.float32)
    wall = 110 + 12 * cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC)
    wall[:, width // 8 : width // 8 + width // 20] -= 40
    wall[int(0.93 * height) :] = (150, 120, 90)
    return wall


def film(scene, draw, noise=3.0):
    """Film N moments: ``draw`` paints the subject into a copy of the scene."""
    rng = np.random.default_rng(1)
    pictures = []
    for t in range(N):
        picture = scene.copy()
        draw(picture, t)
        pictures.append(np.clip(picture + rng.normal(0, noise, picture.shape), 0, 255).astype(np.uint8))
    return np.stack(pictures)


def walker(picture, t):
    """Somebody on a treadmill: trunk and head sway a little, two legs swing."""
    height, width = picture.shape[:2]
    unit, phase = height / 100, 2 * np.pi * t / 11
    x, y = float(width / 2 + unit * 1.5 * np.sin(2 * phase)), float(unit * 1.2 * np.cos(2 * phase))
    at = lambda dx, dy: (round(x + unit * dx), round(y + unit * dy))  # noqa: E731
    for side, colour in ((0, (40, 60, 150)), (np.pi, (60, 90, 200))):
        swing = float(16 * np.sin(phase + side))
        cv2.line(picture, at(0, 55), at(swing, 90), colour, int(7 * unit))
    cv2.line(picture, at(0, 25), at(0, 55), (210, 200, 60), int(14 * unit))
    cv2.circle(picture, at(0, 12), int(7 * unit), (220, 180, 160), -1)


def nobody_of(pictures, scene):
    """Tell the pixels at which the subject is seen at some time."""
    return (np.abs(pictures - scene).max((0, 3)) > 35).astype(np.uint8)


def the_median_holds(pictures, empty):
    """Check that the scene is the median, and whether it is said to be without a subject."""
    median = median_picture(pictures)
    found, is_empty = empty_scene(pictures, median)
    np.testing.assert_array_equal(found, median)
    assert is_empty == empty
    assert is_anybody_always_there(pictures) != empty


@pytest.mark.parametrize("size", [(100, 100), (360, 300)])
def test_somebody_who_walks_on_the_spot_is_not_in_the_background(size):
    scene = room(*size)
    pictures = film(scene, walker)
    median = median_picture(pictures)
    found, is_empty = empty_scene(pictures, median)
    assert is_empty
    touched = nobody_of(pictures, scene) > 0
    error = lambda picture: np.abs(picture - scene).max(-1)  # noqa: E731
    assert np.mean(error(median)[touched] > 40) > 0.3  # trunk, head and the thighs' ghosts
    assert np.mean(error(found)[touched] > 40) < 0.02
    # what legs uncover now and then is the background itself, not a guess
    seen = touched & (np.mean(np.abs(pictures - scene).max(-1) < 15, axis=0) > 0.3)
    assert np.mean(error(found)[seen] < 12) > 0.9


def test_what_the_subject_never_reaches_is_the_median():
    scene = room(100, 100)
    pictures = film(scene, walker)
    median = median_picture(pictures)
    far = cv2.dilate(nobody_of(pictures, scene), np.ones((25, 25))) == 0
    np.testing.assert_array_equal(empty_scene(pictures, median)[0][far], median[far])


def test_where_the_subject_moves_about_the_median_holds():
    def mouse(picture, t):
        at = np.random.default_rng(t).integers(12, 88, 2)
        cv2.ellipse(picture, tuple(at.tolist()), (8, 5), t * 40, 0, 360, (30, 30, 30), -1)

    pictures = film(room(100, 100), mouse)
    the_median_holds(pictures, empty=True)


def test_of_somebody_who_passes_the_median_holds():
    def passer_by(picture, t):
        cv2.rectangle(picture, (3 * t - 60, 20), (3 * t - 20, 90), (60, 50, 40), -1)

    pictures = film(room(100, 100), passer_by)
    the_median_holds(pictures, empty=True)


def test_a_paw_that_leaves_its_place_is_no_subject_that_is_always_there():
    def paw(picture, t):
        if t % 4 == 0:
            cv2.circle(picture, (50, 60), 8, (230, 200, 200), -1)

    pictures = film(room(100, 100), paw)
    the_median_holds(pictures, empty=True)


@pytest.mark.parametrize("n", [1, 3, N])
def test_of_an_empty_room_nothing_is_painted_over(n):
    pictures = film(room(60, 80), lambda picture, t: None)[:n]
    the_median_holds(pictures, empty=True)


def close_up(zoom):
    """Film the walker's upper half, cut off below by the picture's edge."""

    def draw(picture, t):
        wide = cv2.resize(picture, None, fx=zoom, fy=zoom)
        walker(wide, t)
        left = wide.shape[1] // 2 - 50
        picture[:] = wide[10:110, left : left + 100]

    return draw


def test_a_subject_may_be_cut_off_by_the_edge():
    scene = room(100, 100)
    pictures = film(cv2.GaussianBlur(scene, (0, 0), 20), close_up(2.2))
    median = median_picture(pictures)
    found, is_empty = empty_scene(pictures, median)
    assert is_empty
    assert np.mean(np.abs(median[60:, 40:60].astype(float) - median[60:, :20].mean((0, 1))) > 40) > 0.3
    assert np.mean(np.abs(found[60:, 40:60].astype(float) - median[60:, :20].mean((0, 1))) > 40) < 0.05


def test_a_subject_that_fills_the_picture_stays():
    pictures = film(room(100, 100), close_up(5))
    the_median_holds(pictures, empty=False)


def test_an_outline_that_stays_is_no_success():
    """A mouse on a wheel whose back is out of the picture: the dark gap below its belly is background."""

    def mouse(picture, t):
        picture[:] = 20
        cv2.ellipse(picture, (50, 0), (60, 40), 0, 0, 360, (60, 60, 60), -1)
        cv2.circle(picture, (50, 170), 100, (45, 45, 45), 3)
        for x in (25, 70):
            swing = float(8 * np.sin(2 * np.pi * t / 9 + x))
            cv2.line(picture, (x, 35), (round(x + swing), 68), (75, 70, 70), 5)

    pictures = film(np.zeros((100, 100, 3)), mouse)
    median = median_picture(pictures)
    found, _ = empty_scene(pictures, median)
    assert np.abs(found[50:66, 45:55].astype(float) - 20).max() < 15


def test_rows_in_parts_are_rows_at_once():
    pictures = film(room(90, 70), walker)
    median = median_picture(pictures)
    (one, _), (other, _) = (empty_scene(pictures, median, rows) for rows in (17, 1000))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("name", "empty"),
    [("mirror_mouse.mp4", False), ("mouse_arena.mp4", True), ("horse.mp4", True), ("fly_pair.mp4", True)],
)
def test_of_real_recordings_the_median_holds(shared, name, empty):
    """A mouse, a horse and flies that go about, and a mouse on a wheel whose back is out of the picture."""
    with open_frames(shared / "data" / name) as source:
        pictures = source.read(np.linspace(0, len(source) - 1, 64).round().astype(int).tolist())
    the_median_holds(pictures, empty)
