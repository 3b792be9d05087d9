from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from napari_ubam.magnify.magnifier import Shot, deviation_arrows, magnified_posture, magnify_shot, spread_parts
from napari_ubam.magnify.region import Region
from napari_ubam.models.vae import VaeGenerator
from napari_ubam.models.warp import WarpGenerator

K, SIZE, HEIGHT, WIDTH, N = 4, 32, 51, 71, 3  # odd sides, not square
CPU = torch.device("cpu")
SQUARE = (15.0, 5.0, 40.0)


def smooth(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 255, (HEIGHT, WIDTH, 3)).astype(np.float32)
    return np.clip((cv2.GaussianBlur(noise, (0, 0), 3) - 127) * 5 + 127, 0, 255).astype(np.uint8)


def shot(square: tuple[float, float, float] = SQUARE, deviation: float = 0.3) -> Shot:
    rng = np.random.default_rng(0)
    posture = rng.uniform(-0.6, 0.6, (N, 2 * K)).astype(np.float32)
    reference = posture.copy()
    reference[:, 0] -= deviation  # the first landmark's x
    return Shot(
        frame=np.arange(10, 10 + N),
        pictures=[smooth(i) for i in range(N)],
        crops=rng.integers(0, 256, (N, SIZE, SIZE, 3), dtype=np.uint8),
        squares=np.tile(np.array(square, np.float32), (N, 1)),
        mirrored=False,
        background=rng.integers(0, 256, (40, 40, 3), dtype=np.uint8),
        still=True,
        posture=posture,
        reference=reference,
        score=np.ones(N, np.float32),
        parts=np.float32(deviation / 0.1) * rng.uniform(0.5, 1, (N, K)).astype(np.float32),
        left=np.zeros(N, bool),
    )


def mirror(of: Shot) -> Shot:
    """Give the mirror image, which is mirrored back for the networks."""
    squares = of.squares.copy()
    squares[:, 0] = WIDTH - squares[:, 0] - squares[:, 2]
    pictures = [np.ascontiguousarray(p[:, ::-1]) for p in of.pictures]
    return replace(of, pictures=pictures, squares=squares, mirrored=True)


@pytest.fixture
def warp() -> WarpGenerator:
    torch.manual_seed(0)
    return WarpGenerator(K, widths=(8, 8, 8, 8)).eval()


@pytest.fixture
def vae() -> VaeGenerator:
    torch.manual_seed(0)
    return VaeGenerator(2 * K).eval()


def test_posture_is_magnified_about_its_reference():
    posture, reference = np.array([1.0, 2.0]), np.array([0.5, 2.0])
    assert magnified_posture(posture, reference, 0) == pytest.approx(reference)
    assert magnified_posture(posture, reference, 1) == pytest.approx(posture)
    assert magnified_posture(posture, reference, 2.5) == pytest.approx([1.75, 2.0])
    awkward = np.random.default_rng(0).normal(size=100).astype(np.float32)
    np.testing.assert_array_equal(magnified_posture(awkward, awkward / 3, 1), awkward)


@pytest.mark.parametrize("mirrored", [False, True])
def test_factor_1_gives_the_frames_bit_for_bit(warp: WarpGenerator, mirrored: bool):
    of = mirror(shot()) if mirrored else shot()
    found = magnify_shot(of, warp, 1.0, CPU)
    assert [f.frame for f in found] == [10, 11, 12]
    for frame, picture in zip(found, of.pictures, strict=True):
        np.testing.assert_array_equal(frame.image, picture)


def test_no_deviation_gives_the_frames_bit_for_bit_and_a_dark_heatmap(warp: WarpGenerator):
    of = shot(deviation=0)
    for frame, picture in zip(magnify_shot(of, warp, 2.5, CPU), of.pictures, strict=True):
        np.testing.assert_array_equal(frame.image, picture)
        assert frame.heatmap.max() < 1e-6


@pytest.mark.parametrize("square", [SQUARE, (-12.0, 20.0, 50.0), (40.5, -7.25, 44.5)])
@pytest.mark.parametrize("factor", [0.0, 2.5])
@pytest.mark.parametrize("kind", ["warp", "vae"])
def test_only_the_region_changes(
    kind: str, factor: float, square: tuple[float, float, float], request: pytest.FixtureRequest
):
    of = shot(square)
    x, y, side = square
    for frame, picture in zip(magnify_shot(of, request.getfixturevalue(kind), factor, CPU), of.pictures, strict=True):
        assert frame.image.shape == picture.shape
        assert frame.image.dtype == np.uint8
        assert frame.heatmap.shape == picture.shape[:2]
        assert frame.heatmap.dtype == np.float32
        assert frame.heatmap.min() >= 0
        rows, columns = np.nonzero((frame.image != picture).any(-1) | (frame.heatmap > 0))
        assert len(rows) > 20
        assert columns.min() >= x
        assert columns.max() + 1 <= x + side
        assert rows.min() >= y
        assert rows.max() + 1 <= y + side


