"""What all tests share: the real recordings, and a napari that leaves the user's settings alone."""

import contextlib
import os
from pathlib import Path

import pytest

os.environ["NAPARI_CONFIG"] = ""  # napari neither reads nor writes the user's settings; read when it is imported

with contextlib.suppress(ImportError):
    import qtpy  # noqa: F401  # first, so that pytest-qt takes the same binding where there are two


@pytest.fixture(scope="session")
def shared() -> Path:
    """Give the folder of real recordings, which lies beside the repository on some machines."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"the real recordings are not here: {folder} is missing")
    return folder
