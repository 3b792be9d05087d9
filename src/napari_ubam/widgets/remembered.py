"""What is remembered from one start of napari to the next, kept by napari beside its own settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari.settings import get_plugin_settings


def last_study() -> Path | None:
    """Give the folder of the study that was open last, if it is there still."""
    settings = _settings()
    folder = Path(settings.study.last) if settings is not None and settings.study.last else None
    return folder if folder is not None and (folder / "study.toml").is_file() else None


def remember_study(folder: Path) -> None:
    """Remember that this study was open last."""
    settings = _settings()
    if settings is not None and settings.study.last != str(folder):
        settings.study.last = str(folder)


def _settings() -> Any:
    """Give our settings; None where napari does not know the plugin, such as when the widget is used by a script."""
    try:
        return get_plugin_settings("napari-ubam")
    except KeyError:
        return None