@pytest.mark.parametrize("kind", ["warp", "vae"])
@pytest.mark.parametrize("left", [[False, True, False], [True, True, True]])
def test_frames_that_are_left_stay_as_they_are(kind: str, left: list[bool], request: pytest.FixtureRequest):
    generator, of = request.getfixturevalue(kind), shot()
    found = magnify_shot(replace(of, left=np.array(left)), generator, 2.5, CPU)
    others = magnify_shot(of, generator, 2.5, CPU)
    for frame, picture, other, is_left in zip(found, of.pictures, others, left, strict=True):
        if is_left:
            np.testing.assert_array_equal(frame.image, picture)
            assert frame.image is not picture
            assert not frame.heatmap.any()
            assert frame.vectors.shape == (0, 2, 2)
        else:
            assert frame.frame == other.frame
            assert np.abs(frame.image.astype(int) - other.image).max() <= 1  # a batch of another size rounds otherwise
            assert (frame.image != picture).any()


def test_originals_are_not_written_to(warp: WarpGenerator):
    of = shot()
    before = [p.copy() for p in of.pictures]
    magnify_shot(of, warp, 2.5, CPU)
    for picture, kept in zip(of.pictures, before, strict=True):
        np.testing.assert_array_equal(picture, kept)


@pytest.mark.parametrize("kind", ["warp", "vae"])
def test_region_that_leaves_the_picture_in_some_frames(kind: str, request: pytest.FixtureRequest):
    of = shot()
    squares = of.squares.copy()
    squares[1, 0] = WIDTH + 5
    squares[2, 1] = -100
    found = magnify_shot(replace(of, squares=squares), request.getfixturevalue(kind), 2.5, CPU)
    assert (found[0].image != of.pictures[0]).any()
    for i in (1, 2):
        np.testing.assert_array_equal(found[i].image, of.pictures[i])
        assert not found[i].heatmap.any()


@pytest.mark.parametrize("kind", ["warp", "vae"])
def test_turned_recording_gives_the_turned_image(kind: str, request: pytest.FixtureRequest):
    """The networks see the same of a recording and of one that lies on its side, if its regions are turned."""
    generator, of = request.getfixturevalue(kind), shot()
    x, y, side = SQUARE
    lying = [np.ascontiguousarray(np.rot90(picture, -1)) for picture in of.pictures]  # what was up is right
    squares = np.tile(np.array([HEIGHT - y - side, x, side, 90], np.float32), (N, 1))
    plain = magnify_shot(of, generator, 2.5, CPU)
    turned = magnify_shot(replace(of, pictures=lying, squares=squares), generator, 2.5, CPU)
    for one, other in zip(plain, turned, strict=True):
        assert (one.image != of.pictures[one.frame - 10]).any()
        difference = np.abs(one.image.astype(int) - np.rot90(other.image))
        assert np.percentile(difference, 99) <= 3
        assert difference.mean() < 0.5
        np.testing.assert_allclose(one.heatmap, np.rot90(other.heatmap), atol=0.02 * one.heatmap.max())
        if kind == "warp":
            np.testing.assert_allclose(one.vectors[:, 0, 0], HEIGHT - 1 - other.vectors[:, 0, 1], atol=1e-3)
            np.testing.assert_allclose(one.vectors[:, 0, 1], other.vectors[:, 0, 0], atol=1e-3)
            np.testing.assert_allclose(one.vectors[:, 1, 0], -other.vectors[:, 1, 1], atol=1e-3)
            np.testing.assert_allclose(one.vectors[:, 1, 1], other.vectors[:, 1, 0], atol=1e-3)


@pytest.mark.parametrize("kind", ["warp", "vae"])
def test_mirrored_recording_gives_the_mirror_image(kind: str, request: pytest.FixtureRequest):
    generator = request.getfixturevalue(kind)
    plain = magnify_shot(shot(), generator, 2.5, CPU)
    mirrored = magnify_shot(mirror(shot()), generator, 2.5, CPU)
    for one, other in zip(plain, mirrored, strict=True):
        assert (one.image != shot().pictures[one.frame - 10]).any()
        difference = np.abs(one.image.astype(int) - other.image[:, ::-1])
        assert np.percentile(difference, 99) <= 3
        assert difference.mean() < 0.5
        np.testing.assert_allclose(one.heatmap, other.heatmap[:, ::-1], atol=0.02 * one.heatmap.max())
        if kind == "warp":
            np.testing.assert_allclose(one.vectors[:, 0, 1], WIDTH - 1 - other.vectors[:, 0, 1], atol=1e-3)
            np.testing.assert_allclose(one.vectors[:, 1, 1], -other.vectors[:, 1, 1], atol=1e-3)
            np.testing.assert_allclose(one.vectors[:, :, 0], other.vectors[:, :, 0], atol=1e-3)


def test_arrows_point_from_the_reference_to_where_the_part_is():
    flow = np.zeros((8, 8, 2), np.float32)
    flow[2:4, 4:6] = (0.5, -0.25)  # this part lies further right and higher than in the reference
    region, everywhere = Region(10, 20, 40, False, slice(20, 60), slice(10, 50)), np.ones((16, 16))
    arrows = deviation_arrows(flow, region, everywhere)
    assert arrows.dtype == np.float32
    np.testing.assert_allclose(arrows, [[[20 + 2.5 * 5 - 0.5, 10 + 4.5 * 5 - 0.5], [-5, 10]]])


