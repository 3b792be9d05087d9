from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_ubam import pipeline
from napari_ubam.errors import StudyError
from napari_ubam.pipeline import embedding
from napari_ubam.settings import CompareSettings
from napari_ubam.study import Study, read_reference, read_result, write_reference

FEW = CompareSettings(n_permutations=100, n_shuffles=3)
TABLES = (
    "scores", "group_means", "groups", "groups_overall", "phases", "cycles", "sessions", "trends", "change_points",
    "recovery", "nuisances", "classification", "classified", "confusion", "clips", "covariates", "predicted",
    "intervals", "intervals_overall", "columns",
)  # fmt: skip


@pytest.fixture(scope="module")
def compared(finished_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("compared") / "cohort"
    shutil.copytree(finished_cohort, folder)
    study = Study.open(folder / "study")
    third = study.recording("i02").model_copy(update={"name": "i03", "subject": "i03", "start": 5})
    study = study.replace(recordings=[*study.recordings, third])
    study.save()
    pipeline.embed(study)
    pipeline.deviate(study)
    assert pipeline.compare(study, FEW) == []
    return study


def test_every_table_is_there_and_explained(compared: Study):
    columns = pd.read_csv(compared.results_folder / "columns.csv")
    assert not columns["meaning"].isna().any()
    for name in TABLES[:-1]:
        table = pd.read_csv(compared.results_folder / f"{name}.csv")
        assert list(columns.loc[columns["table"] == f"{name}.csv", "column"]) == list(table.columns)


def test_scores_have_one_row_a_subject(compared: Study):
    scores = read_result(compared, "scores", "compare")
    assert list(scores["subject"]) == ["h01", "h02", "h03", "i01", "i02", "i03"]
    assert scores[["important", "abnormal"]].apply(lambda x: x.between(0, 100)).all(axis=None)


def test_frames_without_a_good_reference_are_not_called_abnormal(finished: Study):
    few = FEW.model_copy(update={"n_shuffles": 0, "baselines": False})
    shares = []
    for deviates in (1.0, 100.0):
        for recording in finished.recordings:
            found = read_reference(finished, recording.name)
            late = np.arange(len(found.frame)) >= 10
            write_reference(
                finished,
                recording.name,
                replace(found, parts=np.where(late, 1, deviates)[:, None] * found.parts, reliable=late),
            )
        pipeline.compare(finished, few)
        shares.append(read_result(finished, "scores", "compare")["abnormal"].tolist())
    assert shares[0] == shares[1]


def test_reference_postures_that_are_missing_are_told_of(finished: Study):
    shutil.rmtree(finished.results_folder / "reference")
    with pytest.raises(StudyError, match="deviate"):
        pipeline.compare(finished, FEW)


def test_unseen_subjects_are_classified_beside_baselines(compared: Study):
    table = read_result(compared, "classification", "compare")
    assert list(table["features"][:2]) == ["behaviour", "behaviour"]
    assert table["features"].str.startswith("baseline").sum() == 3
    assert table["auc"].between(0, 1).all()
    assert (table["smallest_p"] == 0.25).all()
    classified = read_result(compared, "classified", "compare")
    assert classified.groupby(["features", "model"])["subject"].nunique().eq(6).all()
    clips = read_result(compared, "clips", "compare")
    assert set(clips["extreme"]) == {"highest", "lowest"}
    assert clips["frame"].between(0, 39).all()


def test_the_same_again_gives_the_same_bytes(compared: Study):
    before = {name: (compared.results_folder / f"{name}.csv").read_bytes() for name in TABLES}
    pipeline.compare(compared, FEW)
    for name, content in before.items():
        assert (compared.results_folder / f"{name}.csv").read_bytes() == content


def test_recordings_without_videos_have_no_part_in_the_baselines(finished: Study):
    (finished.cache_folder).rename(finished.folder / "gone")
    finished.recordings[0].path.unlink()
    problems = pipeline.compare(finished, FEW)
    assert [p.name for p in problems] == ["h01"]
    assert "It has no part in the baselines." in problems[0].message
    classified = read_result(finished, "classified", "compare")
    assert set(classified["features"]) == {"behaviour"}  # too few are left: two groups of two, which cannot be tried


def test_nuisances_that_separate_the_groups_are_found(finished: Study):
    recordings = [
        r.model_copy(update={"covariates": {"camera": "old" if r.group == "healthy" else "new"}})
        for r in finished.recordings
    ]
    finished.replace(recordings=recordings).save()
    pipeline.compare(Study.open(finished.folder), FEW.model_copy(update={"baselines": False}))
    table = read_result(finished, "nuisances", "compare").set_index("nuisance")
    assert table.loc["camera", "separation"] == 1
    assert table.loc["session", "note"] == "the same in all subjects"
    assert table.loc[["brightness", "size", "speed", "fps", "seconds"], "posture_separation"].notna().all()
    assert table.loc["brightness", "separation"] >= 0.5
    with pytest.raises(StudyError, match=r"no column 'lens'.*further columns are: camera"):
        pipeline.compare(Study.open(finished.folder), CompareSettings(nuisances="camera, lens"))


@pytest.mark.usefixtures("undrawn")
def test_sessions_are_compared_within_subjects_and_over_days(finished: Study):
    """Parts of a recording stand for a subject's days."""
    days = [
        r.model_copy(update={"name": f"{r.name}_{day}", "session": str(day), "start": 12 * day, "stop": 12 * day + 12})
        for r in finished.recordings
        for day in range(3)
    ]
    study = finished.replace(recordings=days)
    study.save()
    pipeline.embed(study)
    pipeline.deviate(study)
    assert pipeline.compare(study, FEW) == []
    sessions = read_result(study, "sessions", "compare")
    assert sessions[["group", "baseline", "session"]].to_numpy().tolist() == [
        [group, *pair] for group in ("healthy", "impaired") for pair in (("0", "1"), ("0", "2"), ("1", "2"))
    ]
    trends = read_result(study, "trends", "compare")
    assert trends[["group", "n_subjects", "n_sessions"]].to_numpy().tolist() == [["healthy", 3, 3], ["impaired", 2, 3]]
    recovery = read_result(study, "recovery", "compare")
    assert list(recovery["subject"]) == ["h01", "h02", "h03", "i01", "i02"]
    assert recovery[["baseline", "impaired_session", "last_session"]].astype(float).eq([0, 1, 2]).all(axis=None)
    page = pipeline.make_report(study).read_text()
    for heading in ("Sessions", "Trends over days", "Recovery"):
        assert f">{heading}</h2>" in page


def test_sessions_without_days_have_no_trend(finished: Study):
    twins = {"h02": "h01", "i02": "i01"}
    for name in ("recordings", "deviation"):
        path = finished.results_folder / f"{name}.csv"
        table = pd.read_csv(path)
        table["subject"] = table["subject"].replace(twins)
        if "session" in table:
            table["session"] = table["recording"].map(lambda name: "after" if name in twins else "before")
        table.to_csv(path, index=False)
    told = []
    pipeline.compare(finished, FEW.model_copy(update={"baselines": False}), report=told.append)
    assert any("'before' is no number" in progress.message for progress in told)
    last = [progress for progress in told if progress.stage == "predicting covariates"][-1]
    assert last.done == last.total > 0
    assert read_result(finished, "trends", "compare").empty
    assert len(read_result(finished, "sessions", "compare")) == 2


def test_on_and_off_are_told_apart_within_recordings(finished: Study, tmp_path: Path):
    table = tmp_path / "intervals.csv"
    rows = [f"{r.name},0,20,light" for r in finished.recordings]
    table.write_text("\n".join(["recording,start,stop,label", *rows]))
    pipeline.compare(finished, FEW.model_copy(update={"baselines": False, "intervals": str(table)}))
    found = read_result(finished, "intervals", "compare")
    assert found[["label", "n_on", "n_off"]].drop_duplicates().to_numpy().tolist() == [["light", 20, 20]]
    assert found[["auc_within", "auc_unseen"]].apply(lambda x: x.between(0, 1)).all(axis=None)
    assert read_result(finished, "intervals_overall", "compare")["n_subjects"].tolist() == [5]
    table.write_text("recording,start,stop,label\nh01,0,5,light\nh01,5,20,sound\nh01,20,40,off")
    pipeline.compare(finished, FEW.model_copy(update={"baselines": False, "intervals": str(table)}))
    found = read_result(finished, "intervals", "compare").set_index("label")
    assert found.loc["light", "note"] == "fewer than 10 frames on or off"
    assert found.loc["sound", ["n_on", "n_off"]].tolist() == [15, 20]


def test_mirror_images_are_further_examples_of_what_is_on(
    finished: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    table = tmp_path / "intervals.csv"
    rows = [f"{r.name},0,20,light" for r in finished.recordings]
    table.write_text("\n".join(["recording,start,stop,label", *rows]))
    settings = FEW.model_copy(update={"baselines": False, "intervals": str(table)})
    pipeline.compare(finished, settings)
    alone = read_result(finished, "intervals", "compare")
    mirrored = settings.model_copy(update={"mirror_intervals": True})
    with pytest.raises(StudyError, match=r"never shown mirror images.* --mirrored yes"):  # walkers are not symmetric
        pipeline.compare(finished, mirrored)
    monkeypatch.setattr(embedding, "load_config", lambda folder: {"mirrored": True})
    pipeline.compare(finished, mirrored)
    found = read_result(finished, "intervals", "compare")
    assert found[["subject", "n_on", "n_off"]].equals(alone[["subject", "n_on", "n_off"]])
    assert not found["auc_within"].equals(alone["auc_within"])


def test_covariates_are_predicted_and_unknown_ones_are_an_error(finished: Study):
    settings = FEW.model_copy(update={"baselines": False})
    pipeline.compare(finished, settings)
    row = read_result(finished, "covariates", "compare").iloc[0]
    assert (row["covariate"], row["note"]) == ("severity", "it is known of fewer than 6 subjects")
    with pytest.raises(StudyError, match=r"covariate 'age'. .*columns are: severity"):
        pipeline.compare(finished, settings.model_copy(update={"covariates": "age"}))
