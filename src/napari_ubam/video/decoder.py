"""Decoding from any frame on, such that every frame is the one that decoding from the start gives."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from napari_ubam.errors import VideoError
from napari_ubam.video.index import FrameIndex
from napari_ubam.video.matching import Damage, Matching, Suspicious, Unusable
from napari_ubam.video.packets import NO_TIME, is_searched_by_dts, open_container, read_packets, stamp_of

_LITTLE = 4_000_000  # pixels, which one thread decodes in a few milliseconds
_ALONE = 30  # frames that depend on others are decoded in the time of one that stands for itself


class DamagedFrame(Exception):
    """The frame that was asked for is damaged."""


class Decoder:
    """An open video and where decoding stands in it.

    After a jump, packets are recognised by time and size and checked one by one against the
    index, and each frame carries the position of its packet. So a wrong landing or a frame that
    needs what came before is noticed, and decoding starts again further ahead, in the end from
    the first packet.

    At the first sign of damage decoding starts again in a way that tells which packet is damaged, one
    keyframe earlier than needed, and frames that cannot be trusted are left out and noted.

    On the way to a frame, those that no other depends on are not decoded; if that goes wrong, they are from then on.

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
        self._in_order = in_order
        self._skips = True
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

    def show(self, t: int, behind: int = 0) -> Iterator[tuple[int, VideoFrame]]:
        """Decode up to frame ``t``; give at least so many ``behind`` it with their numbers, and as the last ``t``.

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
                    for number, frame in self.decode_to(wanted, wanted - behind):
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

    def decode_to(self, t: int, wanted: int | None = None) -> Iterator[tuple[int, VideoFrame]]:
        """Decode up to frame ``t``; give each frame from ``wanted`` on with its number, ``t`` as the last.

        Those before ``wanted`` may be given as well.

        Raises
        ------
        DamagedFrame
            If frame ``t`` is damaged.
        VideoError
            If the packets of the file are not those of the index.
        """
        self._matching.wanted = t if wanted is None else wanted
        otherwise = self._matching.careful != self.damage.suspected
        if self._next != t or otherwise:
            if self._one_at_a_time and not otherwise and (alone := self._alone(t)) is not None:
                yield t, alone
                return
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
            except Unusable:
                if self._skipped_in_vain():
                    pass
                elif self._from_start:
                    raise self._mismatch() from None
                else:
                    earlier, step = earlier + step, 2 * step
            except Suspicious:
                if not self._skipped_in_vain():
                    self.damage.suspected = True
            else:
                if self.index.number is None:
                    raise self._mismatch()
                if self._matching.careful:
                    self.damage.frames[gap:after] = True
                if not self._skipped_in_vain():
                    self.damage.suspected = True
            self._jump(max(0, self.index.key_before(t) - earlier))
        raise DamagedFrame(t)

    def _alone(self, t: int) -> VideoFrame | None:
        """Decode a frame that stands for itself; None if the file does not give at once what it should."""
        assert self._container is not None
        known, at = self.index.packets, int(self.index.position[t])
        if not known.timed or known.search[at] == NO_TIME:
            return None
        try:
            self._container.seek(int(known.search[at]), stream=self._stream)
            packets = read_packets(self._container, self._stream)
            packet = next(packets, None)
            if packet is None or packet.pts != known.pts[at] or packet.size != known.size[at]:
                return None
            frames = packet.decode()
        except av.error.FFmpegError:
            return None
        if len(frames) != 1 or frames[0].is_corrupt:
            return None
        self._from_start, self._next = False, t + 1
        self._frames = self._matching.from_key_frame(packets, at + 1, True, t + 1)
        return frames[0]

    def _skipped_in_vain(self) -> bool:
        """Whether frames were left out, which may be why decoding failed; none will be from now on."""
        if not self._matching.has_skipped:
            return False
        self._skips = self._matching.skips = self._matching.has_skipped = False
        return True

    def remaining(self) -> int:
        """Decode to the end and count the frames."""
        try:
            return sum(1 for _ in self._frames)
        except (Unusable, Suspicious):
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
        first = 0 if told and t is not None and t >= self.index.key_frames[0] else 1
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
        self._by_dts = is_searched_by_dts(self._container)
        self._matching = Matching(self._stream, self.index, self.damage, skips=self._skips)
        # several threads tell of a damaged packet too late to say which one it is
        self._stream.thread_type = "SLICE" if self._matching.careful or self._one_at_a_time else "AUTO"
        if not self._in_order and self._is_soon_done:
            self._stream.codec_context.thread_count = 1
        self._from_start, self._next = True, 0
        self._frames = self._matching.from_start(read_packets(self._container, self._stream))

    @property
    def _is_soon_done(self) -> bool:
        """Whether a jump decodes so little that handing it to several threads takes longer than it saves."""
        a_jump = _ALONE if self._one_at_a_time else self.index.length / len(self.index.keys) / 2  # frames
        return self._stream.width * self._stream.height * a_jump < _LITTLE

    def _land(self, key: int, trusted: int, t: int | None) -> bool:
        """Search a keyframe in the file; False if something else was found that is of no use."""
        assert self._container is not None
        if self._matching.careful != self.damage.suspected:
            self._restart()
        wanted = self.index.keys[key]
        # MP4 often goes one keyframe too far back when it is asked for the very time of one
        aim = wanted if t is None or self._by_dts or not self.index.packets.timed else self.index.position[t]
        if (time := int(self.index.packets.search[aim])) == NO_TIME:
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
        trusted = trusted if self._matching.careful else int(number[start])
        self._from_start, self._next = False, trusted
        self._frames = self._matching.from_key_frame(chain([first], packets), start, by_time, trusted)
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
