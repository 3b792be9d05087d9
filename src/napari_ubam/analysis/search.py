"""Exact nearest neighbours of many queries, batched on a device.

Every query is compared with every code: the time is linear in the number of queries, whatever the codes are. All
distances are one matrix product in single precision; of them a few more than are wanted are kept, and compared anew
entry by entry, so that rounding hardly ever has a say in who is nearest.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

ENTRIES = 2**24  # distances in memory at once
SPARE = 2  # more neighbours than wanted that are compared anew
BLOCK = 8  # codes of which first the nearest alone is looked at


def nearest(
    query: np.ndarray, codes: np.ndarray, k: int, device: torch.device | str = "cpu"
) -> tuple[np.ndarray, np.ndarray]:
    """Find the codes nearest to each of many queries, nearest first.

    Parameters
    ----------
    query : ndarray, shape (q, m)
        What is looked for.
    codes : ndarray, shape (n, m)
        What there is; at least one.
    k : int
        How many to find, at least 1; fewer where there are fewer.
    device : torch.device or str
        Where to compute.

    Returns
    -------
    distance : ndarray of float64, shape (q, k)
        Euclidean.
    index : ndarray of int64, shape (q, k)
        Rows of ``codes``.
    """
    k = min(k, len(codes))
    centre = codes.mean(0)  # nothing is lost to rounding that is the same in all
    found = torch.as_tensor(np.asarray(codes - centre, np.float32), device=device)
    norm = (found**2).sum(1)
    distance, index = np.empty((len(query), k)), np.empty((len(query), k), np.int64)
    n = max(1, ENTRIES // len(codes))
    for start in range(0, len(query), n):
        rows = slice(start, start + n)
        own = torch.as_tensor(np.asarray(query[rows] - centre, np.float32), device=device)
        _, near = smallest(torch.addmm(norm, own, found.T, alpha=-2), min(k + SPARE, len(codes)))
        near = near.sort(1).values  # equal ones in the order of the codes
        exact, order = _distances(own, found, near).sort(dim=1, stable=True)
        distance[rows] = exact[:, :k].cpu().numpy()
        index[rows] = near.gather(1, order[:, :k]).cpu().numpy()
    return distance, index


def _distances(query: Tensor, codes: Tensor, columns: Tensor) -> Tensor:
    """Compare every query (q, m) with its own codes, rows ``columns`` (q, k) of all: the distances (q, k)."""
    found = torch.empty(columns.shape, device=query.device)
    buffer = torch.empty_like(query)
    for i, column in enumerate(columns.unbind(1)):
        torch.index_select(codes, 0, column, out=buffer)
        found[:, i] = torch.linalg.vector_norm(buffer.sub_(query), dim=1)
    return found


def smallest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Give each row's smallest k values (q, k) of (q, n), in no order, and their columns.

    They lie in the k blocks whose own smallest values are the smallest, which are found in the same way: few values
    are ever sorted. A block is made of columns that lie far apart, so that all blocks are gone through at once.
    """
    width = -(-values.shape[1] // BLOCK)
    if width <= k:
        return values.topk(k, 1, largest=False, sorted=False)
    if values.shape[1] < width * BLOCK:
        values = pad(values, (0, width * BLOCK - values.shape[1]), value=torch.inf)
    _, best = smallest(values.unflatten(1, (BLOCK, width)).amin(1), k)
    columns = (best[:, None] + torch.arange(0, width * BLOCK, width, device=values.device)[:, None]).flatten(1)
    found, at = values.gather(1, columns).topk(k, 1, largest=False, sorted=False)
    return found, columns.gather(1, at)
