import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from napari_ubam.errors import Problem
from napari_ubam.pipeline import reading
from napari_ubam.pipeline.reading import none_read, read_crops
from napari_ubam.progress import Cancelled, Progress
from napari_ubam.settings import StudySettings
from napari_ubam.study import Recording, Study
from napari_ubam.video import write_video


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "walk.mkv"
    write_video(path, np.random.default_rng(0).integers(0, 255, (12, 48, 64, 3), dtype=np.uint8), 25)
    return path


@pytest.fixture
def study(tmp_path: Path, video: Path) -> Study:
    """Give a study of three recordings, of which the second has no video."""
    paths = {"one": video, "two": tmp_path / "gone.mkv", "three": video}
    recordings = tuple(Recording(name=n, path=p, subject=n, group="healthy") for n, p in paths.items())
    return Study(tmp_path / "study", StudySettings(crop_size=32), "healthy", recordings)


def test_those_that_can_be_read_come_in_order_and_the_others_are_told(study: Study):
    problems: list[Problem] = []
    found = [(recording.name, len(crops.frames)) for recording, crops in read_crops(study, study.recordings, problems)]
    assert found == [("one", 12), ("three", 12)]
    assert [p.name for p in problems] == ["two"]
    assert "gone.mkv is missing" in str(none_read(study, problems))


def test_the_next_is_decoded_while_one_is_used_and_says_nothing_of_it(study: Study, monkeypatch: pytest.MonkeyPatch):
    """Else two steps would show their progress in one bar, by turns."""
    load, decoded = reading.load_crops, threading.Event()
    using: list[str] = []
    told: list[tuple[str, list[str]]] = []

    def watched(study: Study, recording: Recording, report):
        crops = load(study, recording, report)
        if recording.name == "three":
            decoded.set()
        return crops

    monkeypatch.setattr(reading, "load_crops", watched)
    order = [study.recording(name) for name in ("one", "three", "two")]
    for recording, _ in read_crops(study, order, [], lambda p: told.append((p.stage, list(using)))):
        using.append(recording.name)
        if recording.name == "one":
            assert decoded.wait(10)
        using.clear()
    assert ("reading one", []) in told
    assert not any(while_used for _, while_used in told)


def test_what_is_wrong_with_a_video_is_always_told(study: Study, video: Path):
    content = video.read_bytes()
    video.write_bytes(content[: int(len(content) * 0.6)])
    told: list[Progress] = []
    for _ in read_crops(study, study.recordings, [], told.append):
        pass
    assert [str(video) in p.message for p in told if p.message] == [True, True]


def test_left_early_it_leaves_nothing_half_decoded(study: Study):
    with closing(read_crops(study, study.recordings, [])) as found:
        next(found)
    assert all(path.name in ("one", "three") for path in study.cache_folder.iterdir())


def test_it_can_be_cancelled(study: Study):
    def cancel(progress: Progress) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        next(read_crops(study, study.recordings, [], cancel))
    assert list(study.cache_folder.iterdir()) == []
