from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_ubam.errors import VideoError
from napari_ubam.video import estimate_length, write_video

FRAMES = np.random.default_rng(0).integers(0, 255, (25, 32, 48, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_the_header_of_a_video_says_about_how_long_it_is(name: str, tmp_path: Path):
    write_video(tmp_path / name, FRAMES, 12.5)
    assert estimate_length(tmp_path / name) == pytest.approx(25, abs=1)


def test_stacks_and_folders_are_counted(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", FRAMES, photometric="rgb")
    (tmp_path / "images").mkdir()
    for t, frame in enumerate(FRAMES):
        Image.fromarray(frame).save(tmp_path / "images" / f"{t:03}.png")
    assert estimate_length(tmp_path / "a.tif") == 25
    assert estimate_length(tmp_path / "images") == 25


def test_what_cannot_be_read_is_an_error(tmp_path: Path):
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(VideoError, match=r"a\.mp4"):
        estimate_length(tmp_path / "a.mp4")
    with pytest.raises(VideoError, match="gone"):
        estimate_length(tmp_path / "gone.mkv")
