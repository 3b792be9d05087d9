import shutil

import numpy as np
import pandas as pd
import pytest
from matplotlib.backend_bases import MouseEvent
from qtpy.QtCore import Qt
from qtpy.QtGui import QDesktopServices

from napari_ubam.study import Interval, Study, read_intervals
from napari_ubam.study.editing import changed
from napari_ubam.widgets.groups.compare_data import TABLES
from napari_ubam.widgets.groups.compare_widget import CompareWidget
from napari_ubam.widgets.groups.group_plot import GroupPlot
from napari_ubam.widgets.groups.result_table import ResultTable
from napari_ubam.widgets.layers import current_frame, show_recording


@pytest.fixture
def widget(make_napari_viewer):
    viewer = make_napari_viewer()
    widget = CompareWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Compare groups")
    return widget


@pytest.fixture
def measured(trained: Study, tmp_path) -> Study:
    shutil.copytree(trained.folder.parent, tmp_path / "cohort")
    return Study.open(tmp_path / "cohort" / "study")


def press(plot: GroupPlot, x: float, y: float) -> None:
    plot.callbacks.process("button_press_event", MouseEvent("button_press_event", plot, x, y, button=1))


def open_study(qtbot, widget, study):
    widget.session.open(study.folder)
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)


def test_groups_are_compared_and_a_subject_opens_where_it_deviates_most(qtbot, widget, measured, notifications):
    open_study(qtbot, widget, measured)
    assert "not compared yet" in widget.hint.text()
    assert not widget.report_button.isEnabled()
    widget.form.fields["n_shuffles"].value = 2
    widget.form.fields["baselines"].value = False
    widget.run_button.click()
    assert not widget.run_button.isEnabled()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    assert "beyond every left-out healthy subject" in widget.hint.text()
    assert widget.findings.toPlainText().startswith(widget.hint.text())
    assert "of 1 subject of the group impaired" in widget.findings.toPlainText()
    assert len(widget.plot.subjects) == 4
    for title in TABLES:
        widget.which.setCurrentText(title)
    widget.plot.draw()
    impaired = widget.plot.subjects.index("i01")
    axes = widget.plot.figure.axes[0]
    press(widget.plot, *axes.transData.transform(widget.plot.positions[impaired]))
    qtbot.waitUntil(lambda: not widget.opening.busy, timeout=30_000)
    frames = pd.read_csv(measured.results_folder / "deviation.csv")
    own = frames[(frames["subject"] == "i01") & (frames["reliable"] | ~frames["reliable"].any())]
    (layer,) = widget.viewer.layers
    assert layer.name == "i01"
    widget.show_subject("renamed since")
    assert "Compare the groups again" in notifications[-1]
    assert current_frame(widget.viewer, layer) == own.loc[own["deviation"].idxmax(), "frame"]


def test_the_report_is_written_and_opened(qtbot, widget, measured, monkeypatch):
    from napari_ubam import pipeline
    from napari_ubam.settings import CompareSettings

    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    pipeline.compare(measured, CompareSettings(n_permutations=100, n_shuffles=0, baselines=False))
    open_study(qtbot, widget, measured)
    widget.report_button.click()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    assert opened == [str(measured.results_folder / "report.html")]


def test_intervals_are_taken_from_a_layer_that_was_drawn(qtbot, widget, measured, notifications):
    open_study(qtbot, widget, measured)
    recording = measured.recordings[0]
    widget.layer_button.click()
    assert "No recording of the study is shown" in notifications[-1]
    video = show_recording(widget.viewer, recording)
    widget.layer_button.click()
    assert "no labels and no shapes" in notifications[-1]
    data = np.zeros(video.data.shape[:3], np.uint8)
    data[2:5, 0, 0] = 1
    widget.viewer.add_labels(data, name="light")
    widget.layer_button.click()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    path = measured.folder / "intervals.csv"
    assert widget.form.settings().intervals == str(path)
    assert read_intervals(path, [recording.name]) == [Interval(recording.name, 2, 5, "light")]


