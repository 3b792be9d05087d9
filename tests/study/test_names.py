from pathlib import Path

import pytest

from napari_ubam.errors import StudyError
from napari_ubam.study import Recording
from napari_ubam.study.names import NamePattern, with_names_read


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        ("{subject}_{group}_{session}", "/v/m12_WT_3.mp4", {"subject": "m12", "group": "WT", "session": "3"}),
        ("{subject}_{group}_{session}", "/v/m12_WT_day_3.avi", {"subject": "m12", "group": "WT", "session": "day_3"}),
        (
            "{group}/{subject}-D{session}",
            "/v/stroke/m.1-d07.mp4",
            dict(group="stroke", subject="m.1", session="07"),
        ),
        ("{subject}_x*_{weight}", "/v/a_xyz_31.mp4", {"subject": "a", "weight": "31"}),
        ("{subject}", "/v/folder of images", {"subject": "folder of images"}),
        ("{subject}_{group}", "/v/alone.mp4", None),
        ("{group}/{subject}", "alone.mp4", None),
        ("m({subject})", "/v/m(7).mp4", {"subject": "7"}),
    ],
)
def test_names_are_read(pattern, path, found):
    assert NamePattern(pattern).match(Path(path)) == found


@pytest.mark.parametrize("pattern", ["", "subject", "{}", "{subject", "{a}_{a}", "subject}_{group}"])
def test_what_is_no_pattern_says_what_one_looks_like(pattern):
    with pytest.raises(StudyError, match="Write one such as"):
        NamePattern(pattern)


@pytest.fixture
def recordings():
    files = ["m1_wt_1", "m1_wt_2", "m2_ko_1", "calibration"]
    return [Recording(name=n, path=Path(f"/v/{n}.mp4"), subject=n, group="unassigned") for n in files]


def test_what_fits_is_written_into_the_table(recordings):
    table = with_names_read(recordings, range(4), NamePattern("{subject}_{group}_{session}"))
    assert [(x.subject, x.group, x.session) for x in table[:3]] == [
        ("m1", "wt", "1"),
        ("m1", "wt", "2"),
        ("m2", "ko", "1"),
    ]
    assert table[3] == recordings[3]
    table = with_names_read(recordings, [2], NamePattern("{animal}_{line}_*"))
    assert table[2].covariates == {"animal": "m2", "line": "ko"}
    assert table[:2] == tuple(recordings[:2])


def test_a_subject_in_two_groups_is_an_error(recordings):
    with pytest.raises(StudyError, match="'m1' would be in two groups, '1' and '2'"):
        with_names_read(recordings, range(4), NamePattern("{subject}_*_{group}"))


def test_a_name_that_no_column_can_have_is_an_error(recordings):
    with pytest.raises(StudyError, match="'path' cannot be"):
        with_names_read(recordings, range(4), NamePattern("{path}_*"))
