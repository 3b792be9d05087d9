"""Related to what: how well a covariate is known from the behaviour of subjects that were never seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold

from napari_ubam.analysis.nuisances import as_numbers

FOLDS = 5
LEAST = 6  # subjects
ALPHAS = tuple(np.logspace(-1, 5, 13))  # of the ridge, of which one is chosen within the subjects that are fitted
COVARIATE_COLUMNS = (
    "covariate", "n_subjects", "rank_correlation", "r2", "p_value", "smallest_p", "p_adjusted", "note"
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Regression:
    """How well a covariate is known.

    Attributes
    ----------
    rank_correlation : float
        Spearman's, between true and predicted values of subjects that were not fitted; -1 to 1.
    r2 : float
        The share of the variance that is explained; below 0 where the mean would do better.
    p_value, smallest_p : float
        The share of shuffled values that are predicted as well, the observed counted, and the smallest possible.
    subjects : DataFrame
        ``subject``, ``value`` and ``predicted``.
    note : str
        What was left out, and why.
    """

    rank_correlation: float
    r2: float
    p_value: float
    smallest_p: float
    subjects: pd.DataFrame
    note: str = ""


def predict_covariate(
    features: ArrayLike, subjects: Sequence[str], values: pd.Series, *, n_permutations: int = 99, seed: int = 0
) -> Regression:
    """Predict a covariate of unseen subjects from their behaviour, by ridge regression in folds over subjects.

    Parameters
    ----------
    features : array (n, d)
        One row a subject, such as means of `napari_ubam.analysis.classifier.describe_codes`.
    subjects : sequence of str (n,)
        Who they are.
    values : Series (n,)
        The covariate in the same order, as numbers or texts of numbers; empty or NaN where unknown.
    n_permutations : int
        How often values are shuffled over subjects, and everything is done again; 0: no p-value.
    seed : int
        Makes folds and shuffles repeatable.

    Returns
    -------
    Regression
        Numbers are NaN, and ``note`` says why, where the covariate is text, does not vary, or is known of fewer than 6
        subjects.
    """
    numbers = as_numbers(values)
    empty = pd.DataFrame({"subject": [], "value": [], "predicted": []})
    if not pd.api.types.is_numeric_dtype(numbers):
        return Regression(math.nan, math.nan, math.nan, math.nan, empty, "it is text, which is no quantity")
    y = numbers.to_numpy(float)
    known = np.isfinite(y)
    x, y, names = np.asarray(features, float)[known], y[known], np.asarray(subjects)[known]
    if len(y) < LEAST or (y == y[0]).all():
        why = f"it is known of fewer than {LEAST} subjects" if len(y) < LEAST else "it is the same in all subjects"
        return Regression(math.nan, math.nan, math.nan, math.nan, empty, why)
    rng = np.random.default_rng(seed)
    predicted = _cross_predict(x, y, rng)
    observed = _spearman(y, predicted)
    shuffled = []
    for _ in range(n_permutations):
        lots = rng.permutation(y)
        shuffled.append(_spearman(lots, _cross_predict(x, lots, rng)))
    return Regression(
        rank_correlation=observed,
        r2=float(1 - ((y - predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum()),
        p_value=(1 + int((np.array(shuffled) >= observed - 1e-12).sum())) / (n_permutations + 1)
        if n_permutations
        else math.nan,
        smallest_p=1 / (n_permutations + 1) if n_permutations else math.nan,
        subjects=pd.DataFrame({"subject": names, "value": y, "predicted": predicted}),
        note="" if known.all() else f"{(~known).sum()} subjects without a value left out",
    )


def _cross_predict(x: NDArray, y: NDArray, rng: np.random.Generator) -> NDArray[np.float64]:
    predicted = np.empty(len(y))
    for train, test in KFold(FOLDS, shuffle=True, random_state=int(rng.integers(2**31))).split(x):
        mean, scale = x[train].mean(0), x[train].std(0)
        scale = np.where(scale > 1e-12 * (1 + np.abs(mean)), scale, np.inf)  # what does not vary does not count
        fitted = RidgeCV(alphas=ALPHAS).fit((x[train] - mean) / scale, y[train])
        predicted[test] = fitted.predict((x[test] - mean) / scale)
    return predicted


def _spearman(y: NDArray, predicted: NDArray) -> float:
    if np.ptp(predicted) == 0:
        return 0.0  # who always says the same knows nothing
    return float(stats.spearmanr(y, predicted).statistic)
