import importlib
import subprocess
import sys

import pytest
from napari.settings import get_plugin_settings
from npe2 import PluginManager, PluginManifest

from napari_ubam.video import VIDEO_SUFFIXES
from napari_ubam.widgets.remembered import last_study, remember_study


@pytest.fixture(scope="module")
def manifest():
    return PluginManifest.from_distribution("napari-ubam")


@pytest.fixture
def manager(manifest):
    manager = PluginManager()
    manager.register(manifest)
    return manager


def test_every_command_exists(manifest):
    for command in manifest.contributions.commands:
        module, name = command.python_name.split(":")
        assert callable(getattr(importlib.import_module(module), name)), command.id


@pytest.mark.parametrize("name", ["walk.mp4", "WALK.MP4", "my.walk.MKV", "stack.TIFF"])
def test_videos_are_offered_to_the_reader_in_any_case(manager, name):
    assert [reader.command for reader in manager.iter_compatible_readers([name])] == ["napari-ubam.read"]


@pytest.mark.parametrize("name", ["table.csv", "walk.mp4.txt", "mp4"])
def test_other_files_are_left_alone(manager, name):
    assert list(manager.iter_compatible_readers([name])) == []


def test_every_video_format_is_offered(manager):
    for suffix in VIDEO_SUFFIXES:
        assert list(manager.iter_compatible_readers([f"walk{suffix}"])), suffix


def test_image_layers_can_be_written(manager):
    assert [x.command for x in manager.iter_compatible_writers(["image"])] == ["napari-ubam.write_image"]
    assert [x.command for x in manager.iter_compatible_writers(["image"] * 3)] == ["napari-ubam.write_side_by_side"]
    assert list(manager.iter_compatible_writers(["image", "labels"])) == []


def test_menus_are_those_that_napari_offers(manifest):
    from napari._app_model.constants._menus import is_menu_contributable

    assert all(map(is_menu_contributable, manifest.contributions.menus))


@pytest.mark.parametrize(
    "name", ["Study", "Train", "Embedding", "Ethogram", "Magnify", "Transfer", "Keypoints", "Video", "Export video"]
)
def test_every_widget_opens_in_napari(make_napari_viewer, name):
    viewer = make_napari_viewer()
    _, widget = viewer.window.add_plugin_dock_widget("napari-ubam", name)
    assert type(widget).__name__ == f"{name.split()[0]}Widget"
    viewer.window.remove_dock_widget(widget)


def test_the_last_study_is_one_of_napari_s_settings(make_napari_viewer, study):
    make_napari_viewer()
    remember_study(study.folder)
    assert last_study() == study.folder
    assert get_plugin_settings("napari-ubam").study.last == str(study.folder)
    remember_study(None)
    assert last_study() is None


def test_widgets_share_the_study(make_napari_viewer, study):
    viewer, other = make_napari_viewer(), make_napari_viewer()
    _, first = viewer.window.add_plugin_dock_widget("napari-ubam", "Study")
    _, second = viewer.window.add_plugin_dock_widget("napari-ubam", "Magnify")
    _, third = other.window.add_plugin_dock_widget("napari-ubam", "Magnify")
    first.open_study(study.folder)
    assert second.recording.count() == 4
    assert third.recording.count() == 0


def test_the_sample_cohort_opens(make_napari_viewer):
    viewer = make_napari_viewer()
    viewer.open_sample("napari-ubam", "cohort")
    assert [layer.metadata["ubam"]["group"] for layer in viewer.layers] == [*["healthy"] * 2, *["impaired"] * 2]


def test_opening_a_widget_does_not_load_torch():
    script = "import sys, napari_ubam.widgets as w; [getattr(w, n) for n in w.__all__]; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "False"
