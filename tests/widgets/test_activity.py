import threading

import pytest
from napari.qt.threading import WorkerBase
from napari.utils import progress
from qtpy.QtWidgets import QLabel, QProgressBar, QPushButton

from napari_ubam.progress import Progress
from napari_ubam.widgets.dock import DockWidget


class Counting:
    """A step that counts on when it is told to."""

    def __init__(self):
        self.told, self.go_on = Progress("counting", 0, 10), True

    def __call__(self, report):
        while self.go_on:
            report(self.told)
            threading.Event().wait(0.01)
        return self.told.done


def open_widget(viewer) -> DockWidget:
    widget = DockWidget(viewer)
    widget.column.addWidget(widget.progress)
    viewer.window.add_dock_widget(widget, name="test")
    return widget


def bars(viewer) -> list:
    """Give what napari's activity dock shows: titles, and their bars."""
    dialog = viewer.window._qt_window._activity_dialog
    return [bar.parent() for bar in dialog.findChildren(QProgressBar) if not bar.parent().isHidden()]


def titles(viewer) -> list[str]:
    return [bar.findChildren(QLabel)[0].text() for bar in bars(viewer)]


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer()


@pytest.fixture
def step():
    counting = Counting()
    yield counting
    counting.go_on = False


def test_a_step_is_a_bar_in_the_activity_dock_until_it_ends(qtbot, viewer, step):
    widget, results = open_widget(viewer), []
    widget.run_step("counting", step, results.append)
    qtbot.waitUntil(lambda: titles(viewer) == ["uBAM: counting: "], timeout=10_000)
    step.told = Progress("counting", 4, 10)
    qtbot.waitUntil(lambda: bars(viewer)[0].findChild(QProgressBar).value() == 4, timeout=10_000)
    step.told = Progress("counting again", 0, 10)
    qtbot.waitUntil(lambda: bars(viewer)[0].findChild(QProgressBar).value() == 0, timeout=10_000)
    step.told = Progress("counting again", 1, 3)
    qtbot.waitUntil(lambda: titles(viewer) == ["uBAM: counting again: "], timeout=10_000)
    bar = bars(viewer)[0].findChild(QProgressBar)
    qtbot.waitUntil(lambda: (bar.value(), bar.maximum()) == (1, 3), timeout=10_000)
    step.go_on = False
    qtbot.waitUntil(lambda: widget.worker is None, timeout=10_000)
    assert bars(viewer) == []
    assert results == [1]


def test_a_step_is_cancelled_in_the_activity_dock(qtbot, viewer, step):
    widget, results = open_widget(viewer), []
    widget.run_step("counting", step, results.append)
    qtbot.waitUntil(lambda: len(bars(viewer)) == 1, timeout=10_000)
    bars(viewer)[0].findChild(QPushButton).click()
    assert widget.progress.label.text() == "Cancelling…"
    qtbot.waitUntil(lambda: widget.worker is None, timeout=10_000)
    assert results == []
    assert bars(viewer) == []


def test_what_is_short_is_no_bar(qtbot, viewer, step):
    widget = open_widget(viewer)
    known = []
    progress._all_instances.events.changed.connect(lambda event: known.append(event))
    widget.run_step("counting", lambda report: None, lambda result: None)
    qtbot.waitUntil(lambda: widget.worker is None, timeout=10_000)
    qtbot.wait(400)
    assert known == []


@pytest.mark.parametrize("what", ["dock", "viewer"])
def test_closing_leaves_no_bar(qtbot, viewer, step, what):
    widget = open_widget(viewer)
    widget.run_step("counting", step, print)
    qtbot.waitUntil(lambda: len(bars(viewer)) == 1, timeout=10_000)
    if what == "dock":
        viewer.window.remove_dock_widget(widget)
    del widget
    if what == "viewer":
        viewer.close()
    qtbot.waitUntil(lambda: not WorkerBase._worker_set and not progress._all_instances, timeout=10_000)


def test_closing_another_viewer_leaves_the_bar_of_this_one(qtbot, viewer, make_napari_viewer, step):
    other = make_napari_viewer()
    widget = open_widget(viewer)
    widget.run_step("counting", step, lambda result: None)
    qtbot.waitUntil(lambda: len(bars(viewer)) == 1, timeout=10_000)
    other.close()
    step.told = Progress("counting", 5, 10)
    qtbot.waitUntil(lambda: [bar.findChild(QProgressBar).value() for bar in bars(viewer)] == [5], timeout=10_000)
    step.go_on = False
    qtbot.waitUntil(lambda: widget.worker is None, timeout=10_000)
    assert bars(viewer) == []
