"""What napari's menus call: open recordings as Image layers, save Image layers as videos."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from napari_ubam.errors import VideoError
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.video.images import TIFF_SUFFIXES, image_files
from napari_ubam.video.lazy import LazyVideo
from napari_ubam.video.open import VIDEO_SUFFIXES, open_frames
from napari_ubam.video.panel import Panel
from napari_ubam.video.raw_arrays import ARRAY_SUFFIXES
from napari_ubam.video.source import FrameSource
from napari_ubam.video.tiff import TiffStack
from napari_ubam.video.write import LOSSLESS_SUFFIXES, write_video

LayerData = tuple[Any, dict[str, Any], str]
DEFAULT_FPS = 25.0
_GREY = ("gray", "grey")
_PATIENCE = 0.5  # seconds before progress is shown


def get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[LayerData]] | None:
    """Give the function that reads ``path``, or None if this plugin does not read it (npe2 reader).

    Parameters
    ----------
    path : str or sequence of str
        Videos, multi-page TIFFs, raw arrays and folders of images; suffixes in any case.

    Returns
    -------
    callable or None
        Takes the same path and gives one Image layer for each file or folder.
    """
    paths = _as_list(path)
    return read_layers if paths and all(_is_readable(Path(p)) for p in paths) else None


def read_layers(path: str | Sequence[str]) -> list[LayerData]:
    """Open files or folders as Image layers whose frames are read when they are shown.

    Raises
    ------
    VideoError
        If one of them cannot be read.
    """
    layers: list[LayerData] = []
    for p in _as_list(path):
        with _progress_shown() as report:
            layers.append(read_layer(p, report))
        if problem := layers[-1][0].problem:
            warnings.warn(problem, stacklevel=2)
    return layers


def read_layer(path: str | Path, report: Report = silent) -> LayerData:
    """Open one file or folder, in any thread; ``problem`` of its frames says what is wrong with it.

    Raises
    ------
    VideoError
        If it cannot be read.
    """
    frames = open_frames(path, native=True, report=report)
    return frames, attributes_of(frames), "image"


def attributes_of(frames: FrameSource) -> dict[str, Any]:
    """Give the attributes of the layer that shows some frames."""
    about: dict[str, Any] = {"path": str(frames.path), "fps": frames.fps}
    low, high = frames.value_range
    attributes: dict[str, Any] = {
        "name": frames.path.stem,
        "rgb": frames.ndim == 4,
        "contrast_limits": (low, high if high > low else low + 1),
        "axis_labels": ("time", "y", "x"),
        "metadata": {"ubam": about},
    }
    if isinstance(frames, LazyVideo):
        about["timestamps"] = frames.timestamps
        attributes["scale"] = (1.0, 1.0, frames.pixel_aspect)
    return attributes


@contextmanager
def _progress_shown() -> Iterator[Report]:
    """Show in napari's activity dock how far opening a file is, if it takes long."""
    from napari.utils import progress

    begun = time.monotonic()
    bars: list[progress] = []

    def show(report: Progress) -> None:
        if not bars and time.monotonic() - begun > _PATIENCE:
            bars.append(progress(total=report.total))
        for bar in bars:
            bar.set_description(report.stage)
            bar.total = report.total
            bar.update(report.done - bar.n)

    try:
        yield show
    finally:
        for bar in bars:
            bar.close()


