from pathlib import Path

import pytest

from napari_ubam.errors import StudyError
from napari_ubam.study import Recording, read_table, unique_name, write_table

HEADER = "path,subject,group"


def table(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "table.csv"
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return path


def test_required_columns_are_enough(tmp_path):
    (recording,) = read_table(table(tmp_path, HEADER, "videos/a.mp4,anna,healthy"))
    assert recording.path == tmp_path / "videos" / "a.mp4"  # relative to the table, and it may be missing
    assert (recording.name, recording.subject, recording.group, recording.session) == ("a", "anna", "healthy", "1")
    assert recording.region is None
    assert (recording.start, recording.stop, recording.side, recording.boxes) == (0, None, None, None)


def test_optional_columns_and_covariates(tmp_path):
    (recording,) = read_table(
        table(
            tmp_path,
            "Subject,Path,GROUP,Session,side,x,y,width,height,start,stop,Age,weight,name",
            'anna,a.mp4,healthy,day 2,Left,-3,4,50,60,10,90,7,"1,5",Anna',
        )
    )
    assert recording.region == (-3, 4, 50, 60)
    assert (recording.session, recording.side, recording.start, recording.stop) == ("day 2", "left", 10, 90)
    assert recording.covariates == {"Age": "7", "weight": "1,5", "name": "Anna"}


def test_boxes_are_relative_to_the_table(tmp_path):
    (recording,) = read_table(table(tmp_path, f"{HEADER},boxes", "a.mp4,anna,healthy,boxes/a.csv"))
    assert recording.boxes == tmp_path / "boxes" / "a.csv"


def test_keypoints_and_whose_they_are_stay_when_the_table_is_written(tmp_path):
    path = table(tmp_path, f"{HEADER},keypoints,individual", "a.mp4,anna,healthy,poses/a.h5,mouse 1", "b.mp4,b,healthy")
    a, b = read_table(path)
    assert (a.keypoints, a.individual) == (tmp_path / "poses" / "a.h5", "mouse 1")
    assert (b.keypoints, b.individual) == (None, None)
    write_table(path, [a, b])
    assert "poses/a.h5" in path.read_text()
    assert read_table(path) == [a, b]


def test_tables_of_spreadsheets(tmp_path):
    lines = (f"{HEADER},,", "", r"videos\a.mp4,Änne,healthy,,", ",,,,", "b.mp4, bob ,healthy", "")
    a, b = read_table(table(tmp_path, *lines, encoding="utf-8-sig"))
    assert (a.subject, b.subject) == ("Änne", "bob")
    assert a.name == "a"


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/clip.mp4", "b/clip.mp4", "c/clip.mp4"], ["clip", "clip_2", "clip_3"]),
        (["clip.mp4", "clip.avi", "clip_2.mp4"], ["clip", "clip_3", "clip_2"]),
        (["10:30 left?.mp4", "..mp4"], ["10_30 left_", "recording"]),  # files may be called so, but not everywhere
        (["Clip.mp4", "clip.mp4"], ["Clip", "clip_2"]),  # one file on Windows and macOS
    ],
)
def test_names_are_unique_stems(tmp_path, paths, names):
    rows = [f"{path},s{i},healthy" for i, path in enumerate(paths)]
    assert [r.name for r in read_table(table(tmp_path, HEADER, *rows))] == names


def test_names_stay_when_a_row_goes(tmp_path):
    first = read_table(table(tmp_path, HEADER, "a/clip.mp4,anna,healthy", "b/clip.mp4,bob,healthy"))
    write_table(tmp_path / "out.csv", first[1:])
    assert [r.name for r in read_table(tmp_path / "out.csv")] == ["clip_2"]


def test_what_is_written_is_read_back(tmp_path):
    folder = tmp_path / "study"
    recordings = [
        Recording(name="a", path=tmp_path / "videos" / "a, b.mp4", subject="anna", group="healthy"),
        Recording(
            name="b_2", path=tmp_path / "b.mp4", subject="bob", group="impaired", session="2", side="right",
            x=1, y=2, width=3, height=4, start=5, stop=9, covariates={"age": "7", "note": "tall, fair"},
        ),
        Recording(name="c", path=tmp_path / "c.mp4", subject="c", group="impaired", boxes=tmp_path / "c.csv"),
    ]  # fmt: skip
    write_table(folder / "recordings.csv", recordings)
    assert read_table(folder / "recordings.csv") == recordings
    text = (folder / "recordings.csv").read_text()
    assert "../videos/a, b.mp4" in text
    assert not list(folder.glob("*.part*"))


