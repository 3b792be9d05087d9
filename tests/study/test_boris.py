import pandas as pd
import pytest

from napari_ubam.errors import StudyError
from napari_ubam.study import Interval, Recording, read_intervals, replace_intervals, write_boris


def test_every_interval_is_a_start_and_a_stop_in_seconds(tmp_path):
    walk = Recording(name="walk", path=tmp_path / "walk.mp4", subject="bert", group="g")
    run = Recording(name="run", path=tmp_path / "run.mp4", subject="anna", group="g")
    intervals = [Interval("walk", 20, 30, "limp"), Interval("run", 0, 5, "limp"), Interval("walk", 10, 20, "limp")]
    write_boris(tmp_path / "events.csv", intervals, {"walk": (walk, 100, 20.0), "run": (run, 50, 25.0)})
    table = pd.read_csv(tmp_path / "events.csv")
    assert table["Observation id"].tolist() == ["run"] * 2 + ["walk"] * 4
    assert table["Behavior type"].tolist() == ["START", "STOP"] * 3
    assert table["Time"].tolist() == [0, 0.2, 0.5, 1, 1, 1.5]
    assert table["Image index"].tolist() == [0, 5, 10, 20, 20, 30]
    assert table["Subject"].tolist() == ["anna"] * 2 + ["bert"] * 4
    assert set(table["Behavior"]) == {"limp"}
    assert table["Media file name"].iloc[-1] == str(tmp_path / "walk.mp4")
    assert table["Media duration (s)"].tolist() == [2, 2, 5, 5, 5, 5]


def test_what_was_written_is_read_again(tmp_path):
    walk = Recording(name="walk", path=tmp_path / "walk.mp4", subject="bert", group="g")
    intervals = [Interval("walk", 10, 20, "limp"), Interval("walk", 15, 30, "turn"), Interval("walk", 40, 50, "limp")]
    write_boris(tmp_path / "events.csv", intervals, {"walk": (walk, 100, 20.0)})
    assert read_intervals(tmp_path / "events.csv", ["walk", "run"]) == intervals
    events = (tmp_path / "events.csv").read_text()
    with pytest.raises(StudyError, match="not written over"):
        replace_intervals(tmp_path / "events.csv", intervals, ["walk", "run"])
    assert (tmp_path / "events.csv").read_text() == events


def events(tmp_path, *rows):
    columns = ["Observation id", "Media file name", "FPS (frame/s)", "Subject", "Behavior", "Behavior type", "Time"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "events.csv", index=False)
    return tmp_path / "events.csv"


def test_events_without_frames_are_found_by_time_and_their_recording_by_the_file(tmp_path):
    file = "C:\\videos\\walk.mp4"
    path = events(
        tmp_path,
        ("day 1", file, 25, "anna", "limp", "START", 1.0),
        ("day 1", file, 25, "bert", "limp", "START", 1.2),
        ("day 1", file, 25, "", "tone", "POINT", 1.4),
        ("day 1", file, 25, "anna", "limp", "STOP", 2.0),
        ("day 1", file, 25, "bert", "limp", "STOP", 2.4),
    )
    limps = [Interval("walk", 25, 50, "limp"), Interval("walk", 30, 60, "limp")]
    assert read_intervals(path, ["walk"]) == [Interval("walk", 35, 36, "tone"), *limps]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("walk", "", 25, "", "limp", "STOP", 1.0)], "row 2: limp has no START"),
        ([("walk", "", 25, "", "limp", "START", 1.0)], "row 2: limp starts and never stops"),
        ([("run", "run.mp4", 25, "", "limp", "POINT", 1.0)], "row 2: the study has no recording 'run'"),
        ([("walk", "", "NA", "", "limp", "POINT", 1.0)], "row 2: it says neither"),
        ([("walk", "", 25, "", "limp", "POINT", "inf")], "row 2: it says neither"),
        ([("walk", "", 25, "", "limp", "POINT", -1.0)], "row 2: it is before the first frame"),
        ([("walk", "", 25, "", "limp", "START", t) for t in (1.0, 2.0)], "row 3: limp starts twice"),
    ],
)
def test_events_that_cannot_be_read_are_named(tmp_path, rows, told):
    with pytest.raises(StudyError, match=told):
        read_intervals(events(tmp_path, *rows), ["walk"])
