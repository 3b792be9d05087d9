import numpy as np
import pytest

from napari_ubam.analysis.places import landmark_mixtures, mean_mixture, mean_mixtures, mix, shares_of_difference, unmix


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def limb(rng: np.random.Generator) -> np.ndarray:
    """Hip, knee and foot of a leg that swings and bends, and the head: (T, 4, 2)."""
    swing, bend = 0.5 * np.sin(np.arange(200) / 9), 0.4 + 0.4 * np.cos(np.arange(200) / 9 + 1)
    hip = np.zeros((200, 2))
    knee = hip + 0.5 * np.stack([np.sin(swing), np.cos(swing)], 1)
    foot = knee + 0.5 * np.stack([np.sin(swing - bend), np.cos(swing - bend)], 1)
    return np.stack([hip, knee, foot, hip - [0, 0.6]], 1) + 0.002 * rng.normal(size=(200, 4, 2))


def flat(points: np.ndarray) -> np.ndarray:
    return points.reshape(len(points), -1)


def test_a_landmark_that_lies_elsewhere_on_the_limb_is_brought_to_its_place(limb: np.ndarray, rng: np.random.Generator):
    above = limb + 0.04 * rng.normal(size=limb.shape)  # nobody moves just like another
    above[:, 1] += 0.3 * (limb[:, 0] - limb[:, 1])  # the knee is found on the thigh
    mixture = landmark_mixtures(flat(above), flat(limb)[:, None], cost=0.01)[0]
    moved = mix(mixture, flat(above)).reshape(limb.shape)
    before, after = (np.abs(x - limb)[:, 1].mean() for x in (above, moved))
    assert after < 0.6 * before
    assert np.abs(moved - limb)[:, [0, 2, 3]].mean() < np.abs(above - limb)[:, [0, 2, 3]].mean()
    np.testing.assert_allclose(unmix(mixture, flat(moved)), flat(above), atol=1e-9)


def test_landmarks_that_lie_alike_stay_where_they_are(limb: np.ndarray):
    mixture = landmark_mixtures(flat(limb), flat(limb)[:, None])[0]
    np.testing.assert_allclose(mixture, np.eye(4), atol=1e-9)


def test_what_deviates_for_a_while_does_not_say_where_landmarks_lie(limb: np.ndarray):
    held_out = limb.copy()
    held_out[:60, 2] += [0.8, -0.5]  # the foot
    moved = mix(landmark_mixtures(flat(held_out), flat(limb)[:, None])[0], flat(held_out)).reshape(limb.shape)
    left = np.linalg.norm((moved - limb)[:60, 2], axis=-1).mean() / np.hypot(0.8, 0.5)
    assert left > 0.9


def test_shares_sum_to_one_so_that_place_does_not_matter(limb: np.ndarray, rng: np.random.Generator):
    shown = flat(limb)[:, None] + 0.1 * rng.normal(size=(200, 3, 8))
    mixtures = landmark_mixtures(flat(limb), shown)
    assert mixtures.shape == (3, 4, 4)
    np.testing.assert_allclose(mixtures.sum(-1), 1)
    there = landmark_mixtures(flat(limb + 5), shown + 5)
    np.testing.assert_allclose(there, mixtures, atol=1e-6)


def test_the_dearer_a_move_the_less_landmarks_are_moved(limb: np.ndarray):
    longer = limb * [1.0, 1.2]
    moves = [
        np.abs(landmark_mixtures(flat(limb), flat(longer)[:, None], cost)[0] - np.eye(4)).sum() for cost in (0.1, 1, 10)
    ]
    assert moves[0] > moves[1] > moves[2] > 0


def test_landmarks_that_never_move_or_all_lie_in_one_place(limb: np.ndarray):
    for still in (np.zeros_like(limb), np.ones_like(limb) * limb[0]):
        assert np.isfinite(landmark_mixtures(flat(still), flat(limb)[:, None])).all()


def test_means_are_of_those_who_are_asked():
    eye = np.eye(2)
    mixtures = mean_mixtures([{"a": eye, "b": 2 * eye}, {"a": 3 * eye, "b": 2 * eye}])
    np.testing.assert_allclose(mixtures["a"], 2 * eye)
    np.testing.assert_allclose(mean_mixture(mixtures, ["a", "self"]), 2 * eye)  # type: ignore[arg-type]
    assert mean_mixture(mixtures, ["self"]) is None


def test_a_difference_is_that_of_mixed_landmarks_from_the_mean_of_those_who_count():
    rng = np.random.default_rng(0)
    names = ["a", "b", "c"]
    mixtures = {
        s: {o: np.eye(4) + 0.1 * rng.normal(size=(4, 4)) for o in names if o != s} for s in [*names, "measured"]
    }
    own = mixtures.pop("measured")
    posture, *shown = rng.normal(size=(4, 7, 8))
    some = ["a", "c"]
    shares = shares_of_difference(own, mixtures, names, some)
    landmarks = np.concatenate([posture, *shown], 1).reshape(7, -1, 2)
    difference = np.einsum("tjc,jk->tkc", landmarks, shares).reshape(7, 8)
    leads = {"a": mixtures["a"]["c"], "c": mixtures["c"]["a"]}  # nobody is brought to itself, nor to who does not count
    mean = (mix(leads["a"], shown[0]) + mix(leads["c"], shown[2])) / 2
    np.testing.assert_allclose(difference, mix((own["a"] + own["c"]) / 2, posture) - mean)


def test_one_subject_alone_stays_where_it_is():
    shares = shares_of_difference({"a": 2 * np.eye(3)}, {"a": {}}, ["a"], ["a"])
    np.testing.assert_allclose(shares, np.concatenate([2 * np.eye(3), -np.eye(3)]))
