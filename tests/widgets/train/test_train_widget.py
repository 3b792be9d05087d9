import json
import shutil
import subprocess
import sys
import threading

import pytest
from qtpy.QtCore import QProcess
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QMainWindow, QMessageBox

from napari_ubam.progress import Progress
from napari_ubam.settings import StudySettings, TrainSettings
from napari_ubam.study import Study
from napari_ubam.training.presets import estimate_seconds
from napari_ubam.training.runs import LOG, UNFINISHED, find_unfinished
from napari_ubam.widgets.progress_row import time_in_words
from napari_ubam.widgets.train import step_times
from napari_ubam.widgets.train.train_widget import TrainWidget, smaller_crop
from napari_ubam.widgets.train.training_process import TrainingState

PRELUDE = """
import json, sys
def say(**event):
    print(json.dumps(event), flush=True)
for step in range(5):
    rest = dict(loss=1 / (1 + step), seconds_left=90.0, message='')
    say(event='progress', stage='training posture', done=step, total=5, **rest)
"""
WAIT_FOR_STOP = "assert sys.stdin.readline() == 'stop\\n'\nsay(event='end', state='stopped')\n"


@pytest.fixture
def widget(make_napari_viewer, study):
    viewer = make_napari_viewer()
    widget = TrainWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Train")
    widget.session.open(study.folder)
    yield widget
    widget.session.training.shut_down()


def run(qtbot, widget, script):
    with qtbot.waitSignal(widget.training.progressed, timeout=60_000):
        widget.training.run([sys.executable, "-c", PRELUDE + script])


def start(qtbot, widget, **how):
    """Start a training, once it is known how much of the disk it takes."""
    widget.start(**how)
    qtbot.waitUntil(lambda: not widget.room.busy, timeout=30_000)


def wait_for(qtbot, widget, state):
    qtbot.waitUntil(lambda: widget.training.state is state, timeout=60_000)


def test_without_a_study_there_is_nothing_to_train(make_napari_viewer, notifications):
    viewer = make_napari_viewer()
    widget = TrainWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Train")
    assert "No study is open" in widget.title.text()
    assert not widget.start_button.isEnabled()
    widget.start()
    assert "No study is open" in notifications[-1]


def test_it_shows_the_loss_and_can_be_stopped(qtbot, widget):
    assert widget.step_times.is_asked
    widget.step_times.cancel()
    run(qtbot, widget, WAIT_FOR_STOP)
    assert not widget.step_times.is_asked  # it would take time from the training
    assert "tried out" not in widget.times.text()
    assert not widget.form.isEnabled()
    assert not widget.start_button.isEnabled()
    assert widget.progress.isVisibleTo(widget)
    qtbot.waitUntil(lambda: len(widget.curve.losses.get("training posture", [])) == 5, timeout=60_000)
    assert "min left" in widget.progress.label.text()
    widget.curve.redraw()
    assert widget.curve.figure.axes[0].get_title() == "training posture"
    widget.stop_button.click()
    wait_for(qtbot, widget, TrainingState.STOPPED)
    assert "Resume" in widget.status.text()
    assert not widget.progress.isVisibleTo(widget)


def test_it_is_stopped_in_the_activity_dock_and_its_end_is_told(qtbot, widget, notifications):
    run(qtbot, widget, WAIT_FOR_STOP)
    widget.progress.activity.cancel_requested.emit()
    wait_for(qtbot, widget, TrainingState.STOPPED)
    assert notifications == []
    run(qtbot, widget, "say(event='end', state='done')\n")
    wait_for(qtbot, widget, TrainingState.DONE)
    assert "Done" in notifications[0]


def test_what_was_left_out_stays_on_show(qtbot, widget):
    script = "say(event='problem', name='walk_3', message='damaged')\nsay(event='end', state='done')\n"
    with qtbot.waitSignal(widget.session.results_changed, timeout=60_000):
        run(qtbot, widget, script)
    assert "walk_3 was left out: damaged" in widget.status.text()


def test_a_failure_is_told(qtbot, widget, notifications):
    run(qtbot, widget, "say(event='end', state='failed', message='The disk is full: free some space.')")
    wait_for(qtbot, widget, TrainingState.FAILED)
    assert "The disk is full" in widget.status.text()
    assert "The disk is full" in notifications[-1]


def test_the_study_is_saved_before_it_is_trained(qtbot, widget, study, monkeypatch):
    started = []
    monkeypatch.setattr(widget.training, "start", lambda *args, **kwargs: started.append((args, kwargs)))
    widget.session.edit(reference="impaired")
    widget.form.fields["preset"].value = "quick"
    start(qtbot, widget, resume=True)
    (((folder, settings), options),) = started
    assert folder == study.folder
    assert settings.preset == "quick"
    assert options == {"resume": True}
    assert not widget.session.modified


