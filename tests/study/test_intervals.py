import pytest

from napari_ubam.errors import StudyError
from napari_ubam.study import Interval, read_intervals, replace_intervals, write_intervals


def test_intervals_are_read_in_order(tmp_path):
    path = tmp_path / "on.csv"
    path.write_text("label,recording,start,stop\nlight,walk,10,20\noff,run,0,5\n")
    assert read_intervals(path, ["walk", "run"]) == [Interval("walk", 10, 20, "light"), Interval("run", 0, 5, "off")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("fly,0,5,on", "row 2: the study has no recording 'fly'"),
        ("walk,5,5,on", "row 2: no frame is left: start is 5 and stop is 5"),
        ("walk,-1,5,on", "no frame is left"),
        ("walk,0.5,5,on", "must be whole numbers of frames"),
        ("walk,0,5,", "column 'label': it is empty"),
    ],
)
def test_what_is_wrong_is_said_with_the_row(tmp_path, row, message):
    path = tmp_path / "on.csv"
    path.write_text(f"recording,start,stop,label\n{row}\n")
    with pytest.raises(StudyError, match=message):
        read_intervals(path, ["walk"])


def test_a_missing_file_or_column_is_said(tmp_path):
    with pytest.raises(StudyError, match=r"on\.csv"):
        read_intervals(tmp_path / "on.csv", [])
    (tmp_path / "on.csv").write_text("recording,start\nwalk,1\n")
    with pytest.raises(StudyError, match="no column stop"):
        read_intervals(tmp_path / "on.csv", ["walk"])


def test_what_is_written_is_read_back(tmp_path):
    given = [Interval("walk, slow", 10, 20, 'a "b"'), Interval("run", 0, 5, "off")]
    write_intervals(tmp_path / "on.csv", given)
    assert read_intervals(tmp_path / "on.csv", ["walk, slow", "run"]) == given


def test_new_intervals_replace_those_of_the_same_recording_and_label(tmp_path):
    path, names = tmp_path / "on.csv", ["walk", "run"]
    replace_intervals(path, [Interval("walk", 0, 5, "on"), Interval("run", 0, 5, "on")], names)
    replace_intervals(path, [Interval("walk", 7, 9, "on"), Interval("walk", 1, 2, "off")], names)
    assert read_intervals(path, names) == [
        Interval("run", 0, 5, "on"), Interval("walk", 7, 9, "on"), Interval("walk", 1, 2, "off"),
    ]  # fmt: skip
    path.write_text("recording\n")
    with pytest.raises(StudyError, match=r"on\.csv"):
        replace_intervals(path, [], names)
    assert path.read_text() == "recording\n"
