"""The tour that takes the pictures of the README and the guide."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TOUR = Path(__file__).parents[1] / "tools" / "tour.py"
STOPS = {"study", "train", "embedding", "ethogram", "video", "magnify", "compare_groups", "export_video"}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_tour_goes_through_all_widgets(finished, tmp_path):
    before = {path: path.read_bytes() for path in finished.folder.rglob("*.*") if path.is_file()}
    command = [sys.executable, TOUR, finished.folder, tmp_path / "pictures", "--size", "1100x700", "--pause", "0.3"]
    settings = os.environ | {"NAPARI_CONFIG": str(tmp_path / "settings.yaml")}
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=560, check=False)
    assert done.returncode == 0, done.stderr
    pictures = {path.stem: np.asarray(Image.open(path).convert("RGB")) for path in (tmp_path / "pictures").iterdir()}
    assert set(pictures) == STOPS
    assert all(picture.std() > 10 for picture in pictures.values())  # not an empty window
    assert len({picture.tobytes() for picture in pictures.values()}) == len(STOPS)
    changed = [path for path, content in before.items() if path.read_bytes() != content]
    assert not changed
