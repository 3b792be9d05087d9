import numpy as np
import pytest

from napari_ubam.analysis import projection
from napari_ubam.analysis.projection import project


def blobs(n=60, seed=0):
    rng = np.random.default_rng(seed)
    centres = np.repeat([[0.0] * 8, [8.0] * 8, [-8.0, 8] * 4], n, axis=0)
    return (centres + rng.normal(size=centres.shape)).astype(np.float32), np.repeat([0, 1, 2], n)


def test_pca_keeps_the_two_directions_of_largest_variance():
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(200, 2)) * [5, 2]
    rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0][:2]
    positions = project(plane @ rotation + 7)
    assert positions.dtype == np.float32
    assert positions.shape == (200, 2)
    np.testing.assert_allclose(positions.mean(axis=0), 0, atol=1e-4)
    distance = np.linalg.norm(plane[:100] - plane[100:], axis=1)
    np.testing.assert_allclose(np.linalg.norm(positions[:100] - positions[100:], axis=1), distance, rtol=1e-3)


def test_signs_do_not_depend_on_the_order_of_frames():
    codes, _ = blobs()
    order = np.random.default_rng(1).permutation(len(codes))
    np.testing.assert_allclose(project(codes)[order], project(codes[order]), atol=1e-3)


def test_centring_takes_off_what_is_constant_in_a_recording():
    rng = np.random.default_rng(0)
    movement = rng.normal(size=(100, 4))
    codes = np.concatenate([movement, movement + 100])
    positions = project(codes, recordings=["a"] * 100 + ["b"] * 100)
    np.testing.assert_allclose(positions[:100], positions[100:], atol=1e-3)
    assert codes[100, 0] > 90  # the input is not changed


@pytest.mark.parametrize("shape", [(0, 5), (1, 5), (7, 1), (2, 3), (4, 4)])
@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_small_inputs(shape, method):
    codes = np.random.default_rng(0).normal(size=shape)
    assert np.isfinite(project(codes, method)).all()
    assert project(codes, method).shape == (shape[0], 2)


def test_tsne_keeps_neighbours_and_places_the_rest(monkeypatch):
    monkeypatch.setattr(projection, "MAX_TSNE", 90)
    codes, kind = blobs()
    positions = project(codes, "tsne", seed=0)
    assert positions.shape == (180, 2)
    apart = np.linalg.norm(positions[:, None] - positions, axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (kind[apart.argmin(axis=1)] == kind).mean() > 0.98
    np.testing.assert_array_equal(positions, project(codes, "tsne", seed=0))


def test_bad_input():
    with pytest.raises(ValueError, match="finite"):
        project([[np.nan, 1.0]])
    with pytest.raises(ValueError, match="finite"):
        project([1.0, 2.0])
    with pytest.raises(ValueError, match="'umap'"):
        project(np.eye(3), "umap")
