from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_ubam import pipeline
from napari_ubam.errors import StudyError
from napari_ubam.pipeline.phasing import over_phases
from napari_ubam.progress import silent
from napari_ubam.settings import CompareSettings
from napari_ubam.study import Study, embedding_path, read_embedding, read_result, write_embedding

FEW = CompareSettings(n_permutations=100, n_shuffles=0, baselines=False, n_phases=5)


def put_cycles(study: Study, names: str) -> None:
    """Let the postures of some recordings go round every 10 frames, those of the others be noise."""
    rng = np.random.default_rng(0)
    for recording in study.recordings:
        embedding = read_embedding(study, recording.name)
        phase = 2 * np.pi * (np.arange(40) / 10 + rng.random())
        posture = rng.normal(0, 0.05, embedding.posture.shape)
        if recording.name in names.split():
            posture[:, 0] += np.cos(phase)
            posture[:, 1] += 0.5 * np.sin(phase)
        write_embedding(study, recording.name, replace(embedding, posture=posture), {"fps": 30.0})


def test_subjects_are_compared_at_every_part_of_the_cycle(finished: Study):
    put_cycles(finished, "h01 h02 h03 i01")
    assert pipeline.compare(finished, FEW) == []
    phases, cycles = read_result(finished, "phases", "compare"), read_result(finished, "cycles", "compare")
    assert list(phases["subject"].unique()) == ["h01", "h02", "h03", "i01"]
    assert (phases.groupby("subject")["phase"].nunique() == 5).all()
    assert phases.groupby("subject")["n_frames"].sum().max() <= 40
    cycles = cycles.set_index("recording")
    assert cycles.loc[["h01", "h02", "h03", "i01"], "period"].between(0.3, 0.37).all()  # 10 frames at 30 a second
    assert cycles.loc["i02", "note"] == "its movement does not repeat itself"
    page = pipeline.make_report(finished).read_text()
    assert "Deviation over the cycle</h2>" in page
    assert "Left out: i02, for its movement does not repeat itself." in page
    assert (finished.results_folder / "figures" / "deviation_over_the_cycle.svg").exists()


@pytest.mark.usefixtures("undrawn")
def test_where_nobody_moves_periodically_there_are_no_phases(finished: Study):
    put_cycles(finished, "")
    pipeline.compare(finished, FEW)
    assert read_result(finished, "phases", "compare").empty
    assert read_result(finished, "cycles", "compare")["note"].notna().all()
    assert "Deviation over the cycle" not in pipeline.make_report(finished).read_text()


def test_a_missing_embedding_is_told(finished: Study):
    frames, recordings = (read_result(finished, name, "deviate") for name in ("deviation", "recordings"))
    embedding_path(finished, "h02").rename(finished.folder / "gone")
    with pytest.raises(StudyError, match="h02 has no embedding yet"):
        over_phases(finished, frames, recordings, 10, silent)
