"""Videos of any origin as one comparison video."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_ubam.errors import VideoError
from napari_ubam.magnify.compose import glow
from napari_ubam.pipeline.layering import ShownImage, write_layers
from napari_ubam.progress import Report, silent
from napari_ubam.settings import ExportSettings
from napari_ubam.video import FrameSource, open_frames
from napari_ubam.video.napari_io import attributes_of, fps_of, panel_of, times_of

GREY = "gray"  # napari's name
GLOW = "glow"  # the name of our heatmaps' colours, which napari does not have
BLENDINGS = ("translucent", "additive", "minimum", "multiplicative", "opaque")  # napari's names, too
_OVER = 0.5  # opacity of what lies over another video, so that both can be seen


@dataclass(frozen=True)
class FileLayer:
    """A file, and how it is shown.

    Attributes
    ----------
    path : Path
        A video, a multi-page TIFF, a folder of numbered images, or a raw array.
    name : str
        Its caption; default: that of the file without its suffix.
    opacity : float, optional
        0 to 1; default: 1 for the lowest, 0.5 for what lies over it.
    blending : str
        With what lies below it: one of `BLENDINGS`.
    colormap : str
        Of grey values, as napari calls it; ``glow`` is that of the heatmaps.
    limits : (float, float), optional
        Grey values that become black and white; default: as the viewer chooses them.
    """

    path: Path
    name: str = ""
    opacity: float | None = None
    blending: str = "translucent"
    colormap: str = GREY
    limits: tuple[float, float] | None = None


def export(
    layers: Sequence[FileLayer], out: str | Path, settings: ExportSettings | None = None, report: Report = silent
) -> int:
    """Write files as one video, side by side or blended as the viewer shows them.

    Parameters
    ----------
    layers : sequence of FileLayer
        From left to right, or from the lowest to the highest.
    out, settings, report
        As in `napari_ubam.pipeline.layering.write_layers`.

    Returns
    -------
    int
        Number of frames written.

    Raises
    ------
    VideoError
        If a file cannot be read or shown so, there are none, ``out`` is one of them, or it cannot be written.
    """
    if not layers:
        raise VideoError(f"{out} was not written: no file was named to put into it.")
    for layer in layers:
        if Path(out).resolve() == layer.path.resolve():
            raise VideoError(f"{out} is one of the files that are put together. Choose another name to write to.")
    with ExitStack() as stack:
        images = []
        for i, layer in enumerate(layers):
            frames = stack.enter_context(open_frames(layer.path, native=True, report=report))
            images.append(_shown(layer, frames, 1.0 if i == 0 else _OVER))
        return write_layers(out, images, settings, report=report)


def _shown(layer: FileLayer, frames: FrameSource, opacity: float) -> ShownImage:
    """Give an open file as the viewer would show it with what ``layer`` asks for."""
    meta = attributes_of(frames)
    if meta["rgb"] and (layer.colormap != GREY or layer.limits is not None):
        raise VideoError(
            f"{layer.path} is coloured: a colormap and contrast limits are for grey values only. "
            f"Give it the colormap '{GREY}' and the limits 'auto'."
        )
    if layer.blending not in BLENDINGS:
        raise VideoError(f"There is no blending '{layer.blending}'. Choose one of {', '.join(BLENDINGS)}.")
    meta["colormap"] = glow(np.linspace(0, 1, 256)) if layer.colormap == GLOW else layer.colormap
    meta["name"] = layer.name or meta["name"]
    meta["contrast_limits"] = layer.limits or meta["contrast_limits"]
    try:
        panel = panel_of(frames, meta)
    except ImportError as error:
        raise VideoError(
            f"The colormap '{layer.colormap}' is one of napari's, which is not installed: pip install napari, or leave "
            "colormaps out."
        ) from error
    except KeyError as error:
        raise VideoError(
            f"There is no colormap '{layer.colormap}'. Choose '{GLOW}', that of our heatmaps, or one in "
            "napari's list, such as 'viridis'."
        ) from error
    scale = np.array(meta.get("scale", (1.0, 1.0, 1.0))[-2:])
    shown = opacity if layer.opacity is None else layer.opacity
    return ShownImage(panel, scale, np.zeros(2), shown, layer.blending, fps_of(meta), times_of(meta))
