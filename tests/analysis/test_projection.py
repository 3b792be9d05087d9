import numpy as np
import pytest

from napari_ubam.analysis import projection
from napari_ubam.analysis.projection import can_lay_out, place, project


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
@pytest.mark.parametrize("method", ["pca", "tsne", "umap"])
def test_small_inputs(shape, method):
    if not can_lay_out(method):
        pytest.skip("umap-learn is not installed")
    codes = np.random.default_rng(0).normal(size=shape)
    assert np.isfinite(project(codes, method)).all()
    assert project(codes, method).shape == (shape[0], 2)


def test_tsne_keeps_neighbours_and_places_the_rest(monkeypatch):
    monkeypatch.setattr(projection, "MAX_TSNE", 90)
    monkeypatch.setattr(projection, "MAX_LAID_OUT", 90)
    codes, kind = blobs()
    positions = project(codes, "tsne", seed=0)
    assert positions.shape == (180, 2)
    apart = np.linalg.norm(positions[:, None] - positions, axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (kind[apart.argmin(axis=1)] == kind).mean() > 0.98
    np.testing.assert_array_equal(positions, project(codes, "tsne", seed=0))


def test_umap_keeps_neighbours(monkeypatch):
    pytest.importorskip("umap", reason="umap-learn is not installed")
    codes, kind = blobs()
    positions = project(codes, "umap")
    apart = np.linalg.norm(positions[:, None] - positions, axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (kind[apart.argmin(axis=1)] == kind).mean() > 0.98


def test_a_layout_can_be_stopped_midway():
    pytest.importorskip("openTSNE", reason="openTSNE is not installed")
    told = []

    def tell(done, total):
        told.append((done, total))
        if done > 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        project(blobs()[0], "tsne", tell=tell)
    assert told[-1] == (110, 750)


def test_what_is_not_installed_is_said(monkeypatch):
    monkeypatch.setattr(projection, "find_spec", lambda name: None)
    assert can_lay_out("tsne")
    assert not can_lay_out("umap")
    with pytest.raises(ValueError, match="pip install"):
        project(np.eye(9), "umap")


def test_further_codes_are_placed_where_pca_would_have_put_them():
    codes, _ = blobs()
    positions = project(codes)
    np.testing.assert_allclose(place(codes[::2], codes[1::2], positions[1::2], "pca"), positions[::2], atol=1e-2)


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_further_codes_are_placed_between_their_neighbours(method):
    known = np.array([[0.0, 0, 0], [10, 0, 0], [0, 10, 0], [0, 0, 50]], np.float32)
    positions = np.array([[0, 0], [1, 0], [0, 1], [9, 9]], np.float32)
    placed = place([[10, 0, 0], [5, 5, 0]], known, positions, method)
    np.testing.assert_allclose(placed[0], [1, 0], atol=1e-6)
    np.testing.assert_allclose(placed[1], [1 / 3, 1 / 3], atol=1e-6)  # as far from all three
    assert place(np.zeros((0, 3)), known, positions, method).shape == (0, 2)


def test_bad_input():
    with pytest.raises(ValueError, match="finite"):
        project([[np.nan, 1.0]])
    with pytest.raises(ValueError, match="finite"):
        project([1.0, 2.0])
    with pytest.raises(ValueError, match="'isomap'"):
        project(np.eye(3), "isomap")
