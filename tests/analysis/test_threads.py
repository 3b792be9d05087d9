import threading

import pytest
import torch

from napari_ubam.analysis.threads import in_threads


@pytest.fixture(autouse=True)
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_things_are_done_at_a_time_and_given_in_their_order():
    meet = threading.Barrier(2, timeout=10)  # broken, unless two get here

    def do(item: int) -> tuple[int, int]:
        if item < 2:
            meet.wait()
        return item, torch.get_num_threads()

    assert in_threads(do, range(20), "cpu") == [(item, 1) for item in range(20)]


def test_pytorch_uses_as_many_threads_as_before():
    def fail(item: int) -> None:
        raise ValueError(f"{item} fails")

    in_threads(abs, [1], "cpu")
    with pytest.raises(ValueError, match="0 fails"):
        in_threads(fail, range(9), "cpu")
    assert torch.get_num_threads() == 2
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [2]


def test_nothing_is_shared_out_where_pytorch_may_use_one_thread():
    torch.set_num_threads(1)
    assert in_threads(lambda _: threading.current_thread(), range(3), "cpu") == [threading.current_thread()] * 3
