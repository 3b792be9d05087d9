import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_ubam.errors import VideoError
from napari_ubam.video import LazyVideo
from napari_ubam.video.napari_io import get_reader, write_image, write_side_by_side


@pytest.fixture
def movie():
    return np.random.default_rng(0).integers(0, 256, (6, 16, 24, 3)).astype(np.uint8)


def test_reader_gives_lazy_layers(videos, kit):
    path = str(videos("constant.mp4"))
    [(frames, meta, kind)] = get_reader(path)(path)
    assert isinstance(frames, LazyVideo)
    assert kind == "image"
    assert meta["name"] == "constant"
    assert meta["rgb"] is True
    about = meta["metadata"]["ubam"]
    assert (about["path"], about["fps"]) == (path, 25.0)
    np.testing.assert_allclose(about["timestamps"], np.arange(kit.n) / 25)
    assert (meta["axis_labels"], meta["contrast_limits"]) == (("time", "y", "x"), (0, 255))
    assert len(get_reader([path, path])([path, path])) == 2


def test_pixels_that_are_not_square_and_values_of_more_bits_are_shown_as_they_are(videos, kit):
    from napari.layers import Layer

    wide, deep = str(videos("wide_pixels.mp4")), str(videos("grey_16_bits.mkv"))
    [(_, meta, _)] = get_reader(wide)(wide)
    assert meta["scale"] == pytest.approx((1, 1, 4 / 3))
    [data] = get_reader(deep)(deep)
    layer = Layer.create(*data)
    assert not layer.rgb
    assert (layer.ndim, layer.dtype) == (3, np.uint16)
    assert list(layer.contrast_limits) == [data[0][0].min(), data[0][0].max()]


def test_a_stack_of_16_bits_is_shown_between_its_own_values(tmp_path):
    from napari.layers import Layer

    values = np.random.default_rng(0).integers(300, 900, (5, 16, 24)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "s.tif", values, photometric="minisblack")
    tifffile.imwrite(tmp_path / "black.tif", values * 0, photometric="minisblack")
    layers = [Layer.create(*get_reader(str(path))(str(path))[0]) for path in sorted(tmp_path.iterdir())]
    assert [layer.dtype for layer in layers] == [np.uint16, np.uint16]
    assert [list(layer.contrast_limits) for layer in layers] == [[0, 1], [values.min(), values.max()]]
    assert not any(layer.rgb for layer in layers)
    np.testing.assert_array_equal(np.asarray(layers[1].data), values)


def test_stacks_with_further_axes_are_left_to_others(tmp_path):
    values = np.zeros((2, 3, 16, 24), np.uint16)
    tifffile.imwrite(tmp_path / "hyper.tif", values, imagej=True, metadata={"axes": "TZYX"})
    tifffile.imwrite(tmp_path / "flat.tif", values[:1], imagej=True, metadata={"axes": "TZYX"})
    assert get_reader(str(tmp_path / "hyper.tif")) is None
    assert get_reader(str(tmp_path / "flat.tif")) is not None


def test_what_the_reader_takes(videos, kit, tmp_path, movie):
    upper = kit.cut(videos("constant.mp4"), tmp_path / "RAT.MP4", 1.0)
    assert get_reader(str(upper))(str(upper))[0][0].shape == (kit.n, 48, 64, 3)
    tifffile.imwrite(tmp_path / "stack.tif", movie, photometric="rgb")
    tifffile.imwrite(tmp_path / "single.tif", movie[0], photometric="rgb")
    folder = tmp_path / "images"
    folder.mkdir()
    assert get_reader(str(folder)) is None
    for t, image in enumerate(movie):
        Image.fromarray(image).save(folder / f"{t}.png")
    for path in [tmp_path / "stack.tif", folder]:
        np.testing.assert_array_equal(np.asarray(get_reader(str(path))(str(path))[0][0]), movie)
    for path in ["table.csv", str(tmp_path / "single.tif"), str(tmp_path / "none.tif"), str(tmp_path / "none"), []]:
        assert get_reader(path) is None
    assert get_reader([str(upper), "table.csv"]) is None


def test_a_damaged_recording_warns_and_a_broken_one_says_what_to_do(videos, kit, tmp_path):
    path = str(kit.cut(videos("lossless.mkv"), tmp_path / "cut.mkv", 0.6))
    with pytest.warns(UserWarning, match=r"cut\.mkv is damaged or was cut off: \d+ of"):
        get_reader(path)(path)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing")
    with pytest.raises(VideoError, match=r"broken\.mp4"):
        get_reader(str(broken))(str(broken))


def test_write_image(movie, tmp_path):
    path = str(tmp_path / "v.mkv")
    assert write_image(path, movie, {"rgb": True, "metadata": {"ubam": {"fps": 50.0}}}) == [path]
    video = LazyVideo(path)
    assert video.fps == 50
    np.testing.assert_array_equal(np.asarray(video), movie)
    again = str(tmp_path / "again.mkv")
    write_image(again, video, {"rgb": True})
    assert LazyVideo(again).fps == 25
    np.testing.assert_array_equal(np.asarray(LazyVideo(again)), movie)


