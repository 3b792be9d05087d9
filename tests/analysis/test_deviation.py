from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from napari_ubam.analysis.deviation import Deviation, Movement, measure_deviation, reference_band, subject_table
from napari_ubam.settings import DeviateSettings

N_POINTS = 6
FPS = 30.0


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with threadpool_limits(1):  # so small arrays are faster so
        yield


def walk(rng: np.random.Generator, deviation: float = 0.0, build: float = 0.1, n_frames: int = 90) -> np.ndarray:
    """Landmarks of a walker with a style and a build of its own; two of them deviate in the first half of a stride."""
    same = np.random.default_rng(7)  # what all walkers share
    place, reach = same.uniform(-0.5, 0.5, (N_POINTS, 2)), same.uniform(0.05, 0.2, (N_POINTS, 2))
    lag = same.uniform(0, 2 * np.pi, (N_POINTS, 2)) + 0.1 * rng.normal(size=(N_POINTS, 2))
    place = place + 0.05 * rng.normal(size=place.shape)
    reach = reach * (1 + 0.2 * rng.normal(size=reach.shape))
    phase = 2 * np.pi * (np.arange(n_frames) / FPS * rng.uniform(0.8, 1.2) + rng.uniform())
    points = place + reach * np.sin(phase[:, None, None] + lag)
    points[:, -2:, 0] += deviation * np.maximum(0, np.sin(phase))[:, None]
    points = points * (1 + build * rng.normal()) + build * rng.normal(size=2)
    return (points + 0.005 * rng.normal(size=points.shape)).reshape(n_frames, -1).astype(np.float32)


def movement(subject: str, group: str, codes: np.ndarray, trusted: np.ndarray | None = None) -> Movement:
    trusted = np.ones(len(codes), bool) if trusted is None else trusted
    return Movement(subject, group, group == "healthy", codes, FPS, trusted)


def cohort(seed: int = 0, n: int = 5) -> dict[str, Movement]:
    rng = np.random.default_rng(seed)
    return {f"h{i}": movement(f"h{i}", "healthy", walk(rng)) for i in range(n)}


def measure(movements: dict[str, Movement], points: bool = True) -> dict[str, Deviation]:
    return measure_deviation(movements, DeviateSettings(), points=points)


def subjects(movements: dict[str, Movement], points: bool = True) -> pd.DataFrame:
    return subject_table(movements, measure(movements, points)).set_index("subject")


@pytest.mark.parametrize("points", [True, False])
def test_planted_deviation_stands_out_and_where_it_was_planted(points: bool):
    movements = cohort() | {
        "odd": movement("odd", "impaired", walk(np.random.default_rng(50), deviation=0.6)),
        "like": movement("like", "impaired", walk(np.random.default_rng(51))),
    }
    table = subjects(movements, points)
    assert table.loc["odd", "rank"] == 1
    assert table.loc["odd", "p_value"] == pytest.approx(1 / 6)
    assert table["deviation"].idxmax() == "odd"

    plain = walk(np.random.default_rng(50))  # the same walker without the deviation
    planted = np.linalg.norm(movements["odd"].posture - plain, axis=1)
    score = measure(movements, points)["odd"].score
    assert score[planted > 0.4].mean() > (1.5 if points else 1.2) * score[planted < 0.05].mean()


def test_nearest_frames_are_matched_one_at_a_time_and_never_with_the_subject_itself():
    odd = walk(np.random.default_rng(50), deviation=0.6)
    movements = cohort() | {
        "odd": movement("odd", "impaired", odd),
        "copy": movement("copy", "other", cohort()["h0"].posture),
    }
    nearest = DeviateSettings(reference="nearest")
    found = measure_deviation(movements, nearest, points=True)
    assert subject_table(movements, found).set_index("subject").loc["odd", "rank"] == 1
    assert found["h0"].score.mean() > 0.1  # its own frames would be at 0
    assert found["copy"].score.mean() < 0.5 * found["odd"].score.mean()

    order = np.random.default_rng(0).permutation(len(odd))
    shuffled = measure_deviation(movements | {"odd": movement("odd", "impaired", odd[order])}, nearest, points=True)
    np.testing.assert_allclose(shuffled["odd"].score, found["odd"].score[order], rtol=1e-4)


