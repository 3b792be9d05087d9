import errno
import os
from pathlib import Path

import pytest

from napari_ubam.errors import UbamError
from napari_ubam.files import atomic_path, clear_errors, write_text


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_file_is_written_with_its_parents(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "note.txt", "β\n")
    assert (tmp_path / "a" / "b" / "note.txt").read_bytes() == "β\n".encode()
    assert names(tmp_path / "a" / "b") == ["note.txt"]


def test_the_temporary_name_lies_beside_and_keeps_the_suffix(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "clip.mkv") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".mkv"
        assert temporary.name.startswith(".")
        temporary.write_bytes(b"1")
    assert names(tmp_path) == ["clip.mkv"]


def test_an_error_keeps_the_old_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_text(path, "old")

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half of the n")
            raise KeyError("broken")

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["table.csv"]


def write_folder(path: Path, text: str, fail: bool = False) -> None:
    with atomic_path(path) as temporary:
        temporary.mkdir()
        (temporary / "x").write_text(text)
        if fail:
            raise KeyboardInterrupt


def test_a_folder_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    write_folder(tmp_path / "codes.zarr", "old")
    write_folder(tmp_path / "codes.zarr", "new")
    assert (tmp_path / "codes.zarr" / "x").read_text() == "new"
    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "codes.zarr", "newer", fail=True)
    assert (tmp_path / "codes.zarr" / "x").read_text() == "new"
    assert names(tmp_path) == ["codes.zarr"]


@pytest.mark.parametrize("below", ["note.txt", "deeper/note.txt"])
def test_a_file_where_a_folder_should_be(below: str, tmp_path: Path) -> None:
    (tmp_path / "study").write_text("a file")
    with pytest.raises(UbamError, match=r"note\.txt cannot be written.*another name or folder"):
        write_text(tmp_path / "study" / below, "x")
    assert (tmp_path / "study").read_text() == "a file"


def test_a_folder_where_a_file_should_be(tmp_path: Path) -> None:
    (tmp_path / "note.txt" / "in it").mkdir(parents=True)
    with pytest.raises(UbamError, match=r"note\.txt cannot be written"):
        write_text(tmp_path / "note.txt", "x")
    assert names(tmp_path) == ["note.txt"]


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(UbamError, match="cannot be written"):
        write_text(tmp_path / ("x" * 300 + ".txt"), "x")


@pytest.mark.skipif(os.name == "nt", reason="folders have no such mode on Windows")
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(UbamError, match="a folder that you may write to"):
        write_text(tmp_path / "locked" / "note.txt", "x")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "The disk is full: .*results.csv was not written"),
        (errno.EDQUOT, "The disk is full"),
        (errno.EROFS, "results.csv cannot be written: .*a folder that you may write to"),
    ],
)
def test_a_disk_that_cannot_take_more_says_so_and_what_to_do(code: int, words: str, tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    write_text(path, "old")

    def fill() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("ne")
            raise OSError(code, os.strerror(code))

    with pytest.raises(UbamError, match=words):
        fill()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["results.csv"]


def test_errors_of_other_kinds_stay_what_they_are() -> None:
    with pytest.raises(FileNotFoundError), clear_errors("x"):
        raise FileNotFoundError(errno.ENOENT, "gone")
