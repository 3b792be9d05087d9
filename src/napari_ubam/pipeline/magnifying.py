"""Magnify a recording's deviation, and write it as a video."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from napari_ubam.errors import StudyError
from napari_ubam.files import atomic_path
from napari_ubam.magnify.compose import compose
from napari_ubam.magnify.magnifier import MagnifiedFrame
from napari_ubam.pipeline.drawing import Magnifier
from napari_ubam.pipeline.reading import ASSUMED_FPS
from napari_ubam.progress import Report, silent
from napari_ubam.settings import MagnifySettings, Show
from napari_ubam.study import Study, load_crops
from napari_ubam.video import write_video


def magnify(
    study: Study, name: str, settings: MagnifySettings | None = None, *, frames: range | None = None,
    report: Report = silent,
) -> Iterator[MagnifiedFrame]:  # fmt: skip
    """Magnify a recording's deviation, frame by frame.

    Parameters
    ----------
    study : Study
        A measured study.
    name : str
        The recording.
    settings : MagnifySettings, optional
        How far, and where to compute.
    frames : range, optional
        Which frames of the file, a step of 1; default: all of the recording's.
    report : callable, optional
        Told of the progress.

    Yields
    ------
    MagnifiedFrame
        In frame order.

    Raises
    ------
    StudyError, VideoError, ModelError
        If the recording cannot be read, or was not measured yet.
    """
    settings = settings or MagnifySettings()
    with (
        closing(Magnifier(study, name, settings.device, report, settings.unreliable)) as magnifier,
        closing(magnifier.iterate(settings.factor, frames, report)) as found,
    ):
        yield from found


def save_magnified(
    study: Study, name: str, out: str | Path, settings: MagnifySettings | None = None, *,
    heatmap: str | Path | None = None, frames: range | None = None, show: Show = "magnified", arrows: bool = False,
    report: Report = silent,
) -> int:  # fmt: skip
    """Write a recording with its deviation magnified as a video, and the heatmap as a Zarr array.

    Parameters
    ----------
    study, name, settings, frames, report
        As in `magnify`.
    out : str or Path
        A name that ends in .mkv (FFV1, lossless) or .mp4 (H.264).
    heatmap : str or Path, optional
        A name that ends in .zarr: an array (T, Y, X) float32. Its attributes say which recording, its first and last
        frame, and the frames that were left as they are for want of a good reference.
    show : {"magnified", "side-by-side", "heatmap"}
        What the video shows, see `napari_ubam.magnify.compose.compose`.
    arrows : bool
        Whether the direction of the deviation is drawn into it.

    Returns
    -------
    int
        How many frames were written.

    Raises
    ------
    StudyError, VideoError, ModelError
        If the recording cannot be magnified, or a file cannot be written; nothing is left half-written.
    """
    out, recording = Path(out), study.recording(name)
    for other in study.recordings:
        if out.resolve() == other.path.resolve():
            raise StudyError(f"{out} is the recording {other.name} itself. Choose another name to write to.")
    if heatmap is not None and Path(heatmap).suffix.lower() != ".zarr":
        raise StudyError(f"{heatmap} cannot be written: give the heatmap a name that ends in .zarr.")
    fps = load_crops(study, recording, report).fps or ASSUMED_FPS
    settings = settings or MagnifySettings()
    with closing(Magnifier(study, name, settings.device, report, settings.unreliable)) as magnifier:
        if heatmap is None and show == "magnified" and not arrows:
            with closing(magnifier.iterate_images(settings.factor, frames, report)) as images:
                return write_video(out, images, fps)

        def composed(some: Iterator[MagnifiedFrame]) -> Iterator[np.ndarray]:
            return (compose(frame, show, name, settings.factor, arrows=arrows) for frame in some)

        with closing(magnifier.iterate(settings.factor, frames, report)) as found:
            if heatmap is None:
                return write_video(out, composed(found), fps)
            rows = magnifier.rows(frames)
            about = {
                "recording": name,
                "frames": [int(magnifier.frame[rows[0]]), int(magnifier.frame[rows[-1]])],
                "left_as_they_are": magnifier.frame[rows][magnifier.left[rows]].tolist(),
            }
            with atomic_path(heatmap) as temporary:
                return write_video(out, composed(_keep_heatmaps(found, len(rows), about, temporary)), fps)


def _keep_heatmaps(
    found: Iterator[MagnifiedFrame], n: int, about: dict[str, Any], path: Path
) -> Iterator[MagnifiedFrame]:
    """Pass on n frames, and write their heatmaps to a Zarr array on the way."""
    import zarr  # slow to import, and only this needs it

    array = None
    for i, frame in enumerate(found):
        if array is None:
            shape = frame.heatmap.shape
            array = zarr.create_array(path, shape=(n, *shape), chunks=(1, *shape), dtype="float32", attributes=about)
        array[i] = frame.heatmap
        yield frame