def test_reference_undoes_some_of_a_planted_deviation():
    odd = walk(np.random.default_rng(50), deviation=0.6)
    plain = walk(np.random.default_rng(50))
    reference = measure(cohort() | {"odd": movement("odd", "impaired", odd)})["odd"].reference
    assert reference.dtype == np.float32
    assert np.abs(reference - plain)[:, -4:].mean() < 0.7 * np.abs(odd - plain)[:, -4:].mean()


def test_reference_subjects_are_not_measured_against_themselves():
    movements = cohort()
    own = {name: d.score for name, d in measure(movements).items()}
    # a second recording of h0 that is the same must not make h0 its own reference
    twice = measure(movements | {"again": movement("h0", "healthy", movements["h0"].posture)})
    np.testing.assert_allclose(twice["again"].score, twice["h0"].score, rtol=1e-4)
    assert twice["h0"].score.mean() > 0.5 * own["h0"].mean()


def test_copy_of_a_reference_subject_in_another_group_is_like_the_reference_subjects():
    movements = cohort()
    for name in list(movements):
        table = subjects(movements | {"copy": movement("copy", "impaired", movements[name].posture)})
        assert table.loc["copy", "deviation"] <= table.loc[table["group"] == "healthy", "deviation"].max()
        assert table.loc["copy", "p_value"] > 1 / 6


def test_everyone_is_measured_against_as_many_subjects_never_itself():
    """One in the middle of two reference subjects is as far from each of them as half their distance, not at 0."""
    middle = walk(np.random.default_rng(9))
    bend = np.zeros_like(middle)
    bend[:, :4] = (0.1, 0.0, -0.1, 0.0)  # two landmarks apart: neither another place nor another size
    movements = {
        "h0": movement("h0", "healthy", middle + bend),
        "h1": movement("h1", "healthy", middle - bend),
        "x": movement("x", "impaired", middle),
    }
    table = subjects(movements)
    assert table.loc["h0", "deviation"] == pytest.approx(table.loc["h1", "deviation"], rel=0.1)
    assert table.loc["x", "deviation"] == pytest.approx(table.loc["h0", "deviation"] / 2, rel=0.2)
    assert table["n_reference"].to_dict() == {"h0": 1, "h1": 1, "x": 2}
    np.testing.assert_allclose(table["p_value"], table["rank"] / (table["n_reference"] + 1))


@pytest.mark.parametrize("n", [4, 8])
def test_p_values_are_spread_where_nobody_deviates(n: int):
    """A share of at most k / (n + 1) of subjects that do not deviate may have a p-value of k / (n + 1)."""
    p_values: list[float] = []
    for seed in range(16):
        rng = np.random.default_rng((seed, 1))
        others = {f"x{i}": movement(f"x{i}", "null", walk(rng)) for i in range(5)}
        table = subjects(cohort(seed, n) | others)
        p_values += list(table.loc[table["group"] == "null", "p_value"])
    smallest = np.isclose(p_values, 1 / (n + 1)).mean()
    assert smallest < 1.6 / (n + 1)
    assert 0.45 < np.mean(p_values) < 0.75  # (n + 2) / (2n + 2) is expected


@pytest.mark.parametrize(("scale", "shift"), [(1.4, 0.0), (0.7, 0.0), (1.0, 0.3)])
def test_size_and_place_are_no_deviation(scale: float, shift: float):
    codes = walk(np.random.default_rng(60))
    plain = subjects(cohort() | {"x": movement("x", "impaired", codes)})
    moved = subjects(cohort() | {"x": movement("x", "impaired", codes * scale + shift)})
    assert moved.loc["x", "deviation"] == pytest.approx(plain.loc["x", "deviation"], rel=0.02)


def test_reference_is_given_at_the_subjects_own_place_and_size():
    codes = walk(np.random.default_rng(60))
    plain = measure(cohort() | {"x": movement("x", "impaired", codes)})["x"].reference
    moved = measure(cohort() | {"x": movement("x", "impaired", codes * 1.4 + 0.3)})["x"].reference
    np.testing.assert_allclose(moved, plain * 1.4 + 0.3, atol=1e-3)


