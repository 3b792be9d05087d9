"""A video file as an array of frames that are decoded when asked for."""

from __future__ import annotations

import itertools
import warnings
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cached_property
from pathlib import Path
from threading import Lock, RLock
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from napari_ubam.errors import VideoError
from napari_ubam.progress import Report, silent
from napari_ubam.video.decoder import Decoder
from napari_ubam.video.frame_cache import FRAME_CACHE, frame_bytes
from napari_ubam.video.indexing import open_indexed
from napari_ubam.video.source import FrameSource

_AHEAD = 16  # frames that are decoded before they are asked for
_NOTHING = -9
_BEHIND = 1  # frames before one that was jumped to, which are kept for who steps back
_SMALL = 1_000_000  # pixels, which one thread converts sooner than several can be told to
_WINDOW = 0.5  # of the cache, for the frames before one when going backwards

_numbers = itertools.count()
_thread = ThreadPoolExecutor(1, thread_name_prefix="napari-ubam-read-ahead")


class LazyVideo(FrameSource):
    """A video file as an array (T, Y, X, 3) of uint8 RGB.

    Frame ``t`` is the ``t``-th frame that decoding the file from its start gives, for constant
    and variable rates, B-frames, open groups of pictures and edit lists. Opening passes once over the
    packets without decoding; only where their times cannot be trusted is the file decoded once. What was found
    is kept in the user's cache folder. Pictures are turned upright as the file says.

    Reading one frame after the other does not seek, and decodes some frames ahead, forwards or backwards. Decoded
    frames stay in a cache of 512 MB that all videos share (`FRAME_CACHE`). May be used from several threads, and
    pickled.

    Damaged frames are shown as the last good one before them. Where the file is damaged shows when it is decoded, if
    the decoder notices (that of H.265 seldom does): `damaged` lists what was found so far, and the first find warns.

    Parameters
    ----------
    path : str or Path
        The video file; of several video streams the first is read.
    native : bool
        Give frames as they are stored: grey ones as (T, Y, X), and more than 8 bits as uint16; grey values are not
        scaled, colours are scaled to 16 bits.
    report : callable, optional
        Told of the progress of the first pass.

    Attributes
    ----------
    pixel_aspect : float
        Width of a pixel over its height, as shown upright.
    bits : int
        Of a value: 8, or for native frames up to 16.

    Raises
    ------
    VideoError
        If the file is missing, is no video, or no frame of it can be decoded.
    """

    _decoder: Decoder | None
    _key: int

    def __init__(self, path: str | Path, *, native: bool = False, report: Report = silent) -> None:
        self.path = Path(path)
        decoder = open_indexed(self.path, report)
        self._index, self._damage = decoder.index, decoder.damage
        self.fps = self._index.packets.fps
        self.problem = self._index.problem
        self._start()
        self._decoder = decoder
        self._width = self._height = 0  # not known yet
        first = self._decoded(0)
        self._width, self._height = first.width, first.height
        self._frame_bytes = frame_bytes(first)
        self._quarter_turns = round(first.rotation / 90) % 4  # anticlockwise
        turned = self._quarter_turns % 2 == 1
        aspect = decoder.pixel_aspect
        self.pixel_aspect = 1 / aspect if turned else aspect
        sides = (first.width, first.height) if turned else (first.height, first.width)
        self._format, self.bits = _native_format(first) if native else ("rgb24", 8)
        self.dtype = np.dtype(np.uint8 if self.bits == 8 else np.uint16)
        colour = (3,) if self._format.startswith("rgb") else ()
        self.shape = (self._index.length, *sides, *colour)
        self.ndim = len(self.shape)

    def __repr__(self) -> str:
        """Give path and shape."""
        return f"LazyVideo({str(self.path)!r}, shape={self.shape})"

    @cached_property
    def timestamps(self) -> np.ndarray:
        """When each frame is shown: (T,) float64 [s], as the file says; the first need not be 0.

        Where the file does not say, the mean frame rate tells.
        """
        return self._index.times()

    @property
    def keyframes(self) -> np.ndarray:
        """Frames that decoding can start from: (K,) int64, in order."""
        return self._index.key_frames

    @property
    def damaged(self) -> np.ndarray:
        """Frames that are known to be damaged by now: (D,) int64, in order."""
        return np.flatnonzero(self._damage.frames)

    @property
    def value_range(self) -> tuple[float, float]:
        """See `FrameSource.value_range`: for deep grey values that of the first frame, for colours all that fits."""
        if self.bits > 8 and self.ndim == 3:  # cameras seldom use all that 16 bits can hold
            first = self[0]
            return float(first.min()), float(first.max())
        return 0.0, 2.0**self.bits - 1

    def read(self, frames: Sequence[int]) -> np.ndarray:
        """Read some frames; see `FrameSource.read`."""
        numbers = self._numbers(frames)
        if len(numbers) == 1:  # a frame of a large video is not copied once more
            picture = self._picture(self._decoded(numbers[0]))[None]
            self._read_ahead(numbers[0])
            return picture
        out = np.empty((len(numbers), *self.shape[1:]), dtype=self.dtype)
        for i in np.argsort(numbers, kind="stable"):
            out[i] = self._picture(self._decoded(numbers[i]))
        return out

    def iterate(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Give frames in order with a decoder of its own, so that others may read meanwhile."""
        numbers = range(*slice(start, stop).indices(len(self)))
        if not numbers:
            return
        reformatter = VideoReformatter()
        with closing(Decoder(self.path, self._index, self._damage, in_order=True)) as decoder:
            for t in numbers:
                for number, frame in decoder.show(t):
                    if number == t:
                        yield self._converted(frame, reformatter)
        self._tell_of_damage()

    def close(self) -> None:
        """Close the file and forget its frames; reading again opens it again."""
        with self._lock:
            self._wanted = _NOTHING
            FRAME_CACHE.drop(self._key)
            if self._decoder is not None:
                self._decoder.close()
                self._decoder = None

    def __getstate__(self) -> dict[str, Any]:
        """Give what another process needs: not what is open."""
        left_out = {"_lock", "_converting", "_reformatter", "_decoder", "_key", "_wanted", "_finalizer"}
        return {name: value for name, value in self.__dict__.items() if name not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over what `__getstate__` gave; the file is opened when it is read."""
        self.__dict__.update(state)
        self._start()

    def _start(self) -> None:
        self._lock, self._converting = RLock(), Lock()
        self._reformatter = VideoReformatter()  # a frame's own would be set up anew for each frame
        self._decoder = None
        self._key = next(_numbers)  # in the cache
        self._wanted = _NOTHING  # the frame that was asked for last
        self._finalizer = weakref.finalize(self, FRAME_CACHE.drop, self._key)

    def _decoded(self, t: int) -> VideoFrame:
        """Give frame ``t`` from the cache or from the file; the last frames on the way are kept as well.

        More of them only when going backwards: FFmpeg decodes faster into memory that it gets back at once.
        """
        if (known := FRAME_CACHE.get(self._key, t)) is not None:
            return known
        with self._lock:
            if (known := FRAME_CACHE.get(self._key, t)) is not None:
                return known
            decoder = self._open_decoder()
            decoder.check_unchanged()
            going_back = 0 < self._wanted - t <= _AHEAD
            most = int(_WINDOW * FRAME_CACHE.limit / self._frame_bytes) if going_back else _BEHIND
            for number, frame in decoder.show(t, most):
                if t - number <= most:
                    FRAME_CACHE.keep(self._key, number, frame, self._bytes_of(frame))
            self._tell_of_damage()
        return frame

    def _read_ahead(self, t: int) -> None:
        """Decode what will be asked for next if playing goes on as it does."""
        before, self._wanted = self._wanted, t
        has_room = FRAME_CACHE.limit > 4 * _AHEAD * self._frame_bytes
        if before in (t - 1, t + 1) and has_room:
            _thread.submit(_decode_ahead, weakref.ref(self), t, t - before)

    def _open_decoder(self) -> Decoder:
        if self._decoder is None:
            self._decoder = Decoder(self.path, self._index, self._damage)
        return self._decoder

    def _picture(self, frame: VideoFrame) -> np.ndarray:
        with self._converting:
            return self._converted(frame, self._reformatter)

    def _converted(self, frame: VideoFrame, reformatter: VideoReformatter) -> np.ndarray:
        threads = 1 if self._width * self._height < _SMALL else 0  # as many as there are cores
        shown = reformatter.reformat(frame, self._width, self._height, self._format, threads=threads)
        image: np.ndarray = shown.to_ndarray()
        return np.ascontiguousarray(np.rot90(image, self._quarter_turns)) if self._quarter_turns else image

    def _bytes_of(self, frame: VideoFrame) -> int:
        alike = (frame.width, frame.height) == (self._width, self._height)
        return self._frame_bytes if alike else frame_bytes(frame)

    def _tell_of_damage(self) -> None:
        if not self.problem and self._damage.suspected and self._damage.frames.any():
            self.problem = f"{self.path} is damaged: frames that cannot be decoded are shown as the last good one."
            warnings.warn(self.problem, stacklevel=4)


def _decode_ahead(video: weakref.ref[LazyVideo], t: int, step: int) -> None:
    """Decode the frames after or before ``t``, unless another one is asked for meanwhile."""
    for number in range(t + step, t + step * (_AHEAD + 1), step):
        known = video()
        if known is None or not 0 <= number < len(known) or known._wanted != t:
            return
        try:
            known._decoded(number)
        except VideoError:
            return  # whoever asks for it will be told


def _native_format(frame: VideoFrame) -> tuple[str, int]:
    """Give the pixel format that keeps what a frame holds, and the bits of a value."""
    bits = max(component.bits for component in frame.format.components)
    if frame.format.name.startswith("gray") and len(frame.format.components) == 1 and bits <= 16:
        return ("gray", 8) if bits == 8 else (f"gray{bits}le", bits)
    return ("rgb48le", 16) if bits > 8 else ("rgb24", 8)
