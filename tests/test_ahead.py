import threading
from contextlib import closing

import pytest

from napari_ubam.ahead import ahead


def test_things_come_in_order():
    assert list(ahead(lambda i: i * i, range(20))) == [i * i for i in range(20)]
    assert list(ahead(str, [], 3)) == []


@pytest.mark.parametrize("n", [1, 3])
def test_no_more_is_made_than_was_asked_for(n: int):
    """Nothing waits in memory beyond the n that come next."""
    made: list[int] = []
    for used, _ in enumerate(ahead(made.append, range(10), n), 1):
        assert len(made) <= used + n


def test_the_next_is_made_while_one_is_used():
    begun = [threading.Event() for _ in range(3)]
    for i in ahead(lambda i: begun[i].set() or i, range(3)):
        if i < 2:
            assert begun[i + 1].wait(10)


def test_an_error_comes_when_its_turn_has_come():
    def make(i: int) -> int:
        if i == 2:
            raise KeyError(i)
        return i

    things = ahead(make, range(5))
    assert [next(things), next(things)] == [0, 1]
    with pytest.raises(KeyError):
        next(things)


def test_left_early_it_ends_what_is_being_made_and_makes_no_more():
    begun, left, ended = threading.Event(), threading.Event(), threading.Event()
    made = []

    def make(i: int) -> int:
        made.append(i)
        if i == 1:
            begun.set()
            assert left.wait(10)  # as a long decoding that looks whether it is still wanted
            ended.set()
        return i

    with closing(ahead(make, range(10), 2, on_leave=left.set)) as things:
        assert next(things) == 0
        assert begun.wait(10)
    assert ended.is_set()
    assert made == [0, 1]
