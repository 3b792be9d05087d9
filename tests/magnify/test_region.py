import cv2
import numpy as np
import pytest

from napari_ubam.magnify.region import Region, points_to_frames, points_to_squares, warp_region
from napari_ubam.study import cut_square

HEIGHT, WIDTH = 60, 80


def smooth(height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width, 3)).astype(np.float32)
    return np.clip((cv2.GaussianBlur(noise, (0, 0), 3) - 127) * 5 + 127, 0, 255).astype(np.uint8)


def region(x: float, y: float, side: float, mirrored: bool = False, angle: float = 0) -> Region:
    return Region.of(np.array([x, y, side, angle]), mirrored, HEIGHT, WIDTH)


def warp(frame: np.ndarray, where: Region, shift: tuple[float, float] = (0, 0), uncovered: float = 0) -> np.ndarray:
    """Warp with one shift everywhere, in units of half the side; the background is black, the fill white."""
    return warp_region(
        frame, where, np.tile(np.array(shift, np.float32), (32, 32, 1)), np.full((32, 32), uncovered),
        np.full((32, 32, 3), 255.0), np.zeros((8, 8, 3), np.uint8),
    )  # fmt: skip


@pytest.mark.parametrize("square", [(10, 10, 40), (-15, 20, 60), (9.4, 3.7, 33.3), (-10, -10, 200)])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle", [0, 37])
def test_no_flow_changes_no_bit(square: tuple[float, float, float], mirrored: bool, angle: float):
    frame = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    np.testing.assert_array_equal(warp(frame, region(*square, mirrored, angle)), frame)


