"""What share of a subject's frames is abnormal: of what was measured, and before and after magnification.

After Brattoli et al. 2021 (Extended Data), who train a linear one-class support vector machine on ImageNet features of
healthy frames. Such a machine parts the frames from the origin by a plane (Schölkopf et al., Neural Computation 13,
2001). Features that have their mean taken off lie all around the origin, from which no plane parts them. So either the
kernel is a Gaussian, so broad that it is nearly linear; or the machine is linear, and sees how near each component is
to its middle from above and from below: as the network's own features are, none is negative, and the origin is what is
far off everywhere. Nobody is scored by a machine that saw them.

Codes spread along the movement, and whoever moves less lies in the midst of them, however unusual. So groups are
compared by how near frames are to their reference postures, from which movement and build are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import cv2
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import OneClassSVM

from napari_ubam.models.objectives import FOREGROUND
from napari_ubam.settings import OneClassKind

BREADTH = 0.3  # of the Gaussian kernel: gamma times the number of components, which have unit variance
FAR = 3.0  # standard deviations of a component from its middle, or units of a part: nothing is farther
SILHOUETTE = 16  # px of the side of the pictures that stand for a frame's pixels

Features = Mapping[str, np.ndarray]  # of each subject's frames, (n, d)


def silhouettes(frames: np.ndarray, background: np.ndarray, size: int = SILHOUETTE) -> np.ndarray:
    """Describe frames by where the subject is, so that clothes do not count: no network has a part in it.

    Parameters
    ----------
    frames : ndarray of uint8, shape (T, S, S, 3)
        A recording's crops.
    background : ndarray of uint8, shape (S, S, 3)
        Its own background.
    size : int
        Side of the small pictures.

    Returns
    -------
    ndarray of float32, shape (T, size * size)
        How much of each pixel is the subject, 0 to 1.
    """
    still = background.astype(np.float32)
    shares = [np.clip(np.abs(frame - still).mean(-1) / 127.5 / FOREGROUND, 0, 1) for frame in frames]
    small = [cv2.resize(share, (size, size), interpolation=cv2.INTER_AREA) for share in shares]
    return np.array(small, np.float32).reshape(len(frames), size * size)


def abnormal_frames(
    parts: Features, references: Sequence[str], nu: float = 0.05, kind: OneClassKind = "linear", n_components: int = 8
) -> pd.DataFrame:
    """Say what share of each subject's frames is abnormal, by how near their parts are to the reference posture.

    A machine sees the nearness of each part: 1 at the reference posture, 0 from `FAR` on. The plane of the linear
    machine parts what is near from what is far off everywhere. One is trained for each reference subject left out;
    a reference subject is scored by the one that left it out, anyone else by each in turn, of which the mean is taken.

    Parameters
    ----------
    parts : mapping of str to ndarray, shape (n, K)
        How far each part of every subject's frames deviates, measured without the subject itself
        (`napari_ubam.analysis.deviation.Deviation`).
    references : sequence of str
        The reference subjects, at least two.
    nu : float
        About which share of the frames that a machine is trained on it calls abnormal, 0 to 1.
    kind : {"linear", "gaussian"}
        The machine, see above.
    n_components : int
        How many principal components of the nearness a Gaussian machine sees.

    Returns
    -------
    DataFrame
        One row a subject, in the order of ``parts``: ``subject``, ``abnormal`` [%].
    """
    near = {subject: 1 - np.clip(own / FAR, 0, 1) for subject, own in parts.items()}
    shares: dict[str, list[float]] = {subject: [] for subject in near}
    for kept, judged in _leaving_out(list(near), references):
        trained_on = np.concatenate([near[s] for s in kept])
        machine: Pipeline | OneClassSVM
        if kind == "linear":
            machine = OneClassSVM(kernel="linear", nu=nu).fit(trained_on)
        else:
            machine = _machine(trained_on, n_components, nu, kind)
        for subject in judged:
            shares[subject].append(_abnormal(machine, near[subject]))
    return pd.DataFrame([(s, np.mean(found)) for s, found in shares.items()], columns=["subject", "abnormal"])


def abnormal_shares(
    before: Features, after: Features, references: Sequence[str], n_components: int = 8, nu: float = 0.05,
    kind: OneClassKind = "gaussian",
) -> pd.DataFrame:  # fmt: skip
    """Say what share of each subject's frames is abnormal before and after magnification.

    One machine is trained for each reference subject left out, on the frames before magnification of all others. A
    reference subject is scored by the one that left it out, anyone else by each in turn, of which the mean is taken: so
    all are treated alike.

    Parameters
    ----------
    before, after : mapping of str to ndarray, shapes (n, d) and (m, d)
        Features of every subject's frames, at least two frames each.
    references : sequence of str
        The reference subjects, at least two.
    n_components : int
        How many principal components a machine sees. With too many, all subjects that it never saw are abnormal.
    nu : float
        About which share of the frames that a machine is trained on it calls abnormal, 0 to 1.
    kind : {"gaussian", "linear"}
        The machine, see above.

    Returns
    -------
    DataFrame
        One row a subject, in the order of ``before``: ``subject``, ``before``, ``after`` and ``change`` [%].
    """
    shares: dict[str, list[tuple[float, float]]] = {subject: [] for subject in before}
    for kept, judged in _leaving_out(list(before), references):
        machine = _machine(np.concatenate([before[s] for s in kept]), n_components, nu, kind)
        for subject in judged:
            shares[subject].append((_abnormal(machine, before[subject]), _abnormal(machine, after[subject])))
    rows = [(subject, *np.mean(found, 0)) for subject, found in shares.items()]
    table = pd.DataFrame(rows, columns=["subject", "before", "after"])
    return table.assign(change=table["after"] - table["before"])


def shuffled_shares(
    before: Features, after: Features, n_references: int, *, n_components: int = 8, nu: float = 0.05,
    kind: OneClassKind = "gaussian", n_shuffles: int = 20, seed: int = 0,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> pd.DataFrame:  # fmt: skip
    """Do the same where who belongs to the reference group is drawn by lot: the control.

    Parameters
    ----------
    before, after, n_components, nu, kind
        As for `abnormal_shares`.
    n_references : int
        How many subjects are called reference subjects.
    n_shuffles : int
        How often lots are drawn.
    seed : int
        Makes it repeatable.
    tell : callable, optional
        Called with how many shuffles of how many are done.

    Returns
    -------
    DataFrame
        One row a shuffle and subject: ``shuffle``, ``is_reference``, and the columns of `abnormal_shares`.
    """
    rng = np.random.default_rng(seed)
    subjects, tables = list(before), []
    for i in range(n_shuffles):
        tell(i, n_shuffles)
        chosen = rng.permutation(len(subjects))[:n_references]
        references = [subjects[j] for j in sorted(chosen)]
        table = abnormal_shares(before, after, references, n_components, nu, kind)
        tables.append(table.assign(shuffle=i, is_reference=table["subject"].isin(references)))
    tell(n_shuffles, n_shuffles)
    return pd.concat(tables, ignore_index=True)


def _leaving_out(subjects: Sequence[str], references: Sequence[str]) -> Iterator[tuple[list[str], list[str]]]:
    """Leave each reference subject out in turn: which ones are kept, and who is judged by them."""
    for left_out in references:
        yield [s for s in references if s != left_out], [s for s in subjects if s == left_out or s not in references]


def _machine(features: np.ndarray, n_components: int, nu: float, kind: OneClassKind) -> Pipeline:
    n = min(n_components, len(features), features.shape[1])
    components = PCA(n, whiten=True, svd_solver="covariance_eigh")
    if kind == "linear":
        machine = make_pipeline(components, FunctionTransformer(_nearness), OneClassSVM(kernel="linear", nu=nu))
    else:
        machine = make_pipeline(components, OneClassSVM(nu=nu, gamma=BREADTH / n))
    with np.errstate(invalid="ignore"):  # 0 / 0 where nothing varies
        return machine.fit(features)


def _nearness(components: np.ndarray) -> np.ndarray:
    """Say how near components (n, k) are to 0 from above and from below, (n, 2 k): 1 there or beyond it, 0 when far."""
    return 1 - np.clip(np.concatenate([components, -components], axis=1) / FAR, 0, 1)


def _abnormal(machine: Pipeline | OneClassSVM, features: np.ndarray) -> float:
    return 100 * float((machine.predict(features) < 0).mean())
