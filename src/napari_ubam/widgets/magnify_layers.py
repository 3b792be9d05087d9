"""A magnified recording as layers over its video: `magnified`, `deviation` and `direction`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ubam.errors import StudyError
from napari_ubam.magnify.compose import BRIGHTEST, COLORMAP, NORMAL
from napari_ubam.settings import MagnifySettings
from napari_ubam.study import Recording
from napari_ubam.widgets.layers import KEY, about

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_ubam.magnify.magnifier import MagnifiedFrame

MAX_BYTES = 8 * 2**30  # of the layers of one run; longer recordings are better saved as a video


@dataclass(frozen=True, eq=False)
class Magnification:
    """Frames of one recording, magnified.

    Attributes
    ----------
    frames : range
        Absolute frame numbers in the file.
    image : ndarray of uint8, shape (n, Y, X, 3)
        The magnified frames.
    deviation : ndarray of float16, shape (n, Y, X)
        The heatmap; 1 is the 95th percentile of reference subjects.
    vectors : ndarray of float32, shape (m, 2, 3)
        The arrows: starts and directions as (frame, y, x), frames as in the file.
    """

    frames: range
    image: np.ndarray
    deviation: np.ndarray
    vectors: np.ndarray


def collect(magnified: Iterable[MagnifiedFrame], frames: range, size: tuple[int, int]) -> Magnification:
    """Gather magnified frames in arrays for napari.

    Parameters
    ----------
    magnified : iterable of MagnifiedFrame
        One for each of ``frames``, computed while it is iterated over.
    frames : range
        Absolute frame numbers in the file.
    size : tuple of int
        Height and width of the video [px].

    Raises
    ------
    StudyError
        If the arrays would be too large.
    """
    n = len(frames)
    if (needed := n * size[0] * size[1] * 5) > MAX_BYTES:
        raise StudyError(
            f"{n} frames of {size[1]} × {size[0]} px would take {needed / 2**30:.0f} GB of memory. "
            "Choose fewer frames, or save a video instead."
        )
    image, deviation = np.zeros((n, *size, 3), np.uint8), np.zeros((n, *size), np.float16)
    vectors = [np.zeros((0, 2, 3), np.float32)]
    for one in magnified:
        row = one.frame - frames.start
        image[row], deviation[row] = one.image, one.heatmap
        vectors.append(with_time(one.vectors, one.frame))
    return Magnification(frames, image, deviation, np.concatenate(vectors))


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
    viewer: Viewer, recording: Recording, video: Layer, made: Magnification, settings: MagnifySettings
) -> list[Layer]:
    """Add the three layers over a recording's video, or give those that are there the new data.

    Parameters
    ----------
    viewer : napari.Viewer
        Where.
    recording : Recording
        Whose frames were magnified.
    video : napari.layers.Layer
        The layer that shows the recording (T, Y, X).
    made : Magnification
        What to show.
    settings : MagnifySettings
        Noted in the layers' metadata.

    Returns
    -------
    list of napari.layers.Layer
        ``magnified``, ``deviation`` and ``direction``.
    """
    about_it = {"recording": recording.name, "settings": settings.model_dump(), "start": made.frames.start}
    first = np.asarray(video.data_to_world((made.frames.start, *(0,) * (video.ndim - 1))))
    placed = {"scale": video.scale, "translate": first}
    width = max(1.0, min(made.image.shape[1:3]) / 150)
    return [
        _show(viewer, "image", "magnified", made.image, {**placed, "rgb": True}, about_it),
        _show(
            viewer,
            "image",
            "deviation",
            made.deviation,
            {**placed, "colormap": COLORMAP, "blending": "additive", "contrast_limits": (NORMAL, BRIGHTEST)},
            about_it,
        ),
        _show(
            viewer,
            "vectors",
            "direction",
            made.vectors,
            {"scale": video.scale, "translate": video.translate, "ndim": 3}
            | {"edge_width": width, "edge_color": "cyan", "vector_style": "arrow"},
            about_it,
        ),
    ]


def _show(
    viewer: Viewer, kind: str, role: str, data: np.ndarray, options: dict[str, Any], about_it: dict[str, Any]
) -> Layer:
    from napari.layers import Layer

    known = next((layer for layer in viewer.layers if about(layer).get("role") == role), None)
    metadata = {KEY: {"role": role, **about_it}}
    if known is None:
        return viewer.add_layer(Layer.create(data, {"name": role, "metadata": metadata, **options}, kind))
    known.data = data
    known.scale, known.translate, known.metadata = options["scale"], options["translate"], metadata
    known.visible = True
    return known
