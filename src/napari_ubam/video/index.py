"""Which frame each packet of a video becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from napari_ubam.video.packets import NO_TIME, Packets
from napari_ubam.video.source import ASSUMED_FPS

NO_FRAME = -1


@dataclass(frozen=True)
class FrameIndex:
    """Where each frame of a video comes from.

    Attributes
    ----------
    packets : Packets
        The packets of the file.
    number : np.ndarray or None
        (P,) int64: the frame that each packet becomes, NO_FRAME if none. None: not known, frames
        can only be counted from the start.
    keys : np.ndarray
        (K,) int64: packets that decoding can start from, by frame number.
    length : int
        Number of frames.
    problem : str
        What is wrong with the file, empty if nothing is.
    damaged : np.ndarray
        (D,) int64: frames that are known to be damaged.
    """

    packets: Packets
    number: np.ndarray | None
    keys: np.ndarray
    length: int
    problem: str = ""
    damaged: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def key_before(self, t: int) -> int:
        """Give the position in `keys` of the last keyframe that is shown no later than frame ``t``.

        Frames that are decoded after a keyframe but shown before it (open groups of pictures)
        need the keyframe before that one.
        """
        if self.number is None:
            return 0
        return max(0, int(np.searchsorted(self.key_frames, t, side="right")) - 1)

    @cached_property
    def position(self) -> np.ndarray:
        """The packet of each frame, where it is known: (T,) int64."""
        assert self.number is not None
        position = np.full(self.length, NO_FRAME)
        known = np.flatnonzero(self.number != NO_FRAME)
        position[self.number[known]] = known
        return position

    @cached_property
    def each_is_a_frame(self) -> bool:
        """Whether every packet that is shown is known to become a frame of its own."""
        return self.number is not None and not np.any((self.number == NO_FRAME) & self.packets.shown)

    @cached_property
    def key_frames(self) -> np.ndarray:
        """The frame numbers of the keyframes, in order: (K,) int64."""
        return np.zeros(1, np.int64) if self.number is None else self.number[self.keys]

    def times(self) -> np.ndarray:
        """Give when each frame is shown: (T,) float64 [s]; where the file does not say, by the mean rate."""
        even = np.arange(self.length) / (self.packets.fps or ASSUMED_FPS)
        if self.number is None:
            return even
        pts = self.packets.pts[self.position]
        if np.any(pts == NO_TIME):
            return even
        return (pts if self.packets.timed or np.all(np.diff(pts) > 0) else np.sort(pts)) * self.packets.unit

    def hurt_by(self, position: int) -> np.ndarray:
        """Give the frames that a damaged packet spoils: all up to the next keyframe, and those shown just before it."""
        if self.number is None:
            return np.zeros(0, np.int64)
        starts = np.sort(self.keys)
        after = starts[np.searchsorted(starts, position, side="right") :][:2]
        stop = after[0] if len(after) else len(self.number)
        hurt = self.number[position:stop]
        if len(after):
            leading = self.number[stop : after[1] if len(after) > 1 else len(self.number)]
            hurt = np.concatenate([hurt, leading[leading < self.number[stop]]])
        return hurt[hurt != NO_FRAME]


def index_by_time(packets: Packets) -> FrameIndex:
    """Give each packet its frame by presentation time."""
    shown = np.flatnonzero(packets.shown)
    return index_by_order(packets, shown[np.argsort(packets.pts[shown])])


def index_by_order(
    packets: Packets, order: np.ndarray, problem: str = "", damaged: Sequence[int] | np.ndarray = ()
) -> FrameIndex:
    """Give each packet its frame by the order (T,) in which the packets become frames."""
    number = np.full(len(packets.size), NO_FRAME, dtype=np.int64)
    number[order] = np.arange(len(order))
    keys = order[packets.key[order]]
    return FrameIndex(packets, number, keys, len(order), problem, np.array(damaged, np.int64))
