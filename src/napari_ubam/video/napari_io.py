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
from napari_ubam.progress import Progress, Report
from napari_ubam.video.images import TIFF_SUFFIXES, TiffStack, image_files, to_uint8
from napari_ubam.video.lazy import LazyVideo
from napari_ubam.video.open import VIDEO_SUFFIXES, open_frames
from napari_ubam.video.source import FrameSource
from napari_ubam.video.write import write_video

LayerData = tuple[Any, dict[str, Any], str]
_DEFAULT_FPS = 25.0
_PATIENCE = 0.5  # seconds before progress is shown


def get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[LayerData]] | None:
    """Give the function that reads ``path``, or None if this plugin does not read it (npe2 reader).

    Parameters
    ----------
    path : str or sequence of str
        Videos, multi-page TIFFs and folders of images; suffixes in any case.

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
            frames = open_frames(p, native=True, report=report)
        if frames.problem:
            warnings.warn(frames.problem, stacklevel=2)
        layers.append((frames, _attributes(frames), "image"))
    return layers


def _attributes(frames: FrameSource) -> dict[str, Any]:
    """Give the attributes of the layer that shows some frames."""
    about: dict[str, Any] = {"path": str(frames.path), "fps": frames.fps}
    attributes: dict[str, Any] = {
        "name": frames.path.stem,
        "rgb": frames.ndim == 4,
        "contrast_limits": (0, 255),
        "axis_labels": ("time", "y", "x"),
        "metadata": {"ubam": about},
    }
    if isinstance(frames, LazyVideo):
        about["timestamps"] = frames.timestamps
        attributes["scale"] = (1.0, 1.0, frames.pixel_aspect)
        if frames.bits > 8 and frames.ndim == 3:  # cameras seldom use all that 16 bits can hold
            first = frames[0]
            attributes["contrast_limits"] = (int(first.min()), max(int(first.max()), int(first.min()) + 1))
        elif frames.bits > 8:
            attributes["contrast_limits"] = (0, 2**frames.bits - 1)
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
        ``.mkv`` (lossless) or ``.mp4``.
    data : array
        (T, Y, X, 3) or (Y, X, 3) if ``meta["rgb"]``, else (T, Y, X) or (Y, X).
    meta : dict
        The layer's attributes. Its contrast limits and colormap are applied, the rate is taken from
        ``metadata["ubam"]["fps"]``, 25 if that is not there.

    Returns
    -------
    list of str
        The file written.

    Raises
    ------
    VideoError
        If the layer is no video, or cannot be written.
    """
    return write_side_by_side(path, [(data, meta, "image")])


def write_side_by_side(path: str, layers: Sequence[LayerData]) -> list[str]:
    """Write Image layers beside each other as one video (npe2 writer for several layers).

    Lower pictures are padded with black at the bottom. A still image is repeated. Where a layer ends before
    the longest one, its place turns black, as it does in the viewer.

    Parameters
    ----------
    path : str
        ``.mkv`` (lossless) or ``.mp4``.
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
    panels = [_Panel(data, meta, path) for data, meta, _ in layers]
    rates = [rate for _, meta, _ in layers if (rate := _fps(meta))]
    height = max(panel.height for panel in panels)
    length = max(panel.length for panel in panels)

    def frames() -> Iterator[np.ndarray]:
        for pictures in zip_longest(*[panel.pictures(length) for panel in panels]):
            yield np.concatenate(
                [_padded(p, panel, height) for p, panel in zip(pictures, panels, strict=True)],
                axis=1,
            )

    write_video(path, frames(), rates[0] if rates else _DEFAULT_FPS)
    return [path]


class _Panel:
    """One layer's part of the picture."""

    def __init__(self, data: Any, meta: dict[str, Any], path: str) -> None:
        self._data = data[0] if isinstance(data, list | tuple) or meta.get("multiscale") else data
        self._rgb = bool(meta.get("rgb"))
        shape = self._data.shape[:-1] if self._rgb else self._data.shape
        if len(shape) not in (2, 3):
            raise VideoError(
                f"{path} was not written: layer '{meta.get('name', '')}' has {len(shape)} dimensions; "
                "only images and videos (time, y, x) can be saved as a video."
            )
        self._is_still = len(shape) == 2
        self.length = 1 if self._is_still else shape[0]
        self.height, self.width = shape[-2:]
        self._limits = meta.get("contrast_limits")
        self._colormap = _colormap(meta) if not self._rgb else None

    def pictures(self, length: int) -> Iterator[np.ndarray]:
        """Give the panel's pictures (Y, X, 3) uint8; a still one ``length`` times."""
        if self._is_still:
            picture = self._picture(np.asarray(self._data))
            for _ in range(length):
                yield picture
        elif isinstance(self._data, FrameSource):
            yield from map(self._picture, self._data.iterate())
        else:
            for t in range(self.length):
                yield self._picture(np.asarray(self._data[t]))

    def _picture(self, image: np.ndarray) -> np.ndarray:
        if image.dtype != np.uint8 or not self._rgb:
            image = to_uint8(image, *self._range(image.dtype))
        if self._colormap is not None:
            image = self._colormap[image]
        return np.broadcast_to(image[..., :3] if image.ndim == 3 else image[..., None], (self.height, self.width, 3))

    def _range(self, dtype: np.dtype) -> tuple[float, float]:
        if self._limits is not None:
            return float(self._limits[0]), float(self._limits[1])
        return (0, float(np.iinfo(dtype).max)) if np.issubdtype(dtype, np.integer) else (0, 1)


def _colormap(meta: dict[str, Any]) -> np.ndarray | None:
    """Give the layer's colours for 0 to 255 as (256, 3) uint8; None for grey."""
    from napari.utils.colormaps import ensure_colormap

    colormap = ensure_colormap(meta.get("colormap", "gray"))
    if colormap.name in ("gray", "grey"):
        return None
    return np.asarray(np.round(colormap.map(np.linspace(0, 1, 256))[:, :3] * 255).astype(np.uint8))


def _padded(picture: np.ndarray | None, panel: _Panel, height: int) -> np.ndarray:
    """Set a picture into its place, black where there is none."""
    out = np.zeros((height, panel.width, 3), dtype=np.uint8)
    if picture is not None:
        out[: panel.height] = picture
    return out


def _fps(meta: dict[str, Any]) -> float:
    return float(meta.get("metadata", {}).get("ubam", {}).get("fps") or 0.0)


def _as_list(path: str | Sequence[str]) -> list[str]:
    return [str(path)] if isinstance(path, str | Path) else [str(p) for p in path]


def _is_readable(path: Path) -> bool:
    """Whether this is ours to read: by suffix for videos, by content for TIFFs and folders."""
    if path.is_dir():
        return len(image_files(path)) > 1
    if path.suffix.lower() in TIFF_SUFFIXES:
        try:
            with TiffStack(path) as stack:
                return len(stack) > 1
        except VideoError:
            return False
    return path.suffix.lower() in VIDEO_SUFFIXES
