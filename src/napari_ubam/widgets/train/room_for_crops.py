"""Ask before the crops take much of the disk; how much is looked up in a thread, as every video has to be opened."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QMessageBox, QWidget

from napari_ubam.study import MUCH, Study, cache_size, describe_size
from napari_ubam.widgets.latest_call import LatestCall
from napari_ubam.widgets.notices import tell_error

Then = Callable[[bool], object]


class RoomForCrops(LatestCall):
    """Looks how much of the disk a study's crops will take, and asks where that is much.

    Parameters
    ----------
    parent : QWidget
        Whom the question belongs to.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._asked: tuple[Study, Then] | None = None
        self.done.connect(self._on_done)
        self.failed.connect(self._on_failed)

    def look(self, study: Study, then: Then) -> None:
        """Look once, and call ``then`` with whether the crops may be made: not if much was to be taken and refused."""
        self._asked = study, then
        self.ask(lambda: cache_size(study, study.recordings))

    def _on_done(self, size: int) -> None:
        assert self._asked is not None
        (study, then), self._asked = self._asked, None
        then(size <= MUCH or self._may_take(size, study))

    def _on_failed(self, error: Exception) -> None:
        assert self._asked is not None
        (_, then), self._asked = self._asked, None
        tell_error(error)
        then(False)

    def _may_take(self, size: int, study: Study) -> bool:
        text = (
            f"The crops of the recordings will take {describe_size(size)} of the disk, in {study.cache_folder}. "
            "They may be deleted after training and embedding. Go on?"
        )
        buttons = QMessageBox.StandardButton
        return QMessageBox.question(self.parent(), "Disk space", text, buttons.Yes | buttons.No) == buttons.Yes
