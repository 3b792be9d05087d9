"""Lay out codes in the plane, so that they can be looked at."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

Method = Literal["pca", "tsne", "umap"]
Tell = Callable[[int, int], None]

MAX_LAID_OUT = 10_000  # frames that t-SNE and UMAP themselves lay out; the others are placed between their neighbours
MAX_TSNE = 2000  # the same where there is no openTSNE: scikit-learn's is slower, and cannot be stopped
_ITERATIONS = (250, 500)  # of t-SNE, with early exaggeration and without
_EVERY = 10  # iterations between two reports
_CHUNK = 4000  # codes that are placed at once


def can_lay_out(method: Method) -> bool:
    """Tell whether the packages are installed that a method needs."""
    return method != "umap" or find_spec("umap") is not None


def centre(codes: ArrayLike, recordings: ArrayLike) -> NDArray[np.float32]:
    """Take each recording's mean off its codes (n, d), so that they say how subjects move, not how they are built."""
    codes, recordings = np.array(codes, np.float32), np.asarray(recordings)
    for recording in np.unique(recordings):
        codes[recordings == recording] -= codes[recordings == recording].mean(axis=0)
    return codes


def project(
    codes: ArrayLike, method: Method = "pca", *, recordings: ArrayLike | None = None, seed: int = 0,
    tell: Tell = lambda done, total: None,
) -> NDArray[np.float32]:  # fmt: skip
    """Lay out codes in the plane.

    Parameters
    ----------
    codes : array (n, d)
        Posture or behaviour codes.
    method : {"pca", "tsne", "umap"}
        ``"pca"``: the two directions of largest variance; distances keep their meaning. ``"tsne"``, ``"umap"``:
        neighbours stay together, far distances mean little; up to `MAX_LAID_OUT` frames, drawn at random, are laid out,
        and every other one is placed between its nearest.
    recordings : array (n,), optional
        The recording of every row. Where given, `centre` is done first.
    seed : int
        Makes the draw and the layout repeatable.
    tell : callable, optional
        Called with how many steps of how many are done; what it raises ends the layout.

    Returns
    -------
    array (n, 2) float32
        The positions. The same input gives the same output, signs included.

    Raises
    ------
    ValueError
        If the method is unknown or not installed, or ``codes`` is not a table of finite numbers.
    """
    codes = np.array(codes, np.float32)
    if codes.ndim != 2 or not np.isfinite(codes).all():
        raise ValueError(f"Codes must be a table (n, d) of finite numbers, not of shape {codes.shape} or with gaps.")
    if method not in ("pca", "tsne", "umap"):
        raise ValueError(f"Unknown method {method!r}: choose 'pca', 'tsne' or 'umap'.")
    if not can_lay_out(method):
        raise ValueError("UMAP is not installed. Install it with: pip install umap-learn")
    if recordings is not None:
        codes = centre(codes, recordings)
    if method == "pca" or len(codes) <= 4:
        return _pca(codes, seed)
    faster = method == "umap" or find_spec("openTSNE") is not None
    most = min(len(codes), MAX_LAID_OUT if faster else MAX_TSNE)
    chosen = np.sort(np.random.default_rng(seed).choice(len(codes), most, replace=False))
    start = _pca(codes[chosen], seed)
    lay_out = _umap if method == "umap" else _open_tsne if faster else _tsne
    with threadpool_limits(1):  # threads wait for each other, endlessly where a training runs beside
        layout = lay_out(codes[chosen], start, seed, tell).astype(np.float32)
    if len(chosen) == len(codes):
        return layout
    positions = np.empty((len(codes), 2), np.float32)
    positions[chosen] = layout
    others = np.setdiff1d(np.arange(len(codes)), chosen)
    positions[others] = place(codes[others], codes[chosen], layout, method, tell=tell)
    return positions


def place(
    codes: ArrayLike, known: ArrayLike, positions: ArrayLike, method: Method, *,
    tell: Tell = lambda done, total: None,
) -> NDArray[np.float32]:  # fmt: skip
    """Place further codes on a map, which stays as it is.

    Parameters
    ----------
    codes : array (m, d)
        What is to be placed.
    known : array (n, d)
        What is on the map already.
    positions : array (n, 2)
        Where.
    method : {"pca", "tsne", "umap"}
        What laid out the map: directions are continued as they are, between neighbours of t-SNE and UMAP the three
        nearest are averaged, the nearer the more.
    tell : callable, optional
        As in `project`.

    Returns
    -------
    array (m, 2) float32
        Their positions.
    """
    codes, known = np.asarray(codes, np.float32), np.asarray(known, np.float32)
    positions = np.asarray(positions, np.float32)
    if method == "pca":
        mean, middle = known.mean(0), positions.mean(0)
        directions = np.linalg.lstsq(known - mean, positions - middle, rcond=1e-5)[0]
        return ((codes - mean) @ directions + middle).astype(np.float32)
    from sklearn.neighbors import KNeighborsRegressor  # slow to import

    search = KNeighborsRegressor(min(3, len(known)), weights="distance").fit(known, positions)
    placed = []
    for start in range(0, len(codes), _CHUNK):
        tell(start, len(codes))
        placed.append(search.predict(codes[start : start + _CHUNK]))
    return np.concatenate(placed).astype(np.float32) if placed else np.zeros((0, 2), np.float32)


def _pca(codes: NDArray, seed: int) -> NDArray[np.float32]:
    from sklearn.decomposition import PCA

    positions = np.zeros((len(codes), 2), np.float32)
    n_components = min(2, *codes.shape)
    if n_components and len(codes) > 1:  # scikit-learn fixes the signs by the loadings
        positions[:, :n_components] = PCA(n_components, random_state=seed).fit_transform(codes)
    return positions


def _open_tsne(codes: NDArray, start: NDArray, seed: int, tell: Tell) -> NDArray:
    from openTSNE import TSNE as OpenTSNE  # an extra

    done = 0

    def report(iteration: int, error: float, embedding: NDArray) -> None:
        nonlocal done
        done += _EVERY
        tell(done, sum(_ITERATIONS))

    tsne = OpenTSNE(
        perplexity=_perplexity(len(codes)), initialization=_small(start), random_state=seed, n_jobs=1,
        early_exaggeration_iter=_ITERATIONS[0], n_iter=_ITERATIONS[1], callbacks=report, callbacks_every_iters=_EVERY,
    )  # fmt: skip
    return np.asarray(tsne.fit(codes))


def _tsne(codes: NDArray, start: NDArray, seed: int, tell: Tell) -> NDArray:
    from sklearn.manifold import TSNE

    tell(0, 1)
    return TSNE(init=_small(start), perplexity=_perplexity(len(codes)), random_state=seed).fit_transform(codes)


def _umap(codes: NDArray, start: NDArray, seed: int, tell: Tell) -> NDArray:
    from umap import UMAP  # an extra

    tell(0, 1)  # it tells nothing of its progress
    start = start * (10 / max(float(np.abs(start).max()), 1e-12))
    start += np.random.default_rng(seed).normal(scale=1e-3, size=start.shape)  # it divides by each axis's extent
    umap = UMAP(n_neighbors=min(15, len(codes) - 1), init=start, random_state=seed, n_jobs=1)
    return umap.fit_transform(codes)


def _perplexity(n: int) -> float:
    return min(30, (n - 1) / 3)


def _small(start: NDArray) -> NDArray:
    """Begin so near together that the layout can go anywhere."""
    return start * (1e-4 / max(float(start[:, 0].std()), 1e-12))
