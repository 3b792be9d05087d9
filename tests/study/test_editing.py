import pytest

from napari_ubam.errors import StudyError
from napari_ubam.study import Recording
from napari_ubam.study.editing import edited


@pytest.fixture
def recordings(tmp_path):
    return [
        Recording(name=f"walk_{i}", path=tmp_path / f"walk_{i}.mp4", subject=f"s{i}", group=group)
        for i, group in enumerate(["healthy", "healthy", "impaired", "impaired"])
    ]


def test_a_subject_stays_in_one_group(recordings):
    same = edited(recordings, [1], "subject", "s0")
    assert [x.group for x in edited(same, [0], "group", "control")] == ["control", "control", "impaired", "impaired"]
    joined = edited(recordings, [0], "subject", "s2")
    assert (joined[0].subject, joined[0].group) == ("s2", "impaired")


def test_rows_of_several_groups_that_become_one_subject_get_one_group(recordings):
    assert [x.group for x in edited(recordings, [1, 2], "subject", "new")] == ["healthy"] * 3 + ["impaired"]
    assert [x.group for x in edited(recordings, [0, 1], "subject", "s3")] == ["impaired"] * 4


@pytest.mark.parametrize("column", ["subject", "group", "session"])
def test_a_wrong_value_names_the_recording(recordings, column):
    with pytest.raises(StudyError, match="walk_0"):
        edited(recordings, [0], column, " ")


def test_a_covariate_is_written_and_taken_away(recordings):
    table = edited(recordings, [0, 3], "age", " 31 ")
    assert [x.covariates for x in table] == [{"age": "31"}, {}, {}, {"age": "31"}]
    assert edited(table, [0, 3], "age", "") == tuple(recordings)
