"""Decoding from any frame on, such that every frame is the one that decoding from the start gives."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from napari_ubam.errors import VideoError
from napari_ubam.video.index import NO_FRAME, FrameIndex
from napari_ubam.video.packets import NO_TIME, open_container, read_packets, stamp_of

# These keep no index and search by decoding time; the others by presentation time.
_SEARCHED_BY_DTS = ("mpegts", "mpeg")
_MOST_HELD = 17  # frames; as many as a codec may still have to show before one that it has decoded


class DamagedFrame(Exception):
    """The frame that was asked for is damaged."""


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


class Decoder:
    """An open video and where decoding stands in it.

    After a jump, packets are recognised by time and size and checked one by one against the
    index, and each frame carries the position of its packet. So a wrong landing or a frame that
    needs what came before is noticed, and decoding starts again further ahead, in the end from
    the first packet.

    At the first sign of damage decoding starts again in a way that tells which packet is damaged, one
    keyframe earlier than needed, and frames that cannot be trusted are left out and noted.

    Parameters
    ----------
    path : Path
        The video file.
    index : FrameIndex
        Which frame each packet becomes.
    damage : Damage
        Where damaged frames are noted.
    in_order : bool
        Frames will be asked for one after the other: threads may decode several at a time, in all formats.

    Raises
    ------
    VideoError
        If the file is missing, or has changed since the index was made.
    """

    def __init__(self, path: Path, index: FrameIndex, damage: Damage, *, in_order: bool = False) -> None:
        self.path = path
        self.index = index
        self.damage = damage
        # several threads want as many frames before they give the first, which is no use where each stands for itself
        self._one_at_a_time = not in_order and index.number is not None and len(index.keys) == index.length
        self._container: InputContainer | None = None
        self._frames: Iterator[tuple[int, VideoFrame]]
        self._next: int  # the frame that decoding on would give
        self._from_start: bool
        self._last: tuple[int, VideoFrame] | None = None
        self._restart()
        self.check_unchanged()

    @property
    def pixel_aspect(self) -> float:
        """Width of a pixel over its height."""
        return float(self._stream.sample_aspect_ratio or 1) or 1.0

    def close(self) -> None:
        """Close the file."""
        if self._container is not None:
            self._container.close()

    def show(self, t: int) -> Iterator[tuple[int, VideoFrame]]:
        """Decode up to frame ``t``; give each frame on the way with its number, and as the last ``t``.

        Where that is damaged it is given as the last good frame before it, or the first one after it.

        Raises
        ------
        VideoError
            If there is no good frame, or the file has changed.
        """
        for wanted in chain(range(t, -1, -1), range(t + 1, self.index.length)):
            if self.damage.frames[wanted]:
                continue
            if self._last is None or self._last[0] != wanted:
                self._last = None  # the decoder may take its memory again, which is still at hand
                try:
                    for number, frame in self.decode_to(wanted):
                        self._last = number, frame
                        if number != wanted:
                            yield number, frame
                except DamagedFrame:
                    continue
            assert self._last is not None
            yield t, self._last[1]
            return
        raise VideoError(
            f"No frame of {self.path} can be decoded: the file is damaged. Copy it again, or leave it out."
        )

    def decode_to(self, t: int) -> Iterator[tuple[int, VideoFrame]]:
        """Decode up to frame ``t``; give each frame on the way with its number, ``t`` as the last.

        Raises
        ------
        DamagedFrame
            If frame ``t`` is damaged.
        VideoError
            If the packets of the file are not those of the index.
        """
        otherwise = self._careful != self.damage.suspected
        if self._next != t or otherwise:
            key = self.index.key_before(t)
            if not self._key_frame(key) <= self._next <= t or otherwise:
                self._jump(key, t)
        earlier, step = 0, 1  # keyframes
        while not self.damage.frames[t]:
            after = self.index.length
            try:
                for number, frame in self._frames:
                    gap, self._next = self._next, number + 1
                    if number > t:
                        after = number
                        break
                    yield number, frame
                    if number == t:
                        return
                else:
                    gap = self._next
            except _Unusable:
                if self._from_start:
                    raise self._mismatch() from None
                earlier, step = earlier + step, 2 * step
            except _Suspicious:
                self.damage.suspected = True
            else:
                if self.index.number is None:
                    raise self._mismatch()
                if self._careful:
                    self.damage.frames[gap:after] = True
                self.damage.suspected = True
            self._jump(max(0, self.index.key_before(t) - earlier))
        raise DamagedFrame(t)

    def remaining(self) -> int:
        """Decode to the end and count the frames."""
        try:
            return sum(1 for _ in self._frames)
        except (_Unusable, _Suspicious):
            return 0

    def _mismatch(self) -> VideoError:
        return VideoError(
            f"{self.path} is not decoded as it was when it was opened: the file is damaged, or was replaced. Open it "
            f"again, or make a clean copy with 'ffmpeg -i \"{self.path.name}\" -crf 18 copy.mp4' and use that."
        )

    def _key_frame(self, key: int) -> int:
        """Give the frame number of a keyframe; the first one stands for the start of the file."""
        return 0 if key == 0 else int(self.index.key_frames[key])

    def _jump(self, key: int, t: int | None = None) -> None:
        """Get ready to decode from a keyframe, or from the nearest one before it that can be found.

        With ``t``, a frame that follows it, this is the first attempt: it may well succeed.
        """
        trusted = self._key_frame(key)
        if self.damage.suspected:  # some codecs call frames damaged only because it was begun with them
            key -= 1
        told = self.index.number is not None and self.index.packets.timed
        sure = told and self.index.keys[0] == 0 and self.index.key_frames[0] == 0
        first = 0 if sure and t is not None else 1
        step = 1
        while key >= first:
            if self._land(key, trusted, t if trusted == self._key_frame(key) else None):
                return
            key, step = key - step, 2 * step
        self._restart()

    def check_unchanged(self) -> None:
        """See that the file is the one that the index was made of; VideoError if not."""
        try:
            changed = stamp_of(self.path) != self.index.packets.stamp
        except OSError:
            return  # what is open can be read on
        if changed:
            raise VideoError(f"{self.path} has changed since it was opened. Open it again.")

    def _restart(self) -> None:
        """Get ready to decode from the first packet; opening anew is the only way that all formats agree on."""
        self.close()
        self._container = open_container(self.path)
        self._stream = self._container.streams.video[0]
        self._careful = self.damage.suspected
        # several threads tell of a damaged packet too late to say which one it is
        self._stream.thread_type = "SLICE" if self._careful or self._one_at_a_time else "AUTO"
        self._from_start, self._next = True, 0
        self._frames = self._count_frames(read_packets(self._container, self._stream))

    def _land(self, key: int, trusted: int, t: int | None) -> bool:
        """Search a keyframe in the file; False if something else was found that is of no use."""
        assert self._container is not None
        if self._careful != self.damage.suspected:
            self._restart()
        wanted = self.index.keys[key]
        # MP4 often goes one keyframe too far back when it is asked for the very time of one
        aim = wanted if t is None or not self.index.packets.timed else self.index.position[t]
        times = [self.index.packets.pts[aim], self.index.packets.dts[wanted]]
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
        start, by_time = self._recognise(first, int(wanted))
        number = self.index.number
        if number is None or start is None or not 0 <= number[start] <= number[wanted]:
            return False
        trusted = trusted if self._careful else int(number[start])
        self._from_start, self._next = False, trusted
        self._frames = self._match_frames(chain([first], packets), start, by_time, trusted)
        return True

    def _recognise(self, packet: av.Packet[VideoStream], wanted: int) -> tuple[int | None, bool]:
        """Give the position of a keyframe's packet, and whether its time is the one of the index."""
        keys, known = self.index.keys, self.index.packets
        if known.timed and packet.pts == known.pts[wanted] and packet.size == known.size[wanted]:
            return wanted, True
        same_size = keys[known.size[keys] == packet.size]
        same = same_size[known.pts[same_size] == packet.pts] if packet.pts is not None else same_size[:0]
        if len(same) == 1:
            return int(same[0]), True
        # MPEG program streams give other times after a jump
        return (int(same_size[0]), False) if len(same_size) == 1 else (None, False)

    def _match_frames(
        self, packets: Iterator[av.Packet[VideoStream]], start: int, by_time: bool, trusted: int
    ) -> Iterator[tuple[int, VideoFrame]]:
        """Decode from a keyframe and give frames from ``trusted`` on."""
        known, number = self.index.packets, self.index.number
        assert number is not None

        def checked() -> Iterator[av.Packet[VideoStream]]:
            for position, packet in enumerate(packets, start):
                same = position < len(known.size) and packet.size == known.size[position]
                if by_time:
                    same = same and packet.pts == known.pts[position]
                if not same:
                    raise _Unusable
                yield packet

        def begun_well() -> Iterator[tuple[int | None, VideoFrame | None]]:
            begun = False
            for position, frame in decode(self._stream, checked(), start):
                early = position is not None and NO_FRAME < number[position] < number[start]
                if frame is not None and not early and not begun:
                    # streams that are refreshed strip by strip call frames keyframes that need those before
                    if position != start or frame.pict_type in (PictureType.P, PictureType.B):
                        raise _Unusable
                    begun = True
                if not early:
                    yield position, frame

        yield from self._good_frames(begun_well(), start, trusted)

    def _count_frames(self, packets: Iterator[av.Packet[VideoStream]]) -> Iterator[tuple[int, VideoFrame]]:
        """Decode from the start."""
        if self.index.number is not None:
            yield from self._good_frames(decode(self._stream, packets), 0, 0)
            return
        frames = (frame for _, frame in decode(self._stream, packets) if frame is not None)
        yield from enumerate(frames)

    def _good_frames(
        self, decoded: Iterator[tuple[int | None, VideoFrame | None]], start: int, trusted: int
    ) -> Iterator[tuple[int, VideoFrame]]:
        """Give the frames from ``trusted`` on that can be trusted, with their numbers.

        A frame may be shown before another that it was decoded from, so each is held back
        until all that were decoded before it are known to be good.
        """
        number = self.index.number
        assert number is not None
        held: deque[tuple[int, int, VideoFrame]] = deque()  # with positions
        seen: set[int] = set()
        low, last = start, -1

        def good(frames: Iterable[tuple[int, int, VideoFrame]]) -> Iterator[tuple[int, VideoFrame]]:
            for _, t, frame in frames:
                if t >= trusted and not self.damage.frames[t]:
                    yield t, frame

        for position, frame in decoded:
            if position is None or position >= len(number):
                raise _Unusable
            t = int(number[position])
            if frame is None or frame.is_corrupt:
                if not self._careful:
                    raise _Suspicious
                hurt = self.index.hurt_by(position)
                self.damage.frames[hurt[hurt >= trusted]] = True
            if frame is not None:
                if t <= last:
                    raise _Unusable
                last = t
                if not self._careful:
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


class _Unusable(Exception):
    """The packets or frames are not those that the index has here."""


class _Suspicious(Exception):
    """A packet was refused, or a frame has a flaw."""


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
