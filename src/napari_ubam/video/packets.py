"""Which frame each packet of a video becomes, found without decoding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from napari_ubam.errors import VideoError

NO_TIME = np.iinfo(np.int64).min
NO_FRAME = -1
_SMALLEST_PICTURE = 16  # bytes; MPEG-4 writes 'nothing changed' in fewer, and decoders give no frame for it


@dataclass(frozen=True)
class Packets:
    """What one pass over the packets of a video tells, in file order.

    Attributes
    ----------
    pts : np.ndarray
        (P,) int64 presentation time [units of the stream], NO_TIME where missing.
    dts : np.ndarray
        (P,) int64 decoding time, NO_TIME where missing.
    size : np.ndarray
        (P,) int64 [bytes].
    key : np.ndarray
        (P,) bool: decoding can start here.
    shown : np.ndarray
        (P,) bool: not cut away by an edit list.
    fps : float
        Mean frames per second, 0.0 if unknown.
    expected : int
        Number of frames that the file's header promises, 0 if it does not say.
    sound : bool
        Nothing speaks against taking the times at their word.
    """

    pts: np.ndarray
    dts: np.ndarray
    size: np.ndarray
    key: np.ndarray
    shown: np.ndarray
    fps: float
    expected: int
    sound: bool


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
    """

    packets: Packets
    number: np.ndarray | None
    keys: np.ndarray
    length: int
    problem: str = ""

    def key_before(self, t: int) -> int:
        """Give the position in `keys` of the last keyframe that is shown no later than frame ``t``.

        Frames that are decoded after a keyframe but shown before it (open groups of pictures)
        need the keyframe before that one.
        """
        if self.number is None:
            return 0
        return max(0, int(np.searchsorted(self.number[self.keys], t, side="right")) - 1)


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video file and give it with its first video stream.

    Raises
    ------
    VideoError
        If the file is missing or is no video.
    """
    container = open_container(path)
    try:
        yield container, container.streams.video[0]
    finally:
        container.close()


def open_container(path: Path) -> InputContainer:
    """Open a video file that has at least one video stream; VideoError otherwise."""
    try:
        container = av.open(str(path), "r")
    except FileNotFoundError as error:
        raise VideoError(f"{path} was not found. Check the path, or put the file back.") from error
    except PermissionError as error:
        raise VideoError(f"{path} may not be read. Give yourself the right to read it.") from error
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(
            f"{path} cannot be read as a video: it is another kind of file, or a recording whose end was never "
            "written. Copy it again from the camera, or repair it."
        ) from error
    # FFmpeg would also draw the letters of a text file
    if not container.streams.video or container.format.name == "tty":
        container.close()
        raise VideoError(f"{path} has no pictures in it. Choose a video file.")
    return container


def read_packets(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet[VideoStream]]:
    """Give the packets up to the end of the file, or up to where it cannot be read any further.

    Empty packets, which some recorders write for a dropped frame, would end the decoding: they are left out.
    """
    try:
        for packet in container.demux(stream):
            if packet.size:
                yield packet
    except av.error.FFmpegError:
        return


def scan(path: Path) -> Packets:
    """Pass over the packets of a video once, without decoding.

    Raises
    ------
    VideoError
        If the file is missing, is no video or has no packet.
    """
    rows, corrupt = [], False
    with opened(path) as (container, stream):
        for packet in read_packets(container, stream):
            corrupt |= packet.is_corrupt
            rows.append(
                (
                    NO_TIME if packet.pts is None else packet.pts,
                    NO_TIME if packet.dts is None else packet.dts,
                    packet.size,
                    packet.is_keyframe,
                    not packet.is_discard,
                )
            )
        if not rows:
            raise VideoError(f"{path} has no pictures in it: it was cut off, or never recorded. Leave it out.")
        pts, dts, size, key, shown = np.array(rows, dtype=np.int64).T
        key, shown = key.astype(bool), shown.astype(bool)
        fps = _mean_rate(pts[shown], stream)
        expected = _promised(container, stream, fps, len(rows))
        has_times = not np.any(pts == NO_TIME) and len(np.unique(pts)) == len(pts)
        # AVI keeps no presentation times: they come in file order although the codec shows frames in another
        in_order = bool(np.all(np.diff(pts) > 0))
        codec = stream.codec_context
        invented = in_order and bool(codec.has_b_frames) and not key.all()
        # VP8 has packets that are never shown, MPEG-4 has packets that repeat the frame before
        hidden = codec.name == "vp8" or ("mpeg4" in codec.name and bool(np.any(size < _SMALLEST_PICTURE)))
        sound = has_times and not (invented or hidden or corrupt) and bool(key[0]) and len(rows) >= expected
    return Packets(pts, dts, size, key, shown, fps, expected, sound)


def index_by_time(packets: Packets) -> FrameIndex:
    """Give each packet its frame by presentation time."""
    shown = np.flatnonzero(packets.shown)
    return index_by_order(packets, shown[np.argsort(packets.pts[shown])])


def index_by_order(packets: Packets, order: np.ndarray, problem: str = "") -> FrameIndex:
    """Give each packet its frame by the order (T,) in which the packets become frames."""
    number = np.full(len(packets.size), NO_FRAME, dtype=np.int64)
    number[order] = np.arange(len(order))
    keys = order[packets.key[order]]
    return FrameIndex(packets, number, keys, len(order), problem)


def _mean_rate(pts: np.ndarray, stream: VideoStream) -> float:
    """Give mean frames per second; the header's figure where the times agree with it, for it is not rounded."""
    said = float(stream.average_rate or 0.0)
    known = pts[pts != NO_TIME]
    if len(known) < 2 or known.max() == known.min() or not stream.time_base:
        return said
    seen = (len(known) - 1) / float((int(known.max()) - int(known.min())) * stream.time_base)
    return said if abs(said - seen) <= 0.01 * seen else seen


def _promised(container: InputContainer, stream: VideoStream, fps: float, found: int) -> int:
    """Give the number of packets that the header promises: its count, or what the duration stands for."""
    if stream.frames:
        return stream.frames
    duration = _seconds(stream.metadata.get("DURATION", ""))
    if not duration and len(container.streams) == 1 and container.duration:
        duration = container.duration / av.time_base
    estimate = round(duration * fps)
    return estimate if estimate > found + 2 else 0


def _seconds(clock: str) -> float:
    """Give the seconds of ``hh:mm:ss.fff``, 0.0 for anything else."""
    try:
        hours, minutes, seconds = clock.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except ValueError:
        return 0.0
