import sys
from pathlib import Path

import pytest

from napari_ubam.settings import TrainSettings
from napari_ubam.widgets.train import training_process
from napari_ubam.widgets.train.training_process import TrainingProcess, TrainingState, train_arguments

PRELUDE = """
import json, sys, time
def say(**event):
    print(json.dumps(event), flush=True)
"""
PROGRESS = "say(event='progress', stage='training posture', done=3, total=10, loss=0.5, seconds_left=7.0, message='')\n"
WAIT_FOR_STOP = "assert sys.stdin.readline() == 'stop\\n'\nsay(event='end', state='stopped')\n"


@pytest.fixture
def process():
    process = TrainingProcess()
    yield process
    process.shut_down()


def run(process, script):
    process.run([sys.executable, "-c", PRELUDE + script])


def wait_for(qtbot, process, state):
    qtbot.waitUntil(lambda: process.state is state, timeout=60_000)


def test_progress_and_problems_are_told_and_the_end_is_done(qtbot, process):
    script = PROGRESS + "say(event='problem', name='b', message='damaged')\nsay(event='end', state='done')\n"
    states, told = [], []
    process.state_changed.connect(states.append)
    process.progressed.connect(told.append)
    process.problem_found.connect(told.append)
    run(process, script)
    wait_for(qtbot, process, TrainingState.DONE)
    progress, problem = told
    assert (progress.stage, progress.done, progress.total, progress.loss) == ("training posture", 3, 10, 0.5)
    assert str(problem) == "b was left out: damaged"
    assert states == [TrainingState.TRAINING, TrainingState.DONE]
    assert not process.is_running


def test_stop_asks_and_waits_for_the_checkpoint(qtbot, process):
    with qtbot.waitSignal(process.progressed, timeout=60_000):
        run(process, PROGRESS + WAIT_FOR_STOP)
    process.stop()
    assert process.state is TrainingState.STOPPING
    wait_for(qtbot, process, TrainingState.STOPPED)


def test_a_failure_shows_its_message(qtbot, process):
    run(process, "say(event='end', state='failed', message='The disk is full.')\nsys.exit(1)")
    wait_for(qtbot, process, TrainingState.FAILED)
    assert process.message == "The disk is full."


def test_a_crash_shows_the_end_of_the_log_and_a_new_start_is_possible(qtbot, process):
    run(process, "print('a library says hello')\nraise MemoryError('too large')")
    wait_for(qtbot, process, TrainingState.FAILED)
    assert "MemoryError: too large" in process.message
    run(process, "say(event='end', state='done')")
    wait_for(qtbot, process, TrainingState.DONE)
    assert process.message == ""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_where_the_system_ends_it_memory_is_named(qtbot, process):
    run(process, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    wait_for(qtbot, process, TrainingState.FAILED)
    assert "lack of memory" in process.message.splitlines()[0]
    assert process.needs_less


def test_a_program_that_is_not_there_is_a_failure(qtbot, process):
    process.run(["no-such-program-anywhere"])
    wait_for(qtbot, process, TrainingState.FAILED)
    assert "could not be started" in process.message


def test_a_second_start_is_ignored_while_it_runs(qtbot, process):
    with qtbot.waitSignal(process.progressed, timeout=60_000):
        run(process, PROGRESS + WAIT_FOR_STOP)
    run(process, "say(event='end', state='done')")
    process.stop()
    wait_for(qtbot, process, TrainingState.STOPPED)


def test_shutting_down_stops_with_a_checkpoint(qtbot, process):
    with qtbot.waitSignal(process.progressed, timeout=60_000):
        run(process, PROGRESS + WAIT_FOR_STOP)
    process.shut_down()
    assert process.state is TrainingState.STOPPED
    assert not process.is_running


def test_a_process_that_does_not_listen_is_killed_in_the_end(qtbot, process, monkeypatch):
    monkeypatch.setattr(training_process, "SECONDS_TO_STOP", 0.2)
    deaf = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_DFL)\n" + PROGRESS + "time.sleep(60)"
    with qtbot.waitSignal(process.progressed, timeout=60_000):
        run(process, deaf)
    process.shut_down()
    assert process.state is TrainingState.FAILED
    assert not process.is_running


def test_a_training_is_left_running_without_the_viewer(qtbot, process, tmp_path, monkeypatch):
    (tmp_path / "models" / "unfinished").mkdir(parents=True)
    (tmp_path / "models" / "unfinished" / "settings.json").write_text("{}")
    asked = []

    def arguments(study, settings, *, resume=False, for_program=True):
        asked.append((resume, for_program))
        script = PROGRESS + WAIT_FOR_STOP if for_program else "print('on my own', repr(sys.stdin.read()))"
        return ["-c", PRELUDE + script]

    monkeypatch.setattr(training_process, "train_arguments", arguments)
    with qtbot.waitSignal(process.progressed, timeout=60_000):
        process.start(tmp_path, TrainSettings())
    process.leave()
    assert process.state is TrainingState.STOPPED
    assert asked == [(False, True), (True, False)]
    log = tmp_path / "models" / training_process.LOG_FILE
    qtbot.waitUntil(lambda: log.exists() and log.read_text() == "on my own ''\n", timeout=60_000)


def test_what_is_done_is_not_gone_on_with(qtbot, process, tmp_path, monkeypatch):
    script = PRELUDE + PROGRESS + "sys.stdin.readline()\nsay(event='end', state='done')\n"
    monkeypatch.setattr(training_process, "train_arguments", lambda *args, **options: ["-c", script])
    with qtbot.waitSignal(process.progressed, timeout=60_000):
        process.start(tmp_path, TrainSettings())
    process.leave()
    assert process.state is TrainingState.DONE
    assert not (tmp_path / "models").exists()


def test_only_what_differs_from_the_defaults_is_on_the_command_line():
    arguments = train_arguments(Path("s"), TrainSettings(preset="quick", n_landmarks=8), resume=True)
    assert arguments == [
        *("-m", "napari_ubam", "train", "s", "--json", "--yes"),
        *("--preset", "quick", "--n-landmarks", "8", "--resume"),
    ]
    assert "--json" not in train_arguments(Path("s"), TrainSettings(), for_program=False)
