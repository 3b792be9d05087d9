"""Recordings of other frame rates, or of an unknown one, through every step that knows time."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from napari_ubam import pipeline
from napari_ubam.models.encode import encode_behaviours
from napari_ubam.models.store import load_model
from napari_ubam.settings import EmbedSettings, StudySettings
from napari_ubam.study import Recording, Study, read_embedding, read_provenance, read_reference
from napari_ubam.video import open_frames, write_video

CPU = torch.device("cpu")
HALF = 9  # frames before and after of a clip of 0.6 s at 30 frames a second


@pytest.fixture(scope="module")
def rates(finished_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Give a measured study with the same movement at 30, 60 and 25 frames a second, and in images without a rate."""
    folder = tmp_path_factory.mktemp("rates")
    plain = Study.open(finished_cohort / "study")
    with open_frames(plain.recording("i01").path) as source:
        walk = source[:]
    write_video(folder / "double.mkv", np.repeat(walk, 2, 0), 60)
    write_video(folder / "slow.mkv", walk[np.arange(0, 40, 30 / 25).round().astype(int).clip(0, 39)], 25)
    (folder / "images").mkdir()
    for t, frame in enumerate(walk):
        cv2.imwrite(str(folder / "images" / f"{t:03d}.png"), frame[..., ::-1])
    own = [
        Recording(name=name, path=folder / path, subject=name, group="impaired")
        for name, path in {"double": "double.mkv", "slow": "slow.mkv", "images": "images"}.items()
    ]
    study = Study.create(folder / "study", [*plain.recordings, *own], "healthy", StudySettings(crop_size=64))
    study.models_folder.symlink_to(finished_cohort / "study" / "models", target_is_directory=True)
    assert pipeline.embed(study, EmbedSettings(device="cpu")) == []
    assert pipeline.deviate(study) == []
    return study


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Mean distance of two rows of codes, over that of rows that do not belong together."""
    anywhere = np.linalg.norm(one[:, None] - one, axis=-1).mean()
    return float(np.linalg.norm(one - other, axis=1).mean() / anywhere)


def test_a_clip_is_as_long_in_time_at_every_rate(rates: Study):
    plain, double, slow = (read_embedding(rates, name) for name in ("i01", "double", "slow"))
    assert plain.behaviour_padded.sum() == 2 * HALF
    assert double.behaviour_padded.sum() == 4 * HALF
    assert slow.behaviour_padded.sum() == 2 * 8  # 7.5 frames at 25 a second
    inner = slice(HALF, -HALF)
    model = load_model(rates.models_folder / "behaviour", CPU)
    as_if_30 = encode_behaviours(model, double.posture, 30, CPU)
    right, wrong = (distance(plain.behaviour[inner], codes[::2][inner]) for codes in (double.behaviour, as_if_30))
    assert right < 0.5
    assert right < 0.6 * wrong


def test_without_a_rate_30_frames_a_second_are_assumed_and_that_is_told(rates: Study):
    plain, images = read_embedding(rates, "i01"), read_embedding(rates, "images")
    assert read_provenance(rates, "images")["fps"] == 0
    np.testing.assert_allclose(images.behaviour, plain.behaviour, atol=0.02)
    table = pd.read_csv(rates.results_folder / "recordings.csv").set_index("recording")
    assert table.loc[["i01", "double", "slow", "images"], "fps"].tolist() == [30, 60, 25, 30]
    assert table.loc[["i01", "double", "slow", "images"], "fps_known"].tolist() == [True, True, True, False]


def test_the_table_of_recordings_says_how_fast_subjects_move_whatever_the_rate(rates: Study):
    table = pd.read_csv(rates.results_folder / "recordings.csv").set_index("recording")
    assert list(table) == [
        "subject",
        "group",
        "session",
        "frames",
        "seconds",
        "fps",
        "fps_known",
        "speed",
        "brightness",
        "size",
    ]
    assert list(table.index) == [r.name for r in rates.recordings]
    assert table.loc["double", "frames"] == 80
    assert table["seconds"].to_numpy() == pytest.approx(40 / 30, abs=0.05)
    speed = table.loc["i01", "speed"]
    assert speed > 0
    for name in ("double", "slow", "images"):
        assert table.loc[name, "speed"] == pytest.approx(speed, rel=0.12), name


def test_deviations_are_the_same_at_every_rate(rates: Study):
    subjects = pd.read_csv(rates.results_folder / "subjects.csv").set_index("subject")["deviation"]
    for name in ("double", "slow", "images"):
        assert subjects[name] == pytest.approx(subjects["i01"], rel=0.1), name
    plain, double = (read_reference(rates, name).reference for name in ("i01", "double"))
    assert distance(plain, double[::2]) < 0.2
