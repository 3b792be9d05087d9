"""Intervals that were drawn in the viewer: a Labels or Shapes layer over a recording's video."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels, Shapes

from napari_ubam.analysis.stretches import stretches
from napari_ubam.errors import StudyError
from napari_ubam.progress import Progress, Report
from napari_ubam.study import Interval

if TYPE_CHECKING:
    from napari.layers import Layer


@dataclass(frozen=True, eq=False)
class Drawn:
    """A layer as it was when it was read, with what leads from its first axis to the video's frames.

    Attributes
    ----------
    name : str
        Of the layer.
    data : Any
        Its labels (T, Y, X), or its shapes, each (n, 3).
    is_labels : bool
        Whether these are labels.
    scale, shift : float
        frame = scale * t + shift.
    length : int
        Number of the video's frames.
    """

    name: str
    data: Any
    is_labels: bool
    scale: float
    shift: float
    length: int


def read_drawn(layer: Layer, video: Layer) -> Drawn:
    """Read a layer that lies over a video, in the viewer's thread.

    Raises
    ------
    StudyError
        If it is no Labels or Shapes layer that has the video's time.
    """
    if not isinstance(layer, Labels | Shapes):
        raise StudyError(f"The layer '{layer.name}' has no labels and no shapes. Select a Labels or Shapes layer.")
    if layer.ndim != 3:
        raise StudyError(
            f"The layer '{layer.name}' has {layer.ndim} axes and no time of its own: make one over the video, so that "
            "it has time, y and x."
        )
    scale = float(layer.scale[0] / video.scale[0])
    shift = float((layer.translate[0] - video.translate[0]) / video.scale[0])
    is_labels = isinstance(layer, Labels)
    data = layer.data if is_labels else [np.asarray(shape) for shape in layer.data]
    return Drawn(layer.name, data, is_labels, scale, shift, int(video.data.shape[0]))


def intervals_drawn(drawn: Drawn, recording: str, report: Report) -> list[Interval]:
    """Give the frames in which something is drawn as intervals of a recording.

    Parameters
    ----------
    drawn : Drawn
        Each label is an interval's; its name is the layer's, followed by the label's number if there are several. A
        shape is on from the first to the last frame that it reaches.
    recording : str
        Whose intervals they are.
    report : callable
        Told of the progress.

    Raises
    ------
    StudyError
        If nothing is drawn, or only outside the video.
    """
    frames: defaultdict[int, list[np.ndarray]] = defaultdict(list)
    for label, first, last in _labels(drawn, report) if drawn.is_labels else _shapes(drawn):
        start, stop = round(drawn.scale * first + drawn.shift), round(drawn.scale * last + drawn.shift)
        frames[label].append(np.arange(max(0, start), min(drawn.length - 1, stop) + 1))
    found = [
        Interval(recording, int(start), int(stop), drawn.name if len(frames) == 1 else f"{drawn.name} {label}")
        for label, on in sorted(frames.items())
        for start, stop in stretches(np.concatenate(on))
    ]
    if not found:
        raise StudyError(
            f"Nothing is drawn in the layer '{drawn.name}' in the time of {recording}. Draw something in every frame "
            "in which it was on."
        )
    return found


def _labels(drawn: Drawn, report: Report) -> Iterator[tuple[int, int, int]]:
    """Give every label of every frame, and the frame."""
    length = len(drawn.data)
    for t in range(length):
        report(Progress(f"reading {drawn.name}", t, length))
        for label in np.unique(np.asarray(drawn.data[t])):
            if label:
                yield int(label), t, t
    report(Progress(f"reading {drawn.name}", length, length))


def _shapes(drawn: Drawn) -> Iterator[tuple[int, int, int]]:
    """Give the first and the last frame of every shape."""
    for shape in drawn.data:
        time = np.round(shape[:, 0])
        yield 1, int(time.min()), int(time.max())
