"""A magnified recording as arrays for napari, whose frames are drawn when they are looked at."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_ubam.errors import StudyError
from napari_ubam.magnify.marks import Marks, no_marks
from napari_ubam.video.source import FrameSource

if TYPE_CHECKING:
    from napari_ubam.pipeline import Magnifier

MAX_BYTES = 8 * 2**30  # of the frames that are drawn ahead; longer recordings are better saved as a video
_LIVE_BYTES = 256 * 2**20  # of the frames that were looked at and are kept


@dataclass(frozen=True, eq=False)
class Drawn:
    """What is there of one frame.

    Attributes
    ----------
    image : ndarray of uint8, shape (Y, X, 3), or None
        The magnified frame.
    factor : float
        That the image was drawn with.
    marks : Marks or None
        Heatmap (as float16) and arrows, whatever the factor.
    """

    image: np.ndarray | None = None
    factor: float = math.nan
    marks: Marks | None = None


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
    left : list of int
        The frames that are left as they are for want of a good reference.
    split : float
        The share of the picture's width, from the left, that shows the original.
    ask : callable or None
        Told of a frame that the viewer wants and that is not drawn yet; the viewer is given the nearest thing to it at
        once, and shall read again when it is drawn. Without it, the viewer waits.
    wants_image, wants_marks : bool
        What `prepare` draws: what nobody sees costs nothing.
    """

    def __init__(self, magnifier: Magnifier, factor: float) -> None:
        self.factor = factor
        self.split = 0.0
        self.ask: Callable[[int], None] | None = None
        self.wants_image = self.wants_marks = True
        self.original = magnifier.video
        self.left: list[int] = magnifier.frame[magnifier.left].tolist()
        self._magnifier = magnifier
        self._known = frozenset(magnifier.frame.tolist())
        self._lock = RLock()
        self._kept: OrderedDict[int, Drawn] = OrderedDict()
        self._room = max(1, _LIVE_BYTES // self._bytes)
        self._last_image: int | None = None  # that was given to the viewer
        self._last_marks: int | None = None

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

    def keep_image(self, frame: int, image: np.ndarray, factor: float) -> None:
        """Keep a frame's image, drawn at a factor."""
        self._keep(frame, lambda drawn: replace(drawn, image=image, factor=factor))

    def keep_marks(self, frame: int, marks: Marks) -> None:
        """Keep a frame's heatmap and arrows."""
        small = replace(marks, heatmap=marks.heatmap.astype(np.float16))
        self._keep(frame, lambda drawn: replace(drawn, marks=small))

    def is_ready(self, frame: int) -> bool:
        """Whether all that is wanted of a frame is there at the present factor, or cannot be drawn."""
        image, marks = self._has_image(frame), self._has_marks(frame)
        return (image or not self.wants_image) and (marks or not self.wants_marks)

    def prepare(self, frame: int) -> None:
        """Draw of a frame what is wanted and not there yet."""
        if self.wants_image:
            self.image(frame)
        if self.wants_marks:
            self.marks(frame)

    def image(self, frame: int) -> np.ndarray:
        """Give a frame's image at the present factor, drawing it if need be."""
        while not self._has_image(frame):  # again, should the factor be changed meanwhile
            factor = self.factor
            (image,) = self._magnifier.images([frame], factor)
            self.keep_image(frame, image, factor)
        found = self.kept(frame).image
        return self.image(frame) if found is None else found

    def marks(self, frame: int) -> Marks:
        """Give a frame's heatmap and arrows, finding them if need be."""
        if not self._has_marks(frame):
            (marks,) = self._magnifier.marks([frame])
            self.keep_marks(frame, marks)
        found = self.kept(frame).marks
        return self.marks(frame) if found is None else found

    def kept(self, frame: int) -> Drawn:
        """Give what is there of a frame, at whatever factor."""
        if frame not in self._known:
            return self._untouched(frame)
        with self._lock:
            if frame not in self._kept:
                return Drawn()
            self._kept.move_to_end(frame)
            return self._kept[frame]

    def glance_image(self, frame: int) -> np.ndarray:
        """Give the viewer an image without a delay: as it was at another factor, or what it showed last, if need be."""
        if self.ask is None:
            return self.image(frame)
        if not self._has_image(frame):
            self.ask(frame)
        if (found := self.kept(frame).image) is not None:
            self._last_image = frame
        elif self._last_image is not None:
            found = self.kept(self._last_image).image
        return self.original.read([frame])[0] if found is None else found

    def glance_heatmap(self, frame: int) -> np.ndarray:
        """Give the viewer a heatmap without a delay: the one that it showed last, if need be."""
        if self.ask is None:
            return self.marks(frame).heatmap
        if not self._has_marks(frame):
            self.ask(frame)
        if (found := self.kept(frame).marks) is not None:
            self._last_marks = frame
        elif self._last_marks is not None:
            found = self.kept(self._last_marks).marks
        return no_marks(*self.original.shape[1:3]).heatmap if found is None else found.heatmap

    def shown(self, image: np.ndarray, frame: int) -> np.ndarray:
        """Put the original over the left of a frame's image, up to the split."""
        cut = round(self.split * image.shape[1])
        if not cut:
            return image
        return np.concatenate([self.original.read([frame])[0][:, :cut], image[:, cut:]], axis=1)

    @property
    def _bytes(self) -> int:
        _, height, width, _ = self.original.shape
        return 5 * height * width  # of a frame: colours and float16

    def _keep(self, frame: int, change: Callable[[Drawn], Drawn]) -> None:
        """Change what is kept of a frame, and forget those that were not looked at for longest."""
        with self._lock:
            self._kept[frame] = change(self._kept.get(frame, Drawn()))
            self._kept.move_to_end(frame)
            while len(self._kept) > self._room:
                self._kept.popitem(last=False)

    def _has_image(self, frame: int) -> bool:
        return frame not in self._known or self._kept.get(frame, Drawn()).factor == self.factor

    def _has_marks(self, frame: int) -> bool:
        return frame not in self._known or self._kept.get(frame, Drawn()).marks is not None

    def _untouched(self, frame: int) -> Drawn:
        return Drawn(self.original.read([frame])[0], self.factor, no_marks(*self.original.shape[1:3]))


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
        pictures = [self.frames.shown(self.frames.image(t), t) for t in self._numbers(frames)]
        return np.stack(pictures) if pictures else np.zeros((0, *self.shape[1:]), np.uint8)

    def __getitem__(self, key: Any) -> np.ndarray:
        """Index as numpy does; what the viewer shows is given without a delay."""
        if not _is_view(key):
            return super().__getitem__(key)
        (t,) = self._numbers(key[:1])
        picture: np.ndarray = self.frames.shown(self.frames.glance_image(t), t)[key[1:]]
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
            view: np.ndarray = self.frames.glance_heatmap(range(len(self))[key[0]])[key[1:]]
            return view
        first, *rest = key if isinstance(key, tuple) else (key,)
        chosen = range(len(self))[first]
        if isinstance(chosen, int):
            heatmap: np.ndarray = self.frames.marks(chosen).heatmap[tuple(rest)]
            return heatmap
        heatmaps = [self.frames.marks(t).heatmap for t in chosen]
        return np.array(heatmaps, np.float16).reshape(-1, *self.shape[1:])[:, *rest]

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        """Draw everything: only for recordings that fit into memory."""
        return np.asarray(self[:], dtype=dtype)


def _is_view(key: Any) -> bool:
    """Whether this is how napari slices a layer for its canvas: one frame, and slices of the picture."""
    return isinstance(key, tuple) and len(key) > 1 and isinstance(key[0], int | np.integer)
