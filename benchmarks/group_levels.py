"""How often the slower tests find something where there is nothing: the levels part of `groups.py`.

Behaviour, covariates, how recordings were made and sessions are drawn apart from one another and from the groups.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from scipy.stats import binomtest

from napari_ubam.analysis.change_points import Change, change_point
from napari_ubam.analysis.classifier import MODELS, classify_subjects, describe_codes
from napari_ubam.analysis.groups import compare_groups
from napari_ubam.analysis.nuisances import compare_nuisances
from napari_ubam.analysis.periods import find_period
from napari_ubam.analysis.regression import predict_covariate
from napari_ubam.analysis.trend import session_trends

LEVEL = 0.05
N_SHUFFLES = 19  # the fewest with which a p-value of 0.05 is possible
N_SESSIONS = 6
MANY_SESSIONS = 10  # for change points, of which fewer than 8 cannot reach 0.05
REMEMBERED = (0.0, 0.2, 0.5)  # correlation of a session with the next
CHANGED = (2, 3)  # standard deviations by which the second half of the sessions differs, where it does

Simulate = Callable[[tuple[int, ...], np.random.Generator], list[np.ndarray]]


def levels(n_studies: int, seed: int, simulate: Simulate) -> None:
    """Print how often each test rejects at 0.05, with a 95 % interval.

    Parameters
    ----------
    n_studies : int
        How many are simulated; a fifth to a twentieth of them where everything is fitted many times.
    seed : int
        Makes it repeatable.
    simulate : callable
        Gives codes of subjects of some lengths.
    """
    print("\n| test | subjects | rejected | 95 % interval | of | holds 0.05 |\n|---|---|---|---|---|---|")
    for test, design, p_values in _tests(n_studies, seed, simulate):
        rejected = [p <= LEVEL + 1e-12 for p in p_values]
        n, k = len(rejected), sum(rejected)
        low, high = binomtest(k, n).proportion_ci(0.95, method="wilson")
        holds = "yes" if low <= LEVEL <= high else "too many" if low > LEVEL else "fewer"
        print(
            f"| {test} | {design} | {100 * k / n:.1f} % | {100 * low:.1f} to {100 * high:.1f} % | {n} | {holds} |",
            flush=True,
        )


def _tests(n: int, seed: int, simulate: Simulate) -> Iterator[tuple[str, str, list[float]]]:
    """Give every test's name, its design, and p-values of studies without any difference."""

    def of(make: Callable[[np.random.Generator, int], float], times: int) -> list[float]:
        rng = np.random.default_rng(seed)
        return [make(rng, i) for i in range(times)]

    for model in MODELS:
        yield f"classifier, {model}", "6 + 6", of(partial(_classifier, simulate=simulate, model=model), n // 20)
    yield "covariate, rank correlation", "20", of(lambda rng, i: _covariate(rng, i, simulate), n // 5)
    yield "trend, signed ranks of slopes", f"8, {N_SESSIONS} sessions", of(_trend, n // 5)
    for remembered in REMEMBERED:
        sessions = f"1, {MANY_SESSIONS} sessions, correlated by {remembered:g}"
        yield "change point", sessions, of(partial(_change_p, remembered=remembered), n)
    yield "nuisance that is a number", "12 + 8", of(lambda rng, i: _nuisance(rng, i, "number"), n // 2)
    yield "nuisance of three kinds", "12 + 8", of(lambda rng, i: _nuisance(rng, i, "kind"), n // 2)
    yield "limits of the trend leave out 0", f"8, {N_SESSIONS} sessions", of(_trend_limits, n // 5)
    yield "movement called periodic", "1", of(lambda rng, i: _periodic(rng, simulate), n)


def _classifier(rng: np.random.Generator, seed: int, simulate: Simulate, model: str) -> float:
    clips = [describe_codes(codes[::5]) for codes in simulate((100,) * 12, rng)]
    owners = np.repeat([f"s{i}" for i in range(12)], [len(c) for c in clips])
    groups = ["healthy" if int(name[1:]) < 6 else "impaired" for name in owners]
    found = classify_subjects(
        np.concatenate(clips), groups, list(owners), "healthy", model=model, n_permutations=N_SHUFFLES, seed=seed
    )
    return found.p_value


def _covariate(rng: np.random.Generator, seed: int, simulate: Simulate) -> float:
    means = np.array([describe_codes(codes).mean(0) for codes in simulate((100,) * 20, rng)])
    values = pd.Series(rng.standard_normal(20))
    return predict_covariate(means, list(map(str, range(20))), values, n_permutations=N_SHUFFLES, seed=seed).p_value


def _sessions(rng: np.random.Generator) -> pd.DataFrame:
    """Give scores of subjects with a level and a slope of their own, which are 0 on average."""
    days = np.tile(np.arange(N_SESSIONS), 8)
    own, slope = (np.repeat(rng.standard_normal(8), N_SESSIONS) for _ in range(2))
    score = own + 0.2 * slope * days + rng.standard_normal(len(days))
    return pd.DataFrame(
        {"subject": np.repeat(np.arange(8), N_SESSIONS), "group": "healthy", "session": days, "deviation": score}
    )


def _trend(rng: np.random.Generator, seed: int) -> float:
    return float(session_trends(_sessions(rng), seed=seed)["p_value"].iloc[0])


def _trend_limits(rng: np.random.Generator, seed: int) -> float:
    row = session_trends(_sessions(rng), n_permutations=100, seed=seed).iloc[0]
    return float(row["slope_low"] <= 0 <= row["slope_high"])  # 0 is rejected where it lies outside


def _change(rng: np.random.Generator, remembered: float, change: float) -> Change:
    noise = rng.standard_normal(MANY_SESSIONS + 20) * np.sqrt(1 - remembered**2)
    scores = lfilter([1.0], [1.0, -remembered], noise)[20:]
    scores[MANY_SESSIONS // 2 :] += change
    return change_point(np.arange(MANY_SESSIONS), scores)


def _change_p(rng: np.random.Generator, seed: int, remembered: float) -> float:
    return _change(rng, remembered, 0).p_value


def changes_found(n_studies: int, seed: int) -> None:
    """Print how often a change is found, by the p-value, and by the one that supposes independent sessions."""
    print(f"\n| change [SD], {MANY_SESSIONS} sessions | correlated by | found | if independent |\n|---|---|---|---|")
    for remembered, change in itertools.product(REMEMBERED, (0, *CHANGED)):
        rng = np.random.default_rng(seed)
        found = [_change(rng, remembered, change) for _ in range(n_studies)]
        rates = [100 * np.mean([p <= LEVEL + 1e-12 for p in ps]) for ps in (
            [c.p_value for c in found], [c.p_independent for c in found])]  # fmt: skip
        print(f"| {change} | {remembered:g} | {rates[0]:.1f} % | {rates[1]:.1f} % |", flush=True)


def _nuisance(rng: np.random.Generator, seed: int, nuisance: str) -> float:
    table = pd.DataFrame(
        {"subject": [f"s{i}" for i in range(20)], "group": ["healthy"] * 12 + ["impaired"] * 8,
         "deviation": rng.standard_normal(20), "number": rng.standard_normal(20),
         "kind": rng.choice(["a", "b", "c"], 20)}
    )  # fmt: skip
    comparison = compare_groups(table, "healthy", n_permutations=100)
    found = compare_nuisances(table, comparison, [nuisance], n_permutations=999, seed=seed)
    return float(found["p_value"].iloc[0])


def _periodic(rng: np.random.Generator, simulate: Simulate) -> float:
    return 0.0 if find_period(simulate((200,), rng)[0]).found else 1.0
