"""The decoded frames of all open videos that are kept, within one limit of memory."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from av.video.frame import VideoFrame

_LIMIT = 512 * 2**20  # bytes
_MARGIN = 2**15  # bytes of a frame beside its pixels


class FrameCache:
    """Frames by video and number; those that were not looked at for longest go first. For several threads.

    Parameters
    ----------
    limit : int
        How much the frames may take together [bytes]. One frame is always kept.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self.limit = limit
        self.size = 0
        self._lock = Lock()
        self._frames: OrderedDict[tuple[int, int], tuple[VideoFrame, int]] = OrderedDict()

    def get(self, video: int, t: int) -> VideoFrame | None:
        """Give frame ``t`` of a video, None if it is not here."""
        with self._lock:
            kept = self._frames.get((video, t))
            if kept is None:
                return None
            self._frames.move_to_end((video, t))
            return kept[0]

    def keep(self, video: int, t: int, frame: VideoFrame, size: int) -> None:
        """Keep a frame that takes ``size`` bytes, and forget others if need be."""
        with self._lock:
            self._forget((video, t))
            self._frames[video, t] = frame, size
            self.size += size
            while self.size > self.limit and len(self._frames) > 1:
                self._forget(next(iter(self._frames)))

    def drop(self, video: int) -> None:
        """Forget a video."""
        with self._lock:
            for key in [key for key in self._frames if key[0] == video]:
                self._forget(key)

    def _forget(self, key: tuple[int, int]) -> None:
        if (kept := self._frames.pop(key, None)) is not None:
            self.size -= kept[1]


def frame_bytes(frame: VideoFrame) -> int:
    """Give about how much memory a decoded frame takes [bytes]; decoders add a margin around the picture."""
    return sum(plane.buffer_size for plane in frame.planes) * 9 // 8 + _MARGIN


FRAME_CACHE = FrameCache()  # of all videos
