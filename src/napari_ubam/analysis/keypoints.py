"""From posture to keypoints by ridge regression: what a posture code knows of the body (uBAM, Extended Data Fig. 9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from napari_ubam.errors import StudyError

ALL = "all"  # what the row of the scores is called that is over all keypoints
MIN_FRAMES = 20  # that show a keypoint, in all recordings together; fewer cannot be learned from
SUBJECTS, BLOCKS = "subjects", "time blocks"
_N_BLOCKS = 10  # stretches of time that a recording is cut into where only one subject has keypoints
_MAX_FRAMES = 20_000  # that are learned from; more are thinned out evenly
_MAX_DIMENSION = 256  # longer codes are first reduced to so many principal components
_OUTER, _INNER = 5, 4  # folds
_STRENGTHS = np.logspace(-1, 6, 8)
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Poses:
    """What a recording shows.

    Attributes
    ----------
    subject : str
        Whose it is.
    posture : ndarray, shape (T, d)
        One code a frame.
    points : ndarray, shape (T, n, 2), or None
        x and y of the keypoints in the crop, in [-1, 1] of its side; NaN where missing. None where there are none.
    """

    subject: str
    posture: np.ndarray
    points: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Prediction:
    """Keypoints as the postures say them.

    Attributes
    ----------
    points : dict of str to ndarray, shape (T, n, 2)
        Of each recording, as `Poses.points`; NaN for a keypoint that cannot be learned. Where the recording has this
        keypoint, a model says it that has not seen the subject (or that stretch of time); elsewhere one of all that
        have it.
    scores : DataFrame
        One row a keypoint, after one of `ALL`: ``keypoint``; ``r2`` in what was not seen; ``error``, the root mean
        square distance as a share of the subject's size; ``n_frames``; ``n_subjects``; and ``unseen``, which is
        `SUBJECTS` or `BLOCKS`.
    """

    points: dict[str, np.ndarray]
    scores: pd.DataFrame


def predict_keypoints(
    recordings: Mapping[str, Poses], names: tuple[str, ...], tell: Callable[[int, int], None] = lambda done, total: None
) -> Prediction:
    """Learn where the keypoints are from the posture, and try it on subjects that were not learned from.

    What is learned is movement: each recording's mean is taken off from codes and keypoints, and keypoints are in units
    of the subject's size (root mean square distance of its mean keypoints from their middle, of those that all
    recordings with keypoints have). Each keypoint has a ridge regression of its own, on the frames that show it.
    Subjects are left out by folds; the strength is chosen by folds inside the others. Where only one subject has the
    keypoint, stretches of time are left out instead. The mean of a recording without keypoints is predicted from its
    mean code, by a ridge regression over recordings.

    Parameters
    ----------
    recordings : mapping of str to Poses
        By name.
    names : tuple of str
        The n keypoints.
    tell : callable, optional
        Called with how many keypoints are done, and how many there are.

    Raises
    ------
    StudyError
        If no keypoint is seen in `MIN_FRAMES` frames.
    """
    codes = _prepared({name: poses.posture.astype(float) for name, poses in recordings.items()})
    marked = {name: poses.points for name, poses in recordings.items() if poses.points is not None}
    mean = {name: _mean(points) for name, points in marked.items()}
    common = np.all([_known(points) for points in mean.values()], axis=0)  # what all have, so that sizes compare
    common |= common.sum() < 2
    size = {name: _size(points[common]) for name, points in mean.items()}
    place = {name: np.full((len(names), 2), np.nan) for name in codes}
    movement = {name: np.full((len(code), len(names), 2), np.nan) for name, code in codes.items()}
    scores = []
    for k, keypoint in enumerate(names):
        tell(k, len(names))
        given = {name: points[:, k] for name, points in marked.items() if _known(points[:, k]).sum() > 1}
        if sum(int(_known(xy).sum()) for xy in given.values()) < MIN_FRAMES:
            continue
        means = {
            name: code[_known(given[name])].mean(0) if name in given else code.mean(0) for name, code in codes.items()
        }
        x = {name: code - means[name] for name, code in codes.items()}
        y = {name: (xy - _mean(xy)) / size[name] for name, xy in given.items()}
        subject = {name: recordings[name].subject for name in given}
        held_out, whole, unseen = _held_out({name: x[name] for name in given}, y, subject)
        places = _places(means, {name: _mean(xy) for name, xy in given.items()})
        for name in codes:
            movement[name][:, k] = held_out[name] if name in given else whole.predict(x[name])
            place[name][k] = places[name]
        scores.append(
            {"keypoint": keypoint, "unseen": unseen, **_score(held_out, y), "n_subjects": len(set(subject.values()))}
        )
    tell(len(names), len(names))
    if not scores:
        raise StudyError(f"No keypoint is seen in {MIN_FRAMES} frames or more: there is not enough to learn from.")
    points = {name: place[name] + movement[name] * size.get(name, _size(place[name][common])) for name in codes}
    return Prediction(points, _table(scores))


def _held_out(
    x: Mapping[str, np.ndarray], y: Mapping[str, np.ndarray], subject_of: Mapping[str, str]
) -> tuple[dict[str, np.ndarray], Any, str]:
    """Predict every frame by a model that was fitted without its subject, or without its stretch of time.

    Returns the predictions, a model that was fitted to all, and what was left out.
    """
    codes, points = np.concatenate(list(x.values())), np.concatenate(list(y.values()))
    subject = np.repeat([subject_of[name] for name in x], [len(code) for code in x.values()])
    alone = len(set(subject_of.values())) < 2
    left_out = np.concatenate([_blocks(name, _known(y[name])) for name in x]) if alone else subject
    rows = np.flatnonzero(_known(points))
    whole = _fitted(codes[rows], points[rows], subject[rows])
    predicted = np.full(points.shape, np.nan)
    n_folds = min(_OUTER, len(np.unique(left_out[rows])))
    for train, test in GroupKFold(n_folds).split(rows, groups=left_out[rows]):
        model = _fitted(codes[rows[train]], points[rows[train]], subject[rows[train]])
        mine = np.isin(left_out, left_out[rows[test]])
        predicted[mine] = model.predict(codes[mine])
    ends = np.cumsum([len(code) for code in x.values()])[:-1]
    return dict(zip(x, np.split(predicted, ends), strict=True)), whole, BLOCKS if alone else SUBJECTS


def _fitted(codes: np.ndarray, points: np.ndarray, subject: np.ndarray) -> Any:
    """Fit a ridge regression; its strength is chosen on subjects that are left out, or on stretches of one subject."""
    step = -(-len(codes) // _MAX_FRAMES)
    codes, points, subject = codes[::step], points[::step], subject[::step]
    groups = subject if len(np.unique(subject)) > 1 else np.arange(len(codes)) * _INNER // len(codes)
    folds = GroupKFold(min(_INNER, len(np.unique(groups))))
    search = GridSearchCV(Ridge(), {"alpha": _STRENGTHS}, cv=folds, scoring="neg_mean_squared_error")
    return search.fit(codes, points, groups=groups)


def _places(means: Mapping[str, np.ndarray], known: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Give every recording's mean keypoint: as it is known, or predicted from its mean code."""
    others = [name for name in means if name not in known]
    guess = np.mean(list(known.values()), axis=0)
    predicted = {name: guess for name in others}
    if others and len(known) > 2:  # RidgeCV chooses the strength by leaving one out
        model = make_pipeline(StandardScaler(), RidgeCV(alphas=_STRENGTHS))
        model.fit(np.stack([means[name] for name in known]), np.stack(list(known.values())))
        predicted = {name: model.predict(means[name][None])[0] for name in others}
    return {**predicted, **known}


