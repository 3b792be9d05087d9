"""A strip of pictures that grows while a training goes on."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from qtpy.QtCore import QMargins, QSize, Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from napari_ubam.widgets.latest_call import LatestCall

_HEIGHT = 124  # of a picture [px]
_BELOW = 52  # px: its caption and the scroll bar
_LEAST = 44  # px: it is scrolled where there is not enough room
_TIP = (
    "<qt>From left to right: a frame of a recording, the same frame redrawn from another one of the recording by what "
    "was learned so far, and the frame of another subject that is nearest in posture.</qt>"
)


class PictureStrip(QScrollArea):
    """Shows the pictures in a folder side by side, each with the step it was drawn at; hidden where there are none."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []  # of what is shown
        self._folder: Path | None = None
        self._latest = LatestCall(self)
        self._latest.done.connect(self._on_read)
        self.row = QHBoxLayout()
        self.row.setContentsMargins(QMargins())
        self.row.addStretch()
        content = QWidget()
        content.setLayout(self.row)
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setAccessibleName("Pictures of what was learned")
        self.setToolTip(_TIP)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self.setMinimumHeight(_LEAST)
        self.horizontalScrollBar().rangeChanged.connect(self._on_grown)
        self.hide()

    def sizeHint(self) -> QSize:
        """Ask for room for all of a picture."""
        return QSize(200, _HEIGHT + _BELOW)

    def look(self, folder: Path | None) -> None:
        """Show the pictures in a folder; of a folder that is shown already, those that are new."""
        if folder != self._folder:
            self._folder = folder
            self.clear()
        if folder is not None:
            self._latest.ask(partial(_read, folder, frozenset(self.names)))

    def clear(self) -> None:
        """Show nothing."""
        self.names = []
        while self.row.count() > 1:  # the stretch stays
            self.row.takeAt(0).widget().deleteLater()
        self.hide()

    def close_thread(self) -> None:
        """Read no more."""
        self._latest.close()

    def _on_grown(self, first: int, last: int) -> None:
        self.horizontalScrollBar().setValue(last)  # the newest

    def _on_read(self, found: tuple[Path, list[tuple[str, QImage]]]) -> None:
        folder, pictures = found
        if folder != self._folder:  # another one was asked for meanwhile
            return
        for name, image in pictures:
            if name not in self.names:
                self.names.append(name)
                self.row.insertWidget(self.row.count() - 1, _captioned(name, image))
        self.setVisible(bool(self.names))


def _captioned(name: str, image: QImage) -> QWidget:
    stage, _, step = name.rpartition("_")
    picture, caption = QLabel(), QLabel(f"step {int(step)}" if step.isdigit() else name)
    picture.setPixmap(QPixmap.fromImage(image))
    caption.setToolTip(stage.replace("_", " "))
    caption.setAlignment(Qt.AlignmentFlag.AlignHCenter)
    made = QWidget()
    column = QVBoxLayout(made)
    column.setContentsMargins(QMargins())
    column.addWidget(picture)
    column.addWidget(caption)
    return made


def _read(folder: Path, known: frozenset[str]) -> tuple[Path, list[tuple[str, QImage]]]:
    """Read the pictures that are not known yet, in the order in which they were drawn; in the thread."""
    paths = [path for path in folder.glob("[!.]*.png") if path.stem not in known]
    pictures = []
    for path in sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path.name)):
        image = QImage(str(path))
        if not image.isNull():
            smooth = Qt.TransformationMode.SmoothTransformation
            pictures.append((path.stem, image.scaledToHeight(_HEIGHT, smooth)))
    return folder, pictures
