import cv2
import numpy as np
import pytest

from napari_ubam.errors import StudyError
from napari_ubam.progress import Cancelled
from napari_ubam.settings import StudySettings
from napari_ubam.study import Recording, Study, load_crops, track
from napari_ubam.study.boxes import read_boxes
from napari_ubam.video import write_video

N = 40


def disc(picture: np.ndarray, x: float, y: float) -> None:
    cv2.ellipse(picture, (round(x * 16), round(y * 16)), (10 * 16, 5 * 16), 0, 0, 360, (20, 20, 20), -1, cv2.LINE_AA, 4)


@pytest.fixture
def study(tmp_path):
    """A study of a video with one walker, one with two who belong to different groups, and one that is missing."""
    one, two = tmp_path / "one.mkv", tmp_path / "two.mkv"
    x = np.linspace(14, 114, N)
    for path, ys in ((one, (48,)), (two, (28, 68))):
        frames = []
        for t in range(N):
            frames.append(np.full((96, 128, 3), 160, np.uint8))
            for i, y in enumerate(ys):
                disc(frames[t], x[t] if i == 0 else x[-1 - t] - 4, y)
        write_video(path, frames, 25)
    rows = [
        ("one", one, "a", "healthy"),
        ("two_left", two, "b", "healthy"),
        ("two_right", two, "c", "impaired"),
        ("gone", tmp_path / "gone.mkv", "d", "impaired"),
    ]
    recordings = [Recording(name=n, path=p, subject=s, group=g) for n, p, s, g in rows]
    recordings[0] = recordings[0].model_copy(update={"x": 0, "y": 20, "width": 128, "height": 60})
    return Study.create(tmp_path / "study", recordings, "healthy", StudySettings(crop_size=32))


def middle(study, name):
    boxes = read_boxes(study.boxes_folder / f"{name}.csv")
    return boxes.box[:, :2] + boxes.box[:, 2:] / 2


def test_boxes_are_written_and_entered_into_the_table(study):
    tracked, problems = track(study)
    assert [problem.name for problem in problems] == ["gone"]
    assert "gone.mkv" in problems[0].message
    assert tracked == Study.open(study.folder)
    assert tracked.recording("one").boxes == study.boxes_folder / "one.csv"
    assert tracked.recording("one").region is None
    assert tracked.recording("gone").boxes is None
    np.testing.assert_allclose(
        middle(study, "one"), np.stack([np.linspace(14, 114, N) + 0.5, np.full(N, 48.5)], 1), atol=2
    )
    crops = load_crops(tracked, tracked.recording("one"))
    assert len(crops.frame) == N
    assert not crops.interpolated.any()
    spread = np.ptp([frame.mean((0, 2)).argmin() for frame in crops.frames])
    assert spread <= 4  # the subject stays where it is


def test_rows_of_one_video_are_its_subjects_from_left_to_right(study):
    tracked, _ = track(study, ["two_right", "two_left"])
    assert tracked.recording("one").boxes is None
    np.testing.assert_allclose(middle(study, "two_left")[:, 1], 28.5, atol=1)
    np.testing.assert_allclose(middle(study, "two_right")[:, 1], 68.5, atol=1)
    alone, _ = track(tracked, ["two_right"])  # again, and still as one of two
    np.testing.assert_allclose(middle(alone, "two_right")[:, 1], 68.5, atol=1)


def test_what_has_boxes_is_tracked_again_only_by_name(study):
    tracked, _ = track(study, ["one", "two_left", "two_right"])
    before = (study.boxes_folder / "one.csv").stat().st_mtime_ns
    again, problems = track(tracked)
    assert [problem.name for problem in problems] == ["gone"]
    assert again == tracked
    assert (study.boxes_folder / "one.csv").stat().st_mtime_ns == before
    complete = tracked.replace(recordings=tracked.recordings[:3])
    with pytest.raises(StudyError, match=r"have boxes already.*napari-ubam track .*study one"):
        track(complete)
    with pytest.raises(StudyError, match=r"no recording 'onne'\. Did you mean one"):
        track(study, ["onne"])


def test_what_was_tracked_before_it_was_cancelled_is_kept(study):
    def stop(progress):
        if "two.mkv" in progress.stage:
            raise Cancelled

    with pytest.raises(Cancelled):
        track(study, report=stop)
    assert {path.name for path in study.boxes_folder.iterdir()} == {"one.csv"}
    assert [r.boxes is not None for r in Study.open(study.folder).recordings] == [True, False, False, False]
