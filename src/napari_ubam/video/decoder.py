"""Decoding from any frame on, such that every frame is the one that decoding from the start gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from napari_ubam.errors import VideoError
from napari_ubam.video.packets import (
    NO_FRAME,
    NO_TIME,
    FrameIndex,
    Packets,
    index_by_order,
    open_container,
    opened,
    read_packets,
)

# These keep no index and search by decoding time; the others by presentation time.
_SEARCHED_BY_DTS = ("mpegts", "mpeg")


class Decoder:
    """An open video and where decoding stands in it.

    After a jump, packets are recognised by time and size and checked one by one against the
    index, and each frame carries the position of its packet. So a wrong landing or a frame that
    needs what came before is noticed, and decoding starts again further ahead, in the end from
    the first packet.

    Parameters
    ----------
    path : Path
        The video file.
    index : FrameIndex
        Which frame each packet becomes.
    """

    def __init__(self, path: Path, index: FrameIndex) -> None:
        self.path = path
        self.index = index
        self.jumps = 0
        self._to_rgb = VideoReformatter()
        self._container: InputContainer | None = None
        self._frames: Iterator[tuple[int, VideoFrame]]
        self._next: int  # the frame that decoding on would give
        self._from_start: bool
        self._restart()

    def close(self) -> None:
        """Close the file."""
        if self._container is not None:
            self._container.close()

    def rgb(self, frame: VideoFrame, width: int, height: int) -> np.ndarray:
        """Convert a decoded frame to (height, width, 3) uint8 RGB."""
        return self._to_rgb.reformat(frame, width, height, "rgb24").to_ndarray()

    def decode_to(self, t: int) -> Iterator[tuple[int, VideoFrame]]:
        """Decode up to frame ``t``; give each frame on the way with its number, ``t`` as the last.

        Raises
        ------
        VideoError
            If frame ``t`` cannot be decoded although the file promises it.
        """
        key = self.index.key_before(t)
        if not self._key_frame(key) <= self._next <= t:
            self._jump(key)
        step = 1
        while True:
            for number, frame in self._frames:
                self._next = number + 1
                if number > t:
                    break
                yield number, frame
                if number == t:
                    return
            if self._from_start:
                raise VideoError(
                    f"Frame {t} of {self.path} cannot be decoded: the file is damaged there. Make a clean copy with "
                    f"'ffmpeg -i \"{self.path.name}\" -crf 18 copy.mp4' and use that."
                )
            key, step = max(0, key - step), 2 * step
            self._jump(key)

    def remaining(self) -> int:
        """Decode to the end and count the frames."""
        return sum(1 for _ in self._frames)

    def _key_frame(self, key: int) -> int:
        """Give the frame number of a keyframe; the first one stands for the start of the file."""
        return 0 if key == 0 or self.index.number is None else int(self.index.number[self.index.keys[key]])

    def _jump(self, key: int) -> None:
        """Get ready to decode from a keyframe, or from the nearest one before it that can be found."""
        self.jumps += 1
        step = 1
        while key > 0:
            if self._land(key):
                return
            key, step = key - step, 2 * step
        self._restart()

    def _restart(self) -> None:
        """Get ready to decode from the first packet; opening anew is the only way that all formats agree on."""
        self.close()
        self._container = open_container(self.path)
        self._stream = _fast_stream(self._container, self.index)
        self._from_start, self._next = True, 0
        self._frames = self._count_frames(read_packets(self._container, self._stream))

    def _land(self, key: int) -> bool:
        """Search a keyframe in the file; False if something else was found that is of no use."""
        assert self._container is not None
        wanted = self.index.keys[key]
        times = [self.index.packets.pts[wanted], self.index.packets.dts[wanted]]
        if self._container.format.name in _SEARCHED_BY_DTS:
            times.reverse()
        time = next((int(time) for time in times if time != NO_TIME), None)
        if time is None:
            return False
        try:
            self._container.seek(time, stream=self._stream)
        except av.error.FFmpegError:
            return False
        packets = read_packets(self._container, self._stream)
        first = next((packet for packet in packets if packet.is_keyframe), None)
        if first is None:
            return False
        start, by_time = self._recognise(first)
        number = self.index.number
        if number is None or start is None or not 0 <= number[start] <= number[wanted]:
            return False
        self._from_start, self._next = False, int(number[start])
        self._frames = self._match_frames(chain([first], packets), start, by_time)
        return True

    def _recognise(self, packet: av.Packet[VideoStream]) -> tuple[int | None, bool]:
        """Give the position of a keyframe's packet, and whether its time is the one of the index."""
        keys, known = self.index.keys, self.index.packets
        same_size = keys[known.size[keys] == packet.size]
        same = same_size[known.pts[same_size] == packet.pts] if packet.pts is not None else same_size[:0]
        if len(same) == 1:
            return int(same[0]), True
        # MPEG program streams give other times after a jump
        return (int(same_size[0]), False) if len(same_size) == 1 else (None, False)

    def _match_frames(
        self, packets: Iterator[av.Packet[VideoStream]], start: int, by_time: bool
    ) -> Iterator[tuple[int, VideoFrame]]:
        """Decode from a keyframe; end early where it is none, or packets are not those of the index."""
        known, number = self.index.packets, self.index.number
        assert number is not None

        def checked() -> Iterator[av.Packet[VideoStream]]:
            for position, packet in enumerate(packets, start):
                same = position < len(known.size) and packet.size == known.size[position]
                if by_time:
                    same = same and packet.pts == known.pts[position]
                if not same:
                    raise _Strayed
                yield packet

        begun = False
        try:
            for position, frame in decode(self._stream, checked(), start):
                t = NO_FRAME if position is None else int(number[position])
                if t < number[start] or frame.is_corrupt:
                    continue
                # streams that are refreshed strip by strip call frames keyframes that need those before
                if not begun and (position != start or frame.pict_type in (PictureType.P, PictureType.B)):
                    return
                begun = True
                yield t, frame
        except _Strayed:
            return

    def _count_frames(self, packets: Iterator[av.Packet[VideoStream]]) -> Iterator[tuple[int, VideoFrame]]:
        """Decode from the start; end early where a frame is not the one that the index expects."""
        number = self.index.number
        for t, (position, frame) in enumerate(decode(self._stream, packets)):
            if number is not None and (position is None or number[position] != t):
                return
            yield t, frame


