"""Tell groups apart, honestly: linear classifiers that are only tried on subjects that they never saw."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn import config_context
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC

from napari_ubam.analysis.effect import auc, auc_interval
from napari_ubam.errors import StudyError

FOLDS, INNER_FOLDS = 5, 3
LEAST = 3  # subjects of a group: two to fit and one to try, so that every model has some spread to see
MODELS: dict[
    str, tuple[Callable[[float], Any], tuple[float, ...]]
] = {  # and the strengths to choose among, the first unless another is better
    "linear SVM": (lambda c: SVC(kernel="linear", C=c, class_weight="balanced"), (0.1, 0.01, 1.0)),
    "LDA": (lambda shrinkage: LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage), (0.5, 0.1, 0.9)),
}
TABLE_COLUMNS = (
    "features", "model", "n_subjects", "n_groups", "accuracy", "balanced_accuracy", "chance", "auc", "auc_low",
    "auc_high", "p_value", "smallest_p", "shuffled_accuracy", "shuffled_low", "shuffled_high", "note",
)  # fmt: skip


def describe_codes(codes: ArrayLike) -> NDArray[np.float64]:
    """Describe clips such that their mean over a recording says where its codes lie and how far they spread.

    Parameters
    ----------
    codes : array (n, d)
        Codes of a recording's clips.

    Returns
    -------
    array (n, 2 d)
        The codes, and their squared differences from the recording's mean.
    """
    codes = np.asarray(codes, float)
    return np.concatenate([codes, (codes - codes.mean(axis=0)) ** 2], axis=1)


@dataclass(frozen=True, eq=False)
class Classification:
    """How well groups can be told apart in subjects that the classifier never saw.

    Attributes
    ----------
    accuracy, balanced_accuracy : float
        The share of subjects put into the right group, 0 to 1, and its mean over groups.
    chance : float
        The balanced accuracy of guessing: 1 / number of groups.
    auc, auc_low, auc_high : float
        The probability that a subject of another group scores higher than a reference subject, and its 95 % limits.
    p_value, smallest_p : float
        The share of shuffled labelings that reach this AUC, the observed one counted, and its smallest possible value.
    shuffled : array (n_permutations,)
        Balanced accuracy with shuffled labels, which should be around chance.
    subjects : DataFrame
        ``subject``, ``group``, ``predicted`` and ``score``, by a classifier that was fitted without this subject; the
        score is higher the less the subject is like the reference group.
    clips : array (n,)
        The same score of every row of the features; NaN for subjects that were left out.
    note : str
        What was left out, and why.
    """

    accuracy: float
    balanced_accuracy: float
    chance: float
    auc: float
    auc_low: float
    auc_high: float
    p_value: float
    smallest_p: float
    shuffled: NDArray[np.float64]
    subjects: pd.DataFrame
    clips: NDArray[np.float64]
    note: str = ""

    def row(self, features: str, model: str) -> dict[str, object]:
        """Give a row of a table with the columns `TABLE_COLUMNS`."""
        low, high = np.quantile(self.shuffled, [0.025, 0.975]) if len(self.shuffled) else (math.nan, math.nan)
        return {
            "features": features, "model": model, "n_subjects": len(self.subjects),
            "n_groups": self.subjects["group"].nunique(), "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced_accuracy, "chance": self.chance, "auc": self.auc,
            "auc_low": self.auc_low, "auc_high": self.auc_high, "p_value": self.p_value, "smallest_p": self.smallest_p,
            "shuffled_accuracy": self.shuffled.mean() if len(self.shuffled) else math.nan,
            "shuffled_low": low, "shuffled_high": high, "note": self.note,
        }  # fmt: skip

    def confusion(self) -> pd.DataFrame:
        """Count subjects by group and predicted group: columns ``group``, ``predicted``, ``subjects``."""
        groups = sorted(self.subjects["group"].unique())
        counts = pd.crosstab(self.subjects["group"], self.subjects["predicted"])
        counts = counts.reindex(index=groups, columns=groups, fill_value=0)
        return pd.DataFrame([(g, p, counts.loc[g, p]) for g in groups for p in groups], columns=_CONFUSION)


_NO_ROWS = np.zeros(0)
_CONFUSION = ["group", "predicted", "subjects"]


def classify_subjects(
    features: ArrayLike,
    groups: Sequence[str],
    subjects: Sequence[str],
    reference: str,
    *,
    model: str = "linear SVM",
    n_permutations: int = 99,
    seed: int = 0,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Classification:
    """Tell groups apart by a linear classifier, tried only on subjects that were not fitted.

    Rows of one subject are averaged first: a subject counts once, and cannot be on both sides. Scaling and the
    classifier's strength are chosen within the subjects that are fitted (nested folds). As the classifier is linear, a
    subject's score is the mean of its clips' (after Brattoli et al. 2021, Fig. 5 and Extended Data Fig. 10).

    Parameters
    ----------
    features : array (n, d)
        One row a clip, such as `describe_codes` of behaviours.
    groups, subjects : sequence of str (n,)
        Whose row it is, and that subject's group.
    reference : str
        The group that low scores speak for.
    model : str
        One of `MODELS`.
    n_permutations : int
        How often labels are shuffled over subjects, and everything is done again; 0: no p-value.
    seed : int
        Makes folds and shuffles repeatable.
    tell : callable, optional
        Called with how many shuffles of how many are done.

    Returns
    -------
    Classification
        The result; numbers are NaN where not at least two groups, the reference one of them, have 3 subjects.

    Raises
    ------
    StudyError
        If a subject is in several groups, or a feature is no finite number.
    """
    x, names, labels = _by_subject(features, groups, subjects)
    rows = np.asarray(features, float)
    sizes = labels.value_counts()
    small = sorted(sizes.index[sizes < LEAST])
    note = f"left out, having fewer than {LEAST} subjects: {', '.join(small)}" if small else ""
    keep = ~labels.isin(small).to_numpy()
    x, names, labels = x[keep], names[keep], labels[keep]
    order = [reference, *sorted(set(labels) - {reference})]
    if reference not in set(labels) or len(order) < 2:
        return _nothing(names, labels, len(rows))
    y = labels.map(order.index).to_numpy()
    owner = pd.Index(names).get_indexer(list(subjects))  # of every row; -1 for who was left out
    rng = np.random.default_rng(seed)
    with config_context(assume_finite=True, skip_parameter_validation=True):
        predicted, score, clips = _cross_validate(x, y, model, rng, rows, owner)
        observed = auc(score[y > 0], score[y == 0])
        shuffled = []
        for i in range(n_permutations):
            tell(i, n_permutations)
            lots = rng.permutation(y)
            guess, values, _ = _cross_validate(x, lots, model, rng)
            shuffled.append((_balanced_accuracy(lots, guess), auc(values[lots > 0], values[lots == 0])))
    accuracies, aucs = np.array(shuffled).reshape(-1, 2).T
    low, high = auc_interval(observed, int((y > 0).sum()), int((y == 0).sum()))
    table = {"subject": names, "group": labels.to_numpy(), "predicted": np.array(order)[predicted], "score": score}
    return Classification(
        accuracy=float((predicted == y).mean()),
        balanced_accuracy=_balanced_accuracy(y, predicted),
        chance=1 / len(order),
        auc=observed,
        auc_low=low,
        auc_high=high,
        p_value=(1 + (aucs >= observed - 1e-12).sum()) / (n_permutations + 1) if n_permutations else math.nan,
        smallest_p=1 / (n_permutations + 1) if n_permutations else math.nan,
        shuffled=accuracies,
        subjects=pd.DataFrame(table),
        clips=clips,
        note=note,
    )


def extreme_clips(clips: pd.DataFrame, n: int = 6) -> pd.DataFrame:
    """Choose the clips that score highest and lowest, one a subject at most.

    Parameters
    ----------
    clips : DataFrame
        One row a clip: columns ``subject`` and ``score``, and any others.
    n : int
        How many of each.

    Returns
    -------
    DataFrame
        The chosen rows, with ``extreme``: ``highest`` (least like the reference group) or ``lowest``.
    """
    known = clips.dropna(subset="score").sort_values("score", kind="stable")
    lowest = known.drop_duplicates("subject").head(n)
    highest = known[::-1].drop_duplicates("subject").head(n)
    return pd.concat([highest.assign(extreme="highest"), lowest.assign(extreme="lowest")], ignore_index=True)


def _by_subject(
    features: ArrayLike, groups: Sequence[str], subjects: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray, pd.Series]:
    """Give every subject's mean features (n, d), name and group."""
    table = pd.DataFrame(np.asarray(features, float))
    if not np.isfinite(table.to_numpy()).all():
        bad = pd.Series(list(subjects))[~np.isfinite(table.to_numpy()).all(axis=1)].iloc[0]
        raise StudyError(
            f"Codes of subject {bad!r} are not finite numbers. Embed its recordings anew, or leave it out."
        )
    labels = pd.Series(list(groups)).groupby(list(subjects)).unique()
    mixed = labels[labels.map(len) > 1]
    if len(mixed):
        raise StudyError(
            f"Subject {mixed.index[0]!r} is in the groups {', '.join(mixed.iloc[0])}. A classifier needs one group a "
            "subject: give the sessions of one group only, or different subject names."
        )
    mean = table.groupby(list(subjects)).mean()
    return mean.to_numpy(), mean.index.to_numpy(), labels.map(lambda found: found[0])