def test_contrast_limits_and_colormap_are_applied(tmp_path):
    values = np.array([[[-1.0, 0.0], [1.0, 2.0]], [[3.0, 4.0], [9.0, np.nan]]], np.float32)
    path = str(tmp_path / "v.mkv")
    write_image(path, values, {"contrast_limits": [0, 4], "colormap": "red"})
    np.testing.assert_array_equal(np.asarray(LazyVideo(path))[..., 0], [[[0, 0], [64, 128]], [[191, 255], [255, 0]]])
    assert not np.asarray(LazyVideo(path))[..., 1:].any()
    write_image(path, values, {"contrast_limits": [0, 4], "colormap": "gray"})
    assert (np.asarray(LazyVideo(path))[1, 0, 1] == 255).all()
    deep = (np.nan_to_num(values).clip(0, 9) * 1000).astype(np.uint16)
    write_image(path, deep, {"contrast_limits": [1000, 2000], "colormap": "red"})
    np.testing.assert_array_equal(np.asarray(LazyVideo(path))[0, ..., 0], [[0, 0], [0, 255]])
    write_image(path, deep, {"contrast_limits": [1000, 2000]})  # in grey the values are kept
    np.testing.assert_array_equal(np.asarray(LazyVideo(path, native=True)), deep)


def test_variable_time_stamps_go_with_the_layer(videos, kit, tmp_path):
    path = str(videos("variable.mp4"))
    [(frames, meta, _)] = get_reader(path)(path)
    write_image(str(tmp_path / "v.mkv"), frames, meta)
    copy = LazyVideo(tmp_path / "v.mkv")
    np.testing.assert_allclose(np.diff(copy.timestamps), np.diff(frames.timestamps), atol=2e-3)
    np.testing.assert_array_equal(np.asarray(copy), np.asarray(frames))


@pytest.mark.parametrize("values", [np.uint8, np.uint16, np.float32])
def test_a_tiff_gets_the_values_as_they_are_and_gives_them_back(movie, tmp_path, values):
    grey, path = movie[..., 0].astype(values) * values(0.5 if values == np.float32 else 1), str(tmp_path / "v.tif")
    write_image(path, grey, {"contrast_limits": [3, 9], "colormap": "red", "metadata": {"ubam": {"fps": 12.5}}})
    [(frames, meta, _)] = get_reader(path)(path)
    assert (frames.dtype, meta["metadata"]["ubam"]["fps"]) == (values, 12.5)
    np.testing.assert_array_equal(np.asarray(frames), grey)


def test_side_by_side_keeps_variable_time_stamps(videos, movie, tmp_path):
    path, out = str(videos("variable.mp4")), str(tmp_path / "v.mkv")
    [data] = get_reader(path)(path)
    write_side_by_side(out, [(movie, {"rgb": True}, "image"), data])
    np.testing.assert_allclose(np.diff(LazyVideo(out).timestamps), np.diff(data[0].timestamps), atol=2e-3)


def test_side_by_side(movie, tmp_path):
    grey = movie[:4, :10, :5, 0]
    still = movie[0, :7, :8]
    path = str(tmp_path / "v.mkv")
    layers = [
        (movie, {"rgb": True, "metadata": {}}, "image"),
        (grey, {"contrast_limits": [0, 255], "metadata": {"ubam": {"fps": 10}}}, "image"),
        (still, {"rgb": True}, "image"),
    ]
    assert write_side_by_side(path, layers) == [path]
    video = np.asarray(LazyVideo(path))
    assert video.shape == (6, 16, 24 + 5 + 8, 3)
    assert LazyVideo(path).fps == 10
    np.testing.assert_array_equal(video[:, :, :24], movie)
    np.testing.assert_array_equal(video[:4, :10, 24:29, 2], grey)
    assert not video[4:, :, 24:29].any()
    assert (video[:, :7, 29:] == still).all()
    assert not video[:, 7:, 29:].any()


def test_a_volume_over_time_is_no_video(movie, tmp_path):
    with pytest.raises(VideoError, match=r"layer 'embryo' has 4 dimensions"):
        write_image(str(tmp_path / "v.mp4"), movie, {"rgb": False, "name": "embryo"})
    assert not list(tmp_path.iterdir())


def test_in_the_viewer(videos, tmp_path, monkeypatch):
    from napari.components import ViewerModel
    from napari.layers import Layer

    decoded = []
    decode = LazyVideo._decoded
    monkeypatch.setattr(LazyVideo, "_decoded", lambda self, t: (decoded.append(t), decode(self, t))[1])
    path = str(videos("constant.mp4"))
    [data] = get_reader(path)(path)
    layer = ViewerModel().add_layer(Layer.create(*data))
    assert isinstance(layer.data, LazyVideo)
    assert layer.rgb
    assert list(layer.contrast_limits) == [0, 255]
    assert len(decoded) < 5  # neither adding the layer nor its contrast limits read the video
    out = str(tmp_path / "v.mkv")
    write_image(out, *layer.as_layer_data_tuple()[:2])
    np.testing.assert_array_equal(np.asarray(LazyVideo(out)), np.asarray(layer.data))
