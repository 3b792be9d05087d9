"""Which of many rows are looked at where all would be too many: evenly spread ones."""

from __future__ import annotations

import numpy as np


def spread_rows(length: int, n: int) -> np.ndarray:
    """Choose n of so many rows, the middle of each of n equal parts; all if they are fewer."""
    n = min(n, length)
    return ((np.arange(n) + 0.5) * length / n).astype(int)


def spread_parts(length: int, part: int, most: int) -> list[slice]:
    """Choose about ``most`` of so many rows, in evenly spread parts, one at least; all if they are no more."""
    if length <= max(most, part):
        return [slice(0, length)]
    n = max(1, most // max(1, part))
    starts = ((np.arange(n) + 0.5) / n * length - part / 2).astype(int)  # parts in the middle of n equal pieces
    return [slice(start, start + part) for start in starts.tolist()]