def _cross_validate(
    x: NDArray, y: NDArray, model: str, rng: np.random.Generator,
    rows: NDArray = _NO_ROWS, owner: NDArray = _NO_ROWS,
) -> tuple[NDArray, NDArray, NDArray]:  # fmt: skip
    """Give every subject's prediction and score, and every row's score, by a model that was fitted without it."""
    predicted, score = np.zeros(len(y), int), np.zeros(len(y))
    clips = np.full(len(rows), np.nan)
    for train, test in _folds(y, FOLDS, rng):
        fitted = _fit(x[train], y[train], model, _choose(x[train], y[train], model, rng))
        predicted[test], score[test] = fitted.predict(x[test]), fitted.unlike_reference(x[test])
        mine = np.isin(owner, test)
        if mine.any():
            clips[mine] = fitted.unlike_reference(rows[mine])
    return predicted, score, clips


def _folds(y: NDArray, n: int, rng: np.random.Generator) -> list[tuple[NDArray, NDArray]]:
    """Split into stratified folds, for leaving one out makes the other group likelier in training."""
    n = min(n, np.bincount(y)[np.unique(y)].min())
    return list(StratifiedKFold(n, shuffle=True, random_state=int(rng.integers(2**31))).split(y, y))


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A classifier of features that are scaled by the subjects that it was fitted to."""

    mean: NDArray
    scale: NDArray
    estimator: Any

    def predict(self, x: NDArray) -> NDArray:
        return self.estimator.predict((x - self.mean) / self.scale)

    def unlike_reference(self, x: NDArray) -> NDArray:
        """Give scores that are higher the less a row is like the reference group, which is number 0."""
        decision = self.estimator.decision_function((x - self.mean) / self.scale)
        return decision if decision.ndim == 1 else -decision[:, 0]


def _fit(x: NDArray, y: NDArray, model: str, strength: float) -> _Fitted:
    mean, scale = x.mean(0), x.std(0)
    scale = np.where(scale > 1e-12 * (1 + np.abs(mean)), scale, np.inf)  # what does not vary does not count
    estimator = MODELS[model][0](strength)
    if isinstance(estimator, LinearDiscriminantAnalysis):
        estimator.priors = np.full(len(np.unique(y)), 1 / len(np.unique(y)))
    return _Fitted(mean, scale, estimator.fit((x - mean) / scale, y))


def _choose(x: NDArray, y: NDArray, model: str, rng: np.random.Generator) -> float:
    """Choose the strength that tells these subjects apart best in inner folds; the first where there are too few."""
    strengths = MODELS[model][1]
    if np.unique(y, return_counts=True)[1].min() < LEAST:
        return strengths[0]
    folds = _folds(y, INNER_FOLDS, rng)

    def rightly(strength: float) -> float:
        predicted = np.empty_like(y)
        for train, test in folds:
            predicted[test] = _fit(x[train], y[train], model, strength).predict(x[test])
        return _balanced_accuracy(y, predicted)

    return max(strengths, key=rightly)


def _balanced_accuracy(y: NDArray, predicted: NDArray) -> float:
    """Give the mean over groups of the share that is put into the right one; scikit-learn's checks take longer."""
    return float(np.mean([(predicted[y == group] == group).mean() for group in np.unique(y)]))


def _nothing(names: NDArray, labels: pd.Series, n_rows: int) -> Classification:
    table = pd.DataFrame({"subject": names, "group": labels.to_numpy(), "predicted": "", "score": math.nan})
    nan = math.nan
    note = f"the reference group and another one need {LEAST} subjects each"
    return Classification(
        nan, nan, nan, nan, nan, nan, nan, nan, np.zeros(0), table, np.full(n_rows, nan), note
    )  # fmt: skip