def _score(predicted: Mapping[str, np.ndarray], y: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Sum up squares; each recording's mean of y is 0."""
    error = sum(float(np.nansum((predicted[name] - y[name]) ** 2)) for name in y)
    total = sum(float(np.nansum(y[name] ** 2)) for name in y)
    return {"squares": error, "total": total, "n_frames": sum(int(_known(y[name]).sum()) for name in y)}


def _table(scores: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(scores)
    summed = table[["squares", "total", "n_frames"]].sum()
    every = {"keypoint": ALL, "unseen": " and ".join(table["unseen"].unique()), "n_subjects": table["n_subjects"].max()}
    table = pd.concat([pd.DataFrame([{**every, **summed}]), table], ignore_index=True)
    table["r2"] = 1 - table["squares"] / np.maximum(table["total"], _TINY)
    table["error"] = np.sqrt(table["squares"] / table["n_frames"])
    table = table.astype({"n_frames": int, "n_subjects": int})
    return table[["keypoint", "r2", "error", "n_frames", "n_subjects", "unseen"]]


def _prepared(codes: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Scale every entry of the codes to how much it varies within recordings; very long codes are reduced first."""
    within = np.concatenate([code - code.mean(0) for code in codes.values()])
    if within.shape[1] > _MAX_DIMENSION:
        some = within[:: -(-len(within) // _MAX_FRAMES)]
        pca = PCA(min(_MAX_DIMENSION, len(some)), random_state=0).fit(some)
        return _prepared({name: pca.transform(code) for name, code in codes.items()})
    scale = within.std(0)
    return {name: code / np.where(scale > _TINY, scale, 1.0) for name, code in codes.items()}


def _blocks(name: str, known: np.ndarray) -> np.ndarray:
    """Cut a recording (T,) into stretches of about as many frames with the keypoint; gives each frame's label."""
    rank = np.clip(np.cumsum(known) - 1, 0, None)
    return np.array([f"{block} of {name}" for block in rank * _N_BLOCKS // int(known.sum())])


def _known(xy: np.ndarray) -> np.ndarray:
    return np.isfinite(xy).all(-1)


def _mean(xy: np.ndarray) -> np.ndarray:
    """Average (T, …) over the frames that have a keypoint; NaN of one that is in none."""
    n = np.isfinite(xy).sum(0)
    return np.where(n > 0, np.nansum(xy, axis=0) / np.maximum(n, 1), np.nan)


def _size(points: np.ndarray) -> float:
    """Give the root mean square distance of points (n, 2) from their middle; 1 where there is but one."""
    seen = points[_known(points)]
    size = float(np.sqrt(((seen - seen.mean(0)) ** 2).sum(1).mean())) if len(seen) else 0.0
    return size if size > _TINY else 1.0
