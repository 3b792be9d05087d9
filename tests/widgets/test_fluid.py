"""The viewer's thread is never held for long by what we do in it while a step runs."""

import gc
import importlib
import inspect
import pkgutil
import sys
import threading
import time
from functools import wraps
from types import SimpleNamespace

import numpy as np
import pytest
from napari._qt.dialogs import qt_activity_dialog
from napari._qt.widgets import qt_progress_bar
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QApplication

import napari_ubam.widgets
from napari_ubam.settings import EmbedSettings
from napari_ubam.study import Embedding, read_result, write_embedding, write_result
from napari_ubam.widgets.embedding.embedding_widget import EmbeddingWidget
from napari_ubam.widgets.embedding.ethogram_widget import EthogramWidget
from napari_ubam.widgets.groups.compare_widget import CompareWidget
from napari_ubam.widgets.layers import go_to_frame
from napari_ubam.widgets.magnify.magnify_widget import MagnifyWidget
from napari_ubam.widgets.train.train_widget import TrainWidget
from napari_ubam.widgets.train.training_process import TrainingState

LONGEST = 0.05  # seconds
SLOW = 2  # machines that run tests may be so much slower than a user's


class Clock:
    """Times what Qt and napari call of our widgets in the processor's time of the viewer's thread.

    What napari does meanwhile is not counted: adding layers, and handling events, in which it draws. Nor is the
    collection of garbage.
    """

    def __init__(self):
        self.times: dict[str, list[float]] = {}
        self._depth, self._not_ours = 0, 0.0

    def timed(self, function, name):
        taken = len(inspect.signature(function).parameters)  # Qt gives a signal's arguments to whoever takes any

        @wraps(function)
        def call(*args, **options):
            if threading.current_thread() is not threading.main_thread() or self._depth:
                return function(*args[:taken], **options)
            self._depth, self._not_ours, begun = 1, 0.0, time.thread_time()
            try:
                return function(*args[:taken], **options)
            finally:
                self._depth = 0
                self.times.setdefault(name, []).append(time.thread_time() - begun - self._not_ours)

        return call

    def collects(self, phase, info):
        if threading.current_thread() is threading.main_thread():
            self._not_ours += -time.thread_time() if phase == "start" else time.thread_time()

    def left_out(self, function):
        @wraps(function)
        def call(*args, **options):
            depth, self._depth, begun = self._depth, 0, time.thread_time()
            before = self._not_ours
            try:
                return function(*args, **options)
            finally:
                self._depth = depth
                self._not_ours = before + time.thread_time() - begun

        return call


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for module in pkgutil.walk_packages(napari_ubam.widgets.__path__, "napari_ubam.widgets."):
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(kind, QObject) and kind.__module__ == module.name:
                for name, function in list(vars(kind).items()):
                    if inspect.isfunction(function) and not name.startswith("__"):  # slots are of any name
                        monkeypatch.setattr(kind, name, clock.timed(function, f"{kind.__name__}.{name}"))
    monkeypatch.setattr(ViewerModel, "add_layer", clock.left_out(ViewerModel.add_layer))
    monkeypatch.setattr(Layer, "create", staticmethod(clock.left_out(Layer.create)))
    handle = clock.left_out(QApplication.processEvents)
    for module in (qt_activity_dialog, qt_progress_bar):
        monkeypatch.setattr(module, "QApplication", SimpleNamespace(processEvents=handle))
    gc.callbacks.append(clock.collects)  # it goes over all objects of napari, whoever sets it off
    yield clock
    gc.callbacks.remove(clock.collects)


def assert_fluid(clock, *expected):
    """Say that these slots were called, and none of all took long."""
    assert set(expected) <= set(clock.times)
    slow = {name: round(1000 * max(times)) for name, times in clock.times.items() if max(times) > LONGEST * SLOW}
    assert slow == {}


def opened(make_napari_viewer, kind):
    viewer = make_napari_viewer()
    widget = kind(viewer)
    viewer.window.add_dock_widget(widget, name=kind.__name__)
    return widget


