"""Tell groups apart, honestly: a classifier that is only tried on subjects that it never saw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from napari_ubam.errors import StudyError


def summarise_codes(codes: ArrayLike) -> NDArray[np.float64]:
    """Summarise a subject's codes by where they lie and how far they spread.

    Parameters
    ----------
    codes : array (n, d)
        Posture or behaviour codes of the subject's frames.

    Returns
    -------
    array (2 d,)
        Mean and standard deviation of every dimension.
    """
    codes = np.asarray(codes, float)
    return np.concatenate([codes.mean(axis=0), codes.std(axis=0)])


@dataclass(frozen=True)
class Classification:
    """How well groups can be told apart in subjects that the classifier never saw.

    Attributes
    ----------
    accuracy : float
        Balanced accuracy, 0 to 1 (the mean over groups of the share of subjects put into the right one).
    chance : float
        What guessing reaches: 1 / number of groups.
    p_value : float
        The share of shuffled labelings that do at least as well; the observed one counts among them.
    subjects : DataFrame
        ``subject``, ``group`` and ``predicted`` (by a classifier that was fitted without this subject).
    note : str
        What was left out, and why.
    """

    accuracy: float
    chance: float
    p_value: float
    subjects: pd.DataFrame
    note: str = ""


def classify_subjects(
    features: ArrayLike,
    groups: Sequence[str],
    subjects: Sequence[str],
    *,
    n_permutations: int = 200,
    seed: int = 0,
) -> Classification:
    """Tell groups apart by logistic regression, tried only on subjects that were not fitted.

    Rows of one subject are averaged first, so no subject can be on both sides; scaling is fitted with the classifier.

    Parameters
    ----------
    features : array (n, d)
        One row a recording or subject, such as `summarise_codes` of its postures.
    groups, subjects : sequence of str (n,)
        Whose row it is, and that subject's group.
    n_permutations : int
        How often labels are shuffled over subjects for the p-value.
    seed : int
        Makes folds and shuffles repeatable.

    Returns
    -------
    Classification
        The result; accuracy and p-value are NaN where fewer than two groups have two subjects.

    Raises
    ------
    StudyError
        If a subject is in several groups.
    """
    table = pd.DataFrame(np.asarray(features, float))
    labels = pd.Series(list(groups)).groupby(list(subjects)).unique()
    mixed = labels[labels.map(len) > 1]
    if len(mixed):
        raise StudyError(
            f"Subject {mixed.index[0]!r} is in the groups {', '.join(mixed.iloc[0])}. A classifier needs one group a "
            "subject: give the sessions of one group only, or different subject names."
        )
    mean = table.groupby(list(subjects)).mean()
    label = labels.map(lambda found: found[0])
    sizes = label.value_counts()
    small = sorted(sizes.index[sizes < 2])
    note = f"left out, having a single subject: {', '.join(small)}" if small else ""
    keep = ~label.isin(small)
    x, y, names = mean[keep].to_numpy(), label[keep].to_numpy(), mean.index[keep]
    n_groups = len(set(y))
    if n_groups < 2:
        nothing = pd.DataFrame({"subject": names, "group": y, "predicted": ""})
        return Classification(math.nan, math.nan, math.nan, nothing, "fewer than two groups have two subjects")

    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    rng = np.random.default_rng(seed)

    def predict(y: NDArray) -> NDArray:  # stratified, for leaving one out makes the other group likelier in training
        n_splits = min(5, np.unique(y, return_counts=True)[1].min())
        folds = StratifiedKFold(n_splits, shuffle=True, random_state=int(rng.integers(2**31)))
        return cross_val_predict(model, x, y, cv=folds)

    predicted = predict(y)
    accuracy = balanced_accuracy_score(y, predicted)
    shuffled = [rng.permutation(y) for _ in range(n_permutations)]
    as_good = sum(balanced_accuracy_score(labels, predict(labels)) >= accuracy - 1e-12 for labels in shuffled)
    result = pd.DataFrame({"subject": names, "group": y, "predicted": predicted})
    return Classification(float(accuracy), 1 / n_groups, (as_good + 1) / (n_permutations + 1), result, note)
