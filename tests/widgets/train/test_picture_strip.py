import os

import numpy as np
import pytest
from PIL import Image

from napari_ubam.widgets.train.picture_strip import PictureStrip


@pytest.fixture
def strip(qtbot):
    strip = PictureStrip()
    qtbot.addWidget(strip)
    yield strip
    strip.close_thread()


def draw(folder, name, when):
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.png"
    Image.fromarray(np.full((30, 60, 3), when, np.uint8)).save(path)
    os.utime(path, (when, when))


def test_the_strip_grows_in_the_order_in_which_pictures_were_drawn(qtbot, strip, tmp_path):
    draw(tmp_path / "a", "posture_000050", 20)
    draw(tmp_path / "a", "posture_000010", 10)
    strip.look(tmp_path / "a")
    qtbot.waitUntil(lambda: strip.names == ["posture_000010", "posture_000050"], timeout=60_000)
    draw(tmp_path / "a", "generator_000010", 30)
    strip.look(tmp_path / "a")
    qtbot.waitUntil(lambda: strip.names[2:] == ["generator_000010"], timeout=60_000)
    assert not strip.isHidden()
    assert strip.row.count() == 4  # and the stretch


def test_another_folder_takes_its_place_and_none_hides_it(qtbot, strip, tmp_path):
    draw(tmp_path / "a", "posture_000010", 10)
    draw(tmp_path / "b", "posture_000020", 10)
    strip.look(tmp_path / "a")
    strip.look(tmp_path / "b")  # before the first one was read
    qtbot.waitUntil(lambda: strip.names == ["posture_000020"], timeout=60_000)
    strip.look(None)
    assert (strip.names, strip.isHidden()) == ([], True)


def test_what_is_no_picture_is_passed_over(qtbot, strip, tmp_path):
    draw(tmp_path / "a", "posture_000010", 10)
    (tmp_path / "a" / "posture_000020.png").write_text("half a file")
    strip.look(tmp_path / "a")
    qtbot.waitUntil(lambda: strip.names == ["posture_000010"], timeout=60_000)
    strip.look(tmp_path / "gone")
    qtbot.waitUntil(strip.isHidden, timeout=60_000)
