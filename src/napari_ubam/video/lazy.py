"""A video file as an array of frames that are decoded when asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from threading import RLock

import numpy as np
from av.video.frame import VideoFrame

from napari_ubam.errors import VideoError
from napari_ubam.video.decoder import Decoder, index_by_decoding
from napari_ubam.video.packets import FrameIndex, index_by_time, scan
from napari_ubam.video.source import FrameSource

_CACHE_BYTES = 128 * 2**20
_PROBE = 32  # frames at the start that are decoded to see whether times can be trusted


class LazyVideo(FrameSource):
    """A video file as an array (T, Y, X, 3) of uint8 RGB.

    Frame ``t`` is the ``t``-th frame that decoding the file from its start gives, for constant
    and variable rates, B-frames, open groups of pictures and edit lists. Opening passes once over the
    packets without decoding; only where their times cannot be trusted is the file decoded once.
    In a damaged stretch the decoder makes up what is missing, and may make up something else after a jump.
    Pictures are turned upright as the file says. Reading one frame after the other does not seek,
    and frames decoded on the way stay in a small cache. May be used from several threads.

    Parameters
    ----------
    path : str or Path
        The video file; of several video streams the first is read.

    Raises
    ------
    VideoError
        If the file is missing, is no video, or no frame of it can be decoded.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = RLock()
        self._cache: OrderedDict[int, VideoFrame] = OrderedDict()
        self._cached_bytes = 0
        self._index = _index(self.path)
        self._decoder: Decoder | None = None
        self.fps = self._index.packets.fps
        self.problem = self._index.problem
        with self._lock:
            first = self._decoded(0)
        self._width, self._height = first.width, first.height
        self._quarter_turns = round(first.rotation / 90) % 4  # anticlockwise
        sides = (first.height, first.width) if self._quarter_turns % 2 == 0 else (first.width, first.height)
        self.shape = (self._index.length, *sides, 3)

    def __repr__(self) -> str:
        """Give path and shape."""
        return f"LazyVideo({str(self.path)!r}, shape={self.shape})"

    def read(self, frames: Sequence[int]) -> np.ndarray:
        """Read some frames; see `FrameSource.read`."""
        numbers = self._numbers(frames)
        out = np.empty((len(numbers), *self.shape[1:]), dtype=np.uint8)
        with self._lock:
            for i in np.argsort(numbers, kind="stable"):
                frame = self._decoded(numbers[i])
                out[i] = self._upright(self._open_decoder().rgb(frame, self._width, self._height))
        return out

    def iterate(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Give frames in order with a decoder of its own, so that others may read meanwhile."""
        numbers = range(*slice(start, stop).indices(len(self)))
        if not numbers:
            return
        with closing(Decoder(self.path, self._index)) as decoder:
            for t in numbers:
                for number, frame in decoder.decode_to(t):
                    if number == t:
                        yield self._upright(decoder.rgb(frame, self._width, self._height))

    def close(self) -> None:
        """Close the file and empty the cache; reading again opens it again."""
        with self._lock:
            self._cache.clear()
            self._cached_bytes = 0
            if self._decoder is not None:
                self._decoder.close()
                self._decoder = None

    def _decoded(self, t: int) -> VideoFrame:
        """Give frame ``t`` from the cache or from the file; the frames on the way are kept as well."""
        if t in self._cache:
            self._cache.move_to_end(t)
            return self._cache[t]
        for number, frame in self._open_decoder().decode_to(t):
            self._keep(number, frame)
        return frame

    def _keep(self, t: int, frame: VideoFrame) -> None:
        if t in self._cache:
            self._cached_bytes -= _bytes(self._cache.pop(t))
        self._cache[t] = frame
        self._cached_bytes += _bytes(frame)
        while self._cached_bytes > _CACHE_BYTES and len(self._cache) > 1:
            self._cached_bytes -= _bytes(self._cache.popitem(last=False)[1])

    def _open_decoder(self) -> Decoder:
        if self._decoder is None:
            self._decoder = Decoder(self.path, self._index)
        return self._decoder

    def _upright(self, image: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.rot90(image, self._quarter_turns))


def _index(path: Path) -> FrameIndex:
    """Index a video by its packets' times where these hold, by decoding otherwise."""
    packets = scan(path)
    if packets.sound:
        index = index_by_time(packets)
        if _holds(path, index):
            return index
    return index_by_decoding(path, packets)


def _holds(path: Path, index: FrameIndex) -> bool:
    """Whether the first frames and those after the last keyframe are decoded as the index says."""
    if not index.length:
        return False
    try:
        with closing(Decoder(path, index)) as decoder:
            for t in range(min(_PROBE, index.length)):
                for _ in decoder.decode_to(t):
                    pass
            for _ in decoder.decode_to(index.length - 1):
                pass
            return decoder.remaining() == 0
    except VideoError:
        return False


def _bytes(frame: VideoFrame) -> int:
    return sum(plane.buffer_size for plane in frame.planes)