@pytest.mark.parametrize("points", [True, False])
def test_the_order_of_recordings_does_not_matter(points: bool):
    movements = cohort(n=4) | {"x": movement("x", "impaired", walk(np.random.default_rng(5)))}
    one = measure(movements, points)
    other = measure(dict(reversed(movements.items())), points)
    for name in movements:
        np.testing.assert_allclose(one[name].score, other[name].score, rtol=1e-4)
        np.testing.assert_allclose(one[name].reference, other[name].reference, atol=1e-5)
        np.testing.assert_array_equal(one[name].reliable, other[name].reliable)


def odd_recordings() -> Iterator[tuple[str, np.ndarray]]:
    rng = np.random.default_rng(3)
    codes = walk(rng)
    yield "constant", np.repeat(codes[:1], 40, 0)
    yield "nearly constant", np.repeat(codes[:1], 40, 0) * (1 + 1e-7 * rng.normal(size=(40, 1))).astype(np.float32)
    yield "zero", np.zeros_like(codes)
    yield "one frame", codes[:1]
    yield "two frames", codes[:2]
    yield "far away", codes + 100


@pytest.mark.parametrize("points", [True, False], ids=["points", "codes"])
@pytest.mark.parametrize("group", ["impaired", "healthy"])
@pytest.mark.parametrize(
    ("kind", "codes"), list(odd_recordings()), ids=lambda value: value if isinstance(value, str) else ""
)
@pytest.mark.filterwarnings("error")
def test_deviation_is_always_finite(kind: str, codes: np.ndarray, group: str, points: bool):
    movements = cohort(n=3) | {"x": movement("x", group, codes)}
    for name, found in measure(movements, points).items():
        assert len(found.score) == len(movements[name].posture)
        for values in (found.score, found.reference, found.percentile):
            assert np.isfinite(values).all()
        assert ((found.percentile >= 0) & (found.percentile <= 100)).all()
    assert np.isfinite(subjects(movements, points)["deviation"]).all()


@pytest.mark.parametrize("points", [True, False], ids=["points", "codes"])
def test_noise_of_a_recording_without_movement_is_not_enlarged(points: bool):
    still = np.repeat(walk(np.random.default_rng(3))[:1], 40, 0)
    noisy = still + 1e-6 * np.random.default_rng(4).normal(size=still.shape).astype(np.float32)
    measured = [measure(cohort(n=3) | {"x": movement("x", "impaired", c)}, points)["x"].score for c in (still, noisy)]
    np.testing.assert_allclose(measured[0], measured[1], rtol=0.01)


@pytest.mark.filterwarnings("error")
def test_identical_recordings_do_not_deviate():
    codes = walk(np.random.default_rng(3))
    movements = {name: movement(name, group, codes) for name, group in
                 (("a", "healthy"), ("b", "healthy"), ("c", "healthy"), ("x", "impaired"))}  # fmt: skip
    for found in measure(movements).values():
        assert np.isfinite(found.score).all()
        np.testing.assert_allclose(found.reference, codes, atol=0.1)


@pytest.mark.filterwarnings("error")
def test_untrusted_frames_are_measured_but_not_reliable_and_not_counted():
    trusted = np.arange(90) < 75
    codes = walk(np.random.default_rng(5))
    broken = codes.copy()
    broken[~trusted] += 3 * np.random.default_rng(1).normal(size=(15, codes.shape[1]))
    movements = cohort() | {"x": movement("x", "impaired", broken, trusted)}
    found = measure(movements)["x"]
    assert np.isfinite(found.score).all()
    assert not found.reliable[~trusted].any()
    assert found.reliable[trusted].mean() > 0.5
    plain = measure(cohort() | {"x": movement("x", "impaired", codes, trusted)})["x"]
    assert found.score[:60].mean() == pytest.approx(plain.score[:60].mean(), rel=0.2)
    assert subjects(movements).loc["x", "deviation"] == pytest.approx(found.score[found.reliable].mean())


@pytest.mark.filterwarnings("error")
def test_no_frame_can_be_trusted():
    movements = {name: movement(m.subject, m.group, m.posture, np.zeros(90, bool)) for name, m in cohort(n=3).items()}
    found = measure(movements)
    assert all(np.isfinite(d.score).all() and not d.reliable.any() for d in found.values())
    assert np.isfinite(subject_table(movements, found)["deviation"]).all()


