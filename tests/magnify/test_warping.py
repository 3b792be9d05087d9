import cv2
import numpy as np
import pytest

from napari_ubam.magnify import warping
from napari_ubam.magnify.region import Region
from napari_ubam.magnify.warping import subject_matte, warp_region, warp_subject, without_specks

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


def test_a_flow_along_the_body_moves_pixels_along_the_body():
    """Looking a quarter of half a side of 40 px towards the tail, of a subject that heads to the right."""
    frame = smooth()
    result = warp(frame, region(20, 10, 40, angle=90), (0, 0.25))
    middle = (slice(20, 40), slice(30, 50))
    assert np.abs(result[middle].astype(int) - np.roll(frame, 5, axis=1)[middle]).max() <= 2


def bar_before_a_wall(at: int) -> np.ndarray:
    """Draw a dark bar, 6 px wide, before a wall with stripes and camera noise."""
    frame = wall() + np.random.default_rng(at).normal(0, 2, (HEIGHT, WIDTH, 1))
    frame[20:40, at : at + 6] = 30
    return np.clip(frame, 0, 255).astype(np.uint8)


def wall() -> np.ndarray:
    return np.tile(np.where(np.arange(WIDTH) // 4 % 2, 140.0, 110.0)[None, :, None], (HEIGHT, 1, 3))


def carry(frame: np.ndarray, pixels: float, uncovered: float = 0, fill: float = 0) -> np.ndarray:
    """Carry what is in the square of 40 px in the middle to the right."""
    flow = np.tile(np.array([-pixels / 20, 0], np.float32), (32, 32, 1))
    scene = wall()[10:50, 20:60].astype(np.uint8)
    return warp_subject(
        frame, region(20, 10, 40), flow, np.full((32, 32), uncovered), np.full((32, 32, 3), fill), scene
    )  # fmt: skip


def test_the_subject_moves_and_the_background_stays():
    frame, wanted = bar_before_a_wall(34), bar_before_a_wall(39)
    error = np.abs(carry(frame, 5).astype(int) - wanted).max(-1)
    assert np.percentile(error, 99) < 12
    assert np.abs(carry(frame, 5)[12:18].astype(int) - frame[12:18]).max() == 0  # the stripes above it


def test_a_plain_warp_would_bend_the_background():
    frame = bar_before_a_wall(34)
    flow = np.tile(np.array([-0.25, 0], np.float32), (32, 32, 1))
    bent = warp_region(
        frame, region(20, 10, 40), flow, np.zeros((32, 32)), np.zeros((32, 32, 3)), np.zeros((8, 8, 3), np.uint8)
    )
    assert np.abs(bent[12:18].astype(int) - frame[12:18]).max() > 20


def test_where_the_subject_left_the_background_shows():
    result = carry(bar_before_a_wall(34), 8)
    assert np.abs(result[22:38, 35:39] - wall()[22:38, 35:39]).max() < 12


def test_a_little_movement_is_a_little_change():
    frame = bar_before_a_wall(34)
    changes = [np.abs(carry(frame, pixels).astype(float) - frame).mean() for pixels in (0, 0.05, 0.5, 2, 4)]
    assert changes[0] == 0
    assert changes[1] < 0.2 * changes[2]
    assert all(np.diff(changes) > 0)


def test_fill_that_is_background_paints_no_subject_out_of_the_frame():
    """What is filled with background shows the frame itself where no subject was."""
    frame = bar_before_a_wall(34)
    result = carry(frame, 0, uncovered=1)
    np.testing.assert_array_equal(result[12:18, 30:50], frame[12:18, 30:50])
    assert np.abs(result[22:38, 35:39] - wall()[22:38, 35:39]).max() < 12


def test_fill_that_is_no_background_is_painted():
    result = carry(bar_before_a_wall(34), 0, uncovered=1, fill=-80)
    assert np.abs(result[22:38, 44:50] - (wall()[22:38, 44:50] - 80)).max() < 6


@pytest.mark.parametrize("angle", [0.0, 30.0])
def test_looking_only_where_the_subject_is_changes_nothing(monkeypatch, angle: float):
    rng = np.random.default_rng(3)
    frame, where, scene = bar_before_a_wall(34), region(20, 10, 40, angle=angle), wall()[10:50, 20:60].astype(np.uint8)
    flow = cv2.GaussianBlur(rng.normal(0, 2, (32, 32, 2)).astype(np.float32), (0, 0), 4)
    uncovered, fill = rng.random((32, 32)) * (rng.random((32, 32)) < 0.3), 40 * smooth(32, 32, 4) / 255.0 - 20
    found = warp_subject(frame, where, flow, uncovered, fill, scene)
    monkeypatch.setattr(warping, "_reached", lambda region, shift, matte: np.ones(shift.shape[:2], bool))
    np.testing.assert_array_equal(found, warp_subject(frame, where, flow, uncovered, fill, scene))


def test_what_noise_puts_into_a_matte_is_left_out_and_thin_limbs_stay():
    matte = np.zeros((128, 128), np.float32)
    matte[20:90, 50:70] = 1  # a body
    matte[60:110, 78:80] = 1  # a limb, 2 px wide, apart from it
    matte[[5, 100, 120], [10, 20, 120]] = 0.5  # specks
    matte[110:, :30] = 0.05  # a faint shadow
    found = without_specks(matte, 4)
    assert found[:, :40].max() == 0
    assert found[120, 120] == 0
    np.testing.assert_array_equal(found[20:90, 50:70], 1)
    np.testing.assert_array_equal(found[62:108, 78:80], 1)


@pytest.mark.parametrize("place", [(-60, 10), (100, 10), (20, -50), (20, 70)])
def test_a_subject_outside_of_the_frame_changes_nothing(place: tuple[int, int]):
    frame, flow = smooth(), np.full((32, 32, 2), 0.25, np.float32)
    scene = np.zeros((40, 40, 3), np.uint8)
    result = warp_subject(frame, region(*place, 40), flow, np.ones((32, 32)), np.zeros((32, 32, 3)), scene)
    np.testing.assert_array_equal(result, frame)


def test_a_matte_of_nothing_stays_so():
    assert without_specks(np.zeros((33, 20), np.float32), 4).max() == 0


def test_a_matte_is_soft_between_background_and_subject():
    scene = np.full((9, 9, 3), 100, np.uint8)
    at = [subject_matte(np.full((9, 9, 3), 100 + d, np.uint8), scene)[4, 4] for d in (0, 10, 17, 25, 90)]
    np.testing.assert_allclose(at[:2], 0)
    assert 0.2 < at[2] < 0.8
    np.testing.assert_allclose(at[3:], 1)
