import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_ubam import pipeline
from napari_ubam.errors import StudyError
from napari_ubam.magnify.region import points_to_squares
from napari_ubam.sample import JOINTS, make_cohort
from napari_ubam.settings import KeypointSettings
from napari_ubam.study import (
    Embedding,
    Study,
    keypoints_path,
    load_crops,
    read_embedding,
    read_provenance,
    write_embedding,
)
from napari_ubam.study.boxes import Boxes, write_boxes
from napari_ubam.study.keypoints import read_keypoints

NAMES = tuple(JOINTS[:5])


def write_table(path: Path, joints: np.ndarray, score: float = 1.0) -> Path:
    lines = [f"{t},{NAMES[k]},{x:.3f},{y:.3f},{score}" for t, xy in enumerate(joints) for k, (x, y) in enumerate(xy)]
    path.write_text("\n".join(["frame,keypoint,x,y,score", *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def truth() -> dict[str, np.ndarray]:
    """Give the walkers' true joints, of the study ``finished``."""
    cohort = make_cohort(n_healthy=3, n_impaired=2, n_frames=40, size=64)
    return {recording.name: recording.joints[:, : len(NAMES)] for recording in cohort}


def marked(study: Study, folder: Path, truth: dict[str, np.ndarray], names: tuple[str, ...]) -> Study:
    """Give some recordings of a study their true joints."""
    paths = {name: write_table(folder / f"{name}.csv", truth[name]) for name in names}
    recordings = [r.model_copy(update={"keypoints": paths.get(r.name)}) for r in study.recordings]
    return study.replace(recordings=recordings)


def test_true_joints_are_predicted_for_every_recording(finished: Study, tmp_path: Path, truth: dict[str, np.ndarray]):
    study = marked(finished, tmp_path, truth, ("h01", "h02", "i01"))
    assert pipeline.keypoints(study) == []
    scores = pd.read_csv(study.results_folder / "keypoint_scores.csv").set_index("keypoint")
    assert scores.index.tolist() == ["all", *NAMES]
    assert (scores["unseen"] == "subjects").all()
    assert (scores.loc[list(NAMES), "n_frames"] == 120).all()
    assert np.isfinite(scores["r2"]).all()
    for name, joints in truth.items():
        found = read_keypoints(keypoints_path(study, name))
        assert found.names == NAMES
        np.testing.assert_array_equal(found.frame, np.arange(40))
        np.testing.assert_allclose(found.xy.mean(0), joints.mean(0), atol=64)  # somewhere on the walker
        table = pd.read_csv(keypoints_path(study, name))
        if name in ("h01", "h02", "i01"):
            np.testing.assert_allclose(found.xy.mean(0), joints.mean(0), atol=2)
            np.testing.assert_allclose(table["given_x"], joints[..., 0].ravel(), atol=0.01)
        else:
            assert table["given_x"].isna().all()
    run = json.loads((study.results_folder / "run.json").read_text())
    assert run["keypoints"] == {"min_score": 0.6}


def test_codes_that_are_the_joints_give_them_back_where_crops_move_turned_and_mirrored(
    finished: Study, tmp_path: Path, truth: dict[str, np.ndarray]
):
    """The way from pixels into the crop and back, with codes that leave nothing to be learned."""
    names = tuple(truth)
    rng = np.random.default_rng(0)
    settings = finished.settings.model_copy(update={"turn": "body", "mirror_to": "left"})
    recordings = []
    for recording in finished.recordings:
        frame = np.arange(40)
        corner = 4 + np.cumsum(rng.normal(size=(40, 2)), 0)
        box = np.concatenate([corner, np.full((40, 2), 50.0)], 1)
        write_boxes(tmp_path / f"{recording.name}_boxes.csv", frame, Boxes(frame, box, 20 * np.sin(frame / 6)))
        update = {"boxes": tmp_path / f"{recording.name}_boxes.csv", "side": "right"}
        recordings.append(recording.model_copy(update=update))
    study = marked(finished.replace(recordings=recordings, settings=settings), tmp_path, truth, names)
    assert pipeline.embed(study) == []
    for recording in study.recordings:
        embedding, about = read_embedding(study, recording.name), read_provenance(study, recording.name)
        crops = load_crops(study, recording)
        codes = points_to_squares(truth[recording.name], crops.squares, crops.mirrored).reshape(40, -1)
        write_embedding(study, recording.name, Embedding(codes, embedding.behaviour, embedding.frame), about)
    assert pipeline.keypoints(study) == []
    scores = pd.read_csv(study.results_folder / "keypoint_scores.csv")
    assert scores["r2"].min() > 0.9
    for name, joints in truth.items():
        found = read_keypoints(keypoints_path(study, name)).xy
        assert np.linalg.norm(found - joints, axis=-1).mean() < 2


def test_what_cannot_be_used_is_told_and_the_others_go_on(
    finished: Study, tmp_path: Path, truth: dict[str, np.ndarray]
):
    with pytest.raises(StudyError, match="column 'keypoints'"):
        pipeline.keypoints(finished)
    study = marked(finished, tmp_path, truth, ("h01", "h02", "h03"))
    write_table(tmp_path / "h02.csv", truth["h02"], score=0.5)
    (tmp_path / "h03.csv").unlink()
    problems = pipeline.keypoints(study)
    assert [problem.name for problem in problems] == ["h02", "h03"]
    assert "score of 0.6 or more" in problems[0].message
    assert str(tmp_path / "h03.csv") in problems[1].message
    scores = pd.read_csv(study.results_folder / "keypoint_scores.csv")
    assert (scores["unseen"] == "time blocks").all()
    assert not keypoints_path(study, "h02").exists()
    (problem,) = pipeline.keypoints(study, KeypointSettings(min_score=0.4))
    assert problem.name == "h03"
    (tmp_path / "h01.csv").unlink()
    (tmp_path / "h02.csv").unlink()
    with pytest.raises(StudyError, match=r"h01\.csv"):
        pipeline.keypoints(study)