def test_closing_the_widget_stops_with_a_checkpoint(qtbot, widget):
    run(qtbot, widget, WAIT_FOR_STOP)
    widget.viewer.window.remove_dock_widget(widget)
    wait_for(qtbot, widget, TrainingState.STOPPED)


def choose(monkeypatch, text):
    """Let the next question be answered by the button with this text."""

    def button_of(box):
        return next(button for button in box.buttons() if text in button.text())

    monkeypatch.setattr(QMessageBox, "exec", lambda box: 0)
    monkeypatch.setattr(QMessageBox, "clickedButton", button_of)


def close_window(widget):
    """Tell whether the main window would close."""
    event = QCloseEvent()
    return not widget.eventFilter(widget.viewer.window._qt_window, event)


@pytest.mark.parametrize("place", ["in front", "floating", "behind another tab"])
def test_closing_napari_asks_what_becomes_of_the_training(qtbot, widget, monkeypatch, place):
    monkeypatch.setattr(QMainWindow, "isVisible", lambda window: True)
    widget.parent().setFloating(place == "floating")
    widget.parent().setVisible(place != "behind another tab")
    assert close_window(widget)  # nothing to ask
    run(qtbot, widget, WAIT_FOR_STOP)
    choose(monkeypatch, "Cancel")
    assert not close_window(widget)
    assert widget.training.is_running
    left = []
    monkeypatch.setattr(widget.training, "leave", lambda: left.append(True))
    choose(monkeypatch, "Leave")
    assert close_window(widget)
    assert left == [True]
    choose(monkeypatch, "Stop")
    assert close_window(widget)  # the process is stopped when the viewer goes
    assert left == [True]


LEFT = """
import sys, time
from pathlib import Path
from napari_ubam.training.log import Log
from napari_ubam.training.process import marked
models = Path(sys.argv[1])
with marked(models):
    (models / "unfinished").mkdir()
    log = Log(models / "unfinished" / "training.csv")
    log.begin("posture", 0)
    log.add("posture", 10, 0.5, 1.0)
    print("begun", flush=True)
    time.sleep(60)
"""


