"""The layers of a viewer as they are when they are read, to be drawn in another thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_ubam.errors import VideoError
from napari_ubam.pipeline.layering import ShownArrows, ShownImage
from napari_ubam.video.napari_io import fps_of, panel_of, times_of

if TYPE_CHECKING:
    from napari.layers import Image, Vectors


def shown_image(layer: Image) -> ShownImage:
    """Read an Image layer.

    Raises
    ------
    VideoError
        If it is no image or video, or turned or sheared.
    """
    data, meta, _ = layer.as_layer_data_tuple()
    if not np.allclose(layer.rotate, np.eye(layer.ndim)) or np.any(layer.shear):
        raise VideoError(f"The layer '{layer.name}' is turned or sheared. Turn it back to export it.")
    scale, translate = layer.scale[-2:], layer.translate[-2:]
    blending = str(layer.blending)
    return ShownImage(
        panel_of(data, meta), scale, translate, float(layer.opacity), blending, fps_of(meta), times_of(meta)
    )


def shown_arrows(layer: Vectors) -> ShownArrows:
    """Read a Vectors layer that has some arrows, (y, x) or (time, y, x); all get the colour of the first."""
    data = np.asarray(layer.data, float)
    frame = np.round(data[:, 0, 0]).astype(int) if layer.ndim > 2 else np.full(len(data), -1)
    arrows = data[:, :, -2:] * layer.scale[-2:]
    arrows[:, 0] += layer.translate[-2:]
    arrows[:, 1] *= layer.length
    red, green, blue = (round(255 * float(value)) for value in layer.edge_color[0][:3])
    return ShownArrows(frame, arrows, (red, green, blue), float(layer.edge_width * layer.scale[-1]))
