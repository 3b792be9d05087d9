import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from napari_ubam.analysis import search
from napari_ubam.analysis.search import nearest


@pytest.mark.parametrize("n", [1, 5, 100, 997, 9001])
def test_the_same_as_scikit_learn(n: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(search, "ENTRIES", 20_000)  # several batches
    rng = np.random.default_rng(n)
    query, codes = rng.normal(size=(60, 12)), rng.normal(size=(n, 12))
    distance, index = nearest(query, codes, 8)
    expected = NearestNeighbors(n_neighbors=min(n, 8), algorithm="brute").fit(codes).kneighbors(query)
    np.testing.assert_allclose(distance, expected[0], rtol=1e-5)
    np.testing.assert_array_equal(index, expected[1])


def test_codes_far_from_the_origin_are_told_apart():
    """In single precision, 1000.01 squared is 1000 squared."""
    codes = 1000 + np.arange(200)[:, None] * np.array([0.01, 0])
    distance, index = nearest(codes[[7, 150]] + [0.001, 0], codes, 2)
    np.testing.assert_array_equal(index, [[7, 8], [150, 151]])
    np.testing.assert_allclose(distance[:, 0], 0.001, rtol=0.1)


def test_equal_codes_are_taken_in_their_order():
    codes = np.repeat(np.array([[0.0, 0], [1, 1]]), 300, axis=0)
    _, index = nearest(np.array([[0.0, 0], [1, 1]]), codes, 3)
    assert (index[0] < 300).all()
    assert (index[1] >= 300).all()
    again = nearest(np.array([[0.0, 0], [1, 1]]), codes, 3)[1]
    np.testing.assert_array_equal(index, again)


def test_without_queries_nothing_is_found():
    distance, index = nearest(np.zeros((0, 3)), np.zeros((4, 3)), 2)
    assert distance.shape == index.shape == (0, 2)
