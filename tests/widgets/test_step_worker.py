import threading

import pytest
from napari.qt.threading import WorkerBase

from napari_ubam.errors import ModelError
from napari_ubam.progress import Progress
from napari_ubam.widgets import dock
from napari_ubam.widgets.dock import DockWidget
from napari_ubam.widgets.progress_row import ProgressRow, time_in_words
from napari_ubam.widgets.step_worker import StepWorker


@pytest.fixture
def widget(make_napari_viewer):
    viewer = make_napari_viewer()
    widget = DockWidget(viewer)
    widget.column.addWidget(widget.progress)
    viewer.window.add_dock_widget(widget, name="test")
    return widget


@pytest.fixture
def endless():
    """Give a step that goes on until it is stopped, and an event that tells that it has begun."""
    begun = threading.Event()

    def step(report):
        while True:
            report(Progress("waiting", 0, 10))
            begun.set()
            threading.Event().wait(0.01)

    return step, begun


def test_a_step_runs_in_another_thread_and_tells_its_progress(qtbot):
    threads, told, results = [], [], []

    def step(report):
        threads.append(threading.current_thread())
        report(Progress("counting", 10, 10))
        return 7

    worker = StepWorker(step)
    worker.progressed.connect(told.append)
    worker.returned.connect(results.append)
    with qtbot.waitSignal(worker.finished, timeout=10_000):
        worker.start()
    assert results == [7]
    assert threads != [threading.main_thread()]
    assert told == [Progress("counting", 10, 10)]


def test_the_progress_is_shown_while_a_step_runs(qtbot, widget):
    results = []
    widget.run_step("counting", lambda report: 7, results.append)
    assert widget.progress.isVisibleTo(widget)
    qtbot.waitUntil(lambda: results == [7], timeout=10_000)
    assert not widget.progress.isVisibleTo(widget)


def test_a_step_can_be_cancelled(qtbot, widget, endless):
    step, begun = endless
    results = []
    widget.run_step("waiting", step, results.append)
    qtbot.waitUntil(begun.is_set, timeout=10_000)
    widget.progress.cancel.click()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=10_000)
    assert results == []


def test_an_error_for_the_user_is_a_message_and_the_log_says_where_it_comes_from(qtbot, widget, notifications, caplog):
    def step(report):
        raise ModelError("The study is not trained: train it first.")

    widget.run_step("failing", step, print)
    qtbot.waitUntil(lambda: widget.worker is None, timeout=10_000)
    assert notifications == ["The study is not trained: train it first."]
    assert caplog.records[-1].exc_info[2].tb_next is not None


def test_the_end_of_a_step_is_told_if_it_took_long_or_has_something_to_say(qtbot, widget, notifications, monkeypatch):
    def done_with(on_done):
        widget.run_step("counting", lambda report: 7, on_done)
        qtbot.waitUntil(lambda: widget.worker is None, timeout=10_000)

    done_with(lambda n: None)
    assert notifications == []
    done_with(lambda n: f"Counted to {n}.")
    monkeypatch.setattr(dock, "_LONG", 0)
    done_with(lambda n: None)
    assert notifications == ["Counted to 7.", "Counting is done. It took 1 s."]


def test_what_is_asked_for_meanwhile_waits(qtbot, widget):
    results = []
    for i in range(3):  # the second is overtaken by the third
        widget.run_step("counting", lambda report, i=i: i, results.append)
    qtbot.waitUntil(lambda: results == [0, 2] and widget.worker is None, timeout=10_000)


def test_one_kind_of_step_that_waits_is_not_overtaken_by_another(qtbot, widget):
    results = []
    for i, stage in enumerate(["counting", "looking at files", "copying layers", "looking at files"]):
        widget.run_step(stage, lambda report, i=i: i, results.append)
    qtbot.waitUntil(lambda: results == [0, 3, 2] and widget.worker is None, timeout=10_000)


def test_closing_the_widget_stops_its_step(qtbot, widget, endless):
    step, begun = endless
    widget.run_step("waiting", step, print)
    qtbot.waitUntil(begun.is_set, timeout=10_000)
    widget.viewer.window.remove_dock_widget(widget)
    qtbot.waitUntil(lambda: len(WorkerBase._worker_set) == 0, timeout=10_000)


def test_closing_the_viewer_stops_the_step(qtbot, make_napari_viewer, endless):
    step, begun = endless
    viewer = make_napari_viewer()
    widget = DockWidget(viewer)
    viewer.window.add_dock_widget(widget, name="test")
    widget.run_step("waiting", step, print)
    qtbot.waitUntil(begun.is_set, timeout=10_000)
    del widget
    viewer.close()
    qtbot.waitUntil(lambda: len(WorkerBase._worker_set) == 0, timeout=10_000)


def test_progress_is_said_in_words(qtbot):
    row = ProgressRow()
    qtbot.addWidget(row)
    row.begin("training")
    assert row.label.text() == "Training…"
    row.show_progress(Progress("training posture", 3, 10, seconds_left=125))
    assert row.label.text() == "Training posture, 3 of 10, 2 min left"
    assert (row.bar.value(), row.bar.maximum()) == (3, 10)
    row.cancel.click()
    row.show_progress(Progress("training posture", 4, 10))
    assert row.label.text() == "Cancelling…"


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "1 s"), (59, "59 s"), (90, "2 min"), (3700, "1 h 2 min")])
def test_durations_are_said_in_words(seconds, words):
    assert time_in_words(seconds) == words
