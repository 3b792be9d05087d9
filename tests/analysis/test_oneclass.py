import numpy as np
import pytest

from napari_ubam.analysis.oneclass import abnormal_frames, abnormal_shares, shuffled_shares, silhouettes
from napari_ubam.settings import OneClassKind

Features = dict[str, np.ndarray]
KINDS = pytest.mark.parametrize("kind", ["gaussian", "linear"])
HEALTHY = [f"h{i}" for i in range(8)]


@pytest.fixture
def cloud() -> Features:
    """Frames of eight healthy subjects and four others, all alike."""
    rng = np.random.default_rng(0)
    return {s: rng.normal(size=(150, 12)) for s in [*HEALTHY, "i0", "i1", "i2", "i3"]}


@pytest.fixture
def parts() -> Features:
    """How far 16 parts of frames deviate, of as many subjects who are all alike, though each has its own way."""
    rng = np.random.default_rng(0)
    names = [*HEALTHY, *(f"i{i}" for i in range(8))]
    return {s: 0.4 * rng.gamma(40, 1 / 40) * rng.gamma(3, 1 / 3, (150, 16)) for s in names}


def moved(features: Features, subjects: str, by: float) -> Features:
    return {s: x + by * (s[0] in subjects) for s, x in features.items()}


@KINDS
def test_unchanged_subjects_are_abnormal_at_about_nu(cloud: Features, kind: OneClassKind):
    found = abnormal_shares(cloud, cloud, HEALTHY, nu=0.05, kind=kind).set_index("subject")
    assert list(found.index) == list(cloud)
    assert found["before"].mean() == pytest.approx(5, abs=2.5)
    assert found["before"].max() < 15
    np.testing.assert_array_equal(found["change"], 0)


@KINDS
@pytest.mark.parametrize("by", [3, -3])
def test_a_shifted_subject_is_abnormal_in_either_direction(cloud: Features, kind: OneClassKind, by: float):
    found = abnormal_shares(cloud, moved(cloud, "i", by), HEALTHY, kind=kind).set_index("subject")
    assert (found.loc[["i0", "i3"], "before"] < 15).all()
    assert (found.loc[["i0", "i3"], "after"] > 95).all()
    np.testing.assert_array_equal(found.loc[HEALTHY, "change"], 0)


@KINDS
def test_nobody_is_scored_by_a_machine_that_saw_it(cloud: Features, kind: OneClassKind):
    """A shifted reference subject is as abnormal as any other; the machines that it trains are the others'."""
    odd = {s: x + 6 * (s == "h0") for s, x in cloud.items()}
    found = abnormal_shares(odd, odd, HEALTHY, kind=kind).set_index("subject")
    assert found.loc["h0", "before"] > 95


def test_shuffled_labels_are_at_chance(cloud: Features):
    """All groups are alike before; the others change, but who is called a reference subject says nothing of it."""
    control = shuffled_shares(cloud, moved(cloud, "i", 3), len(HEALTHY), n_shuffles=30, seed=1)
    assert len(control) == 30 * 12
    assert (control.groupby("shuffle")["is_reference"].sum() == 8).all()
    change = control.groupby("is_reference")["change"].mean()
    assert change[True] == pytest.approx(change[False], abs=10)
    true = abnormal_shares(cloud, moved(cloud, "i", 3), HEALTHY)
    assert true["change"][8:].mean() > change[False] + 40


def test_shuffles_are_repeatable_and_told_of(cloud: Features):
    few = {s: x[:10] for s, x in cloud.items()}
    told: list[tuple[int, int]] = []
    one, two = (shuffled_shares(few, few, 3, n_shuffles=2, tell=lambda *now: told.append(now)) for _ in range(2))
    assert one.equals(two)
    assert told[:3] == [(0, 2), (1, 2), (2, 2)]


@KINDS
def test_frames_that_are_all_equal_are_no_error(kind: OneClassKind):
    still = {s: np.ones((4, 5)) for s in ("h0", "h1", "i0")}
    found = abnormal_shares(still, {s: x + 1 for s, x in still.items()}, ["h0", "h1"], kind=kind)
    assert np.isfinite(found[["before", "after"]]).all(axis=None)


def test_silhouettes_say_where_the_subject_is_not_what_it_wears():
    background = np.full((64, 64, 3), 100, np.uint8)
    frames = np.repeat(background[None], 2, 0).copy()
    frames[0, :32, :16], frames[1, :32, :16] = 160, 20
    pale, dark = silhouettes(frames, background, 16).reshape(2, 16, 16)
    np.testing.assert_array_equal(pale, dark)
    assert pale[:8, :4].min() == 1
    assert pale.sum() == 32


@KINDS
def test_subjects_who_are_alike_have_as_many_abnormal_frames(parts: Features, kind: OneClassKind):
    found = abnormal_frames(parts, HEALTHY, kind=kind).set_index("subject")["abnormal"]
    assert list(found.index) == list(parts)
    assert found[:8].mean() == pytest.approx(5, abs=4)
    assert found[8:].mean() == pytest.approx(found[:8].mean(), abs=5)


@KINDS
def test_a_subject_with_a_few_parts_far_off_is_abnormal(parts: Features, kind: OneClassKind):
    odd = {s: np.concatenate([x[:, :3] + (s[0] == "i"), x[:, 3:]], 1) for s, x in parts.items()}
    found = abnormal_frames(odd, HEALTHY, kind=kind).set_index("subject")["abnormal"]
    assert found[8:].min() > 3 * found[:8].mean()
    assert found[:8].mean() < 10


def test_a_subject_who_deviates_less_is_not_abnormal(parts: Features):
    found = abnormal_frames({s: x / (1 + (s == "i0")) for s, x in parts.items()}, HEALTHY)
    assert found.set_index("subject").loc["i0", "abnormal"] < 1


@KINDS
def test_a_reference_subject_is_judged_like_any_other(parts: Features, kind: OneClassKind):
    """The same subject under two names: as a reference subject, and not as one."""
    rest = {s: x for s, x in parts.items() if s in HEALTHY[1:]}
    twice = {"h0": 3 * parts["h0"], "i0": 3 * parts["h0"], **rest}
    found = abnormal_frames(twice, ["h0", *HEALTHY[1:]], kind=kind).set_index("subject")["abnormal"]
    without = abnormal_frames({"i0": twice["i0"], **rest}, HEALTHY[1:], kind=kind).set_index("subject")["abnormal"]
    assert found["h0"] == pytest.approx(without["i0"], abs=10)
    assert found["h0"] > 50


@KINDS
def test_parts_that_do_not_deviate_are_no_error(kind: OneClassKind):
    found = abnormal_frames({s: np.zeros((4, 5)) for s in ("h0", "h1", "i0")}, ["h0", "h1"], kind=kind)
    assert found["abnormal"].between(0, 100).all()
