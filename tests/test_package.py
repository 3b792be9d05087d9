import subprocess
import sys
from pathlib import Path

import pytest
from npe2 import PluginManifest
from packaging.version import Version

import napari_ubam

ROOT = Path(__file__).resolve().parents[1]


def test_importing_the_package_loads_neither_torch_nor_qt_nor_napari():
    heavy = "{'torch', 'lightning', 'napari', 'magicgui', 'qtpy', 'PyQt6', 'PySide6', 'av', 'cv2'}"
    code = f"import sys, napari_ubam; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_version_is_one_that_pip_understands():
    assert Version(napari_ubam.__version__) >= Version("0.1.0.dev0")


def test_public_names_can_be_had_and_others_cannot():
    for name in napari_ubam.__all__:
        assert getattr(napari_ubam, name) is not None
    assert set(dir(napari_ubam)) >= {"Study", "Recording", "__version__"}
    assert not hasattr(napari_ubam, "no_such_name")


def test_manifest_is_found_by_npe2_and_every_command_can_be_imported():
    manifest = PluginManifest.from_distribution("napari-ubam")
    manifest.validate_imports()
    assert manifest.name == "napari-ubam"


@pytest.mark.skipif(sys.platform == "win32", reason="git makes no symbolic links on Windows")
def test_manifest_at_the_root_is_the_packaged_one():
    assert (ROOT / "napari.yaml").read_text() == (ROOT / "src/napari_ubam/napari.yaml").read_text()


def test_a_step_that_needs_no_torch_does_not_load_it():
    code = "import sys; from napari_ubam.pipeline import lay_out; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
