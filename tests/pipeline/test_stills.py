import base64
import io
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_ubam import pipeline
from napari_ubam.pipeline.stills import choose_subjects, draw_stills
from napari_ubam.settings import ReportSettings
from napari_ubam.study import Study, read_result
from napari_ubam.video import open_frames

SUBJECTS = pd.DataFrame(
    {"subject": ["h1", "h2", "a1", "b1", "b2"], "group": ["healthy", "healthy", "a", "b", "b"],
     "deviation": [1.0, 1.2, 3.0, 2.0, 0.5]}
)  # fmt: skip


@pytest.mark.parametrize(("n", "chosen"), [(0, []), (2, ["a1", "b1", "h2"]), (9, ["a1", "b1", "b2", "h2"])])
def test_those_who_deviate_most_are_shown_and_one_of_the_reference_group(n, chosen):
    assert choose_subjects(SUBJECTS, "healthy", n) == chosen


def tables(study: Study) -> tuple[pd.DataFrame, pd.DataFrame]:
    return read_result(study, "subjects", "deviate"), read_result(study, "deviation", "deviate")


def pictures_of(page: str) -> list[np.ndarray]:
    found = re.findall(r'data:image/jpeg;base64,([^"]+)"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(x)))) for x in found]


def test_a_still_shows_the_frame_that_deviates_most(finished):
    subjects, frames = tables(finished)
    stills, problems = draw_stills(finished, subjects, frames, ReportSettings(n_stills=1, device="cpu"))
    assert not problems
    assert len(stills) == 2
    own = frames[(frames["group"] == "impaired") & frames["reliable"]]
    most = subjects[subjects["group"] == "impaired"].sort_values("deviation").iloc[-1]["subject"]
    own = own[own["subject"] == most]
    worst = own.loc[own["deviation"].idxmax()]
    assert stills[0].caption.startswith(f"{most} (impaired), {worst['recording']}, frame {worst['frame']} at ")
    assert "frames of healthy subjects" in stills[0].caption
    assert "frames of other healthy subjects" in stills[1].caption
    with open_frames(finished.recording(worst["recording"]).path) as video:
        (frame,) = video.read([int(worst["frame"])])
    shown = stills[0].picture
    part = shown[shown.shape[0] // 2 :, : shown.shape[1] // 3]
    assert abs(float(np.median(part)) - float(np.median(frame[len(frame) // 2 :]))) < 40


@pytest.mark.usefixtures("undrawn")
def test_a_recording_that_is_gone_is_told_and_the_report_is_written(finished):
    worst = tables(finished)[0].sort_values("deviation").query("group == 'impaired'").iloc[-1]["subject"]
    gone = next(r for r in finished.recordings if r.subject == worst)
    gone.path.unlink()
    page = pipeline.make_report(finished, ReportSettings(device="cpu")).read_text(encoding="utf-8")
    assert f"{gone.name} was left out: The video {gone.path} is missing" in page
    assert len(pictures_of(page)) == 2  # the other impaired one, and a healthy one


@pytest.mark.usefixtures("undrawn")
def test_no_pictures_of_subjects_on_request(finished):
    page = pipeline.make_report(finished, ReportSettings(n_stills=0)).read_text(encoding="utf-8")
    assert not pictures_of(page)
    assert ">Moments<" not in page


@pytest.mark.usefixtures("undrawn")
def test_people_are_shown_as_blocks_unless_faces_are_asked_for(finished):
    people = finished.replace(settings=finished.settings.model_copy(update={"people": True}))
    subjects, frames = tables(people)
    hidden, shown = (
        draw_stills(people, subjects, frames, ReportSettings(n_stills=1, device="cpu", show_faces=show))[0][0].picture
        for show in (False, True)
    )
    plain = draw_stills(finished, subjects, frames, ReportSettings(n_stills=1, device="cpu"))[0][0].picture
    np.testing.assert_array_equal(shown, plain)
    assert not np.array_equal(hidden, plain)
    page = pipeline.make_report(people, ReportSettings(device="cpu")).read_text(encoding="utf-8")
    assert "coarse blocks" in page
    assert "coarse blocks" not in pipeline.make_report(people, ReportSettings(show_faces=True)).read_text(
        encoding="utf-8"
    )


def test_figures_are_files_too_the_same_each_time(finished):
    folder = finished.results_folder / "figures"
    pipeline.make_report(finished, ReportSettings(n_stills=0))
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {"subjects.svg", "subjects.png", "deviation_over_time.svg", "map_of_postures.png"} <= set(first)
    assert b"<svg" in first["subjects.svg"]
    assert b">deviation from the reference posture<" in first["subjects.svg"]  # text that an editor can change
    pipeline.make_report(finished, ReportSettings(n_stills=0))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