@pytest.mark.parametrize("square", [(10, 10, 40), (-15, 20, 60), (60, 40, 40), (9.4, 3.7, 33.3)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_only_the_region_changes(square: tuple[float, float, float], mirrored: bool):
    frame = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    where = region(*square, mirrored)
    changed = (warp(frame, where, (0.3, -0.2), 0.5) != frame).any(-1)
    assert changed.any()
    changed[where.rows, where.columns] = False
    assert not changed.any()
    x, y, side = square
    rows, columns = np.nonzero((warp(frame, where, (0.3, -0.2), 0.5) != frame).any(-1))
    assert columns.min() >= x
    assert columns.max() + 1 <= x + side
    assert rows.min() >= y
    assert rows.max() + 1 <= y + side


@pytest.mark.parametrize("angle", [45, 100, -160])
@pytest.mark.parametrize("mirrored", [False, True])
def test_only_the_turned_square_changes(angle: float, mirrored: bool):
    frame = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    changed = (warp(frame, region(25, 15, 30, mirrored, angle), (0.3, -0.2), 0.5) != frame).any(-1)
    row, column = np.nonzero(changed)
    x, y = column + 0.5 - 40, row + 0.5 - 30
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    across, down = np.abs(cos * x + sin * y), np.abs(cos * y - sin * x)
    assert max(across.max(), down.max()) <= 15
    assert min(across.max(), down.max()) > 13


@pytest.mark.parametrize("square", [(200, 0, 40), (-90, 0, 40), (0, 100, 20), (0, -100, 20)])
def test_region_outside_of_the_frame_changes_nothing(square: tuple[float, float, float]):
    frame = smooth()
    np.testing.assert_array_equal(warp(frame, region(*square), (0.3, 0), 1), frame)


@pytest.mark.parametrize(("mirrored", "moved"), [(False, -5), (True, 5)])
def test_pixels_come_from_where_the_flow_says(mirrored: bool, moved: int):
    """A flow of a quarter of half a side of 40 px looks 5 px further along the network's x."""
    frame = smooth()
    result = warp(frame, region(20, 10, 40, mirrored), (0.25, 0))
    wanted = np.roll(frame, moved, axis=1)
    middle = (slice(20, 40), slice(30, 50))  # where the change does not fade out
    assert np.abs(result[middle].astype(int) - wanted[middle]).max() <= 2


def test_flow_downwards_looks_down():
    frame = smooth()
    result = warp(frame, region(20, 10, 40), (0, 0.25))
    middle = (slice(20, 40), slice(30, 50))
    assert np.abs(result[middle].astype(int) - np.roll(frame, -5, axis=0)[middle]).max() <= 2


def test_what_is_uncovered_is_filled_with_background_and_fill():
    result = warp_region(
        smooth(), region(10, 10, 40), np.zeros((32, 32, 2)), np.ones((32, 32)), np.full((32, 32, 3), -20.0),
        np.full((40, 40, 3), 120, np.uint8),
    )  # fmt: skip
    assert (result[20:40, 20:40] == 100).all()


def test_fill_is_clipped_to_what_a_pixel_can_show():
    result = warp_region(
        smooth(), region(10, 10, 40), np.zeros((32, 32, 2)), np.ones((32, 32)), np.full((32, 32, 3), 500.0),
        np.full((40, 40, 3), 120, np.uint8),
    )  # fmt: skip
    assert (result[20:40, 20:40] == 255).all()


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle", [0, 90, 180, -90])
def test_what_was_cut_out_comes_back_to_the_same_pixels(mirrored: bool, angle: float):
    """The network's view of the square, turned and mirrored or not, comes back to the last bit."""
    frame, square = smooth(), np.array([20, 10, 40, angle])
    cut = cut_square(frame, square)
    seen = np.ascontiguousarray(cut[:, ::-1]) if mirrored else cut
    back = Region.of(square, mirrored, HEIGHT, WIDTH).spread(seen, smooth=False)
    np.testing.assert_array_equal(back, frame[10:50, 20:60])


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("square", [(22.3, 12.8, 33.4, 25), (24, 14, 30, -130), (-8, -9, 40, 60)])
def test_any_turn_comes_back_to_the_same_place(mirrored: bool, square: tuple[float, ...]):
    """Two interpolations blur, but do not move: a shift of half a pixel would differ by 8 times as much."""
    frame, where = smooth(), Region.of(np.array(square), mirrored, HEIGHT, WIDTH)
    cut = cut_square(frame, square)
    back = where.spread(np.ascontiguousarray(cut[:, ::-1]) if mirrored else cut).astype(float)
    part, inside = frame[where.rows, where.columns].astype(float), where.fade() == 1
    assert inside.sum() > 300
    error = np.abs(back - part)[inside].mean()
    shifted = np.abs((part[:, 1:] - part[:, :-1])[inside[:, 1:]] / 2).mean()
    assert error < shifted / 8


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle", [0, 40, -110])
def test_points_and_the_grid_agree(mirrored: bool, angle: float):
    """A bump at a point of the network's square is at that point's place in the frame."""
    point = np.array([0.4, -0.2])
    centres = (np.arange(32) + 0.5) / 16 - 1
    x, y = np.meshgrid(centres, centres)
    bump = np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / (2 * 0.15**2)).astype(np.float32)
    where = region(12.3, 5.8, 50.4, mirrored, angle)
    shown = where.spread(bump)
    row, column = np.unravel_index(shown.argmax(), shown.shape)
    found = np.array([column + where.columns.start, row + where.rows.start])
    np.testing.assert_allclose(where.to_frame(point), found, atol=0.75)


def test_mirrored_points_are_mirrored():
    point, vector = np.array([0.4, -0.2]), np.array([0.1, 0.2])
    plain, mirrored = region(20, 10, 40), region(20, 10, 40, True)
    centre = 20 + 20 - 0.5
    assert plain.to_frame(point)[0] - centre == pytest.approx(centre - mirrored.to_frame(point)[0])
    assert plain.to_frame(point)[1] == mirrored.to_frame(point)[1]
    np.testing.assert_allclose(plain.vectors_to_frame(vector), (2, 4))
    np.testing.assert_allclose(mirrored.vectors_to_frame(vector), (-2, 4))


def test_turned_points_are_turned():
    up, right = np.array([0.0, -1.0]), np.array([1.0, 0.0])
    turned = region(20, 10, 40, angle=90)  # the head points to the right
    np.testing.assert_allclose(turned.to_frame(up), (59.5, 29.5), atol=1e-9)
    np.testing.assert_allclose(turned.vectors_to_frame(right), (0, 20), atol=1e-9)
    mirrored = region(20, 10, 40, mirrored=True, angle=90)
    np.testing.assert_allclose(mirrored.vectors_to_frame(up), (20, 0), atol=1e-9)
    np.testing.assert_allclose(mirrored.vectors_to_frame(right), (0, -20), atol=1e-9)


def test_a_flow_along_the_body_moves_pixels_along_the_body():
    """Looking a quarter of half a side of 40 px towards the tail, of a subject that heads to the right."""
    frame = smooth()
    result = warp(frame, region(20, 10, 40, angle=90), (0, 0.25))
    middle = (slice(20, 40), slice(30, 50))
    assert np.abs(result[middle].astype(int) - np.roll(frame, 5, axis=1)[middle]).max() <= 2


def test_change_fades_out_towards_the_edge():
    fade = region(10, 10, 40).fade()
    assert fade.shape == (40, 40)
    assert fade[20, 20] == 1
    assert 0 < fade[0, 20] < 0.5
    np.testing.assert_allclose(fade, fade[::-1, ::-1])


@pytest.mark.parametrize("mirrored", [False, True])
def test_points_go_into_squares_and_come_back(mirrored: bool):
    squares = np.array([[10, 20, 40, 0], [-3.5, 7, 21, 30], [0, 0, 8, -170]], np.float32)
    points = np.random.default_rng(0).uniform(-1, 1, (3, 5, 2))
    frames = points_to_frames(points, squares, mirrored)
    np.testing.assert_allclose(points_to_squares(frames, squares, mirrored), points, atol=1e-6)
    for i, square in enumerate(squares):
        region = Region.of(square, mirrored, 100, 100)
        np.testing.assert_allclose(frames[i], region.to_frame(points[i]), atol=1e-4)
    middle_of_corner_pixel = points_to_squares(np.array([[[10.0, 20.0]]]), squares[:1], mirrored)
    np.testing.assert_allclose(np.abs(middle_of_corner_pixel), 1 - 1 / 40)
