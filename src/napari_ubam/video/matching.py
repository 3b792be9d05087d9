"""Decoding packets one after the other, and seeing that they become the frames that the index says."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

import av
import numpy as np
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from napari_ubam.video.index import NO_FRAME, FrameIndex

_LEFT_OUT: Final = "NONREF"  # frames that no other depends on, in the words of FFmpeg
_MARKED = ("h264", "mpeg1video", "mpeg2video", "mpeg4")  # they are marked as such; VP9 and AV1 learn from all frames
_MOST_HELD = 17  # frames; as many as a codec may still have to show before one that it has decoded


class Unusable(Exception):
    """The packets or frames are not those that the index has here."""


class Suspicious(Exception):
    """A packet was refused, or a frame has a flaw."""


class Damage:
    """Which frames of a video are known to be damaged; shared by all its decoders.

    Attributes
    ----------
    frames : np.ndarray
        (T,) bool.
    suspected : bool
        From now on decode slowly, so that it can be told which packet is damaged.
    """

    def __init__(self, index: FrameIndex) -> None:
        self.frames = np.zeros(index.length, bool)
        self.frames[index.damaged] = True
        self.suspected = bool(index.problem) and index.number is not None


class Matching:
    """Decodes packets of a stream, and gives frames with the numbers that the index has for them.

    Parameters
    ----------
    stream : VideoStream
        The stream; it is decoded by nobody else.
    index : FrameIndex
        Which frame each packet becomes.
    damage : Damage
        Where damaged frames are noted.
    skips : bool
        Frames that are not wanted and that no other frame depends on may be left out.

    Attributes
    ----------
    careful : bool
        Damaged packets are told apart, and frames that cannot be trusted are left out and noted. Otherwise the first
        sign of damage ends the decoding.
    wanted : int
        The first frame that is wanted.
    has_skipped : bool
        Whether any was left out since the last jump.
    """

    def __init__(self, stream: VideoStream, index: FrameIndex, damage: Damage, *, skips: bool) -> None:
        self.index = index
        self.damage = damage
        self.careful = damage.suspected
        self.wanted = 0
        # a packet without a frame may be half of one
        self.skips = skips and not self.careful and index.each_is_a_frame and _marks_all(stream)
        self.has_skipped = False
        # these give Python's own numbers, which is quicker than NumPy's
        self._size, self._pts = index.packets.size.data, index.packets.pts.data
        self._number = (index.keys[:0] if index.number is None else index.number).data
        self._stream = stream
        self._codec = stream.codec_context
        self._skipping = False

    def from_start(self, packets: Iterator[av.Packet[VideoStream]]) -> Iterator[tuple[int, VideoFrame]]:
        """Decode from the first packet."""
        if self.index.number is not None:
            yield from self._good_frames(decode(self._stream, packets), 0, 0)
            return
        frames = (frame for _, frame in decode(self._stream, packets) if frame is not None)
        yield from enumerate(frames)

    def from_key_frame(
        self, packets: Iterator[av.Packet[VideoStream]], start: int, by_time: bool, trusted: int
    ) -> Iterator[tuple[int, VideoFrame]]:
        """Decode from the keyframe at position ``start`` and give frames from ``trusted`` on.

        Packets are recognised by their size, and ``by_time`` by their time as well.

        Raises
        ------
        Unusable
            If other packets or frames come; decoding may have to begin earlier.
        Suspicious
            If there is a sign of damage, and `careful` is not set.
        """
        self.has_skipped = self._skipping
        decoded = decode(self._stream, self._checked(packets, start, by_time), start)
        yield from self._good_frames(self._begun_well(decoded, start), start, trusted)

    def _checked(
        self, packets: Iterator[av.Packet[VideoStream]], start: int, by_time: bool
    ) -> Iterator[av.Packet[VideoStream]]:
        size, pts, number = self._size, self._pts, self._number
        for position, packet in enumerate(packets, start):
            if position >= len(size) or packet.size != size[position] or (by_time and packet.pts != pts[position]):
                raise Unusable
            skip = self.skips and number[position] < self.wanted
            if skip != self._skipping:
                self._codec.skip_frame = _LEFT_OUT if skip else "DEFAULT"
                self._skipping = skip
                self.has_skipped |= skip
            yield packet

    def _begun_well(
        self, decoded: Iterator[tuple[int | None, VideoFrame | None]], start: int
    ) -> Iterator[tuple[int | None, VideoFrame | None]]:
        """Leave out what a keyframe is shown after; Unusable if decoding could not begin with it."""
        number = self._number
        begun, first = False, number[start] if start < len(number) else 0
        for position, frame in decoded:
            early = position is not None and NO_FRAME < number[position] < first
            if frame is not None and not early and not begun:
                # streams that are refreshed strip by strip call frames keyframes that need those before
                if position != start or frame.pict_type in (PictureType.P, PictureType.B):
                    raise Unusable
                begun = True
            if not early:
                yield position, frame

    def _good_frames(
        self, decoded: Iterator[tuple[int | None, VideoFrame | None]], start: int, trusted: int
    ) -> Iterator[tuple[int, VideoFrame]]:
        """Give the frames from ``trusted`` on that can be trusted, with their numbers.

        A frame may be shown before another that it was decoded from, so each is held back
        until all that were decoded before it are known to be good.
        """
        number = self._number
        held: deque[tuple[int, int, VideoFrame]] = deque()  # with positions
        seen: set[int] = set()
        low, last = start, -1

        def good(frames: Iterable[tuple[int, int, VideoFrame]]) -> Iterator[tuple[int, VideoFrame]]:
            for _, t, frame in frames:
                if t >= trusted and not self.damage.frames[t]:
                    yield t, frame

        for position, frame in decoded:
            if position is None or position >= len(number):
                raise Unusable
            t = number[position]
            if frame is None or frame.is_corrupt:
                if not self.careful:
                    raise Suspicious
                hurt = self.index.hurt_by(position)
                self.damage.frames[hurt[hurt >= trusted]] = True
            if frame is not None:
                if t <= last:
                    raise Unusable
                last = t
                if not self.careful:
                    if t >= trusted:
                        yield t, frame
                    continue
                held.append((position, t, frame))
            seen.add(position)
            while low in seen or (low < len(number) and number[low] == NO_FRAME):
                seen.discard(low)
                low += 1
            while held and (held[0][0] < low or len(held) > _MOST_HELD):
                yield from good([held.popleft()])
        yield from good(held)


def _marks_all(stream: VideoStream) -> bool:
    """Whether nothing depends on frames that are marked so; H.265's marks say nothing of higher temporal layers."""
    codec = stream.codec_context
    if codec.name != "hevc":
        return codec.name in _MARKED
    setup = codec.extradata or b""  # as MP4 and MKV hold it, with the number of layers
    return len(setup) > 21 and setup[0] == 1 and setup[21] >> 3 & 7 == 1


def decode(
    stream: VideoStream, packets: Iterator[av.Packet[VideoStream]], start: int = 0
) -> Iterator[tuple[int | None, VideoFrame | None]]:
    """Decode packets, and give each frame with the position of its packet, counted from ``start``.

    The position travels through the decoder in the place of the presentation time. For a packet that
    the decoder refuses there is no frame.
    """
    position = start
    for position, packet in enumerate(packets, start):
        packet.pts = position
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            yield position, None
            continue
        for frame in frames:
            yield frame.pts, frame
    try:
        frames = stream.decode(None)
    except av.error.FFmpegError:
        yield position, None
        return
    for frame in frames:
        yield frame.pts, frame
