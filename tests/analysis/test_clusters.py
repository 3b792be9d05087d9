import numpy as np
import pytest

from napari_ubam.analysis import clusters
from napari_ubam.analysis.clusters import find_clusters


def blobs():
    rng = np.random.default_rng(0)
    sizes = (100, 300, 200)
    codes = np.concatenate([rng.normal(10 * np.eye(12)[i], 0.3, (n, 12)) for i, n in enumerate(sizes)])
    return codes, np.repeat([2, 0, 1], sizes)


@pytest.mark.parametrize("most", [10_000, 300])
def test_dense_places_are_clusters_the_largest_first(monkeypatch, most):
    monkeypatch.setattr(clusters, "MAX_CLUSTERED", most)
    codes, kinds = blobs()
    order = np.random.default_rng(1).permutation(len(codes))
    found = find_clusters(codes[order])
    assert (found == kinds[order]).mean() > 0.95
    np.testing.assert_array_equal(found, find_clusters(codes[order]))


def test_what_lies_apart_is_in_no_cluster_and_clusters_have_their_share():
    codes, _ = blobs()
    far = np.random.default_rng(2).uniform(-100, 100, (10, 12))
    found = find_clusters(np.concatenate([codes, far]), smallest=25)
    assert set(found[-10:]) == {-1}
    assert np.bincount(found[found >= 0]).min() >= 0.25 * 610  # the one of 100 is none of its own


@pytest.mark.parametrize("n", [0, 3, 20])
def test_too_few_or_uniform_codes_have_none(n):
    codes = np.random.default_rng(0).uniform(size=(n, 4))
    assert find_clusters(codes, smallest=50).tolist() == [-1] * n


def test_bad_input():
    with pytest.raises(ValueError, match="finite"):
        find_clusters([[np.nan, 1.0]])
