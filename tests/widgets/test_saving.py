"""What widgets load again when the study is saved: only what is another one by then."""

import pandas as pd
import pytest

from napari_ubam.study.editing import changed
from napari_ubam.widgets.dock import DockWidget
from napari_ubam.widgets.embedding.embedding_widget import EmbeddingWidget
from napari_ubam.widgets.embedding.ethogram_widget import EthogramWidget
from napari_ubam.widgets.groups.compare_widget import CompareWidget
from napari_ubam.widgets.layers import show_recording
from napari_ubam.widgets.magnify.magnify_widget import MagnifyWidget
from napari_ubam.widgets.session import Session


@pytest.fixture
def loads(monkeypatch):
    """Collect what is loaded, by widget."""
    done = []
    run_step = DockWidget.run_step

    def noted(widget, stage, step, on_done):
        done.append(type(widget).__name__)
        run_step(widget, stage, step, on_done)

    monkeypatch.setattr(DockWidget, "run_step", noted)
    return done


@pytest.fixture
def widgets(qtbot, make_napari_viewer, finished):
    viewer = make_napari_viewer()
    opened = [kind(viewer) for kind in (EmbeddingWidget, EthogramWidget, CompareWidget, MagnifyWidget)]
    for widget in opened:
        viewer.window.add_dock_widget(widget, name=type(widget).__name__)
    opened[0].session.open(finished.folder)
    show_recording(viewer, finished.recordings[0], 3)
    wait(qtbot, opened)
    return opened


def wait(qtbot, widgets):
    qtbot.waitUntil(lambda: all(widget.worker is None for widget in widgets), timeout=60_000)


def edit(session, **values):
    first, *others = session.recordings
    session.edit(recordings=[changed(first, **values), *others])
    session.save()


@pytest.mark.slow
def test_who_is_seen_is_told_without_loading_anything(qtbot, widgets, loads):
    embedding, ethogram, compare, _ = widgets
    magnified = widgets[3]
    magnified.magnify()
    wait(qtbot, widgets)
    live, chosen = magnified.live, embedding.session.recordings[0]
    embedding.choose(embedding._data.rows_of(chosen.name)[:4])
    loads.clear()
    first, *others = embedding.session.recordings
    embedding.session.edit(recordings=[first, *(changed(x, session="7") for x in others)])
    embedding.session.save()
    assert loads == []
    assert magnified.live is live
    embedding.colour_by.setCurrentText("session")
    assert embedding.map.colours.names == ("1", "7")
    assert len(embedding.chosen.rows) == 4
    edit(embedding.session, subject="somebody")
    assert loads == []
    assert "somebody" in ethogram.hint.text()
    assert compare.compared is not None
    assert magnified.live is None  # it was drawn for another subject


@pytest.mark.slow
def test_other_frames_and_another_reference_group_are_loaded(qtbot, widgets, loads):
    session = widgets[0].session
    edit(session, start=5)
    wait(qtbot, widgets)
    assert sorted(loads) == ["EmbeddingWidget", "EthogramWidget"]
    loads.clear()
    session.edit(reference="impaired")
    session.save()
    wait(qtbot, widgets)
    assert sorted(loads) == ["CompareWidget", "EthogramWidget"]


def test_a_session_tells_what_a_saved_study_was_before(qtbot, study):
    session = Session()
    session.open(study.folder)
    told, opened = [], []
    session.study_saved.connect(told.append)
    session.study_changed.connect(lambda: opened.append(session.study))
    session.save()
    assert told == []
    edit(session, group="impaired")
    assert told == [study]
    assert opened == []
    assert pd.read_csv(study.folder / "recordings.csv")["group"].tolist() == [
        "impaired",
        "healthy",
        "impaired",
        "impaired",
    ]
