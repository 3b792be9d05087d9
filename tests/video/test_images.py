import gc
import pickle
import warnings

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_ubam.errors import VideoError
from napari_ubam.video import open_frames
from napari_ubam.video.glance import glance


@pytest.fixture
def stack():
    return np.random.default_rng(0).integers(0, 256, (7, 20, 30, 3)).astype(np.uint8)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_rgb(stack, tmp_path, compression):
    tifffile.imwrite(tmp_path / "s.TIF", stack, photometric="rgb", compression=compression)
    with open_frames(tmp_path / "s.TIF") as frames:
        assert frames.shape == (7, 20, 30, 3)
        assert frames.fps == 0
        np.testing.assert_array_equal(frames.read([5, 0]), stack[[5, 0]])
        np.testing.assert_array_equal(list(frames.iterate(2)), stack[2:])
    np.testing.assert_array_equal(frames[1], stack[1])


def test_tiff_grey(stack, tmp_path):
    tifffile.imwrite(tmp_path / "s.tif", stack[..., 0], photometric="minisblack")
    np.testing.assert_array_equal(open_frames(tmp_path / "s.tif")[3], np.repeat(stack[3, ..., :1], 3, axis=-1))


def test_tiff_of_imagej_and_planar(stack, tmp_path):
    tifffile.imwrite(tmp_path / "ij.tif", stack, imagej=True)
    np.testing.assert_array_equal(np.asarray(open_frames(tmp_path / "ij.tif")), stack)
    planar = np.moveaxis(stack, -1, 1)
    tifffile.imwrite(tmp_path / "planar.tif", planar, photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(np.asarray(open_frames(tmp_path / "planar.tif")), stack)


def test_tiff_of_16_bits_is_scaled_by_its_own_range(tmp_path):
    values = np.linspace(100, 4095, 40 * 8 * 8).reshape(40, 8, 8).astype(np.uint16)
    tifffile.imwrite(tmp_path / "s.tif", values, photometric="minisblack")
    frames = open_frames(tmp_path / "s.tif")
    assert frames[0].min() == 0
    assert frames[-1].max() == 255
    np.testing.assert_allclose(frames[:, :, :, 0], (values - 100.0) / 3995 * 255, atol=0.6)


def test_folder_in_natural_order(stack, tmp_path):
    for t, image in zip([0, 1, 2, 9, 10, 11, 100], stack, strict=True):
        Image.fromarray(image).save(tmp_path / f"frame_{t}.{'PNG' if t % 2 else 'bmp'}")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "._frame_3.png").write_bytes(b"what some systems leave behind")
    frames = open_frames(tmp_path)
    assert len(frames) == 7
    np.testing.assert_array_equal(np.asarray(frames), stack)


def test_folder_of_grey_16_bit_images(tmp_path):
    for t in range(3):
        Image.fromarray(np.full((5, 6), 1000 * t, np.uint16)).save(tmp_path / f"{t}.png")
    frames = open_frames(tmp_path)
    assert [int(image.max()) for image in frames] == [0, 128, 255]
    assert frames.shape == (3, 5, 6, 3)


def test_folder_of_different_sizes(tmp_path):
    Image.new("RGB", (30, 20)).save(tmp_path / "1.png")
    Image.new("RGB", (31, 20)).save(tmp_path / "2.png")
    with pytest.raises(VideoError, match=r"2\.png is 31 x 20 pixels, but 1\.png is 30 x 20"):
        open_frames(tmp_path)


