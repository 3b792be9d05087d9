import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_ubam.errors import TrainingError
from napari_ubam.training.process import FILE, marked, process_of

TRAIN = """
import sys
from pathlib import Path
from napari_ubam.training.process import marked
with marked(Path(sys.argv[1])):
    print("begun", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def other(tmp_path: Path):
    """Start another process that trains the study."""
    command = [sys.executable, "-c", TRAIN, str(tmp_path / "models")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    yield process
    process.kill()
    process.communicate()


def test_the_process_that_trains_is_found_as_long_as_it_does(other, tmp_path: Path):
    found = process_of(tmp_path / "models")
    assert found is not None
    assert found.pid == other.pid
    with pytest.raises(TrainingError, match=str(other.pid)), marked(tmp_path / "models"):
        pass
    other.communicate("\n")
    assert process_of(tmp_path / "models") is None
    assert not (tmp_path / "models").exists()  # nothing was trained


def test_one_that_was_killed_does_not_count(other, tmp_path: Path):
    other.kill()
    other.wait()
    assert process_of(tmp_path / "models") is None
    with marked(tmp_path / "models"):
        assert process_of(tmp_path / "models").pid == os.getpid()


@pytest.mark.parametrize(
    "text", ["no JSON", "{}", pytest.param(json.dumps({"pid": os.getpid(), "began": 1.0}), id="another's number")]
)
def test_what_says_nothing_of_a_living_process_does_not_count(text: str, tmp_path: Path):
    (tmp_path / FILE).write_text(text)
    assert process_of(tmp_path) is None


def test_models_stay(tmp_path: Path):
    (tmp_path / "posture").mkdir()
    with marked(tmp_path):
        assert (tmp_path / FILE).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["posture"]