def test_arrows_end_on_the_subject():
    flow = np.zeros((8, 8, 2), np.float32)
    flow[:, :4] = (0.5, 0)
    region, seen = Region(0, 0, 40, False, slice(0, 40), slice(0, 40)), np.zeros((16, 16))
    assert len(deviation_arrows(flow, region, seen)) == 0
    seen[:8, 8:] = 1  # top right
    arrows = deviation_arrows(flow, region, seen)
    assert len(arrows)
    ends = arrows.sum(1)
    assert (ends[:, 0] < 20).all()
    assert (ends[:, 1] >= 20).all()


def test_arrows_do_not_depend_on_the_factor(warp: WarpGenerator):
    one = magnify_shot(shot(), warp, 1.0, CPU)[0].vectors
    assert len(one)
    np.testing.assert_array_equal(magnify_shot(shot(), warp, 2.5, CPU)[0].vectors, one)


def test_heatmap_does_not_depend_on_the_factor_and_is_in_the_units_of_the_parts(warp: WarpGenerator):
    one = magnify_shot(shot(), warp, 1.0, CPU)[0].heatmap
    np.testing.assert_allclose(magnify_shot(shot(), warp, 4.0, CPU)[0].heatmap, one)
    halved = replace(shot(), parts=shot().parts / 2)
    np.testing.assert_allclose(magnify_shot(halved, warp, 1.0, CPU)[0].heatmap, one / 2, atol=1e-5)


def test_on_a_floor_that_moves_with_the_region_only_the_subject_is_hot(warp: WarpGenerator):
    floor = np.full((SIZE, SIZE, 3), 40, np.uint8)
    crops = np.repeat(floor[None], N, axis=0)
    crops[:, 8:24, 8:24] = 200  # the middle of the square
    moving = replace(shot(), crops=crops, background=floor, still=False)
    hot = magnify_shot(moving, warp, 2.5, CPU)[0].heatmap
    everywhere = magnify_shot(replace(moving, still=True), warp, 2.5, CPU)[0].heatmap
    x, y, side = (int(v) for v in SQUARE)
    inside = slice(y + side // 2 - 7, y + side // 2 + 7), slice(x + side // 2 - 7, x + side // 2 + 7)
    np.testing.assert_allclose(hot[inside], everywhere[inside], atol=1e-5)
    corner = slice(y + 3, y + 7), slice(x + 3, x + 7)
    assert everywhere[corner].max() > 0
    assert hot[corner].max() == 0


def test_before_an_empty_scene_the_subject_alone_is_marked_and_moved(warp: WarpGenerator):
    scene = np.full((40, 40, 3), 90, np.uint8)
    picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    picture[15:35, 25:40] = 220
    crops = np.repeat(cv2.resize(picture[5:45, 15:55], (SIZE, SIZE), interpolation=cv2.INTER_AREA)[None], N, 0)
    before = replace(shot(), crops=crops, pictures=[picture] * N, background=scene)
    empty = magnify_shot(replace(before, is_empty=True), warp, 2.5, CPU)[0]
    far = np.ones((HEIGHT, WIDTH), bool)
    far[8:42, 18:47] = False
    assert empty.heatmap[far].max() < 0.05 * empty.heatmap.max()
    assert magnify_shot(before, warp, 2.5, CPU)[0].heatmap[far].max() > 0.05 * empty.heatmap.max()
    assert not np.array_equal(empty.image, picture)


def test_vae_heatmap_peaks_at_the_frames_deviation(vae: VaeGenerator):
    of = replace(shot(), score=np.array([0.5, 1.0, 3.0], np.float32))
    peaks = [f.heatmap.max() for f in magnify_shot(of, vae, 2.5, CPU)]
    np.testing.assert_allclose(peaks, of.score, rtol=0.3)
    assert all(f.vectors.shape == (0, 2, 2) for f in magnify_shot(of, vae, 2.5, CPU))


def test_every_place_has_the_deviation_of_the_landmarks_around_it():
    points = np.array([[[-0.5, -0.5], [0.5, 0.5], [0.62, 0.5]]])
    heat = spread_parts(points, np.array([[6.0, 1.0, 3.0]]))[0]
    side = len(heat)
    at = lambda x, y: heat[int((y + 1) / 2 * side), int((x + 1) / 2 * side)]  # noqa: E731
    assert at(-0.5, -0.5) == pytest.approx(6, abs=0.05)
    assert at(-0.4, -0.4) == pytest.approx(6, abs=0.05)  # nobody else is near
    assert at(0.42, 0.5) < at(0.56, 0.5) < at(0.7, 0.5)
    assert heat[:, side // 2 :].max() <= 3 + 1e-6
    assert at(-0.5, 0.5) == 0
    assert at(0, 0) == 0
