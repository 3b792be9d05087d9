"""What is needed seldom, folded away under its title."""

from __future__ import annotations

from qtpy.QtCore import QMargins
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget


class Fold(QWidget):
    """A button with a title that shows its content, and hides it again; Tab passes over what is hidden.

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
        column.addWidget(content)
        self._show(False)

    def _on_clicked(self) -> None:
        self._show(self.content.isHidden())

    def _show(self, shown: bool) -> None:
        self.content.setVisible(shown)
        self.button.setText(f"{'▾' if shown else '▸'} {self.title}")
        self.button.setAccessibleDescription("Hides what is below." if shown else "Shows more.")
