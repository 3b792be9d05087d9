"""Predicted keypoints as points over a recording's video."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex

from napari_ubam.widgets.layers import KEY, about

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_ubam.study import Recording
    from napari_ubam.study.keypoints import Keypoints

LAYER = "keypoints"
_COLOURS = [to_hex(colour) for colour in colormaps["tab20"].colors]  # type: ignore[attr-defined]


def show_keypoints(viewer: Viewer, recording: Recording, video: Layer, keypoints: Keypoints) -> Layer:
    """Show keypoints over a recording, in place of those that were shown until now.

    Parameters
    ----------
    viewer : napari.Viewer
        Where.
    recording : Recording
        Whose keypoints they are.
    video : napari.layers.Layer
        The layer that shows it (T, Y, X).
    keypoints : Keypoints
        What to show; those that are missing are not.

    Returns
    -------
    napari.layers.Points
        One point a keypoint and frame, (N, 3) as frame, y and x; its feature ``keypoint`` names and colours it.
    """
    for layer in [layer for layer in viewer.layers if about(layer).get("role") == LAYER]:
        viewer.layers.remove(layer)
    n = len(keypoints.names)
    xy = keypoints.xy.reshape(-1, 2)
    data = np.column_stack([np.repeat(keypoints.frame, n), xy[:, 1], xy[:, 0]])
    seen = np.isfinite(xy).all(1)
    names = pd.Categorical(np.tile(keypoints.names, len(keypoints.frame))[seen], categories=keypoints.names)
    size = max(2.0, min(video.data.shape[1:3]) / 50)
    return viewer.add_points(
        data[seen], name=LAYER, features={"keypoint": names}, face_color="keypoint", face_color_cycle=_COLOURS,
        border_width=0, size=size, text={"string": "{keypoint}", "size": 8, "anchor": "upper_left", "color": "white"},
        scale=video.scale, translate=video.translate, axis_labels=("frame", "y", "x"),
        metadata={KEY: {"role": LAYER, "recording": recording.name}},
    )  # fmt: skip
