"""What holds of every widget: two viewers at once, steps that crash, and controls that say what they do."""

import threading

import numpy as np
import pytest
from napari._qt.utils import QImg2array
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QVBoxLayout,
    QWidget,
)

from napari_ubam import pipeline
from napari_ubam.errors import ModelError
from napari_ubam.progress import Progress
from napari_ubam.widgets.embedding.embedding_widget import EmbeddingWidget
from napari_ubam.widgets.embedding.ethogram_widget import EthogramWidget
from napari_ubam.widgets.embedding.lanes_view import LanesView
from napari_ubam.widgets.embedding.map_view import MapView
from napari_ubam.widgets.focus_ring import FocusRing
from napari_ubam.widgets.groups.compare_widget import CompareWidget
from napari_ubam.widgets.keypoints.keypoints_widget import KeypointsWidget
from napari_ubam.widgets.magnify.magnify_widget import MagnifyWidget
from napari_ubam.widgets.magnify.transfer_widget import TransferWidget
from napari_ubam.widgets.study.study_widget import StudyWidget
from napari_ubam.widgets.tab_order import in_order, order_tabs
from napari_ubam.widgets.train.train_widget import TrainWidget
from napari_ubam.widgets.video.export_widget import ExportWidget
from napari_ubam.widgets.video.video_widget import VideoWidget

KINDS = [
    StudyWidget, TrainWidget, EmbeddingWidget, EthogramWidget, MagnifyWidget, TransferWidget, KeypointsWidget,
    CompareWidget, VideoWidget, ExportWidget,
]  # fmt: skip
CONTROLS = (QAbstractButton, QComboBox, QAbstractSpinBox, QLineEdit, QListWidget, QAbstractSlider, MapView, LanesView)


def open_in(viewer, kind):
    widget = kind(viewer)
    viewer.window.add_dock_widget(widget, name=kind.__name__)
    return widget


def idle(qtbot, *widgets):
    qtbot.waitUntil(lambda: all(widget.worker is None for widget in widgets), timeout=60_000)


@pytest.mark.parametrize("kind", KINDS)
def test_in_two_viewers_at_once_one_is_closed_and_the_other_goes_on(qtbot, make_napari_viewer, study, kind):
    here, there = (make_napari_viewer() for _ in range(2))
    stays, goes = open_in(here, kind), open_in(there, kind)
    stays.session.open(study.folder)
    assert goes.session.study is None
    goes.session.open(study.folder)
    idle(qtbot, stays, goes)
    go_on, results = threading.Event(), []

    def step(report):
        while not go_on.wait(0.01):
            report(Progress("counting", 0, 10))
        return 7

    stays.run_step("counting", step, results.append)
    goes.run_step("counting", step, results.append)
    there.window.remove_dock_widget(goes)
    here.add_points([[1, 1]])
    stays.session.edit(reference="impaired")
    stays.session.save()
    there.close()
    go_on.set()
    qtbot.waitUntil(lambda: results == [7] and stays.worker is None, timeout=60_000)
    assert stays.session.study.reference == "impaired"


@pytest.mark.parametrize(
    ("kind", "call", "step"),
    [
        (EmbeddingWidget, "compute", "embed"),
        (EthogramWidget, "cluster", "cluster"),
        (MagnifyWidget, "magnify", "Magnifier"),
        (TransferWidget, "transfer", "transfer"),
        (KeypointsWidget, "predict", "keypoints"),
        (CompareWidget, "compare", "compare"),
        (CompareWidget, "write_report", "make_report"),
    ],
)
@pytest.mark.parametrize("error", [RuntimeError("a mistake"), ModelError("It is not trained.")])
def test_a_step_that_crashes_is_told_and_the_widget_can_be_used_again(
    qtbot, make_napari_viewer, study, notifications, monkeypatch, kind, call, step, error
):
    def crash(*args, **options):
        raise error

    monkeypatch.setattr(pipeline, step, crash, raising=False)
    widget = open_in(make_napari_viewer(), kind)
    widget.session.open(study.folder)
    idle(qtbot, widget)
    for _ in range(2):
        getattr(widget, call)()
        idle(qtbot, widget)
    assert notifications == [str(error)] * 2
    assert widget.progress.isHidden()
    if kind is not EthogramWidget and call != "write_report" and kind is not TransferWidget:
        button = widget.compute_button if kind is EmbeddingWidget else widget.run_button
        assert button.isEnabled()