def test_what_cannot_be_opened(tmp_path):
    with pytest.raises(VideoError, match="has no images in it"):
        open_frames(tmp_path)
    (tmp_path / "1.png").write_bytes(b"no image")
    with pytest.raises(VideoError, match=r"1\.png cannot be read as an image"):
        open_frames(tmp_path)
    with pytest.raises(VideoError, match=r"1\.png is a single image"):
        open_frames(tmp_path / "1.png")
    (tmp_path / "s.tif").write_bytes(b"no image")
    with pytest.raises(VideoError, match=r"s\.tif cannot be read as a TIFF"):
        open_frames(tmp_path / "s.tif")
    for name in ["none.tif", "none", "none.mp4"]:
        with pytest.raises(VideoError, match=f"{name} was not found"):
            open_frames(tmp_path / name)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_what_is_left_of_a_truncated_tiff_can_be_read(stack, tmp_path, kit, compression):
    with tifffile.TiffWriter(tmp_path / "s.tif") as writer:
        for image in stack:
            writer.write(image, photometric="rgb", compression=compression, contiguous=False, metadata=None)
    kit.cut(tmp_path / "s.tif", tmp_path / "cut.tif", 0.5)
    frames = open_frames(tmp_path / "cut.tif")
    assert 2 <= len(frames) <= 3
    assert "cut.tif is damaged or was cut off: 3 frames" in frames.problem
    np.testing.assert_array_equal(np.asarray(frames), stack[: len(frames)])


def test_a_truncated_block_of_frames_names_the_file(stack, tmp_path, kit):
    tifffile.imwrite(tmp_path / "s.tif", stack, photometric="rgb")
    kit.cut(tmp_path / "s.tif", tmp_path / "cut.tif", 0.5)
    with pytest.raises(VideoError, match=r"cut\.tif cannot be read.*[Ee]xport it again"):
        open_frames(tmp_path / "cut.tif")


def test_no_tiff_stays_open(stack, tmp_path):
    tifffile.imwrite(tmp_path / "s.tif", stack, photometric="rgb")
    tifffile.imwrite(tmp_path / "five.tif", np.zeros((3, 20, 30, 5), np.uint8), photometric="rgb")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        frames = open_frames(tmp_path / "s.tif")  # as napari does, which closes nothing
        frames.read([1])
        del frames
        with pytest.raises(VideoError, match=r"five\.tif has 5 channels"):
            open_frames(tmp_path / "five.tif")
        gc.collect()
    assert not [str(w.message) for w in told if w.category is ResourceWarning]


DEEP = np.random.default_rng(0).integers(100, 4096, (9, 20, 30)).astype(np.uint16)
DEEP_COLOURS = np.random.default_rng(1).integers(100, 60000, (9, 20, 30, 3)).astype(np.uint16)
OME = {"axes": "TYX", "TimeIncrement": 40.0, "TimeIncrementUnit": "ms"}


@pytest.mark.parametrize(
    "options",
    [{}, {"bigtiff": True}, {"byteorder": ">"}, {"ome": True, "metadata": OME},
     {"compression": "lzw", "predictor": True}, {"tile": (16, 16), "compression": "zlib"}],
)  # fmt: skip
@pytest.mark.parametrize("values", [DEEP, DEEP_COLOURS, DEEP.astype(np.float32)])
def test_native_tiffs_hold_the_values_as_they_are(tmp_path, options, values):
    if values.ndim == 4:
        options = {**options, "photometric": "rgb"} | ({"metadata": {"axes": "TYXS"}} if "ome" in options else {})
    else:
        options = {**options, "photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "s.tif", values, **options)
    frames = open_frames(tmp_path / "s.tif", native=True)
    assert (frames.shape, frames.dtype, frames.ndim) == (values.shape, values.dtype, values.ndim)
    assert frames.dtype.isnative
    np.testing.assert_array_equal(frames[[7, 0, 8, 0], 5:, ::2], values[[7, 0, 8, 0], 5:, ::2])
    np.testing.assert_array_equal(np.asarray(frames), values)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(frames))[4], values[4])
    assert frames.value_range == (values.min(), values.max())
    assert open_frames(tmp_path / "s.tif").shape == (9, 20, 30, 3)


def test_native_frames_of_eight_bits_and_of_nothing_but_black_and_white(stack, tmp_path):
    tifffile.imwrite(tmp_path / "s.tif", stack[..., 0], photometric="minisblack")
    tifffile.imwrite(tmp_path / "b.tif", stack[..., 0] > 99, photometric="minisblack")
    eight, two = (open_frames(tmp_path / name, native=True) for name in ("s.tif", "b.tif"))
    np.testing.assert_array_equal(np.asarray(eight), stack[..., 0])
    np.testing.assert_array_equal(np.asarray(two), np.uint8(255) * (stack[..., 0] > 99))
    assert eight.value_range == two.value_range == (0, 255)


