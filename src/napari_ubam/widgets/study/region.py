"""The region of interest of a recording, drawn as a rectangle in a Shapes layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_ubam.errors import StudyError
from napari_ubam.study import Recording
from napari_ubam.widgets.layers import KEY, about, find_layer, path_of

if TYPE_CHECKING:
    from napari.layers import Layer, Shapes
    from napari.viewer import Viewer

REGION_LAYER = "region"

Region = tuple[int, int, int, int]  # x, y, width, height [px]


def draw_region(viewer: Viewer, recording: Recording, video: Layer) -> Shapes:
    """Show a Shapes layer over a recording's video, to draw its region in, which shows the region it has."""
    shapes = region_layer(viewer)
    if shapes is None:
        shapes = viewer.add_shapes(
            ndim=2,
            name=REGION_LAYER,
            face_color="transparent",
            edge_color="yellow",
            edge_width=max(1, round(max(video.data.shape[1:3]) / 200)),
        )
    shapes.metadata = {**shapes.metadata, KEY: {"drawn_over": str(recording.path), "recording": recording.name}}
    shapes.scale, shapes.translate = video.scale[-2:], video.translate[-2:]
    shapes.data = []
    if recording.region is not None:
        shapes.add_rectangles([corners(recording.region)])
    viewer.layers.move(viewer.layers.index(shapes), len(viewer.layers))
    viewer.layers.selection.active = shapes
    shapes.visible = True
    shapes.mode = "select" if shapes.nshapes else "add_rectangle"
    return shapes


def drawn_region(viewer: Viewer, recording: Recording, video: Layer) -> Region:
    """Give the rectangle that was drawn last, in the pixels of a recording's video.

    A recording that no layer shows gets the pixels of ``video``, so that it need not be opened.

    Raises
    ------
    StudyError
        If nothing was drawn, or it lies beside the picture.
    """
    shapes = region_layer(viewer)
    if shapes is None or shapes.nshapes == 0:
        raise StudyError(
            f"No rectangle is drawn for {recording.name}: press 'Draw region' and draw one around the subject."
        )
    region = rectangle_in_pixels(shapes, find_layer(viewer, recording) or video)
    if region is None:
        raise StudyError(f"The rectangle lies beside the picture of {recording.name}: draw it over the subject.")
    return region


def region_layer(viewer: Viewer) -> Shapes | None:
    """Find the Shapes layer that regions are drawn in."""
    from napari.layers import Shapes

    return next((x for x in viewer.layers if isinstance(x, Shapes) and x.name == REGION_LAYER), None)


def drawn_over(viewer: Viewer) -> Layer | None:
    """Find the video that regions were drawn over, if it is still there."""
    shapes = region_layer(viewer)
    path = None if shapes is None else about(shapes).get("drawn_over")
    return next((layer for layer in viewer.layers if path is not None and path_of(layer) == Path(path).resolve()), None)


def rectangle_in_pixels(shapes: Shapes, layer: Layer) -> Region | None:
    """Give the bounding rectangle of the last drawn shape in the pixels of a video layer.

    Parameters
    ----------
    shapes : napari.layers.Shapes
        Where it was drawn.
    layer : napari.layers.Layer
        A video layer (T, Y, X).

    Returns
    -------
    tuple of int or None
        x, y, width and height [px], cut at the picture's border; None if nothing is left of it.
    """
    drawn = np.array([shapes.data_to_world(corner)[-2:] for corner in shapes.data[-1]])
    time = layer.data_to_world((0,) * layer.ndim)[:-2]
    pixels = np.array([layer.world_to_data((*time, *corner))[-2:] for corner in drawn])
    size = layer.data.shape[1:3]
    low = np.clip(np.rint(pixels.min(0) + 0.5), 0, size).astype(int)  # pixel i reaches from i - 0.5 to i + 0.5
    high = np.clip(np.rint(pixels.max(0) + 0.5), 0, size).astype(int)
    if np.any(high <= low):
        return None
    (y, x), (height, width) = low.tolist(), (high - low).tolist()
    return x, y, width, height


def corners(region: Region) -> np.ndarray:
    """Give the corners (4, 2) of a region, as (y, x) in pixels, to be drawn as a rectangle."""
    x, y, width, height = region
    top, left, bottom, right = y - 0.5, x - 0.5, y + height - 0.5, x + width - 0.5
    return np.array([[top, left], [top, right], [bottom, right], [bottom, left]])
