"""What is needed seldom, folded away under its title."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QMargins, QObject, QSize, Qt
from qtpy.QtWidgets import QFrame, QPushButton, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

_LEAST = 40  # px: of what is unfolded, the rest is scrolled to


class Fold(QWidget):
    """A button with a title that shows its content, and hides it again; Tab passes over what is hidden.

    Where there is no room for the content it is scrolled, so that the window never becomes larger than the screen.

    Parameters
    ----------
    title : str
        What is folded away.
    content : QWidget
        Hidden at first.
    """

    def __init__(self, title: str, content: QWidget) -> None:
        super().__init__()
        self.title, self.content = title, content
        self.button = QPushButton()
        self.button.setStyleSheet("text-align: left;")
        self.button.setAccessibleName(title)
        self.button.clicked.connect(self._on_clicked)
        column = QVBoxLayout(self)
        column.setContentsMargins(QMargins())
        column.addWidget(self.button)
        self._area = _Area(content)
        column.addWidget(self._area)
        self._show(False)

    def _on_clicked(self) -> None:
        self._show(self._area.isHidden())

    def _show(self, shown: bool) -> None:
        self._area.setVisible(shown)
        self.button.setText(f"{'▾' if shown else '▸'} {self.title}")
        self.button.setAccessibleDescription("Hides what is below." if shown else "Shows more.")


class _Area(QScrollArea):
    """As high as its content, or lower where there is not so much room."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidgetResizable(True)
        self.setWidget(content)

    def sizeHint(self) -> QSize:
        """Ask for room for all of the content, and for the frame that napari's style sheet draws nevertheless."""
        frame = 2 * self.frameWidth()
        return self.widget().sizeHint().expandedTo(self.widget().minimumSize()) + QSize(frame, frame)

    def minimumSizeHint(self) -> QSize:
        """Be content with some of the height, and with room for the scroll bar."""
        least = self.widget().minimumSizeHint().expandedTo(self.widget().minimumSize())
        return QSize(least.width(), min(_LEAST, least.height()))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Ask for other room when the content does."""
        if watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)
