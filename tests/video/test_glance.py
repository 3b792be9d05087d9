from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_ubam.errors import VideoError
from napari_ubam.video import open_frames, write_video
from napari_ubam.video.glance import glance

FRAMES = np.random.default_rng(0).integers(0, 255, (25, 32, 48, 3), dtype=np.uint8)


def test_length_rate_and_first_frame_of_a_video(tmp_path: Path):
    write_video(tmp_path / "a.mp4", FRAMES, 12.5)
    seen = glance(tmp_path / "a.mp4")
    assert seen.length == pytest.approx(25, abs=1)
    assert seen.fps == pytest.approx(12.5)
    assert np.array_equal(seen.picture, open_frames(tmp_path / "a.mp4")[0])


def test_stacks_are_looked_at_as_well(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", FRAMES, photometric="rgb")
    seen = glance(tmp_path / "a.tif")
    assert (seen.length, seen.fps) == (25, 0)
    assert np.array_equal(seen.picture, FRAMES[0])


@pytest.mark.parametrize("name", ["a.mp4", "a.tif"])
def test_what_cannot_be_read_is_an_error(name: str, tmp_path: Path):
    (tmp_path / name).write_text("nothing of the kind")
    with pytest.raises(VideoError, match="a\\."):
        glance(tmp_path / name)
    with pytest.raises(VideoError, match="gone"):
        glance(tmp_path / f"gone_{name}")
