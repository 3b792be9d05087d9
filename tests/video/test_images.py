import gc
import warnings

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_ubam.errors import VideoError
from napari_ubam.video import open_frames


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
