"""The sample cohort as layers: what *File > Open Sample* calls."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_ubam.sample.cohort import make_cohort

if TYPE_CHECKING:
    from napari.types import LayerData

_SPACING = 1.04  # of the recordings in the viewer, in pictures


def cohort_layers() -> list[LayerData]:
    """Render two healthy and two impaired subjects, side by side.

    Returns
    -------
    list of LayerData
        One RGB Image layer (T, Y, X, 3) a subject; its metadata under ``"ubam"`` say subject, group and fps.
    """
    recordings = make_cohort()
    columns = math.isqrt(len(recordings))
    layers: list[LayerData] = []
    for i, recording in enumerate(recordings):
        row, column = divmod(i, columns)
        _, height, width, _ = recording.frames.shape
        attributes = {
            "name": f"{recording.subject} ({recording.group})",
            "rgb": True,
            "translate": (0, row * height * _SPACING, column * width * _SPACING),
            "metadata": {
                "ubam": {"subject": recording.subject, "group": recording.group, "fps": recording.fps},
            },
        }
        layers.append((recording.frames, attributes, "image"))
    return layers
