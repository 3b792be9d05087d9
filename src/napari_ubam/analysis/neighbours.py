"""Find the frames whose postures are most alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.neighbors import NearestNeighbors


def nearest_frames(
    query: ArrayLike, codes: ArrayLike, k: int = 8, *, exclude: ArrayLike | None = None
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Find the frames nearest to a posture, exactly, nearest first.

    Parameters
    ----------
    query : array (d,) or (q, d)
        One posture or several.
    codes : array (n, d)
        The postures to choose from.
    k : int
        How many to find; fewer are given where there are fewer to choose from.
    exclude : array (n,) of bool, optional
        Frames not to choose, such as those of the query's own recording.

    Returns
    -------
    indices : array (k,) or (q, k)
        Rows of ``codes``.
    distances : array (k,) or (q, k)
        Their Euclidean distances from the query.

    Raises
    ------
    ValueError
        If ``k`` is below 1, or query and codes have different dimensions.
    """
    query, codes = np.asarray(query), np.asarray(codes)
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}.")
    if query.shape[-1] != codes.shape[1]:
        raise ValueError(f"The query has {query.shape[-1]} dimensions, the codes have {codes.shape[1]}.")
    allowed = np.arange(len(codes)) if exclude is None else np.flatnonzero(~np.asarray(exclude, bool))
    queries = np.atleast_2d(query)
    if len(allowed) == 0:
        indices, distances = np.empty((len(queries), 0), np.intp), np.empty((len(queries), 0))
    else:
        search = NearestNeighbors(n_neighbors=min(k, len(allowed)), algorithm="brute").fit(codes[allowed])
        distances, found = search.kneighbors(queries)
        indices = allowed[found]
    return (indices[0], distances[0]) if query.ndim == 1 else (indices, distances)


def nearest_by_recording(
    query: ArrayLike, codes: ArrayLike, recordings: ArrayLike, *, exclude: ArrayLike | None = None
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Find the one frame of every recording that is nearest to a posture, nearest first.

    The nearest frames overall mostly follow each other in one recording; these show how everyone holds that posture.

    Parameters
    ----------
    query : array (d,)
        One posture.
    codes : array (n, d)
        The postures to choose from.
    recordings : array (n,)
        The recording of every one.
    exclude : array (n,) of bool, optional
        Frames not to choose, such as those of the query's own recording.

    Returns
    -------
    indices : array (r,)
        Rows of ``codes``, one a recording that has frames to choose from.
    distances : array (r,)
        Their Euclidean distances from the query.
    """
    recordings = np.asarray(recordings)
    indices, distances = nearest_frames(query, codes, max(len(recordings), 1), exclude=exclude)
    _, first = np.unique(recordings[indices], return_index=True)
    first.sort()
    return indices[first], distances[first]
