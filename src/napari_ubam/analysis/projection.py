"""Lay out codes in the plane, so that they can be looked at."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import KNeighborsRegressor
from threadpoolctl import threadpool_limits

Method = Literal["pca", "tsne"]
MAX_TSNE = 2000  # frames that t-SNE itself lays out: a few seconds; the others are placed between their neighbours


def project(
    codes: ArrayLike, method: Method = "pca", *, recordings: ArrayLike | None = None, seed: int = 0
) -> NDArray[np.float32]:
    """Lay out codes in the plane.

    Parameters
    ----------
    codes : array (n, d)
        Posture or behaviour codes.
    method : {"pca", "tsne"}
        ``"pca"``: the two directions of largest variance; distances keep their meaning. ``"tsne"``: neighbours stay
        together, far distances mean nothing; up to `MAX_TSNE` frames, drawn at random, are laid out, and every other
        one is put between its three nearest.
    recordings : array (n,), optional
        The recording of every row. Where given, each recording's mean is taken off first, so that the map
        shows how subjects move, not how they are built.
    seed : int
        Makes the draw and the layout repeatable.

    Returns
    -------
    array (n, 2) float32
        The positions. The same input gives the same output, signs included.

    Raises
    ------
    ValueError
        If the method is unknown or ``codes`` is not a table of finite numbers.
    """
    codes = np.array(codes, np.float32)
    if codes.ndim != 2 or not np.isfinite(codes).all():
        raise ValueError(f"Codes must be a table (n, d) of finite numbers, not of shape {codes.shape} or with gaps.")
    if method not in ("pca", "tsne"):
        raise ValueError(f"Unknown method {method!r}: choose 'pca' or 'tsne'.")
    if recordings is not None:
        recordings = np.asarray(recordings)
        for recording in np.unique(recordings):
            codes[recordings == recording] -= codes[recordings == recording].mean(axis=0)
    if method == "tsne" and len(codes) > 4:
        return _tsne(codes, seed)
    return _pca(codes, seed)


def _pca(codes: NDArray, seed: int) -> NDArray[np.float32]:
    positions = np.zeros((len(codes), 2), np.float32)
    n_components = min(2, *codes.shape)
    if n_components and len(codes) > 1:  # scikit-learn fixes the signs by the loadings
        positions[:, :n_components] = PCA(n_components, random_state=seed).fit_transform(codes)
    return positions


def _tsne(codes: NDArray, seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(len(codes), min(len(codes), MAX_TSNE), replace=False))
    start = _pca(codes[chosen], seed)
    start *= 1e-4 / max(float(start[:, 0].std()), 1e-12)
    tsne = TSNE(init=start, perplexity=min(30, (len(chosen) - 1) / 3), random_state=seed)
    with threadpool_limits(1):  # its threads wait for each other, endlessly where a training runs beside
        layout = tsne.fit_transform(codes[chosen])
    if len(chosen) == len(codes):
        return layout.astype(np.float32)
    place = KNeighborsRegressor(3, weights="distance").fit(codes[chosen], layout)
    return place.predict(codes).astype(np.float32)