def write_image(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write one Image layer as a video (npe2 writer for a single layer).

    Parameters
    ----------
    path : str
        ``.mkv`` (lossless), ``.tif`` (the values as they are), ``.mp4``, ``.mov``, ``.webm`` or ``.gif``.
    data : array
        (T, Y, X, 3) or (Y, X, 3) if ``meta["rgb"]``, else (T, Y, X) or (Y, X).
    meta : dict
        The layer's attributes. ``.mkv`` gets colours, and grey values of 8 or 16 bits, as they are; otherwise the
        layer's contrast limits and colormap are applied, and the user is told. Frame rate and time stamps are those of
        ``metadata["ubam"]``; 25 frames per second if there are none.

    Returns
    -------
    list of str
        The file written.

    Raises
    ------
    VideoError
        If the layer is no video, or cannot be written.
    """
    panel = panel_of(data, meta)
    suffix = Path(path).suffix.lower()
    kept = suffix in TIFF_SUFFIXES or (suffix in LOSSLESS_SUFFIXES and panel.can_be_kept)
    if not kept and not panel.rgb:
        from napari.utils.notifications import show_info

        low, high = panel.limits_of(panel.dtype)
        show_info(f"{path}: values from {low:g} to {high:g} are written in the colours that the layer shows them in.")
    frames = panel.values() if kept else panel.pictures(panel.length)
    fps = fps_of(meta) or DEFAULT_FPS
    write_video(path, frames, fps, times=_times_of(meta, panel.length), total=panel.length)
    return [path]


def write_side_by_side(path: str, layers: Sequence[LayerData]) -> list[str]:
    """Write Image layers beside each other as one video (npe2 writer for several layers).

    The first layer that knows its frame rate gives it, and the time stamps if there is one for each frame.
    Lower pictures are padded with black at the bottom. A still image is repeated. Where a layer ends before
    the longest one, its place turns black, as it does in the viewer.

    Parameters
    ----------
    path : str
        As for `write_image`.
    layers : sequence of (data, meta, type)
        As for `write_image`, from left to right.

    Returns
    -------
    list of str
        The file written.

    Raises
    ------
    VideoError
        If a layer is no video or image, or the video cannot be written.
    """
    panels = [panel_of(data, meta) for data, meta, _ in layers]
    timed = next((meta for _, meta, _ in layers if fps_of(meta)), {})
    height = max(panel.height for panel in panels)
    length = max(panel.length for panel in panels)

    def frames() -> Iterator[np.ndarray]:
        for pictures in zip_longest(*[panel.pictures(length) for panel in panels]):
            yield np.concatenate(
                [panel.padded(picture, height) for picture, panel in zip(pictures, panels, strict=True)], axis=1
            )

    write_video(path, frames(), fps_of(timed) or DEFAULT_FPS, times=_times_of(timed, length), total=length)
    return [path]


def panel_of(data: Any, meta: dict[str, Any]) -> Panel:
    """Make a panel of an Image layer's data and attributes.

    Raises
    ------
    VideoError
        If the layer is no image or video.
    """
    data = data[0] if isinstance(data, list | tuple) or meta.get("multiscale") else data
    rgb = bool(meta.get("rgb"))
    limits = meta.get("contrast_limits")
    return Panel(
        data,
        rgb=rgb,
        name=str(meta.get("name", "")),
        limits=None if limits is None else (float(limits[0]), float(limits[1])),
        gamma=float(meta.get("gamma", 1)),
        colours=None if rgb else _colormap(meta),
    )


def _colormap(meta: dict[str, Any]) -> np.ndarray | None:
    """Give the layer's colours for 0 to 255 as (256, 3) uint8; None for grey."""
    wanted = meta.get("colormap", "gray")
    if isinstance(wanted, np.ndarray):  # the colours themselves, 0 to 1
        return np.round(wanted * 255).astype(np.uint8)
    if isinstance(wanted, str) and wanted in _GREY:
        return None  # the command line may have no napari
    from napari.utils.colormaps import ensure_colormap

    colormap = ensure_colormap(wanted)
    if colormap.name in _GREY:
        return None
    return np.asarray(np.round(colormap.map(np.linspace(0, 1, 256))[:, :3] * 255).astype(np.uint8))


def times_of(meta: dict[str, Any]) -> np.ndarray | None:
    """Give a layer's time stamps [s], if it has some that are not at a constant rate."""
    times = meta.get("metadata", {}).get("ubam", {}).get("timestamps")
    if times is None or len(times) < 3 or np.any(np.diff(times) <= 0):
        return None
    uneven = np.ptp(np.diff(times)) > 2e-3  # containers round to milliseconds
    return np.asarray(times) if uneven else None


def _times_of(meta: dict[str, Any], length: int) -> np.ndarray | None:
    """Give a layer's time stamps as `times_of`, if there is one for each frame that is written."""
    times = times_of(meta)
    return times if times is not None and len(times) == length else None


def fps_of(meta: dict[str, Any]) -> float:
    """Give a layer's frames per second, 0.0 if it does not know."""
    return float(meta.get("metadata", {}).get("ubam", {}).get("fps") or 0.0)


def _as_list(path: str | Sequence[str]) -> list[str]:
    return [str(path)] if isinstance(path, str | Path) else [str(p) for p in path]


def _is_readable(path: Path) -> bool:
    """Whether this is ours to read: by suffix for videos, by content for TIFFs, arrays and folders."""
    suffix = path.suffix.lower()
    if suffix not in (*ARRAY_SUFFIXES, *TIFF_SUFFIXES):
        return len(image_files(path)) > 1 if path.is_dir() else suffix in VIDEO_SUFFIXES
    try:
        with open_frames(path) as frames:  # stacks with further axes are no videos
            return len(frames) > 1 and not (isinstance(frames, TiffStack) and frames.n_axes > 1)
    except VideoError:
        return False
