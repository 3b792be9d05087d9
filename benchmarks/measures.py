"""How good is a posture code, or a magnified picture? Measures that the benchmarks share; each says what 0 and 1 mean.

Codes and poses are dicts of arrays (T, ...) by the recording's name. A module of another cohort's own measures can
take the place of this one where it has functions of the same names (`load_measures`).
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

CHANGED = 0.08 * 255  # grey levels by which a picture should differ somewhere, to count there
NECK, HIP = 1, 2  # of the joints
WING_OUT = 45  # px of a wing's tip from the body's axis, the crop's vertical through the thorax

Codes = Mapping[str, np.ndarray]


def centred(codes: Codes) -> dict[str, np.ndarray]:
    """Take off each recording's mean: where a subject stands and how it is built are not at issue."""
    return {name: code - code.mean(0) for name, code in codes.items()}


def body_pose(joints: np.ndarray) -> np.ndarray:
    """Joints (T, J, 2), of which the second is the neck and the third the hip, from the hip in lengths of the trunk."""
    hip = joints[:, HIP]
    return (joints - hip[:, None]) / np.linalg.norm(hip - joints[:, NECK], axis=-1).mean()


def retrieval_error(codes: Codes, poses: Codes) -> float:
    """Pose error of the most similar frame (cosine) of any other subject (0: the best there is, 1: a random frame)."""
    unit = {name: code / (np.linalg.norm(code, axis=1, keepdims=True) + 1e-9) for name, code in codes.items()}
    found, best, chance = [], [], []
    for name, code in unit.items():
        others = [n for n in unit if n != name]
        pool = np.concatenate([poses[n] for n in others])
        far = np.linalg.norm(poses[name][:, None] - pool, axis=-1).mean(-1)
        nearest = (code @ np.concatenate([unit[n] for n in others]).T).argmax(1)
        found.append(far[np.arange(len(code)), nearest].mean())
        best.append(far.min(1).mean())
        chance.append(far.mean())
    return float((np.mean(found) - np.mean(best)) / (np.mean(chance) - np.mean(best)))


def keypoint_r2(codes: Codes, poses: Codes) -> float:
    """Share of the pose's variance that ridge regression finds in the code, of subjects left out (1: all of it)."""
    x, subject = _stacked(codes)
    y = np.concatenate([poses[name].reshape(len(poses[name]), -1) for name in codes])
    return explained(grouped_ridge(x, y, subject), y)