def test_a_training_that_was_left_running_is_shown_followed_and_stopped(qtbot, make_napari_viewer, study, monkeypatch):
    monkeypatch.setattr("napari_ubam.widgets.train.left_running._MILLISECONDS_BETWEEN_LOOKS", 50)
    command = [sys.executable, "-c", LEFT, str(study.models_folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        widget = TrainWidget(make_napari_viewer())
        qtbot.addWidget(widget)
        widget.session.open(study.folder)
        assert "goes on when napari is closed" in widget.status.text()
        assert not widget.start_button.isEnabled()
        qtbot.waitUntil(lambda: widget.curve.losses == {"posture": [(10, 0.5)]}, timeout=60_000)
        with qtbot.waitSignal(widget.session.results_changed, timeout=60_000):
            widget.stop_button.click()
        assert process.wait(60) != 0
    assert widget.start_button.isEnabled()
    assert "goes on when napari" not in widget.status.text()


def test_closing_the_viewer_stops_with_a_checkpoint(qtbot, make_napari_viewer, study):
    viewer = make_napari_viewer()
    widget = TrainWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Train")
    training = widget.training
    run(qtbot, widget, WAIT_FOR_STOP)
    del widget
    viewer.close()
    qtbot.waitUntil(lambda: training.state is TrainingState.STOPPED, timeout=60_000)
    assert not training.is_running


def test_a_running_training_is_shown_by_a_widget_that_is_opened_later(qtbot, widget):
    run(qtbot, widget, WAIT_FOR_STOP)
    other = TrainWidget(widget.viewer)
    qtbot.addWidget(other)
    assert other.stop_button.isEnabled()
    assert not other.start_button.isEnabled()
    assert other.progress.isVisibleTo(other)


def test_devices_of_this_machine_are_offered(qtbot, widget):
    qtbot.waitUntil(lambda: "cpu" in widget.form.fields["device"].choices, timeout=30_000)
    assert widget.form.fields["device"].choices[0] == "auto"


def test_a_crash_is_told_with_its_log_and_can_be_tried_again_smaller(qtbot, widget, monkeypatch, notifications):
    run(qtbot, widget, "print('last words')\nraise MemoryError")
    wait_for(qtbot, widget, TrainingState.FAILED)
    assert "ended unexpectedly (exit code 1)" in widget.status.text()
    assert "MemoryError" not in notifications[-1]
    assert "MemoryError" in widget.log.toPlainText()
    assert not widget.log_fold.isHidden()
    started = []
    monkeypatch.setattr(widget.training, "start", lambda folder, settings, **options: started.append(folder))
    assert widget.smaller_button.text() == "Try again with crops of 96 px"
    widget.smaller_button.click()
    qtbot.waitUntil(lambda: len(started) == 1, timeout=30_000)
    assert Study.open(started[0]).settings.crop_size == 96


def test_after_a_crash_it_says_what_can_be_resumed_and_shows_no_empty_log(qtbot, widget, monkeypatch):
    monkeypatch.setattr("napari_ubam.widgets.train.train_widget.can_resume", lambda models: True)
    run(qtbot, widget, "import os\nos._exit(3)")
    wait_for(qtbot, widget, TrainingState.FAILED)
    assert (
        widget.status.text() == "Training ended unexpectedly (exit code 3).\nResume goes on from the last checkpoint."
    )
    assert widget.log_fold.isHidden()


@pytest.mark.parametrize(("error", "offered"), [("DeviceError", True), ("StudyError", False)])
def test_trying_smaller_is_offered_where_it_may_help(qtbot, widget, error, offered):
    run(qtbot, widget, f"say(event='end', state='failed', message='No.', error='{error}')")
    wait_for(qtbot, widget, TrainingState.FAILED)
    assert widget.smaller_button.isVisibleTo(widget) == offered
    widget.session.edit(settings=StudySettings(crop_size=32))
    widget.session.save()
    assert not widget.smaller_button.isVisibleTo(widget)


def test_crops_become_smaller_step_by_step():
    sizes = [512]
    while (smaller := smaller_crop(sizes[-1])) < sizes[-1]:
        sizes.append(smaller)
    assert sizes == [512, 384, 288, 192, 128, 96, 64, 32]


@pytest.fixture
def with_runs(qtbot, widget, trained, tmp_path):
    """Open a study with two trainings: the one in use, and a copy of it that had another seed."""
    shutil.copytree(trained.folder.parent, tmp_path / "copy")
    models = tmp_path / "copy" / "study" / "models"
    earlier = models / "earlier" / "2026-01-01_10-00-00"
    shutil.copytree(models, earlier)
    settings = json.loads((earlier / "settings.json").read_text()) | {"seed": 7}
    (earlier / "settings.json").write_text(json.dumps(settings))
    widget.session.open(models.parent)
    qtbot.waitUntil(lambda: len(widget.runs.runs) == 2, timeout=60_000)
    return widget


def test_trainings_are_listed_compared_and_used_again(qtbot, with_runs):
    widget = with_runs
    assert "in use" in widget.runs.list.topLevelItem(0).text(0)
    assert list(widget.curve.losses) == ["posture and generator", "behaviour"]
    qtbot.waitUntil(lambda: widget.pictures.names == ["posture_and_generator_000003"])
    assert not widget.runs.use_button.isEnabled()
    widget.runs.list.topLevelItem(1).setSelected(True)
    assert len(widget.curve.figure.axes[0].lines) == 2
    with qtbot.waitSignal(widget.session.results_changed):
        widget.runs.use_button.click()
    qtbot.waitUntil(lambda: [run.settings["seed"] for run in widget.runs.runs] == [7, 0], timeout=60_000)
    assert len(widget.curve.figure.axes[0].lines) == 1


def test_the_time_a_training_takes_is_foretold_from_the_last_one(with_runs):
    assert "going by the last training" in with_runs.times.text()
    assert shown_presets(with_runs)[0].startswith("quick look, about ")
    with_runs.form.fields["objective"].value = "order"
    assert shown_presets(with_runs) == ["quick look", "standard", "thorough"]
    assert with_runs.form.settings().preset == "standard"


def shown_presets(widget):
    combo = widget.form.fields["preset"].native
    return [combo.itemText(i) for i in range(combo.count())]


def trying_out(monkeypatch, script):
    """Let a script say how long steps take; tell how often it was run."""
    began = []

    def command(folder, settings, crop_size):
        began.append((settings.objective, crop_size))
        return [sys.executable, "-c", script]

    monkeypatch.setattr(step_times, "measure_command", command)
    monkeypatch.setattr(step_times, "_MILLISECONDS_BEFORE", 50)
    monkeypatch.setattr(step_times.StepTimes, "_known", {})
    return began


def test_before_the_first_training_steps_are_tried_out(qtbot, widget, study, monkeypatch):
    script = """print("something\\n" + '{"posture and generator": 0.5, "behaviour": 0.1}')"""
    began = trying_out(monkeypatch, script)
    widget.session.edit(settings=StudySettings(crop_size=64))
    assert "tried out" in widget.times.text()
    seconds = estimate_seconds("standard", TrainSettings(), {"posture and generator": 0.5, "behaviour": 0.1})
    expected = f"standard, about {time_in_words(seconds)}"
    qtbot.waitUntil(lambda: expected in shown_presets(widget), timeout=30_000)
    assert "tried out here" in widget.times.text()
    widget.form.fields["preset"].value = "quick"
    widget.session.edit(reference="impaired")
    assert began == [("landmarks", 64)]
    widget.form.fields["objective"].value = "order"
    qtbot.waitUntil(lambda: len(began) == 2, timeout=30_000)


def test_steps_that_cannot_be_tried_out_are_no_error(qtbot, widget, monkeypatch, notifications):
    began = trying_out(monkeypatch, "raise SystemExit(1)")
    widget.session.edit(settings=StudySettings(crop_size=64))
    qtbot.waitUntil(lambda: "told once it trains" in widget.times.text(), timeout=30_000)
    widget.session.edit(reference="impaired")
    assert len(began) == 1
    assert notifications == []


def test_trying_out_ends_with_the_widget_and_when_it_trains(qtbot, widget, monkeypatch):
    began = trying_out(monkeypatch, "import time; time.sleep(60)")
    widget.session.edit(settings=StudySettings(crop_size=64))
    qtbot.waitUntil(lambda: len(began) == 1, timeout=30_000)
    ended = []
    widget.step_times._process.stateChanged.connect(ended.append)
    monkeypatch.setattr(widget.training, "start", lambda *args, **options: None)
    start(qtbot, widget)
    assert ended[-1] == QProcess.ProcessState.NotRunning  # the first may be that it runs
    widget.session.edit(settings=StudySettings(crop_size=96))
    qtbot.waitUntil(lambda: len(began) == 2, timeout=30_000)
    process = widget.step_times._process
    widget.viewer.window.remove_dock_widget(widget)
    assert process.state() == process.ProcessState.NotRunning


def test_one_of_several_unfinished_trainings_is_resumed(qtbot, widget, study, monkeypatch):
    for folder, seed in ((study.models_folder, 1), (study.models_folder / "earlier" / "monday", 2)):
        (folder / "unfinished").mkdir(parents=True)
        settings = TrainSettings(seed=seed).model_dump_json()
        (folder / "unfinished" / "settings.json").write_text(settings)
    started = []
    monkeypatch.setattr(widget.training, "start", lambda *args, **options: started.append(options))
    widget.session.open(study.folder)
    qtbot.waitUntil(lambda: len(widget.runs.runs) == 2, timeout=60_000)
    assert "unfinished" in widget.runs.list.topLevelItem(1).text(0)
    assert not widget.runs.resume_button.isEnabled()
    widget.runs.list.topLevelItem(1).setSelected(True)
    assert not widget.runs.use_button.isEnabled()
    widget.runs.resume_button.click()
    qtbot.waitUntil(lambda: started == [{"resume": True}], timeout=30_000)
    seeds = [run.settings["seed"] for run in find_unfinished(study.models_folder)]
    assert seeds == [2, 1]


def test_an_unfinished_training_is_not_put_aside_without_asking(qtbot, widget, study, monkeypatch):
    (study.models_folder / "unfinished").mkdir(parents=True)
    (study.models_folder / "unfinished" / "settings.json").write_text("{}")
    widget.session.open(study.folder)
    assert "Resume goes on with it" in widget.status.text()
    started = []
    monkeypatch.setattr(widget.training, "start", lambda *args, **options: started.append(options))
    monkeypatch.setattr(QMessageBox, "question", lambda *args: QMessageBox.StandardButton.No)
    widget._on_start_clicked()
    assert not widget.room.busy
    assert started == []
    monkeypatch.setattr(QMessageBox, "question", lambda *args: QMessageBox.StandardButton.Yes)
    widget._on_start_clicked()
    qtbot.waitUntil(lambda: started == [{"resume": False}], timeout=30_000)


def test_the_curve_of_a_stopped_training_stays_and_goes_on_when_it_is_resumed(qtbot, with_runs, monkeypatch):
    widget, models = with_runs, with_runs.session.study.models_folder
    (models / UNFINISHED).mkdir()
    shutil.copy(models / "settings.json", models / UNFINISHED)
    header, *rows = (models / LOG).read_text().splitlines()
    kept = [row for row in rows if "behaviour" not in row]
    (models / UNFINISHED / LOG).write_text("\n".join([header, *kept, ""]))
    widget.runs.look(models)
    qtbot.waitUntil(lambda: len(widget.runs.runs) == 3, timeout=60_000)
    assert list(widget.curve.losses) == ["posture and generator"]
    widget.runs.list.topLevelItem(0).setSelected(True)  # the one in use
    assert len(widget.curve.figure.axes[0].lines) == 2
    last = widget.curve.losses["posture and generator"][-1][0]
    monkeypatch.setattr(widget.training, "start", lambda *args, **options: None)
    widget.resume_button.click()
    for done in (last, last + 5):  # from a checkpoint that was written before the end
        widget.curve.add(Progress("posture and generator", done, 10, loss=0.5))
    steps = [step for step, _ in widget.curve.losses["posture and generator"]]
    assert steps == sorted(set(steps))
    assert steps[-2:] == [last, last + 5]


@pytest.mark.slow
def test_a_study_is_trained_stopped_and_resumed_in_its_own_process(qtbot, widget):
    widget.session.edit(settings=StudySettings(crop_size=32))
    widget.form.fields["preset"].value = "quick"
    widget.form.fields["n_landmarks"].value = 4
    qtbot.waitUntil(lambda: "cpu" in widget.form.fields["device"].choices, timeout=30_000)
    widget.start_button.click()
    qtbot.waitUntil(lambda: len(widget.curve.losses) > 0, timeout=120_000)
    widget.stop_button.click()
    qtbot.waitUntil(lambda: widget.training.state is not TrainingState.STOPPING, timeout=60_000)
    assert widget.training.state is TrainingState.STOPPED, widget.training.message
    assert widget.resume_button.isEnabled()
    widget.form.fields["minutes"].value = 0.01
    with qtbot.waitSignal(widget.session.results_changed, timeout=240_000):
        widget.resume_button.click()
    assert (widget.session.study.models_folder / "posture").is_dir()
    assert not widget.resume_button.isEnabled()


@pytest.mark.slow
def test_videos_that_are_missing_are_told(qtbot, widget, study, videos):
    for path in videos:
        path.unlink()
    widget.start_button.click()
    wait_for(qtbot, widget, TrainingState.FAILED)
    assert "walk_0.mkv" in widget.status.text()


@pytest.mark.parametrize("answer", ["Yes", "No"])
def test_it_asks_before_much_of_the_disk_is_taken(answer, qtbot, widget, monkeypatch):
    started, asked = [], []

    def reply(parent, title, text, buttons):
        asked.append(text)
        return getattr(QMessageBox.StandardButton, answer)

    monkeypatch.setattr(QMessageBox, "question", reply)
    monkeypatch.setattr(widget.training, "start", lambda *args, **kwargs: started.append(args))
    start(qtbot, widget)
    assert (len(started), asked) == (1, [])  # eight small frames are not much
    monkeypatch.setattr("napari_ubam.widgets.train.room_for_crops.MUCH", 1000)
    start(qtbot, widget)
    assert "1.6 MB" in asked[0]  # 4 recordings of 8 frames of 128 px
    assert len(started) == (2 if answer == "Yes" else 1)
    assert widget.start_button.isEnabled()


def test_videos_are_looked_at_in_a_thread_before_a_training_and_once(qtbot, widget, monkeypatch):
    looked, go_on, started = [], threading.Event(), []

    def look(study, recordings):
        looked.append(threading.current_thread())
        go_on.wait(30)
        return 0

    monkeypatch.setattr("napari_ubam.widgets.train.room_for_crops.cache_size", look)
    monkeypatch.setattr(widget.training, "start", lambda *args, **kwargs: started.append(args))
    widget.start()
    assert not widget.start_button.isEnabled()
    widget.start()  # again, impatiently
    go_on.set()
    qtbot.waitUntil(lambda: len(started) == 1, timeout=30_000)
    assert not widget.room.busy
    assert len(looked) == 1
    assert looked[0] is not threading.main_thread()


def test_a_study_that_was_left_meanwhile_is_not_trained(qtbot, widget, study, monkeypatch, tmp_path):
    started = []
    monkeypatch.setattr(widget.training, "start", lambda *args, **kwargs: started.append(args))
    widget.start()
    widget.session.open(shutil.copytree(study.folder, tmp_path / "other"))
    qtbot.waitUntil(lambda: not widget.room.busy, timeout=30_000)
    assert started == []
    assert widget.start_button.isEnabled()
