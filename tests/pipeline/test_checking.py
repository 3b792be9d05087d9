import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_ubam import pipeline
from napari_ubam.errors import ModelError, StudyError
from napari_ubam.pipeline.checking import MEASURES
from napari_ubam.progress import Cancelled, Progress
from napari_ubam.settings import CheckSettings
from napari_ubam.study import Study, read_result

FEW = CheckSettings(n_frames=8, n_shuffles=2, device="cpu")


def checked(study: Study, settings: CheckSettings = FEW) -> tuple[pd.DataFrame, pd.DataFrame]:
    assert pipeline.check_magnification(study, settings) == []
    return read_result(study, "magnification", "check"), read_result(study, "magnification_groups", "check")


def test_every_subject_and_group_is_measured(finished: Study):
    subjects, groups = checked(finished)
    assert list(subjects) == ["subject", "group", "important", "threshold", *(m for m in MEASURES if m != "important")]
    assert list(subjects["subject"]) == ["h01", "h02", "h03", "i01", "i02"]
    assert np.isfinite(subjects[list(MEASURES)]).all(axis=None)
    assert (subjects[["inside", "outside"]] >= 0).all(axis=None)
    shares = [m for m in MEASURES if m not in ("inside", "outside")]
    assert ((subjects[shares] >= 0) & (subjects[shares] <= 100)).all(axis=None)
    assert list(groups) == ["group", "measure", "n", "mean", "low", "high", "shuffled"]
    assert len(groups) == 2 * len(MEASURES)
    means = groups.set_index(["group", "measure"])["mean"]
    for measure in MEASURES:
        own = subjects.loc[subjects["group"] == "impaired", measure].mean()
        assert means["impaired", measure] == pytest.approx(own, rel=1e-4)
    run = json.loads((finished.results_folder / "run.json").read_text())
    assert {name: run["check"][name] for name in FEW.model_dump()} == FEW.model_dump()


def test_factor_1_changes_nothing(finished: Study):
    """Frames are encoded from their own pixels on both sides, so that none may differ."""
    subjects, _ = checked(finished, FEW.model_copy(update={"factor": 1.0}))
    assert (subjects[["inside", "outside"]] == 0).all(axis=None)
    for encoder in ("posture", "pixels"):
        np.testing.assert_array_equal(subjects[f"{encoder}_before"], subjects[f"{encoder}_after"])


def test_a_larger_factor_changes_more(finished: Study):
    small, large = (checked(finished, FEW.model_copy(update={"factor": f}))[0] for f in (1.5, 4.0))
    changed = large["inside"] > 0  # who deviates no more than is normal is left alone at any factor
    assert changed.sum() >= 3
    assert (large["inside"] > small["inside"])[changed].all()
    assert (small["inside"][~changed] == 0).all()
    np.testing.assert_array_equal(large["posture_before"], small["posture_before"])


def test_the_same_again_is_the_same(finished: Study):
    for one, two in zip(checked(finished), checked(finished), strict=True):
        pd.testing.assert_frame_equal(one, two)


@pytest.mark.usefixtures("undrawn")
def test_the_report_shows_it_as_long_as_it_is_current(finished: Study):
    title = "Abnormal frames before and after magnification"
    assert title not in pipeline.make_report(finished).read_text(encoding="utf-8")
    checked(finished)
    page = pipeline.make_report(finished).read_text(encoding="utf-8")
    assert title in page
    assert "What magnifying changes" in page
    table = pd.read_csv(finished.results_folder / "deviation.csv")
    table.assign(deviation=table["deviation"] + 1).to_csv(finished.results_folder / "deviation.csv", index=False)
    assert title not in pipeline.make_report(finished).read_text(encoding="utf-8")


def test_progress_is_told_and_cancelling_leaves_older_results(finished: Study):
    checked(finished)
    path = finished.results_folder / "magnification.csv"
    before = path.read_bytes()
    told: list[Progress] = []

    def stop(progress: Progress) -> None:
        told.append(progress)
        if progress.stage == "magnifying frames of h02":
            raise Cancelled

    with pytest.raises(Cancelled):
        pipeline.check_magnification(finished, FEW.model_copy(update={"factor": 4.0}), report=stop)
    assert path.read_bytes() == before
    assert {"magnifying frames", "magnifying frames of h01"} <= {p.stage for p in told}


def test_a_missing_video_is_left_out(finished: Study):
    finished.recording("h02").path.unlink()
    problems = pipeline.check_magnification(finished, FEW)
    assert [p.name for p in problems] == ["h02"]
    assert "h02.mkv" in problems[0].message
    assert list(read_result(finished, "magnification", "check")["subject"]) == ["h01", "h03", "i01", "i02"]


def test_too_few_reference_subjects(finished: Study):
    for name in ("h01", "h02"):
        finished.recording(name).path.unlink()
    with pytest.raises(StudyError, match=r"Only 1 reference subject.* at least 2.*h01\.mkv"):
        pipeline.check_magnification(finished, FEW)
    assert not (finished.results_folder / "magnification.csv").exists()


@pytest.mark.parametrize(
    ("missing", "error", "said"),
    [
        (lambda s: s.results_folder / "deviation.csv", StudyError, "napari-ubam deviate"),
        (lambda s: s.models_folder / "posture" / "config.json", ModelError, "napari-ubam train"),
    ],
)
def test_steps_that_come_before(
    finished: Study, missing: Callable[[Study], Path], error: type[Exception], said: str
):  # fmt: skip
    missing(finished).unlink()
    with pytest.raises(error, match=f"{said} {re.escape(str(finished.folder))}"):
        pipeline.check_magnification(finished, FEW)
