import json
import shutil
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from napari_ubam.errors import StudyError
from napari_ubam.study import (
    Reference,
    Study,
    read_reference,
    read_result,
    read_run,
    record_run,
    write_reference,
    write_result,
)

MakeStudy = Callable[..., Study]


def reference(n: int = 5) -> Reference:
    rng = np.random.default_rng(0)
    return Reference(
        reference=rng.normal(size=(n, 4)).astype(np.float32),
        score=rng.uniform(size=n).astype(np.float32),
        frame=np.arange(7, 7 + n),
        parts=rng.uniform(size=(n, 2)).astype(np.float32),
        embedding="abc",
        reliable=np.arange(n) % 3 > 0,
        uncertainty=rng.uniform(size=n).astype(np.float32),
    )


def test_reference_comes_back_as_it_was(make_study: MakeStudy):
    study, written = make_study(), reference()
    write_reference(study, "walk", written)
    found = read_reference(study, "walk")
    for name in ("reference", "score", "frame", "parts", "reliable", "uncertainty"):
        np.testing.assert_array_equal(getattr(found, name), getattr(written, name))
        assert getattr(found, name).dtype == getattr(written, name).dtype
    assert found.embedding == "abc"


def test_reference_of_an_older_version_is_all_reliable(make_study: MakeStudy):
    study = make_study()
    write_reference(study, "walk", reference())
    for name in ("reliable", "uncertainty"):
        shutil.rmtree(study.results_folder / "reference" / "walk.zarr" / name)
    found = read_reference(study, "walk")
    np.testing.assert_array_equal(found.reliable, np.ones(5, bool))
    assert found.uncertainty is None


def test_newer_reference_takes_the_place_of_the_older(make_study: MakeStudy):
    study = make_study()
    write_reference(study, "walk", reference(9))
    write_reference(study, "walk", reference(3))
    assert len(read_reference(study, "walk").frame) == 3
    assert [p.name for p in (study.results_folder / "reference").iterdir()] == ["walk.zarr"]


def test_missing_reference_says_what_to_run(make_study: MakeStudy):
    study = make_study()
    with pytest.raises(StudyError, match=r"walk\.zarr is missing: .* Run: napari-ubam deviate"):
        read_reference(study, "walk")


@pytest.mark.parametrize("part", ["zarr.json", "score/zarr.json"])
@pytest.mark.parametrize("content", [None, "", "{}", "not json"])
def test_damaged_reference_says_what_to_run(make_study: MakeStudy, part: str, content: str | None):
    study = make_study()
    write_reference(study, "walk", reference())
    path = study.results_folder / "reference" / "walk.zarr" / part
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(StudyError, match=r"walk\.zarr cannot be read .* napari-ubam deviate"):
        read_reference(study, "walk")


def test_tables_keep_names_as_they_are(make_study: MakeStudy):
    """A subject may be called 007, 1e5 or NA."""
    names = ["007", "1e5", "NA", "nan", "True", "Müller, Jörg", " a"]
    table = pd.DataFrame({"subject": names, "group": "None", "deviation": np.linspace(0, 1, 7), "reliable": True})
    study = make_study()
    path = write_result(study, "subjects", table)
    assert path == study.results_folder / "subjects.csv"
    found = read_result(study, "subjects", "deviate")
    assert list(found["subject"]) == names
    assert list(found["group"]) == ["None"] * 7
    np.testing.assert_allclose(found["deviation"], table["deviation"], rtol=1e-5)
    assert found["reliable"].dtype == bool


def test_missing_numbers_stay_missing(make_study: MakeStudy):
    study = make_study()
    write_result(study, "groups", pd.DataFrame({"group": ["a"], "p_value": [np.nan], "auc": [0.5]}))
    assert read_result(study, "groups", "compare")["p_value"].isna().all()


def test_missing_table_says_what_to_run(make_study: MakeStudy):
    study = make_study()
    with pytest.raises(StudyError, match=r"groups\.csv is missing\. Make it with: napari-ubam compare .*study"):
        read_result(study, "groups", "compare")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00garbage", b'a,b\n"1,2\n'])
def test_damaged_table_says_what_to_run(make_study: MakeStudy, content: bytes):
    study = make_study()
    study.results_folder.mkdir(parents=True)
    (study.results_folder / "groups.csv").write_bytes(content)
    with pytest.raises(StudyError, match=r"groups\.csv cannot be read .* napari-ubam compare"):
        read_result(study, "groups", "compare")


def test_run_notes_every_step(make_study: MakeStudy):
    study = make_study()
    assert read_run(study) == {}
    record_run(study, "deviate", {"context": 0.3})
    record_run(study, "compare", {"seed": 0})
    record_run(study, "compare", {"seed": 1})
    run = json.loads((study.results_folder / "run.json").read_text())
    assert run == read_run(study)
    assert run["deviate"] == {"context": 0.3}
    assert run["compare"] == {"seed": 1}
    assert {"napari-ubam", "python", "torch", "numpy"} <= set(run["versions"])


@pytest.mark.parametrize("content", ["", "{", "[1]", "null"])
def test_damaged_run_is_begun_again(make_study: MakeStudy, content: str):
    study = make_study()
    study.results_folder.mkdir(parents=True)
    (study.results_folder / "run.json").write_text(content)
    record_run(study, "compare", {"seed": 1})
    assert read_run(study)["compare"] == {"seed": 1}


def test_no_text_of_a_table_is_a_formula(make_study: MakeStudy):
    """Spreadsheets would run it; what was written comes back as it was, commas, quotes and all."""
    study = make_study()
    names = ["=1+1", "+2", "-3", "@x", "'=1", "\t=1", 'a, "b"', "<script>", "plain", "it's"]
    table = pd.DataFrame({"subject": names, "deviation": np.linspace(-1, 1, 10), "=sum": "x"})
    path = write_result(study, "subjects", table)
    rows = path.read_text().splitlines()
    assert rows[0] == "subject,deviation,'=sum"
    assert [row[:2] for row in rows[1:6]] == ["'=", "'+", "'-", "'@", "''"]
    assert rows[1].split(",")[1] == "-1"  # numbers stay numbers
    pd.testing.assert_frame_equal(read_result(study, "subjects", "deviate"), table, check_dtype=False, rtol=1e-5)