def test_movement_without_a_match_is_unreliable():
    rng = np.random.default_rng(8)
    wild = rng.normal(size=(90, 2 * N_POINTS)).astype(np.float32)
    found = measure(cohort() | {"x": movement("x", "impaired", wild)})
    assert found["x"].reliable.mean() < 0.1
    assert min(found[f"h{i}"].reliable.mean() for i in range(5)) > 0.8


@pytest.mark.parametrize("n", [2, 5])
def test_a_posture_that_no_reference_subject_shows_has_a_reference_all_the_same(n: int):
    codes = walk(np.random.default_rng(5))
    codes[30:60, 0] += 1.5  # one limb is held out
    found = measure(cohort(n=n) | {"x": movement("x", "impaired", codes)})["x"]
    assert found.reliable[30:60].mean() > 0.8
    assert found.score[35:55].min() > found.score[:25].max()


def test_percentile_grows_with_the_deviation():
    found = measure(cohort() | {"x": movement("x", "impaired", walk(np.random.default_rng(5), deviation=0.6))})["x"]
    order = np.argsort(found.score)
    assert (np.diff(found.percentile[order]) >= 0).all()
    assert found.percentile.max() == 100


def test_frame_rate_does_not_matter():
    codes = walk(np.random.default_rng(60))
    half = Movement("x", "impaired", False, codes[::2], FPS / 2, np.ones(45, bool))
    one = measure(cohort() | {"x": movement("x", "impaired", codes)})["x"].score
    other = measure(cohort() | {"x": half})["x"].score
    assert other.mean() == pytest.approx(one.mean(), rel=0.15)


def test_subjects_with_several_recordings_are_summed_up_once():
    rng = np.random.default_rng(5)
    codes = walk(rng)
    movements = cohort() | {"x1": movement("x", "impaired", codes[:60]), "x2": movement("x", "impaired", codes[60:])}
    found = measure(movements)
    table = subject_table(movements, found)
    assert list(table.columns) == ["subject", "group", "deviation", "rank", "p_value", "n_reference"]
    assert list(table["subject"]) == ["h0", "h1", "h2", "h3", "h4", "x"]
    both = [found["x1"], found["x2"]]
    expected = np.concatenate([d.score[d.reliable] for d in both]).mean()
    assert table["deviation"].iloc[-1] == pytest.approx(expected)


def test_progress_is_told():
    told: list[tuple[str, int, int]] = []
    measure_deviation(cohort(n=2), DeviateSettings(), points=True, tell=lambda *at: told.append(at))
    assert told == [
        ("comparing bodies", 0, 2), ("comparing bodies", 1, 2),
        ("measuring", 0, 2), ("measuring", 1, 2), ("measuring", 2, 2),
    ]  # fmt: skip


def test_the_reference_band_is_that_of_the_other_reference_subjects_each_counting_the_same():
    frames = pd.DataFrame(
        {
            "subject": ["a"] * 101 + ["b"] * 11 + ["c"] * 11,
            "group": ["healthy"] * 112 + ["impaired"] * 11,
            "deviation": [*np.linspace(0, 1, 101), *np.linspace(1, 2, 11), *[9] * 11],
            "reliable": True,
        }
    )
    assert reference_band(frames, "healthy") == pytest.approx((0.55, 1.45))
    assert reference_band(frames, "healthy", "b") == pytest.approx((0.05, 0.95))
    frames.loc[:49, "reliable"] = False
    assert reference_band(frames, "healthy", "b")[0] == pytest.approx(0.525)
    assert np.isnan(reference_band(frames, "other")).all()


def test_of_long_recordings_some_moments_are_enough():
    rng = np.random.default_rng(3)
    movements = {f"h{i}": movement(f"h{i}", "healthy", walk(rng, n_frames=400)) for i in range(4)}
    movements["odd"] = movement("odd", "impaired", walk(rng, deviation=0.6, n_frames=400))
    whole, few = (
        measure_deviation(movements, DeviateSettings(n_moments=n), points=True)["odd"].score for n in (2000, 100)
    )
    assert np.corrcoef(whole, few)[0, 1] > 0.95
    assert not np.array_equal(whole, few)
    assert few.mean() == pytest.approx(whole.mean(), rel=0.1)
