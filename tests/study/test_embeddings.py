import shutil

import numpy as np
import pytest
import zarr

from napari_ubam.errors import StudyError
from napari_ubam.study import Embedding, read_embedding, write_embedding


@pytest.fixture
def embedding():
    rng = np.random.default_rng(0)
    padded = np.array([True, False, False, False, False, False, True])
    return Embedding(rng.normal(size=(7, 4)), rng.normal(size=(7, 3)), np.arange(10, 17), padded)


def test_what_is_written_is_read_back(make_study, embedding):
    study = make_study()
    path = write_embedding(study, "walk", embedding, {"seed": 3, "settings": {"device": "cpu"}})
    assert path == study.embeddings_folder / "walk.zarr"
    again = read_embedding(study, "walk")
    assert (again.posture.dtype, again.behaviour.dtype, again.frame.dtype) == (np.float32, np.float32, np.int64)
    np.testing.assert_array_equal(again.posture, embedding.posture.astype(np.float32))
    np.testing.assert_array_equal(again.behaviour, embedding.behaviour.astype(np.float32))
    np.testing.assert_array_equal(again.frame, embedding.frame)
    np.testing.assert_array_equal(again.behaviour_padded, embedding.behaviour_padded)
    assert again.behaviour_padded.dtype == bool


def test_an_older_one_that_does_not_tell_which_clips_were_padded_is_read(make_study, embedding):
    study = make_study()
    path = write_embedding(study, "walk", embedding, {})
    shutil.rmtree(path / "behaviour_padded")
    again = read_embedding(study, "walk")
    assert again.behaviour_padded is None
    np.testing.assert_array_equal(again.behaviour, embedding.behaviour.astype(np.float32))


def test_other_programs_can_read_it(make_study, embedding):
    path = write_embedding(make_study(), "walk", embedding, {"seed": 3, "settings": {"device": "cpu"}})
    group = zarr.open(str(path), mode="r")
    assert np.asarray(group["posture"]).shape == (7, 4)
    assert dict(group.attrs) == {"seed": 3, "settings": {"device": "cpu"}}


def test_a_new_one_takes_the_place_of_the_old_one(make_study, embedding):
    study = make_study()
    write_embedding(study, "walk", embedding, {"old": True})
    path = write_embedding(study, "walk", Embedding(np.ones((2, 5)), np.ones((2, 1)), np.arange(2)), {})
    assert read_embedding(study, "walk").posture.shape == (2, 5)
    assert dict(zarr.open(str(path), mode="r").attrs) == {}
    assert list(study.embeddings_folder.iterdir()) == [path]


def test_an_old_one_stays_when_writing_fails(make_study, embedding):
    study = make_study()
    path = write_embedding(study, "walk", embedding, {})
    with pytest.raises(TypeError):
        write_embedding(study, "walk", Embedding(np.ones((2, 5)), np.ones((2, 1)), np.arange(2)), {"no": object()})
    assert read_embedding(study, "walk").posture.shape == (7, 4)
    assert list(study.embeddings_folder.iterdir()) == [path]


def test_a_missing_or_damaged_one_says_how_to_make_it(make_study, embedding):
    study = make_study()
    with pytest.raises(StudyError, match=r"walk.zarr is missing.*napari-ubam embed"):
        read_embedding(study, "walk")
    path = write_embedding(study, "walk", embedding, {})
    (path / "frame" / "zarr.json").unlink()
    with pytest.raises(StudyError, match=r"walk.zarr cannot be read.*napari-ubam embed"):
        read_embedding(study, "walk")


def test_values_that_are_no_numbers_are_never_handed_on(make_study, embedding):
    study = make_study()
    posture = np.array(embedding.posture)
    posture[[2, 5], 0] = np.nan, np.inf
    write_embedding(study, "walk", Embedding(posture, embedding.behaviour, embedding.frame), {})
    with pytest.raises(StudyError, match=r"walk.zarr holds values that are no numbers, in 2 of 7 frames. Run again"):
        read_embedding(study, "walk")


def test_one_row_a_frame():
    with pytest.raises(ValueError, match="one row a frame"):
        Embedding(np.ones((3, 2)), np.ones((3, 2)), np.arange(4))
    with pytest.raises(ValueError, match="one row a frame"):
        Embedding(np.ones((3, 2)), np.ones((3, 2)), np.arange(3), np.ones(2, bool))
