import threading

import pytest

from napari_ubam.widgets.latest_call import LatestCall


@pytest.fixture
def latest(qtbot):
    latest = LatestCall()
    yield latest
    latest.close()


def test_of_what_is_asked_for_meanwhile_only_the_last_is_done(qtbot, latest):
    release, done = threading.Event(), []
    latest.done.connect(done.append)
    latest.ask(lambda: release.wait(10))
    for i in range(5):
        latest.ask(lambda i=i: i)
    assert latest.busy
    release.set()
    qtbot.waitUntil(lambda: not latest.busy, timeout=60_000)
    assert done == [True, 4]


def test_calls_are_made_in_another_thread_and_told_in_this_one(qtbot, latest):
    told = []
    latest.done.connect(lambda thread: told.append((thread, threading.current_thread())))
    latest.ask(threading.current_thread)
    qtbot.waitUntil(lambda: len(told) == 1, timeout=60_000)
    assert told[0][0] is not threading.main_thread()
    assert told[0][1] is threading.main_thread()


def test_an_error_is_told_and_the_next_call_is_made(qtbot, latest):
    failed, done = [], []
    latest.failed.connect(lambda error: failed.append(str(error)))
    latest.done.connect(done.append)

    def broken():
        raise ValueError("broken")

    latest.ask(broken)
    latest.ask(lambda: 7)
    qtbot.waitUntil(lambda: done == [7], timeout=60_000)
    assert failed == ["broken"]
