"""The dock widgets: each holds a form, starts a step of `napari_ubam.pipeline`, and shows its result.

A widget is imported when it is first used: opening one loads neither the others nor torch.
"""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "StudyWidget": "napari_ubam.widgets.study.study_widget",
    "TrainWidget": "napari_ubam.widgets.train.train_widget",
    "EmbeddingWidget": "napari_ubam.widgets.embedding.embedding_widget",
    "EthogramWidget": "napari_ubam.widgets.embedding.ethogram_widget",
    "MagnifyWidget": "napari_ubam.widgets.magnify.magnify_widget",
    "CompareWidget": "napari_ubam.widgets.groups.compare_widget",
    "TransferWidget": "napari_ubam.widgets.magnify.transfer_widget",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    """Import a widget on first use (PEP 562)."""
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
