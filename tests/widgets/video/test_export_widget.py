import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_ubam.pipeline.layering import blended
from napari_ubam.video import LazyVideo
from napari_ubam.widgets.video.export_widget import BESIDE, BLENDED, ExportWidget
from napari_ubam.widgets.video.shown_layers import shown_image

RNG = np.random.default_rng(0)
VIDEO = RNG.integers(0, 256, (6, 40, 60, 3)).astype(np.uint8)
HEAT = RNG.random((6, 40, 60)).astype(np.float32) * 4


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer()
    viewer.add_image(VIDEO, name="video", rgb=True, metadata={"ubam": {"fps": 10.0}})
    return viewer


@pytest.fixture
def widget(viewer):
    _, widget = viewer.window.add_plugin_dock_widget("napari-ubam", "Export video")
    assert isinstance(widget, ExportWidget)
    return widget


def export(qtbot, widget, path):
    widget.export(path)
    qtbot.waitUntil(lambda: widget.worker is None, timeout=20_000)
    return LazyVideo(path)


def test_one_layer_is_written_as_it_is(widget, tmp_path, qtbot):
    widget.arrangement.setCurrentText(BLENDED)
    video = export(qtbot, widget, tmp_path / "v.mkv")
    assert video.fps == 10
    np.testing.assert_array_equal(np.asarray(video), VIDEO)


def test_layers_that_are_removed_meanwhile_are_written_to_the_end(viewer, widget, tmp_path, qtbot):
    widget.arrangement.setCurrentText(BLENDED)
    widget.export(tmp_path / "v.mkv")
    viewer.layers.clear()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=20_000)
    np.testing.assert_array_equal(np.asarray(LazyVideo(tmp_path / "v.mkv")), VIDEO)
    assert not widget.run_button.isEnabled()


def test_some_frames_only(widget, tmp_path, qtbot):
    widget.arrangement.setCurrentText(BLENDED)
    widget.first.setValue(2)
    widget.last.setValue(4)
    np.testing.assert_array_equal(np.asarray(export(qtbot, widget, tmp_path / "v.mkv")), VIDEO[2:5])


def test_side_by_side_with_names(viewer, widget, tmp_path, qtbot):
    video = np.tile(VIDEO, (1, 6, 1, 1))  # high enough to be left at its size
    viewer.layers["video"].data = video
    viewer.add_image(VIDEO[..., 0], name="grey")
    widget.arrangement.setCurrentText(BESIDE)
    image = export(qtbot, widget, tmp_path / "v.mkv")[3]
    at = np.argwhere(np.all(image[:-239, :-59] == video[3, 0, 0], axis=-1))
    assert any(np.array_equal(image[y : y + 240, x : x + 60], video[3]) for y, x in at)
    assert image.shape[1] > 60 + 6 * 60


@pytest.mark.parametrize("blending", ["additive", "translucent", "minimum", "multiplicative", "opaque"])
def test_layers_are_blended_as_the_viewer_shows_them(make_napari_viewer, qapp, blending):
    """The truth is what napari's own canvas draws."""
    smooth = np.add.outer(np.arange(40.0), np.arange(60.0))
    viewer = make_napari_viewer(show=True)  # a hidden canvas is black
    viewer.add_image(np.repeat(np.stack([2.5 * smooth] * 3, -1)[None].astype(np.uint8), 6, axis=0), opacity=0.8)
    heat = viewer.add_image(
        np.stack([np.flipud(smooth)] * 6), name="heat", colormap="inferno", contrast_limits=(20, 90)
    )
    heat.blending, heat.opacity, heat.gamma = blending, 0.6 if blending != "minimum" else 1, 1.4
    viewer.dims.set_point(0, 2)
    qapp.processEvents()
    canvas = viewer.export_figure(flash=False)[..., :3]
    (ours,) = blended([shown_image(layer) for layer in viewer.layers], range(2, 3))
    assert canvas.shape == ours.shape
    np.testing.assert_allclose(ours[1:-1, 1:-1].astype(int), canvas[1:-1, 1:-1].astype(int), atol=2)


def test_a_layer_elsewhere_is_put_where_it_is_shown(viewer):
    patch = viewer.add_image(
        np.full((6, 5, 7), 200, np.uint8), scale=(1, 2, 2), translate=(0, 4, 6), contrast_limits=(0, 255)
    )
    (ours,) = blended([shown_image(layer) for layer in (viewer.layers["video"], patch)], range(1))
    assert np.all(ours[5:12, 7:18] == 200)
    np.testing.assert_array_equal(ours[:3], VIDEO[0, :3])
    np.testing.assert_array_equal(ours[:, 21:], VIDEO[0, :, 21:])


def test_arrows_are_drawn_at_their_frame(viewer, widget, tmp_path, qtbot):
    arrow = np.array([[[2, 10, 10], [0, 0, 30]]], float)
    viewer.add_vectors(arrow, edge_color="cyan", edge_width=1, vector_style="arrow")
    widget.arrangement.setCurrentText(BLENDED)
    video = export(qtbot, widget, tmp_path / "v.mkv")
    np.testing.assert_array_equal(video[1], VIDEO[1])
    np.testing.assert_allclose(video[2, 10, 12:30].astype(int), np.tile([0, 255, 255], (18, 1)), atol=30)
    widget.arrows.setChecked(False)
    np.testing.assert_array_equal(export(qtbot, widget, tmp_path / "w.mkv")[2], VIDEO[2])


def test_cancelling_leaves_nothing(viewer, widget, tmp_path, qtbot):
    viewer.layers["video"].data = np.repeat(VIDEO, 500, axis=0)
    widget.export(tmp_path / "v.mp4")
    widget._on_cancel_requested()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=20_000)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_is_said(viewer, widget, tmp_path, notifications):
    widget.choice.item(0).setCheckState(Qt.CheckState.Unchecked)
    widget.export(tmp_path / "v.mp4")
    assert "No layer is chosen" in notifications[-1]
    widget.choice.item(0).setCheckState(Qt.CheckState.Checked)
    viewer.layers["video"].metadata = {"ubam": {"path": str(tmp_path / "v.mp4")}}
    widget.export(tmp_path / "v.mp4")
    assert "is open as the layer 'video'" in notifications[-1]
    viewer.layers["video"].rotate = 30
    widget.export(tmp_path / "w.mp4")
    assert "turned" in notifications[-1]


def test_layers_come_and_go(viewer, widget):
    other = viewer.add_image(HEAT, name="heat", visible=False)
    assert [layer.name for layer in widget.chosen()] == ["video"]
    viewer.layers.remove("video")
    viewer.layers.remove(other)
    assert not widget.run_button.isEnabled()