def subject_leakage(codes: Codes, every: int = 4) -> float:
    """How well a linear probe, fitted on first halves, names the subject in second ones (0: chance, 1: always)."""
    first = {name: code[: len(code) // 2 : every] for name, code in codes.items()}
    second = {name: code[len(code) // 2 :: every] for name, code in codes.items()}
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, C=0.1)).fit(*_stacked(first))
    chance = 1 / len(codes)
    return float((probe.score(*_stacked(second)) - chance) / (1 - chance))


def look_distance(codes: Codes, in_other_look: Codes) -> float:
    """Distance of the codes of the same frame in two looks, over that of random frames of the two.

    0: the look leaves no trace; 1: the same movement is as far apart as any two moments of it.
    """
    same, random = [], []
    for name, code in codes.items():
        far = np.linalg.norm(code[:, None] - in_other_look[name], axis=-1)
        same.append(far.diagonal().mean())
        random.append(far[~np.eye(len(far), dtype=bool)].mean())
    return float(np.mean(same) / np.mean(random))


def grouped_ridge(x: np.ndarray, y: np.ndarray, groups: np.ndarray, folds: int = 5) -> np.ndarray:
    """Predict y (N, m) of groups that were left out; the ridge's strength is chosen on groups left out within."""
    guess = np.empty(y.shape)
    for train, test in GroupKFold(min(folds, len(np.unique(groups)))).split(x, y, groups):
        within = GroupKFold(min(4, len(np.unique(groups[train]))))
        search = GridSearchCV(
            make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": np.logspace(-1, 6, 8)}, cv=within,
            scoring="neg_mean_squared_error",
        )  # fmt: skip
        guess[test] = search.fit(x[train], y[train], groups=groups[train]).predict(x[test])
    return guess


def explained(guess: np.ndarray, y: np.ndarray) -> float:
    """Share of the variance of y (N, m) that the guess explains."""
    return float(1 - ((guess - y) ** 2).sum() / ((y - y.mean(0)) ** 2).sum())


def principal_components(recordings: Iterable[np.ndarray], n: int = 32) -> Callable[[np.ndarray], np.ndarray]:
    """Fit the code that needs no training, and give the function that encodes frames (T, S, S, 3).

    It is the first n principal components of what differs from the recording's median, at 64 px.
    """

    def flat(frames: np.ndarray) -> np.ndarray:
        small = np.stack([cv2.resize(f, (64, 64), interpolation=cv2.INTER_AREA) for f in frames]).astype(np.float32)
        return (small - np.median(small, 0)).reshape(len(small), -1)

    fit = PCA(n, random_state=0).fit(np.concatenate([flat(frames) for frames in recordings]))
    return lambda frames: fit.transform(flat(frames))


def read_keypoints(path: Path) -> dict[str, np.ndarray]:
    """Read a file NAME.keypoints.npz: where each node is in every frame (T, 2) [px of the video], NaN if not found."""
    with np.load(path, allow_pickle=False) as file:
        return {str(node): file["xy"][:, i] for i, node in enumerate(file["nodes"])}


def wing_reach(keypoints: Mapping[str, np.ndarray]) -> np.ndarray:
    """How far the tips of the left and the right wing are from the body's axis: (2, T) [px]."""
    return np.nan_to_num(np.stack([np.abs(keypoints[w] - keypoints["thorax"])[:, 0] for w in ("wingL", "wingR")]))


def auc_of_bouts(out: np.ndarray, score: np.ndarray, n: int = 1000) -> tuple[float, float, float]:
    """How well a score (T,) tells frames that are ``out`` (T,) from others: the AUC, and its 95 % interval.

    The interval is a bootstrap over bouts, consecutive frames that are out, and over the stretches between them:
    frames of one bout are not independent of one another.
    """
    run = np.concatenate([[0], np.cumsum(np.diff(out.astype(int)) != 0)])
    runs = {kind: np.unique(run[out == kind]) for kind in (True, False)}
    rng = np.random.default_rng(0)
    found = []
    for _ in range(n):
        drawn = np.concatenate([rng.choice(of_kind, len(of_kind)) for of_kind in runs.values()])
        times = np.bincount(drawn, minlength=run[-1] + 1)[run]
        found.append(roc_auc_score(out, score, sample_weight=times))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(roc_auc_score(out, score)), float(low), float(high)


def changed_region(original: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Say where frames (T, Y, X, 3) should change, and a pixel around it: bool (T, Y, X)."""
    differs = np.abs(original.astype(np.float32) - truth).max(-1) > CHANGED
    return np.stack([cv2.dilate(frame.astype(np.uint8), np.ones((3, 3))) > 0 for frame in differs])


def counterfactual_r2(magnified: np.ndarray, original: np.ndarray, truth: np.ndarray) -> float:
    """Share of the true change that was made (0: the input was copied, 1: exact), where there is any."""
    region = changed_region(original, truth)
    drawn, copied = (
        ((frames.astype(np.float32) - truth) ** 2).sum(-1)[region].sum() for frames in (magnified, original)
    )
    return float(1 - drawn / copied)


def background_change(magnified: np.ndarray, original: np.ndarray, truth: np.ndarray) -> float:
    """Mean squared change where there should be none, in 1e-4 of full scale (0: untouched)."""
    change = ((magnified.astype(np.float32) - original) ** 2).mean(-1) / 255**2
    return float(change[~changed_region(original, truth)].mean() * 1e4)


def flicker(magnified: np.ndarray, original: np.ndarray, truth: np.ndarray) -> float:
    """Mean squared second difference in time where the picture should change, over that of the truth (1: as steady)."""
    region = changed_region(original, truth).any(0)
    drawn, true = ((np.diff(f.astype(np.float32), 2, axis=0)[:, region] ** 2).mean() for f in (magnified, truth))
    return float(drawn / true)


def psnr(drawn: np.ndarray, original: np.ndarray) -> float:
    """Peak signal-to-noise ratio [dB]; 99 where the two are equal."""
    error = np.mean((drawn.astype(np.float32) - original) ** 2)
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


def load_measures(path: Path | None) -> ModuleType:
    """Load a module with other measures of the same names; without a path, give this one."""
    if path is None:
        return sys.modules[__name__]
    spec = importlib.util.spec_from_file_location("metrics", path)
    if spec is None or spec.loader is None:
        sys.exit(f"{path} is no Python module.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def print_table(corner: str, rows: Mapping[str, Mapping[str, str]]) -> None:
    """Print a Markdown table of texts by row and column; a row may lack columns."""
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    print(f"| {corner} | {' | '.join(columns)} |")
    print("|---|" + "---|" * len(columns))
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(row.get(column, '') for column in columns)} |")


def _stacked(codes: Codes) -> tuple[np.ndarray, np.ndarray]:
    """All codes (N, d), and the name of the recording of each (N,)."""
    return np.concatenate(list(codes.values())), np.repeat(list(codes), [len(code) for code in codes.values()])
