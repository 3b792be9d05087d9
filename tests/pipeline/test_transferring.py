from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_ubam import pipeline
from napari_ubam.errors import ModelError, StudyError
from napari_ubam.settings import TransferSettings
from napari_ubam.study import Study, load_crops

SETTINGS = TransferSettings(n_postures=3, device="cpu")


@pytest.fixture(scope="module")
def cohort(finished_cohort: Path) -> Study:
    return Study.open(finished_cohort / "study")


def test_postures_of_several_recordings_are_drawn_on_several(cohort: Study):
    made = pipeline.transfer(cohort, ["h01", "i01"], ["h02", "i02"], SETTINGS)
    assert made.captions == [f"{name}, frame {t}" for name in ("h01", "i01") for t in (6, 20, 33)]
    assert made.names == ["h02", "i02"]
    crops = load_crops(cohort, cohort.recording("i01"))
    np.testing.assert_array_equal(made.postures[4], crops.frames[20])
    assert made.drawn.shape == made.added.shape == (2, 6, 64, 64, 3)
    assert made.drawn.dtype == made.added.dtype == np.uint8


def test_its_own_posture_is_drawn_as_the_frame_itself(cohort: Study):
    made = pipeline.transfer(cohort, ["h01"], ["h01"], SETTINGS, frames=[3, 17])
    np.testing.assert_array_equal(made.drawn[0], made.postures)
    assert np.abs(made.added[0].astype(int) - made.postures).max() <= 1


def test_a_mirrored_recording_is_shown_as_the_networks_see_it(cohort: Study, tmp_path: Path):
    plain = cohort.recording("h01")
    other = plain.model_copy(update={"name": "back", "subject": "back", "side": "left"})
    settings = cohort.settings.model_copy(update={"mirror_to": "right"})
    study = Study.create(tmp_path / "study", [plain, other], "healthy", settings)
    study.models_folder.symlink_to(cohort.models_folder, target_is_directory=True)
    assert pipeline.embed(study) == []
    made = pipeline.transfer(study, ["back"], ["back"], SETTINGS)
    np.testing.assert_array_equal(made.drawn[0], made.postures)
    straight = pipeline.transfer(study, ["h01"], ["h01"], SETTINGS)
    np.testing.assert_array_equal(made.drawn[0][:, :, ::-1], straight.drawn[0])


def test_the_grid_is_written(cohort: Study, tmp_path: Path):
    pipeline.save_transfer(cohort, ["h01"], ["i01"], tmp_path / "grid.png", SETTINGS)
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.width > picture.height > 600


def test_what_cannot_be_drawn_is_told(finished: Study, tmp_path: Path):
    with pytest.raises(StudyError, match="h01 has no frame 40; it has frames 0 to 39"):
        pipeline.transfer(finished, ["h01"], ["i01"], SETTINGS, frames=[3, 40])
    with pytest.raises(StudyError, match="no recording 'nobody'"):
        pipeline.transfer(finished, ["h01"], ["nobody"], SETTINGS)
    with pytest.raises(StudyError, match="at least one"):
        pipeline.transfer(finished, [], ["i01"], SETTINGS)
    with pytest.raises(StudyError, match=r"grid\.jpg .*\.png"):
        pipeline.save_transfer(finished, ["h01"], ["i01"], tmp_path / "grid.jpg", SETTINGS)
    (finished.models_folder / "generator" / "config.json").unlink()
    with pytest.raises(ModelError):
        pipeline.transfer(finished, ["h01"], ["i01"], SETTINGS)
