"""The steps in order, each a function of a study.

Every step takes its settings object and a ``report`` callback, writes its files atomically, and returns
the recordings that it had to leave out.
"""

from napari_ubam.pipeline.checking import check_magnification
from napari_ubam.pipeline.comparing import compare
from napari_ubam.pipeline.drawing import Magnifier
from napari_ubam.pipeline.embedding import embed
from napari_ubam.pipeline.learning import init, train
from napari_ubam.pipeline.magnifying import magnify, save_magnified
from napari_ubam.pipeline.mapping import lay_out
from napari_ubam.pipeline.measuring import deviate
from napari_ubam.pipeline.posing import keypoints
from napari_ubam.pipeline.reporting import make_report
from napari_ubam.pipeline.transferring import save_transfer, transfer
from napari_ubam.study.track import track

__all__ = [
    "Magnifier",
    "check_magnification",
    "compare",
    "deviate",
    "embed",
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