class _Strayed(Exception):
    """The packets read after a jump are not those that the index has there."""


def decode(
    stream: VideoStream, packets: Iterator[av.Packet[VideoStream]], start: int = 0, refused: list[int] | None = None
) -> Iterator[tuple[int | None, VideoFrame]]:
    """Decode packets, and give each frame with the position of its packet, counted from ``start``.

    The position travels through the decoder in the place of the presentation time. Packets that
    the decoder refuses are left out, and their positions added to ``refused``.
    """
    for position, packet in enumerate(packets, start):
        packet.pts = position
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            if refused is not None:
                refused.append(position)
            continue
        for frame in frames:
            yield frame.pts, frame
    try:
        frames = stream.decode(None)
    except av.error.FFmpegError:
        return
    for frame in frames:
        yield frame.pts, frame


def index_by_decoding(path: Path, packets: Packets) -> FrameIndex:
    """Decode the whole video once and see which packet becomes which frame.

    Raises
    ------
    VideoError
        If no frame can be decoded.
    """
    order: list[int | None] = []
    damaged: list[int] = []
    refused: list[int] = []
    with opened(path) as (container, stream):
        for position, frame in decode(stream, read_packets(container, stream), refused=refused):
            order.append(position)
            if frame.is_corrupt and position is not None:
                damaged.append(position)
    if not order:
        raise VideoError(f"No frame of {path} can be decoded: the file is damaged. Copy it again, or leave it out.")
    expected = max(packets.expected, int(packets.shown.sum()))
    problem = ""
    if len(order) < expected and (refused or packets.expected > len(packets.size)):
        problem = f"{path} is damaged or was cut off: {len(order)} of {expected} frames can be decoded; these are used."
    elif damaged or refused:
        problem = f"{path} is damaged: all {len(order)} frames can be decoded, but some may look wrong."
    known = [position for position in order if position is not None]
    if len(set(known)) != len(order):
        return FrameIndex(packets, None, np.array([0]), len(order), problem)
    key = packets.key.copy()
    key[damaged] = False  # what follows these was decoded with the help of frames before
    return index_by_order(replace(packets, key=key), np.array(known), problem)


def _fast_stream(container: InputContainer, index: FrameIndex) -> VideoStream:
    """Give the stream, decoded by several threads where these cannot change what is decoded."""
    stream = container.streams.video[0]
    stream.thread_type = "SLICE" if index.problem else "AUTO"
    return stream
