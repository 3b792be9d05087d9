"""A magnified recording as layers over its video: `magnified`, `deviation` and `direction`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ubam.errors import StudyError
from napari_ubam.magnify.compose import ARROW_COLOUR, BRIGHTEST, NORMAL, arrow_width, glow
from napari_ubam.settings import MagnifySettings
from napari_ubam.study import Recording
from napari_ubam.widgets.layers import KEY, about
from napari_ubam.widgets.magnify.drawn_frames import DeviationVideo, DrawnFrames, MagnifiedVideo

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils import Colormap
    from napari.viewer import Viewer


HEAT_OPACITY = 0.4  # opacity of the heatmap, so that the magnified frame below it can be seen


def with_time(vectors: np.ndarray, frame: int) -> np.ndarray:
    """Put arrows (n, 2, 2) at a frame, as napari wants them: (n, 2, 3) with time first."""
    arrows = np.zeros((len(vectors), 2, 3), np.float32)
    arrows[:, 0, 0] = frame
    arrows[:, :, 1:] = vectors
    return arrows


def frames_of(recording: Recording, length: int, around: int | None = None, reach: int = 0) -> range:
    """Choose frames of a recording.

    Parameters
    ----------
    recording : Recording
        Whose ``start`` and ``stop`` are kept to.
    length : int
        Number of frames of its file.
    around, reach : int, optional
        Only this frame and so many before and after it.

    Raises
    ------
    StudyError
        If none is left.
    """
    start, stop = recording.start, min(length, recording.stop or length)
    if around is not None:
        start, stop = max(start, around - reach), min(stop, around + reach + 1)
    if start >= stop:
        raise StudyError(
            f"No frame is left: {recording.name} counts from frame {recording.start} to "
            f"{min(length, recording.stop or length) - 1}. Move the slider there, or choose all frames."
        )
    return range(start, stop)


def show_magnification(
    viewer: Viewer, recording: Recording, video: Layer, frames: DrawnFrames, settings: MagnifySettings
) -> list[Layer]:
    """Add the three layers over a recording's video, or give those that are there the new data.

    Parameters
    ----------
    viewer : napari.Viewer
        Where.
    recording : Recording
        Whose frames are magnified.
    video : napari.layers.Layer
        The layer that shows the recording (T, Y, X).
    frames : DrawnFrames
        What to show.
    settings : MagnifySettings
        Noted in the layers' metadata.

    Returns
    -------
    list of napari.layers.Layer
        ``magnified``, ``deviation`` and ``direction``, which has no arrows yet.
    """
    note = {"recording": recording.name, "settings": settings.model_dump(), "fps": frames.original.fps}
    note["left_as_they_are"] = frames.left
    placed = {"scale": video.scale, "translate": video.translate}
    image = {**placed, "projection_mode": "none"}  # so that napari asks for one frame, and not for a stack of one
    heat = {
        "colormap": _colormap(),
        "blending": "additive",
        "contrast_limits": (NORMAL, BRIGHTEST),
        "opacity": HEAT_OPACITY,
    }
    width = arrow_width(*frames.original.shape[1:3])
    arrows = {"ndim": 3, "edge_width": width, "edge_color": np.array(ARROW_COLOUR) / 255, "vector_style": "arrow"}
    none = np.zeros((0, 2, 3), np.float32)
    before = set(viewer.layers)
    layers = [
        _show(viewer, "image", "magnified", MagnifiedVideo(frames), {**image, "rgb": True}, note),
        _show(viewer, "image", "deviation", DeviationVideo(frames), {**image, **heat}, note),
        _show(viewer, "vectors", "direction", none, {**placed, **arrows}, note),
    ]
    _stack(viewer, video, layers, anew=not before.issuperset(layers))
    return layers


def _stack(viewer: Viewer, video: Layer, layers: list[Layer], *, anew: bool) -> None:
    """Let the layers lie over a video that may just have been opened: ``anew`` in this order, else in the user's."""
    places = [viewer.layers.index(layer) for layer in layers]
    if anew and places != sorted(places):
        for layer in layers:
            viewer.layers.move(viewer.layers.index(layer), len(viewer.layers))
    put_below(viewer, video, layers)


def put_below(viewer: Viewer, video: Layer, layers: Sequence[Layer]) -> None:
    """Let a video lie below those of the layers that are in the viewer."""
    places = [viewer.layers.index(layer) for layer in layers if layer in viewer.layers]
    if places and min(places) < (place := viewer.layers.index(video)):
        viewer.layers.move(place, min(places))


def _colormap() -> Colormap:
    """Give the heatmap's colours, those of the videos that are written without a viewer."""
    from napari.utils import Colormap

    return Colormap(glow(np.linspace(0, 1, 256)), name="glow")


def _show(viewer: Viewer, kind: str, role: str, data: Any, options: dict[str, Any], about_it: dict[str, Any]) -> Layer:
    from napari.layers import Layer

    known = next((layer for layer in viewer.layers if about(layer).get("role") == role), None)
    metadata = {KEY: {"role": role, **about_it}}
    if known is None:
        return viewer.add_layer(Layer.create(data, {"name": role, "metadata": metadata, **options}, kind))
    known.data, known.metadata = data, metadata
    for name, value in {"scale": options["scale"], "translate": options["translate"], "visible": True}.items():
        if not np.array_equal(getattr(known, name), value):  # else napari takes its time over nothing
            setattr(known, name, value)
    return known
