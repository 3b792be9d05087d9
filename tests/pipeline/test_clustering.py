import os

import numpy as np
import pytest

from napari_ubam.errors import StudyError
from napari_ubam.pipeline import cluster
from napari_ubam.settings import ClusterSettings
from napari_ubam.study import Embedding, Recording, Study, embedding_path, read_clusters, read_result, write_embedding


@pytest.fixture
def study(tmp_path):
    """Give a study of two subjects who do two things in turn, at different places of the code."""
    recordings = [Recording(name=f"r{i}", path=tmp_path / f"r{i}.mp4", subject=f"s{i}", group="g") for i in range(3)]
    study = Study.create(tmp_path / "study", recordings, "g")
    for i in range(2):
        doing = np.repeat([0.0, 10, 0, 10], 25)[:, None] * [1, 1, 0] + 50 * i
        codes = (doing + np.random.default_rng(i).normal(size=(100, 3))).astype(np.float32)
        write_embedding(study, f"r{i}", Embedding(codes, codes, np.arange(7, 107)), {})
    return study


def test_every_frame_has_its_cluster_which_is_no_subject(study):
    assert cluster(study, ClusterSettings(smallest=10)) == 2
    table = read_result(study, "clusters", "embed")
    assert list(table.columns) == ["recording", "subject", "group", "frame", "cluster"]
    assert table["frame"].tolist() == [*range(7, 107)] * 2
    first, second = (table.loc[table["subject"] == name, "cluster"].to_numpy() for name in ("s0", "s1"))
    assert (first == second).mean() > 0.9
    assert len(set(first[:20])) == 1
    assert first[5] != first[30]


def test_clusters_of_what_was_embedded_since_are_left_out(study):
    assert read_clusters(study).empty
    cluster(study)
    assert set(read_clusters(study)["recording"]) == {"r0", "r1"}
    later = (study.results_folder / "clusters.csv").stat().st_mtime_ns + 10**9
    os.utime(embedding_path(study, "r0"), ns=(later, later))
    assert set(read_clusters(study)["recording"]) == {"r1"}


def test_a_study_without_embeddings_says_what_to_do(tmp_path):
    recording = Recording(name="r", path=tmp_path / "r.mp4", subject="s", group="g")
    with pytest.raises(StudyError, match="napari-ubam embed"):
        cluster(Study.create(tmp_path / "study", [recording], "g"))
