import numpy as np
import pytest

from napari_ubam.analysis.neighbours import nearest_by_recording, nearest_frames

CODES = np.array([[0.0, 0], [1, 0], [0, 3], [5, 5], [0.5, 0]])


def test_nearest_first_with_distances():
    indices, distances = nearest_frames(CODES[0], CODES, 3)
    assert indices.tolist() == [0, 4, 1]
    np.testing.assert_allclose(distances, [0, 0.5, 1])


def test_several_queries():
    indices, distances = nearest_frames(CODES[[3, 2]], CODES, 1)
    assert indices.tolist() == [[3], [2]]
    assert distances.shape == (2, 1)


def test_excluded_frames_are_not_chosen():
    indices, _ = nearest_frames(CODES[0], CODES, 10, exclude=[True, False, True, False, True])
    assert indices.tolist() == [1, 3]
    nothing, distances = nearest_frames(CODES[0], CODES, 2, exclude=np.ones(5, bool))
    assert nothing.shape == distances.shape == (0,)


def test_same_as_brute_force_on_float32():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(500, 16)).astype(np.float32)
    query = rng.normal(size=16).astype(np.float32)
    expected = np.argsort(np.linalg.norm(codes - query, axis=1))[:7]
    assert nearest_frames(query, codes, 7)[0].tolist() == expected.tolist()


def test_one_frame_of_every_recording():
    recordings = np.array(["a", "a", "b", "c", "a"])
    indices, distances = nearest_by_recording(CODES[4], CODES, recordings)
    assert indices.tolist() == [4, 2, 3]
    assert (np.diff(distances) > 0).all()
    others, _ = nearest_by_recording(CODES[4], CODES, recordings, exclude=recordings == "a")
    assert others.tolist() == [2, 3]


def test_bad_input():
    with pytest.raises(ValueError, match="at least 1"):
        nearest_frames(CODES[0], CODES, 0)
    with pytest.raises(ValueError, match="3 dimensions"):
        nearest_frames([0, 0, 0], CODES)
