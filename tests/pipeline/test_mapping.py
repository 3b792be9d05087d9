import shutil

import numpy as np
import pytest

from napari_ubam.errors import StudyError
from napari_ubam.pipeline import lay_out, mapping
from napari_ubam.progress import Cancelled
from napari_ubam.settings import MapSettings
from napari_ubam.study import Embedding, Recording, Study, embedding_path, write_embedding


def embed(study, name, seed, n=12):
    codes = np.random.default_rng(seed).normal(size=(n, 5)).astype(np.float32) * [5, 2, 1, 1, 1]
    write_embedding(study, name, Embedding(codes, codes[:, :3], np.arange(3, 3 + n)), {})


@pytest.fixture
def study(tmp_path):
    """Give a study of four recordings, three of which are embedded."""
    recordings = [Recording(name=f"r{i}", path=tmp_path / f"r{i}.mp4", subject=f"s{i}", group="g") for i in range(4)]
    study = Study.create(tmp_path / "study", recordings, "g")
    for i in range(3):
        embed(study, f"r{i}", i)
    return study


def named(found, name):
    return found.position[[found.recordings[i].name == name for i in found.which]]


def test_every_frame_of_every_embedded_recording_has_its_place(study):
    found = lay_out(study)
    assert [x.name for x in found.recordings] == ["r0", "r1", "r2"]
    assert found.position.shape == (36, 2)
    assert found.which.tolist() == [0] * 12 + [1] * 12 + [2] * 12
    assert found.frame[12:15].tolist() == [3, 4, 5]
    assert found.codes.shape == (36, 5)
    assert named(found, "r1").mean(0) == pytest.approx([0, 0], abs=1e-4)  # centred
    assert lay_out(study, MapSettings(code="behaviour", centred=False)).codes.shape == (36, 3)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_a_new_recording_is_placed_and_the_others_stay(study, method):
    settings = MapSettings(method=method)
    before = lay_out(study, settings)
    embed(study, "r3", 3, n=40)
    after = lay_out(study, settings)
    np.testing.assert_array_equal(after.position[:36], before.position)
    assert len(named(after, "r3")) == 40
    again = lay_out(study, settings)
    np.testing.assert_array_equal(again.position, after.position)
    anew = lay_out(study, settings.model_copy(update={"anew": True}))
    assert not np.allclose(anew.position[:36], before.position)


def test_a_recording_that_was_embedded_anew_moves_alone_and_a_removed_one_is_gone(study):
    before = lay_out(study)
    embed(study, "r0", 10)
    shutil.rmtree(embedding_path(study, "r2"))
    after = lay_out(study)
    assert not np.allclose(named(after, "r0"), named(before, "r0"))
    np.testing.assert_array_equal(named(after, "r1"), named(before, "r1"))
    assert len(after.position) == 24


def test_after_another_training_the_map_is_another_one(study):
    before = lay_out(study)
    for i in range(3):
        embed(study, f"r{i}", i + 10)
    after = lay_out(study)
    assert not np.allclose(after.position, before.position)
    assert after.position.var(0)[0] > 20  # the direction of largest variance, not what was left of the old map


def test_many_frames_are_thinned_out_evenly_and_stay_so(study, monkeypatch):
    monkeypatch.setattr(mapping, "MAX_POINTS", 20)
    before = lay_out(study)
    assert before.frame.tolist() == [3, 5, 7, 9, 11, 13] * 3
    embed(study, "r3", 3)
    after = lay_out(study)
    assert after.frame.tolist() == [3, 5, 7, 9, 11, 13] * 4
    np.testing.assert_array_equal(after.position[:18], before.position)


def test_a_damaged_map_is_made_again_and_a_cancelled_one_is_not_kept(study):
    kept = study.results_folder / "maps" / "posture_pca_centred.zarr"

    def cancel(progress):
        if progress.stage == "laying out":
            raise Cancelled

    with pytest.raises(Cancelled):
        lay_out(study, MapSettings(method="tsne"), report=cancel)
    assert not kept.parent.exists()
    before = lay_out(study)
    (kept / "zarr.json").write_text("{")
    np.testing.assert_allclose(lay_out(study).position, before.position, atol=1e-4)


def test_what_is_missing_is_said(study, monkeypatch):
    monkeypatch.setattr(mapping, "can_lay_out", lambda method: False)
    with pytest.raises(StudyError, match="pip install umap-learn"):
        lay_out(study, MapSettings(method="umap"))
    monkeypatch.undo()
    shutil.rmtree(study.embeddings_folder)
    with pytest.raises(StudyError, match="napari-ubam embed"):
        lay_out(study)
