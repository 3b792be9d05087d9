import re
from pathlib import Path

import numpy as np
from app_model.types import KeyBinding
from napari.settings import get_settings
from napari.utils.shortcuts import default_shortcuts
from qtpy.QtCore import Qt

from napari_ubam.widgets.shortcuts import PLAY, SHORTCUTS, BoundKeys, ShortcutsDialog
from napari_ubam.widgets.video.video_widget import VideoWidget

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"


def open_video_widget(viewer) -> VideoWidget:
    viewer.add_image(np.zeros((40, 8, 8)))
    widget = VideoWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Video")
    return widget


def press(viewer, key) -> None:
    """Press a key where napari hears it: in its window."""
    from qtpy.QtTest import QTest

    QTest.keyClick(viewer.window._qt_window, key[0], key[1])


def test_the_guide_lists_the_same_keys():
    rows = re.findall(r"^\| (\w+) \| (.+?) \| (.+) \|$", GUIDE.read_text().split("**Shortcuts.**")[1], re.MULTILINE)
    said = [(widget, keys.replace("`", ""), does) for widget, keys, does in rows if "`" in keys]
    assert said == [(x.widget, x.key, x.does) for x in SHORTCUTS]


def test_no_key_of_napari_is_taken(make_napari_viewer):
    viewer = make_napari_viewer()
    ours = {KeyBinding.from_str(x.key) for x in SHORTCUTS if x.everywhere}
    assert len(ours) == sum(x.everywhere for x in SHORTCUTS)
    napari = {key for keys in default_shortcuts.values() for key in keys} | set(type(viewer).class_keymap)
    from napari._app_model import get_app_model

    napari |= {rule.keybinding for rule in get_app_model().keybindings}
    assert not ours & napari


def test_keys_are_heard_in_the_window_while_the_widget_is_open(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    widget = open_video_widget(viewer)
    none, alt, shift = (
        Qt.KeyboardModifier.NoModifier,
        Qt.KeyboardModifier.AltModifier,
        Qt.KeyboardModifier.ShiftModifier,
    )
    widget.go_to(20)
    press(viewer, (Qt.Key.Key_PageDown, none))
    assert viewer.dims.current_step[0] == 30
    press(viewer, (Qt.Key.Key_O, shift))
    press(viewer, (Qt.Key.Key_PageUp, none))
    press(viewer, (Qt.Key.Key_I, shift))
    assert widget.stretch() == range(20, 31)
    press(viewer, (Qt.Key.Key_Left, alt))
    assert viewer.dims.current_step[0] == 19
    press(viewer, (Qt.Key.Key_Right, alt))
    assert viewer.dims.current_step[0] == 20
    press(viewer, (Qt.Key.Key_K, none))
    assert widget.player.playing
    viewer.window.remove_dock_widget(widget)
    assert not viewer.keymap


def test_a_key_that_the_user_gave_to_napari_is_left_alone(make_napari_viewer):
    viewer = make_napari_viewer()
    shortcuts = get_settings().shortcuts
    key = KeyBinding.from_str(PLAY.key)
    shortcuts.shortcuts = {**shortcuts.shortcuts, "napari:toggle_grid": [key]}
    try:
        assert BoundKeys(viewer, {PLAY: print})._bound == {}
    finally:
        shortcuts.shortcuts = default_shortcuts


def test_the_dialog_shows_all_keys(qtbot):
    dialog = ShortcutsDialog()
    qtbot.addWidget(dialog)
    for shortcut in SHORTCUTS:
        assert shortcut.does in dialog.text.text()
