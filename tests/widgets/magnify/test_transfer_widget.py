import numpy as np
import pytest

from napari_ubam.widgets.magnify.transfer_widget import LAYER, TransferWidget


@pytest.fixture
def widget(make_napari_viewer):
    viewer = make_napari_viewer()
    widget = TransferWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Transfer")
    return widget


def choose(choice, *rows: int) -> None:
    choice.clearSelection()
    for row in rows:
        choice.item(row).setSelected(True)


def test_the_grid_is_shown_as_a_layer_and_drawn_again(qtbot, widget, trained):
    widget.session.open(trained.folder)
    assert not widget.run_button.isEnabled()
    choose(widget.sources, 0)
    choose(widget.targets, 3)
    widget.form.fields["n_postures"].value = 2
    widget.run_button.click()
    assert not widget.run_button.isEnabled()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    (layer,) = widget.viewer.layers
    assert layer.name == LAYER
    assert layer.rgb
    one = np.asarray(layer.data)
    choose(widget.targets, 2, 3)
    widget.viewer.scene.camera.zoom = 50
    widget.run_button.click()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    assert list(widget.viewer.layers) == [layer]
    assert layer.data.shape == (len(one) // 3 * 5, *one.shape[1:])
    assert widget.viewer.scene.camera.zoom < 50  # all of it is seen


def test_an_untrained_study_is_a_message(qtbot, widget, study, notifications):
    widget.session.open(study.folder)
    choose(widget.sources, 0)
    choose(widget.targets, 1)
    widget.transfer()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    assert len(notifications) == 1
    assert str(study.folder) in notifications[0]
    assert len(widget.viewer.layers) == 0


def test_without_a_study_there_is_nothing_to_draw(widget):
    assert not widget.run_button.isEnabled()
    assert "No study is open" in widget.hint.text()
