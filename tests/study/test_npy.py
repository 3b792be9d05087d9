import mmap
from pathlib import Path

import numpy as np
import psutil
import pytest

from napari_ubam.study import forget

MB = 2**20


def resident() -> int:
    return psutil.Process().memory_info().rss


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED") or not psutil.LINUX, reason="other systems do it by themselves")
def test_what_was_read_of_a_memory_map_is_let_go_of(tmp_path: Path):
    written = np.lib.format.open_memmap(tmp_path / "crops.npy", "w+", np.uint8, (64, MB))
    written[:] = np.arange(64)[:, None]
    del written
    frames = np.load(tmp_path / "crops.npy", mmap_mode="r")
    before = resident()
    assert frames.max() == 63
    assert resident() - before > 50 * MB
    forget(frames[3:50])  # a part of it is enough
    assert resident() - before < 10 * MB
    assert frames[:, 5].tolist() == list(range(64))  # and it is still there


def test_what_was_written_through_it_is_kept(tmp_path: Path):
    frames = np.lib.format.open_memmap(tmp_path / "crops.npy", "w+", np.uint8, (4, MB))
    frames[2] = 7
    forget(frames)
    assert (frames[2] == 7).all()
    frames.flush()
    assert (np.load(tmp_path / "crops.npy")[2] == 7).all()


def test_plain_arrays_stay_as_they_are():
    frames = np.arange(12)[3:]
    forget(frames)
    assert frames.tolist() == list(range(3, 12))
