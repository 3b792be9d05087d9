import numpy as np
import pytest

from napari_ubam.sample import FATES, make_sessions


@pytest.mark.parametrize("fate", FATES)
def test_days_are_healthy_then_impaired_then_as_fate_has_it(fate):
    days = make_sessions(fate, n_days=4, n_frames=3, size=32)
    assert [d.name for d in days] == [f"r01_day{i}" for i in range(4)]
    size = [np.abs(d.deviation).mean() for d in days]
    assert size[0] == 0
    assert size[1] > 1
    if fate == "return":
        assert size[3] == 0
    else:
        assert size[3] > 0.3 * size[1]
    trunk = [d.deviation[:, -1].mean() for d in days]
    assert (trunk[3] < 0) == (fate == "compensation")  # it leans the other way


def test_the_same_subject_in_the_same_room_walks_anew_every_day():
    one, other = make_sessions("return", n_days=3, n_frames=3, size=32)[::2]
    assert one.walker.build is other.walker.build
    assert one.walker.room is other.walker.room
    assert not np.array_equal(one.frames, other.frames)
    assert one.phase[0] != other.phase[0]
    again = make_sessions("return", n_days=3, n_frames=3, size=32)[2]
    np.testing.assert_array_equal(other.frames, again.frames)


def test_until_it_recovers_a_subject_is_the_same_whatever_its_fate():
    first = [make_sessions(fate, 1, n_days=3, n_frames=2, size=32)[1].frames for fate in FATES]
    np.testing.assert_array_equal(first[0], first[1])
    np.testing.assert_array_equal(first[0], first[2])


@pytest.mark.parametrize("wrong", [{"fate": "worse"}, {"n_days": 2}, {"number": -1}, {"size": 8}])
def test_nonsense_is_an_error(wrong):
    with pytest.raises(ValueError, match="Sessions need a fate"):
        make_sessions(**{"fate": "return", **wrong})