def test_a_slot_that_takes_long_is_noticed():
    clock = Clock()

    def work(seconds, at=lambda: None):
        begun = time.thread_time()
        while time.thread_time() - begun < seconds:
            at()

    clock.timed(lambda: clock.left_out(work)(0.3), "drawing")()
    assert_fluid(clock, "drawing")
    gc.callbacks.append(clock.collects)
    clock.timed(lambda: work(0.3, at=gc.collect), "collecting")()
    gc.callbacks.remove(clock.collects)
    assert_fluid(clock, "drawing", "collecting")
    clock.timed(lambda: work(0.3), "slow")()
    with pytest.raises(AssertionError, match="slow"):
        assert_fluid(clock, "slow")


@pytest.mark.slow
def test_while_it_trains(qtbot, make_napari_viewer, study, clock):
    script = """
import json, time
for stage in ("training posture", "training generator"):
    for step in range(300):
        event = dict(stage=stage, done=step, total=300, loss=1 / (1 + step), seconds_left=9.0, message="")
        print(json.dumps(dict(event="progress", **event)), flush=True)
        time.sleep(0.005)
print(json.dumps(dict(event="end", state="done")), flush=True)
"""
    widget = opened(make_napari_viewer, TrainWidget)
    widget.session.open(study.folder)
    clock.times.clear()
    widget.training.run([sys.executable, "-c", script])
    qtbot.waitUntil(lambda: widget.training.state is TrainingState.DONE, timeout=60_000)
    assert_fluid(clock, "TrainingProcess._on_output", "Activity._on_time")


@pytest.mark.slow
def test_while_it_embeds_and_lays_out_many_points(qtbot, make_napari_viewer, finished, clock):
    widget = opened(make_napari_viewer, EmbeddingWidget)
    widget.session.open(finished.folder)
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    widget.form.show_settings(EmbedSettings(anew=True, device="cpu"))
    clock.times.clear()
    widget.compute()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=120_000)
    rng = np.random.default_rng(1)
    for recording in finished.recordings:
        codes = rng.normal(size=(30_000, 4)).astype(np.float32)
        write_embedding(finished, recording.name, Embedding(codes, codes, np.arange(30_000)), {})
    widget.load(anew=True)
    qtbot.waitUntil(lambda: widget.worker is None, timeout=120_000)
    assert len(widget.map.data.frame) > 100_000
    measured = read_result(finished, "deviation", "deviate").groupby("recording").first().reset_index()
    measured = measured.loc[measured.index.repeat(30_000)]
    measured["frame"] = np.tile(np.arange(30_000), len(finished.recordings))
    write_result(finished, "deviation", measured)
    others = [EthogramWidget(widget.viewer), CompareWidget(widget.viewer)]
    for other in others:
        widget.viewer.window.add_dock_widget(other, name=type(other).__name__)
    for _ in range(2):
        widget.session.results_changed.emit()
        qtbot.waitUntil(lambda: all(x.worker is None for x in (widget, *others)), timeout=120_000)
    assert others[1].compared is not None
    assert_fluid(clock, "DockWidget._on_progressed", "DockWidget._on_finished", "CompareWidget.load")


@pytest.mark.slow
def test_while_it_magnifies_and_plays(qtbot, make_napari_viewer, finished, clock):
    widget = opened(make_napari_viewer, MagnifyWidget)
    widget.session.open(finished.folder)
    clock.times.clear()
    widget.magnify()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=120_000)
    for frame, factor in ((3, 1.5), (4, 4.0), (9, 0.0)):
        widget.form.fields["factor"].value = factor
        go_to_frame(widget.viewer, widget.live.video, frame)
        qtbot.waitUntil(lambda frame=frame: widget.live.frames.is_ready(frame), timeout=60_000)
    first = widget.live
    widget.recording.setCurrentText(finished.recordings[1].name)
    widget.magnify()
    qtbot.waitUntil(lambda: widget.worker is None and widget.live is not first, timeout=120_000)
    assert_fluid(clock, "DockWidget._on_progressed", "LatestCall._on_time", "LiveMagnification._on_time_moved")