def test_optional_columns_that_nobody_uses_are_left_out(tmp_path):
    write_table(tmp_path / "t.csv", [Recording(name="a", path=tmp_path / "a.mp4", subject="s", group="g")])
    assert (tmp_path / "t.csv").read_text() == "path,subject,group,session,recording\na.mp4,s,g,1,a\n"


@pytest.mark.parametrize(
    ("lines", "parts"),
    [
        (["path,subject", "a.mp4,anna"], ["no column group", "path, subject"]),
        ([""], ["no column path", "group"]),
        ([HEADER], ["empty"]),
        ([HEADER, ",,"], ["empty"]),
        (["path;subject;group", "a.mp4;anna;healthy"], ["semicolons", "commas"]),
        ([f"{HEADER},Group", "a.mp4,anna,healthy,x"], ["column group twice"]),
        ([HEADER, "a.mp4,anna,healthy", "b.mp4,bob,impaired,7"], ["row 3", "more cells"]),
        ([HEADER, "a.mp4,,healthy"], ["row 2", "'subject'", "empty"]),
        ([HEADER, "", "a.mp4,anna,"], ["row 3", "'group'", "empty"]),
        ([HEADER, ",anna,healthy"], ["row 2", "'path'", "empty"]),
        ([f"{HEADER},x,y", "a.mp4,anna,healthy,1,2"], ["row 2", "in part", "width, height"]),
        ([f"{HEADER},x,y,width,height", "a.mp4,anna,healthy,1,2,0,5"], ["row 2", "empty", "0 x 5"]),
        ([f"{HEADER},x,y,width,height", "a.mp4,anna,healthy,1,2,3.5,5"], ["row 2", "'width'", "3.5", "whole number"]),
        ([f"{HEADER},start", "a.mp4,anna,healthy,soon"], ["row 2", "'start'", "soon", "whole number"]),
        ([f"{HEADER},start", "a.mp4,anna,healthy,-1"], ["row 2", "'start'", "-1"]),
        ([f"{HEADER},start,stop", "a.mp4,anna,healthy,9,9"], ["row 2", "start is 9", "stop is 9"]),
        ([f"{HEADER},side", "a.mp4,anna,healthy,front"], ["row 2", "'side'", "'left' or 'right'"]),
        ([f"{HEADER},recording", "a.mp4,anna,healthy,../a"], ["row 2", "'recording'", "../a"]),
        ([f"{HEADER},recording", "a.mp4,anna,healthy,x", "b.mp4,bob,healthy,X"], ["row 3", "another row"]),
        (
            [f"{HEADER},x,y,width,height,boxes", "a.mp4,anna,healthy,1,2,3,4,b.csv"],
            ["row 2", "both a region and boxes"],
        ),
    ],
)
def test_errors_name_file_row_and_column(tmp_path, lines, parts):
    path = table(tmp_path, *lines)
    with pytest.raises(StudyError) as error:
        read_table(path)
    for part in [str(path), *parts]:
        assert part in str(error.value)


def test_files_that_are_no_table(tmp_path):
    with pytest.raises(StudyError, match="does not exist"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(StudyError, match="UTF-8"):
        read_table(table(tmp_path, HEADER, "a.mp4,Änne,healthy", encoding="utf-16"))
    with pytest.raises(StudyError, match=r"cannot be read|does not exist"):
        read_table(tmp_path)


def test_covariates_cannot_hide_other_columns(tmp_path):
    with pytest.raises(StudyError, match=r"row 2, column 'covariates': 'Path' cannot be"):
        Recording.checked("row 2", name="a", path=tmp_path, subject="s", group="g", covariates={"Path": "x"})


def test_unique_name():
    assert unique_name("a", []) == "a"
    assert unique_name("a", ["A", "a_2"]) == "a_3"
