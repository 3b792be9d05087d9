import cv2
import numpy as np
import pytest

from napari_ubam.magnify.region import Region, points_to_frames, points_to_squares
from napari_ubam.study import cut_square

HEIGHT, WIDTH = 60, 80


def smooth(height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width, 3)).astype(np.float32)
    return np.clip((cv2.GaussianBlur(noise, (0, 0), 3) - 127) * 5 + 127, 0, 255).astype(np.uint8)


def region(x: float, y: float, side: float, mirrored: bool = False, angle: float = 0) -> Region:
    return Region.of(np.array([x, y, side, angle]), mirrored, HEIGHT, WIDTH)


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
