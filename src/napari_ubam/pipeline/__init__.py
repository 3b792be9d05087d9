"""The steps in order, each a function of a study.

Every step takes its settings object and a ``report`` callback, writes its files atomically, and returns
the recordings that it had to leave out. A step is imported when it is first used: some need no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_ubam.pipeline.checking import check_magnification
    from napari_ubam.pipeline.clustering import cluster
    from napari_ubam.pipeline.comparing import compare
    from napari_ubam.pipeline.drawing import Magnifier
    from napari_ubam.pipeline.embedding import embed
    from napari_ubam.pipeline.exporting import FileLayer, export
    from napari_ubam.pipeline.learning import init, train
    from napari_ubam.pipeline.magnifying import magnify, save_magnified
    from napari_ubam.pipeline.mapping import lay_out
    from napari_ubam.pipeline.measuring import deviate
    from napari_ubam.pipeline.posing import keypoints
    from napari_ubam.pipeline.reporting import make_report
    from napari_ubam.pipeline.transferring import save_transfer, transfer
    from napari_ubam.study.track import track

_PUBLIC = {
    "FileLayer": "napari_ubam.pipeline.exporting",
    "Magnifier": "napari_ubam.pipeline.drawing",
    "check_magnification": "napari_ubam.pipeline.checking",
    "cluster": "napari_ubam.pipeline.clustering",
    "compare": "napari_ubam.pipeline.comparing",
    "deviate": "napari_ubam.pipeline.measuring",
    "embed": "napari_ubam.pipeline.embedding",
    "export": "napari_ubam.pipeline.exporting",
    "init": "napari_ubam.pipeline.learning",
    "keypoints": "napari_ubam.pipeline.posing",
    "lay_out": "napari_ubam.pipeline.mapping",
    "magnify": "napari_ubam.pipeline.magnifying",
    "make_report": "napari_ubam.pipeline.reporting",
    "save_magnified": "napari_ubam.pipeline.magnifying",
    "save_transfer": "napari_ubam.pipeline.transferring",
    "track": "napari_ubam.study.track",
    "train": "napari_ubam.pipeline.learning",
    "transfer": "napari_ubam.pipeline.transferring",
}
__all__ = [
    "FileLayer",
    "Magnifier",
    "check_magnification",
    "cluster",
    "compare",
    "deviate",
    "embed",
    "export",
    "init",
    "keypoints",
    "lay_out",
    "magnify",
    "make_report",
    "save_magnified",
    "save_transfer",
    "track",
    "train",
    "transfer",
]


def __getattr__(name: str) -> Any:
    """Import a step on first use (PEP 562)."""
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
