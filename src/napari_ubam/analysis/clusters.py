"""Behaviours that recur: clusters of codes, found without being told how many there are."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import HDBSCAN
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

MAX_CLUSTERED = 5000  # codes that are clustered themselves; every other one goes with its nearest of these
N_COMPONENTS = 8  # in more directions, all distances are alike


def find_clusters(codes: ArrayLike, smallest: float = 2.0, *, seed: int = 0) -> NDArray[np.int64]:
    """Find clusters of codes by their density (HDBSCAN).

    Parameters
    ----------
    codes : array (n, d)
        Behaviours or postures.
    smallest : float
        The share of all codes that a cluster has at least [%].
    seed : int
        Makes the draw repeatable, where there are more codes than `MAX_CLUSTERED`.

    Returns
    -------
    array (n,) int64
        The cluster of every code, the largest first, from 0; -1 where it is in none.

    Raises
    ------
    ValueError
        If ``codes`` is not a table of finite numbers.
    """
    codes = np.asarray(codes, np.float32)
    if codes.ndim != 2 or not np.isfinite(codes).all():
        raise ValueError(f"Codes must be a table (n, d) of finite numbers, not of shape {codes.shape} or with gaps.")
    most = min(len(codes), MAX_CLUSTERED)
    least = max(round(most * smallest / 100), 5)
    if most <= least:
        return np.full(len(codes), -1)
    chosen = np.sort(np.random.default_rng(seed).choice(len(codes), most, replace=False))
    with threadpool_limits(1):
        spread = PCA(min(N_COMPONENTS, *codes[chosen].shape), random_state=seed).fit(codes[chosen])
        places = spread.transform(codes)
        found = HDBSCAN(min_cluster_size=least, min_samples=min(least, 10), copy=True).fit_predict(places[chosen])
        nearest = NearestNeighbors(n_neighbors=1).fit(places[chosen]).kneighbors(places, return_distance=False)
    labels = found[nearest[:, 0]]
    kinds, counts = np.unique(labels[labels >= 0], return_counts=True)
    rank = np.full(kinds.max(initial=-1) + 2, -1)  # the last one is that of no cluster
    rank[kinds[np.argsort(-counts, kind="stable")]] = np.arange(len(kinds))
    return rank[labels].astype(np.int64)
