from pathlib import Path

from napari_ubam.study import Recording
from napari_ubam.study.locating import moved_alike, with_files_at


def touched(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_files_of_a_folder_that_moved_are_found(tmp_path: Path):
    new = [touched(tmp_path / "disk" / "videos" / name) for name in ("day1/a.mp4", "day1/b.mp4", "day2/c.mp4")]
    old = [Path("/lab/videos/day1/a.mp4"), Path("/lab/videos/day1/b.mp4"), Path("/lab/videos/day2/c.mp4")]
    gone = Path("/lab/videos/day2/gone.mp4")
    elsewhere = Path("/other/videos/day1/b.mp4")
    assert moved_alike(old[0], new[0], [old[1], old[2], gone, elsewhere]) == {old[1]: new[1], old[2]: new[2]}


def test_a_file_that_was_renamed_says_nothing_of_others(tmp_path: Path):
    new = touched(tmp_path / "new.mp4")
    touched(tmp_path / "b.mp4")
    assert moved_alike(Path("/lab/a.mp4"), new, [Path("/lab/b.mp4")]) == {}


def test_all_recordings_of_a_file_follow_it(tmp_path: Path):
    both = [Recording(name=n, path=Path("/lab/pair.mp4"), subject=n, group="g") for n in "ab"]
    other = Recording(name="c", path=Path("/lab/c.mp4"), subject="c", group="g")
    table = with_files_at([*both, other], {Path("/lab/pair.mp4"): tmp_path / "x" / ".." / "pair.mp4"})
    assert [x.path for x in table] == [tmp_path / "pair.mp4", tmp_path / "pair.mp4", other.path]
