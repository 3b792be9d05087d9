"""Evenly spread rows and parts of many."""

from itertools import pairwise

import numpy as np
import pytest

from napari_ubam.sampling import spread_parts, spread_rows


@pytest.mark.parametrize(("length", "n"), [(1, 1), (10, 3), (1000, 7), (5, 5)])
def test_rows_are_distinct_and_evenly_spread(length, n):
    rows = spread_rows(length, n)
    assert len(rows) == n
    assert rows.min() >= 0
    assert rows.max() < length
    assert np.ptp(np.diff(rows)) <= 1 if n > 2 else len(set(rows)) == n
    assert abs(rows[0] - (length - 1 - rows[-1])) <= 1  # no end is preferred


@pytest.mark.parametrize("length", [0, 1, 4])
def test_all_rows_where_they_are_few(length):
    assert list(spread_rows(length, 10)) == list(range(length))


def test_a_long_recording_is_spread_over_in_parts() -> None:
    assert spread_parts(100, 30, 100) == [slice(0, 100)]
    parts = spread_parts(1000, 20, 100)
    assert [p.stop - p.start for p in parts] == [20] * 5
    assert [p.start for p in parts] == [90, 290, 490, 690, 890]
    assert spread_parts(1000, 300, 100) == [slice(350, 650)]
    assert spread_parts(200, 300, 100) == [slice(0, 200)]
    assert all(a.stop <= b.start for n in (101, 107, 250) for a, b in pairwise(spread_parts(n, 20, 100)))