@pytest.mark.parametrize("kind", KINDS)
def test_every_control_says_what_it_does_to_those_who_see_and_those_who_do_not(qtbot, make_napari_viewer, study, kind):
    widget = open_in(make_napari_viewer(), kind)
    widget.session.open(study.folder)
    idle(qtbot, widget)
    wanting = []
    for control in widget.findChildren(QWidget):
        inner = isinstance(control.parent(), CONTROLS) or control.objectName().startswith("qt_")
        if not isinstance(control, CONTROLS) or inner or control.focusPolicy() == Qt.FocusPolicy.NoFocus:
            continue
        named = control.accessibleName() or getattr(control, "text", str)()
        if not named or not (
            control.toolTip() or control.accessibleDescription() or isinstance(control, QAbstractButton)
        ):
            wanting.append((type(control).__name__, control.objectName(), named, type(control.parent()).__name__))
    assert wanting == []


@pytest.mark.parametrize("kind", KINDS)
def test_tab_goes_through_the_controls_as_they_are_read(make_napari_viewer, kind):
    widget = open_in(make_napari_viewer(), kind)
    stops = [x for x in in_order(widget) if x.focusPolicy() & Qt.FocusPolicy.TabFocus]
    known = {id(stop) for stop in stops}
    chain, at = [stops[0]], stops[0].nextInFocusChain()
    while at is not stops[0]:
        chain += [at] if id(at) in known else []
        at = at.nextInFocusChain()
    assert chain == stops
    assert set(stops) >= {x for x in widget.findChildren(QAbstractButton) if type(x).__name__ == "QPushButton"}


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_control_that_the_keys_go_to_is_seen(qtbot, make_napari_viewer, study, kind, theme):
    viewer = make_napari_viewer()
    viewer.theme = theme
    widget = open_in(viewer, kind)
    widget.session.open(study.folder)
    idle(qtbot, widget)
    unseen = []
    for control in in_order(widget):
        if not control.focusPolicy() & Qt.FocusPolicy.TabFocus or not control.isVisibleTo(widget):
            continue
        pictures = []
        for focused in (None, None, control):  # the first lays it out
            QApplication.instance().focusChanged.emit(None, focused)
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
            pictures.append(QImg2array(control.grab().toImage()).astype(int))
        changed = (np.abs(pictures[2] - pictures[1]).max(axis=-1) > 100).sum()
        if changed < control.width() + control.height():  # half of a line around it
            unseen.append((type(control).__name__, control.accessibleName()))
    QApplication.instance().focusChanged.emit(control, None)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert unseen == []
    assert widget.findChildren(FocusRing) == []


def test_the_line_around_a_control_stays_around_it(qtbot, make_napari_viewer):
    line = QLineEdit()
    qtbot.addWidget(line)
    line.resize(80, 20)
    line.show()
    ring = FocusRing(line, make_napari_viewer())
    line.resize(120, 30)
    assert ring.geometry() == line.rect()


def test_the_order_in_which_a_widget_is_read(qtbot):
    widget, form, side = QWidget(), QFormLayout(), QHBoxLayout()
    qtbot.addWidget(widget)
    lines = {name: QLineEdit(name) for name in "edcba"}  # not made in that order
    side.addWidget(lines["d"])
    side.addWidget(lines["e"])
    form.addRow("B", lines["b"])
    form.insertRow(0, "A", lines["a"])
    form.addRow(lines["c"])
    column = QVBoxLayout(widget)
    column.addLayout(form)
    column.addLayout(side)
    order_tabs(widget)
    assert [x.text() for x in in_order(widget) if isinstance(x, QLineEdit)] == [*"abcde"]
    at, chain = lines["a"], []
    while len(chain) < 5:
        chain += [at.text()]
        at = at.nextInFocusChain()
    assert chain == [*"abcde"]
