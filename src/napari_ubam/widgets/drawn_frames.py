"""A magnified recording as arrays for napari, whose frames are drawn when they are looked at."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ubam.errors import StudyError
from napari_ubam.video.source import FrameSource

if TYPE_CHECKING:
    from napari_ubam.magnify.magnifier import MagnifiedFrame
    from napari_ubam.pipeline import Magnifier

MAX_BYTES = 8 * 2**30  # of the frames that are drawn ahead; longer recordings are better saved as a video
_LIVE_BYTES = 256 * 2**20  # of the frames that were looked at and are kept


@dataclass(frozen=True, eq=False)
class Drawn:
    """One frame.

    Attributes
    ----------
    factor : float
        That its image was drawn with.
    image : ndarray of uint8, shape (Y, X, 3)
        The magnified frame.
    heatmap : ndarray of float16, shape (Y, X)
        Whatever the factor; 1 is the 95th percentile of reference subjects.
    vectors : ndarray of float32, shape (n, 2, 2)
        The arrows, whatever the factor: starts and directions as y and x [px].
    """

    factor: float
    image: np.ndarray
    heatmap: np.ndarray
    vectors: np.ndarray


class DrawnFrames:
    """The frames of a recording, drawn at a factor when they are asked for, and kept as far as there is room.

    Parameters
    ----------
    magnifier : Magnifier
        Draws them. Frames that it does not know, before the recording's start and after its stop, stay as they are.
    factor : float
        May be changed at any time.

    Attributes
    ----------
    original : FrameSource
        The recording's whole file.
    split : float
        The share of the picture's width, from the left, that shows the original.
    ask : callable or None
        Told of a frame that the viewer wants and that is not drawn yet; the viewer is given the nearest thing to it at
        once, and shall read again when it is drawn. Without it, the viewer waits.
    """

    def __init__(self, magnifier: Magnifier, factor: float) -> None:
        self.factor = factor
        self.split = 0.0
        self.ask: Callable[[int], None] | None = None
        self.original = magnifier.video
        self._magnifier = magnifier
        self._known = frozenset(magnifier.frame.tolist())
        self._lock = RLock()
        self._kept: OrderedDict[int, Drawn] = OrderedDict()
        self._room = max(1, _LIVE_BYTES // self._bytes)
        self._last: int | None = None  # that was given to the viewer

    def make_room(self, n: int) -> None:
        """Keep so many frames from now on.

        Raises
        ------
        StudyError
            If that would take too much memory.
        """
        if (needed := n * self._bytes) > MAX_BYTES:
            height, width = self.original.shape[1:3]
            raise StudyError(
                f"{n} frames of {width} × {height} px would take {needed / 2**30:.0f} GB of memory. "
                "Choose fewer frames, or save a video instead."
            )
        self._room = max(self._room, n)

    def keep(self, one: MagnifiedFrame, factor: float) -> Drawn:
        """Keep a frame that was drawn at a factor, and forget those that were not looked at for longest."""
        drawn = Drawn(factor, one.image, one.heatmap.astype(np.float16), one.vectors)
        with self._lock:
            self._kept[one.frame] = drawn
            self._kept.move_to_end(one.frame)
            while len(self._kept) > self._room:
                self._kept.popitem(last=False)
        return drawn

    def kept(self, frame: int) -> Drawn | None:
        """Give a frame if it is drawn, at whatever factor, or cannot be drawn."""
        with self._lock:
            if frame in self._kept:
                self._kept.move_to_end(frame)
                return self._kept[frame]
        return None if frame in self._known else self._untouched(frame)

    def is_ready(self, frame: int) -> bool:
        """Whether a frame is drawn at the present factor, or cannot be drawn."""
        found = self._kept.get(frame)
        return frame not in self._known or (found is not None and found.factor == self.factor)

    def get(self, frame: int) -> Drawn:
        """Give a frame at the present factor, drawing it if need be."""
        while not self.is_ready(frame):  # again, should the factor be changed meanwhile
            factor = self.factor
            (one,) = self._magnifier.draw([frame], factor)
            self.keep(one, factor)
        found = self.kept(frame)
        return self.get(frame) if found is None else found

    def glance(self, frame: int) -> Drawn:
        """Give the viewer a frame without a delay: as it was at another factor, or what it showed last, if need be."""
        if self.ask is None:
            return self.get(frame)
        if not self.is_ready(frame):
            self.ask(frame)
        found = self.kept(frame)
        if found is None and self._last is not None:
            found = self.kept(self._last)
        elif found is not None:
            self._last = frame
        return self._untouched(frame) if found is None else found

    def shown(self, drawn: Drawn, frame: int) -> np.ndarray:
        """Put the original over the left of a frame, up to the split."""
        cut = round(self.split * drawn.image.shape[1])
        if not cut:
            return drawn.image
        return np.concatenate([self.original.read([frame])[0][:, :cut], drawn.image[:, cut:]], axis=1)

    @property
    def _bytes(self) -> int:
        _, height, width, _ = self.original.shape
        return 5 * height * width  # of a frame: colours and float16

    def _untouched(self, frame: int) -> Drawn:
        image = self.original.read([frame])[0]
        return Drawn(self.factor, image, np.zeros(image.shape[:2], np.float16), np.zeros((0, 2, 2), np.float32))


class MagnifiedVideo(FrameSource):
    """The magnified recording (T, Y, X, 3), frame for frame as long as its file.

    The viewer asks for a picture as ``video[t, :, :]`` and must not wait; ``video[t]``, ``read`` and all else that
    reads it, such as a writer, gets every frame as it is at the present factor.
    """

    def __init__(self, frames: DrawnFrames) -> None:
        self.frames = frames
        self.path, self.shape, self.fps = frames.original.path, frames.original.shape, frames.original.fps

    def read(self, frames: Sequence[int]) -> np.ndarray:
        """Draw some frames; see `FrameSource.read`."""
        pictures = [self.frames.shown(self.frames.get(t), t) for t in self._numbers(frames)]
        return np.stack(pictures) if pictures else np.zeros((0, *self.shape[1:]), np.uint8)

    def __getitem__(self, key: Any) -> np.ndarray:
        """Index as numpy does; what the viewer shows is given without a delay."""
        if not _is_view(key):
            return super().__getitem__(key)
        (t,) = self._numbers(key[:1])
        picture: np.ndarray = self.frames.shown(self.frames.glance(t), t)[key[1:]]
        return picture


class DeviationVideo:
    """The heatmaps (T, Y, X) float16 of the same frames; it is read as `MagnifiedVideo` is."""

    dtype = np.dtype(np.float16)
    ndim = 3

    def __init__(self, frames: DrawnFrames) -> None:
        self.frames = frames
        self.shape = frames.original.shape[:3]

    def __len__(self) -> int:
        """Give the number of frames."""
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        """Index as numpy does, with a number or a slice for the time."""
        if _is_view(key):
            view: np.ndarray = self.frames.glance(range(len(self))[key[0]]).heatmap[key[1:]]
            return view
        first, *rest = key if isinstance(key, tuple) else (key,)
        chosen = range(len(self))[first]
        if isinstance(chosen, int):
            heatmap: np.ndarray = self.frames.get(chosen).heatmap[tuple(rest)]
            return heatmap
        heatmaps = [self.frames.get(t).heatmap for t in chosen]
        return np.array(heatmaps, np.float16).reshape(-1, *self.shape[1:])[:, *rest]

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        """Draw everything: only for recordings that fit into memory."""
        return np.asarray(self[:], dtype=dtype)


def _is_view(key: Any) -> bool:
    """Whether this is how napari slices a layer for its canvas: one frame, and slices of the picture."""
    return isinstance(key, tuple) and len(key) > 1 and isinstance(key[0], int | np.integer)
