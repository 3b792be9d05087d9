import numpy as np
import pytest
import zarr

from napari_ubam.errors import VideoError
from napari_ubam.video import estimate_length, open_frames
from napari_ubam.video.napari_io import get_reader

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (7, 12, 16, 3), dtype=np.uint8)
GREY = COLOUR[..., 0]


def write(path, array, **attributes):
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        zarr.create_array(path, data=array, attributes=attributes)
    return path


@pytest.mark.parametrize("name", ["a.npy", "a.zarr", "array"])
@pytest.mark.parametrize("array", [COLOUR, GREY, COLOUR[..., [0, 1, 2, 0]]])
def test_colours_and_grey_values_are_frames(tmp_path, name, array):
    path = write(tmp_path / name, array)
    with open_frames(path) as frames:
        assert frames.shape == (7, 12, 16, 3)
        assert estimate_length(path) == 7
        wanted = array[..., :3] if array.ndim == 4 else np.repeat(array[..., None], 3, -1)
        np.testing.assert_array_equal(frames[:], wanted)
        np.testing.assert_array_equal(frames.read([5, -1, 0]), wanted[[5, -1, 0]])
    np.testing.assert_array_equal(frames[3], wanted[3])  # closed, it is opened again


@pytest.mark.parametrize("values", [GREY.astype(np.float32) * 7 - 3, GREY.astype(np.uint16) * 40, GREY > 99])
def test_other_numbers_are_scaled_by_their_own_range(tmp_path, values):
    frames = open_frames(write(tmp_path / "a.npy", values))
    low, high = float(values.min()), float(values.max())
    np.testing.assert_allclose(frames[:, :, :, 0], (values - low) / (high - low) * 255, atol=0.6)


def test_the_frame_rate_stands_in_the_attributes(tmp_path):
    assert open_frames(write(tmp_path / "a.zarr", GREY, fps=59.94)).fps == 59.94
    assert open_frames(write(tmp_path / "b.zarr", GREY, fps="fast")).fps == 0
    assert open_frames(write(tmp_path / "a.npy", GREY)).fps == 0


def test_the_largest_scale_of_an_image_with_several_is_read(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.create_array("full", data=GREY)
    group.create_array("half", data=GREY[:, ::2, ::2])
    with pytest.raises(VideoError, match="2 arrays: choose one"):
        open_frames(tmp_path / "a.zarr")
    group.attrs["multiscales"] = [{"datasets": [{"path": "full"}, {"path": "half"}]}]
    np.testing.assert_array_equal(open_frames(tmp_path / "a.zarr")[0, :, :, 0], GREY[0])
    np.testing.assert_array_equal(open_frames(tmp_path / "a.zarr" / "half")[0, :, :, 0], GREY[0, ::2, ::2])


@pytest.mark.parametrize(
    ("array", "said"),
    [(GREY[0], "shape"), (COLOUR[..., :2], "shape"), (COLOUR[None], "shape"), (GREY[:0], "shape"),
     (np.zeros((3, 4, 5), complex), "complex"), (np.full((3, 4, 5), "x"), "<U1")],
)  # fmt: skip
def test_what_is_no_video_is_told(tmp_path, array, said):
    with pytest.raises(VideoError, match=said) as told:
        open_frames(write(tmp_path / "a.npy", array))
    assert "a.npy" in str(told.value)


def test_objects_are_never_unpickled_and_damaged_files_told(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[[{}]]], object), allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(b"\x93NUMPY and then nothing")
    np.savez(tmp_path / "c", GREY)
    (tmp_path / "c.npz").rename(tmp_path / "c.npy")
    (tmp_path / "d.zarr").mkdir()
    for name in "abc":
        with pytest.raises(VideoError, match=f"{name}.npy"):
            open_frames(tmp_path / f"{name}.npy")
    for name in ("d.zarr", "missing.zarr", "missing.npy"):
        with pytest.raises(VideoError, match=name):
            open_frames(tmp_path / name)


def test_a_damaged_chunk_is_told_and_other_frames_are_read(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=GREY, chunks=(1, 12, 16))
    (tmp_path / "a.zarr" / "c" / "2" / "0" / "0").write_bytes(b"no chunk")
    frames = open_frames(tmp_path / "a.zarr")
    np.testing.assert_array_equal(frames[1, :, :, 0], GREY[1])
    with pytest.raises(VideoError, match="Frame 2 of"):
        frames.read([2])


@pytest.mark.parametrize("name", ["a.npy", "a.zarr"])
@pytest.mark.parametrize("array", [GREY.astype(">u2") * 40, COLOUR.astype(np.uint16), GREY.astype(np.float32), GREY])
def test_native_arrays_hold_the_values_as_they_are(tmp_path, name, array):
    frames = open_frames(write(tmp_path / name, array), native=True)
    assert (frames.shape, frames.dtype) == (array.shape, array.dtype.newbyteorder("="))
    np.testing.assert_array_equal(np.asarray(frames), array)
    assert frames.value_range == ((0, 255) if array.dtype == np.uint8 else (array.min(), array.max()))


def test_napari_is_given_arrays_that_are_videos(tmp_path):
    for name in ("a.npy", "a.zarr"):
        path = str(write(tmp_path / name, GREY.astype(np.uint16) * 9))
        [(frames, meta, _)] = get_reader(path)(path)
        assert (frames.dtype, meta["rgb"]) == (np.uint16, False)
        assert meta["contrast_limits"] == (9 * int(GREY.min()), 9 * int(GREY.max()))
    for name, array in {
        "flat.npy": GREY[0],
        "one.npy": GREY[:1],
        "four.npy": COLOUR[None],
        "flat.zarr": GREY[0],
    }.items():
        assert get_reader(str(write(tmp_path / name, array))) is None
