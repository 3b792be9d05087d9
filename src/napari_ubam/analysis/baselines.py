"""Simple descriptions of a recording's frames that need no trained network: what a trained one must beat."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

CELLS = 8  # of the picture's side, in each of which the energy of movement is measured
N_COMPONENTS = 16


def movement_energy(frames: np.ndarray, rows: np.ndarray) -> NDArray[np.float64]:
    """Measure how much the picture changes from a frame to the next, in each of 8 x 8 cells.

    Parameters
    ----------
    frames : ndarray of uint8, shape (T, S, S, 3)
        A recording's crops.
    rows : ndarray of int, shape (n,)
        Which frames.

    Returns
    -------
    ndarray, shape (n, 64)
        Mean absolute change of the grey level [0 to 255]; 0 where there is no next frame.
    """

    def grey(i: int) -> np.ndarray:
        return frames[i].mean(-1, dtype=np.float32)

    change = [np.abs(grey(min(i + 1, len(frames) - 1)) - grey(i)) for i in rows]
    cells = [cv2.resize(x, (CELLS, CELLS), interpolation=cv2.INTER_AREA) for x in change]
    return np.array(cells, float).reshape(len(rows), CELLS**2)


def principal_components(pictures: Mapping[str, np.ndarray]) -> dict[str, NDArray[np.float64]]:
    """Give the principal components of the subject's silhouette, each recording's mean taken off.

    They are found in all recordings, without looking at groups.

    Parameters
    ----------
    pictures : mapping of str to ndarray, shape (n, p)
        By recording, the result of `napari_ubam.analysis.oneclass.silhouettes`.

    Returns
    -------
    dict of str to ndarray, shape (n, k)
        At most 16 components.
    """
    centred = {name: x.astype(float) - x.mean(0) for name, x in pictures.items()}
    joined = np.concatenate(list(centred.values()))
    found = PCA(min(N_COMPONENTS, *joined.shape), svd_solver="covariance_eigh").fit(joined)
    return {name: found.transform(x) for name, x in centred.items()}
