"""The keys that the widgets listen to: all of them are listed here, and those of the whole window are bound here.

npe2's keybindings are not honoured by napari, so they are bound when a widget is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from app_model.types import KeyBinding
from napari.settings import get_settings
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from napari.viewer import Viewer


@dataclass(frozen=True)
class Shortcut:
    """A key and what it does.

    Attributes
    ----------
    widget : str
        The widget that listens to it.
    key : str
        Such as ``"Alt+Left"``.
    does : str
        In words.
    everywhere : bool
        Whether it is heard in the whole window as long as the widget is open, and not only where the widget is used.
    """

    widget: str
    key: str
    does: str
    everywhere: bool = False


UNDO, REDO = Shortcut("Study", "Ctrl+Z", "undo"), Shortcut("Study", "Ctrl+Shift+Z", "redo")
PLAY = Shortcut("Video", "K", "play, or stop", everywhere=True)
BACK = Shortcut("Video", "PageUp", "ten frames back", everywhere=True)
ON = Shortcut("Video", "PageDown", "ten frames on", everywhere=True)
KEYFRAME_BEFORE = Shortcut("Video", "Alt+Left", "to the keyframe before", everywhere=True)
KEYFRAME_AFTER = Shortcut("Video", "Alt+Right", "to the next keyframe", everywhere=True)
MARK_IN = Shortcut("Video", "Shift+I", "mark in: here begins the stretch that is played", everywhere=True)
MARK_OUT = Shortcut("Video", "Shift+O", "mark out: here it ends", everywhere=True)

SHORTCUTS = (
    PLAY,
    BACK,
    ON,
    KEYFRAME_BEFORE,
    KEYFRAME_AFTER,
    MARK_IN,
    MARK_OUT,
    UNDO,
    REDO,
    Shortcut("Study", "F2", "edit one cell"),
    Shortcut("Embedding", "Left, Right, Up, Down", "move the map"),
    Shortcut("Embedding", "+, -", "zoom"),
    Shortcut("Embedding", "Home", "show all of the map"),
    Shortcut("Ethogram", "Left, Right", "one frame back, or on"),
    Shortcut("Ethogram", "PageUp, PageDown", "ten frames back, or on"),
    Shortcut("Ethogram", "+, -", "zoom"),
)


class BoundKeys:
    """Keys that are heard in the whole window, until they are released.

    Keys that the user has given to napari, or that something else has bound in this viewer, are left alone.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose window it is.
    actions : mapping of Shortcut to callable
        What each key does.
    """

    def __init__(self, viewer: Viewer, actions: Mapping[Shortcut, Callable[[], None]]) -> None:
        self._viewer = viewer
        taken = {key for keys in get_settings().shortcuts.shortcuts.values() for key in keys} | set(viewer.keymap)
        self._bound = {
            key: _ignoring_viewer(action)
            for shortcut, action in actions.items()
            if (key := KeyBinding.from_str(shortcut.key)) not in taken
        }
        for key, call in self._bound.items():
            viewer.bind_key(key, call)

    def release(self) -> None:
        """Listen no more."""
        for key in self._bound:
            self._viewer.bind_key(key, None)
        self._bound = {}


class ShortcutsDialog(QDialog):
    """Lists all keys of all widgets."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Shortcuts of uBAM")
        self.text = QLabel(_as_html())
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.text.setAccessibleName("Shortcuts")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.text)
        column.addWidget(buttons)


def _ignoring_viewer(action: Callable[[], None]) -> Callable[[Viewer], None]:
    def call(viewer: Viewer) -> None:
        action()

    return call


def _as_html() -> str:
    lines, widget = [], ""
    for shortcut in SHORTCUTS:
        if shortcut.widget != widget:
            widget = shortcut.widget
            where = "anywhere, while the widget is open" if shortcut.everywhere else "in the widget"
            lines.append(f"<tr><td colspan=2><br><b>{widget}</b> ({where})</td></tr>")
        lines.append(f"<tr><td>{escape(shortcut.key)}&nbsp;&nbsp;</td><td>{escape(shortcut.does)}</td></tr>")
    return f"<table>{''.join(lines)}</table>"