def test_values_that_are_no_numbers_do_not_spoil_the_range(tmp_path):
    values = DEEP.astype(np.float32)
    values[0, 0], values[8, 1, 1], values[3] = np.nan, np.inf, np.nan
    tifffile.imwrite(tmp_path / "s.tif", values, photometric="minisblack")
    frames = open_frames(tmp_path / "s.tif", native=True)
    assert frames.value_range == (values[np.isfinite(values)].min(), values[np.isfinite(values)].max())
    assert open_frames(tmp_path / "s.tif")[8, 1, 1].tolist() == [255, 255, 255]


def test_palettes_and_inverted_values_are_shown_as_they_are_meant(stack, tmp_path):
    grey, palette = stack[..., 0], np.random.default_rng(0).integers(0, 256, (3, 256)).astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "p.tif", grey, photometric="palette", colormap=palette)
    np.testing.assert_array_equal(np.asarray(open_frames(tmp_path / "p.tif", native=True)), palette.T[grey] // 257)
    tifffile.imwrite(tmp_path / "w.tif", grey, photometric="miniswhite")
    np.testing.assert_array_equal(np.asarray(open_frames(tmp_path / "w.tif", native=True)), 255 - grey)


@pytest.mark.parametrize(
    ("options", "fps"),
    [({"ome": True, "metadata": OME}, 25), ({"ome": True, "metadata": {"axes": "TYX"}}, 0),
     ({"imagej": True, "metadata": {"finterval": 0.02}}, 50), ({"imagej": True, "metadata": {"fps": 12.5}}, 12.5),
     ({"metadata": {"fps": 59.94}}, 59.94), ({"metadata": {"fps": "fast"}}, 0), ({"metadata": None}, 0)],
)  # fmt: skip
def test_the_frame_rate_of_a_tiff(tmp_path, options, fps):
    tifffile.imwrite(tmp_path / "s.tif", DEEP, **options)
    assert open_frames(tmp_path / "s.tif").fps == pytest.approx(fps)


def test_a_native_folder_keeps_16_bits(tmp_path):
    for kind in ("grey", "colours", "tiffs", "mixed"):
        (tmp_path / kind).mkdir()
    for t in range(3):
        Image.fromarray(DEEP[t]).save(tmp_path / "grey" / f"{t}.png")
        cv2.imwrite(str(tmp_path / "colours" / f"{t}.png"), DEEP_COLOURS[t, ..., ::-1])
        tifffile.imwrite(tmp_path / "tiffs" / f"{t}.tif", DEEP_COLOURS[t], photometric="rgb")
    Image.fromarray(DEEP[0]).save(tmp_path / "mixed" / "0.png")
    Image.fromarray(DEEP_COLOURS[1].astype(np.uint8)).save(tmp_path / "mixed" / "1.png")
    for kind, values in [("grey", DEEP[:3]), ("colours", DEEP_COLOURS[:3]), ("tiffs", DEEP_COLOURS[:3])]:
        frames = open_frames(tmp_path / kind, native=True)
        assert frames.dtype == np.uint16
        np.testing.assert_array_equal(np.asarray(frames), values)
        assert frames.value_range == (values.min(), values.max())
        assert open_frames(tmp_path / kind)[2].shape == (20, 30, 3)
    mixed = open_frames(tmp_path / "mixed", native=True)
    assert (mixed.shape, mixed.dtype) == ((2, 20, 30, 3), np.uint16)
    np.testing.assert_array_equal(mixed[0], np.repeat(DEEP[0, ..., None], 3, -1))
    np.testing.assert_array_equal(mixed[1], DEEP_COLOURS[1] % 256)


@pytest.mark.parametrize("name", ["s.tif", "a.npy"])
def test_a_glance_at_what_is_no_video(tmp_path, name):
    tifffile.imwrite(tmp_path / "s.tif", DEEP, photometric="minisblack")
    np.save(tmp_path / "a.npy", DEEP)
    seen = glance(tmp_path / name)
    assert (seen.length, seen.picture.shape, seen.picture.dtype) == (9, (20, 30, 3), np.uint8)