def test_what_is_missing_is_a_message(qtbot, widget, study, notifications):
    assert "No study is open" in widget.hint.text()
    assert not widget.run_button.isEnabled()
    open_study(qtbot, widget, study)
    widget.run_button.click()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    assert "napari-ubam deviate" in notifications[-1]
    (study.results_folder).mkdir()
    (study.results_folder / "columns.csv").write_text("table,column\n")
    widget.load()
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    assert "napari-ubam compare" in notifications[-1]
    assert widget.compared is None


def test_what_was_found_in_another_study_is_not_shown_while_this_one_is_read(qtbot, widget, measured, study):
    from napari_ubam import pipeline
    from napari_ubam.settings import CompareSettings

    pipeline.compare(measured, CompareSettings(n_permutations=100, n_shuffles=0, baselines=False))
    open_study(qtbot, widget, measured)
    assert len(widget.plot.subjects) == 4
    widget.session.open(study.folder)
    assert widget.compared is None
    assert widget.plot.subjects == []
    assert widget.hint.text() == ""
    qtbot.waitUntil(lambda: widget.worker is None, timeout=60_000)
    assert "not compared yet" in widget.hint.text()


def test_findings_of_groups_that_were_changed_since_are_not_told(qtbot, widget, measured):
    from napari_ubam import pipeline
    from napari_ubam.settings import CompareSettings

    pipeline.compare(measured, CompareSettings(n_permutations=100, n_shuffles=0, baselines=False))
    open_study(qtbot, widget, measured)
    assert "impaired" in widget.hint.text()
    others = [changed(x, group="treated") if x.group == "impaired" else x for x in measured.recordings]
    widget.session.edit(recordings=others)
    widget.session.save()
    assert "changed since they were compared" in widget.hint.text()
    assert "impaired" not in widget.findings.toPlainText()
    widget.session.undo.undo()
    widget.session.save()
    assert "impaired" in widget.hint.text()


def test_points_say_whose_they_are_and_clicks_beside_them_nothing(make_napari_viewer):
    viewer = make_napari_viewer()
    plot = GroupPlot(viewer)
    viewer.window.add_dock_widget(plot)
    scores = pd.DataFrame({"subject": list("abc"), "group": ["$x$", "healthy", "$x$"], "deviation": [1.0, 2, None]})
    plot.show_scores(scores, "deviation", "healthy", {})
    assert plot.subjects == ["b", "a"]  # the reference group first, nobody without a score
    plot.draw()
    clicked = []
    plot.subject_clicked.connect(clicked.append)
    x, y = plot.figure.axes[0].transData.transform(plot.positions[1])
    press(plot, x + 3, y)
    press(plot, x + 60, y)
    assert clicked == ["a"]
    plot.show_scores(None, "deviation", "", {})
    press(plot, x, y)
    assert clicked == ["a"]


def test_tables_are_readable_sortable_and_clickable(qtbot):
    shown = ResultTable()
    qtbot.addWidget(shown)
    shown.show_table(pd.DataFrame({"subject": ["a", "b", "c"], "p_value": [0.123456, None, 0.01], "ok": True}))
    model = shown.model()
    assert model.rowCount() == 3
    assert model.headerData(1, Qt.Orientation.Horizontal) == "p value"
    assert [model.index(row, 1).data() for row in range(3)] == ["0.123", "", "0.01"]
    assert model.index(0, 1).data(Qt.ItemDataRole.ToolTipRole) == "0.123456"
    assert model.index(0, 2).data() == "yes"
    shown.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert [model.index(row, 0).data() for row in range(3)] == ["a", "c", "b"]
    with qtbot.waitSignal(shown.row_clicked) as clicked:
        shown.clicked.emit(model.index(1, 0))
    assert clicked.args == [2]
