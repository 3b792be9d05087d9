"""What the colour of a point says: to which of some kinds it belongs, or how much of something there is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from napari_ubam.study import Recording
from napari_ubam.widgets.embedding.embedding_data import MapData

KINDS = ("group", "subject", "recording", "session")
QUANTITIES = ("time", "deviation")
_COLORMAP, _DARKEST = "viridis", 0.15  # its darkest colours cannot be seen on black
_MISSING = (128, 128, 128)
_OUTLIERS = 1.0  # percent at either end that share the end's colour


@dataclass(frozen=True, eq=False)
class Kinds:
    """Points that belong to one of some kinds each.

    Attributes
    ----------
    names : tuple of str
        The kinds.
    palette : ndarray of uint8, shape (k, 3)
        Their colours.
    of : ndarray of int, shape (n,)
        The kind of every point.
    """

    names: tuple[str, ...]
    palette: np.ndarray
    of: np.ndarray

    @property
    def colours(self) -> np.ndarray:
        """Of every point, (n, 3) uint8."""
        return self.palette[self.of]


@dataclass(frozen=True, eq=False)
class Amounts:
    """How much of something every point has.

    Attributes
    ----------
    values : ndarray, shape (n,)
        NaN where it is not known.
    low, high : float
        What the ends of the colour scale stand for.
    """

    values: np.ndarray
    low: float
    high: float

    @property
    def colours(self) -> np.ndarray:
        """Of every point, (n, 3) uint8; grey where it is not known."""
        share = (self.values - self.low) / max(self.high - self.low, 1e-12)
        colours = scale_colours(np.nan_to_num(share))
        colours[np.isnan(self.values)] = _MISSING
        return colours


def scale_colours(share: np.ndarray) -> np.ndarray:
    """Give the colours (n, 3) uint8 of values from 0 to 1."""
    lut = (255 * colormaps[_COLORMAP](np.linspace(_DARKEST, 1, 256))[:, :3]).astype(np.uint8)
    return lut[(255 * np.clip(share, 0, 1)).astype(int)]


def choices(recordings: Iterable[Recording], *, clustered: bool = False, keypoints: Iterable[str] = ()) -> list[str]:
    """Give what points can be coloured by, the table's further columns among it; clusters where there are any."""
    further = dict.fromkeys(name for recording in recordings for name in recording.covariates)
    known = [*KINDS, *QUANTITIES, *(["cluster"] if clustered else []), *keypoints]
    return [*known, *(name for name in further if name not in known)]


def colour_by(data: MapData, name: str, group_colours: dict[str, str]) -> Kinds | Amounts:
    """Say what colour every point gets.

    Parameters
    ----------
    data : MapData
        The points.
    name : str
        One of `choices`.
    group_colours : dict of str to str
        The colours of the groups; those of other kinds are taken from a palette.
    """
    if name == "time":
        return _amounts(data.frame.astype(float))
    if name == "deviation":
        return _amounts(data.deviation)
    if name == "cluster":
        return _clusters(data.cluster)
    if name in data.keypoints:
        return _amounts(data.keypoints[name])
    values = [_value(recording, name) for recording in data.recordings]
    if name not in KINDS and (numbers := _numbers(values)) is not None:
        return _amounts(numbers[data.which])
    names = tuple(dict.fromkeys(values))
    palette = colormaps["tab10" if len(names) <= 10 else "tab20"]
    colours = [group_colours.get(x, "gray") if name == "group" else palette(i % palette.N) for i, x in enumerate(names)]
    number = np.array([names.index(value) for value in values])
    return Kinds(names, (255 * np.array([to_rgb(colour) for colour in colours])).astype(np.uint8), number[data.which])


def cluster_colours(n: int) -> np.ndarray:
    """Give the colours (n, 3) uint8 of clusters."""
    return (255 * np.array([colormaps["tab20"](i % 20)[:3] for i in range(n)]).reshape(n, 3)).astype(np.uint8)


def _clusters(cluster: np.ndarray) -> Kinds:
    n = int(cluster.max() + 1)
    names = (*(f"cluster {i + 1}" for i in range(n)), "none")
    return Kinds(
        names, np.concatenate([cluster_colours(n), [_MISSING]]).astype(np.uint8), np.where(cluster < 0, n, cluster)
    )


def _value(recording: Recording, name: str) -> str:
    if name in KINDS:
        return str(getattr(recording, "name" if name == "recording" else name))
    return recording.covariates.get(name) or "unknown"


def _numbers(values: list[str]) -> np.ndarray | None:
    """Read values as numbers, if all that are known are some."""
    try:
        numbers = np.array([np.nan if value == "unknown" else float(value) for value in values])
    except ValueError:
        return None
    return None if np.isnan(numbers).all() else numbers


def _amounts(values: np.ndarray) -> Amounts:
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, [_OUTLIERS, 100 - _OUTLIERS]) if len(known) else (0.0, 1.0)
    return Amounts(values, float(low), float(high))
