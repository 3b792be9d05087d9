"""What the packets of a video tell without being decoded."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from napari_ubam.errors import VideoError
from napari_ubam.progress import Progress, Report, silent

NO_TIME = -(2**63)
_MOST_REORDERED = 64  # packets; codecs show a frame at most 16 packets later than it is decoded
_BETWEEN_REPORTS = 1000  # packets
_SMALLEST_PICTURE = 16  # bytes; MPEG-4 writes 'nothing changed' in fewer, and decoders give no frame for it


@dataclass(frozen=True)
class Packets:
    """What one pass over the packets of a video tells, in file order.

    Attributes
    ----------
    pts : np.ndarray
        (P,) int64 presentation time [units of the stream], NO_TIME where missing.
    search : np.ndarray
        (P,) int64: the time that the packet is found by in the file, NO_TIME where missing.
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
    unit : float
        Of the times [s].
    stamp : tuple of int
        Size [bytes] and time of modification [ns] of the file.
    timed : bool
        Nothing speaks against ordering the frames by their times.
    whole : bool
        Nothing speaks for packets that are missing or damaged.
    """

    pts: np.ndarray
    search: np.ndarray
    size: np.ndarray
    key: np.ndarray
    shown: np.ndarray
    fps: float
    expected: int
    unit: float
    stamp: tuple[int, int]
    timed: bool
    whole: bool


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


def stamp_of(path: Path) -> tuple[int, int]:
    """Give what tells whether a file has changed: its size [bytes] and time of modification [ns]."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def is_searched_by_dts(container: InputContainer) -> bool:
    """Whether a place in the file is found by its decoding time; in other files by the presentation time."""
    return container.format.name in ("mpegts", "mpeg", "avi")  # the first two keep no index


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


def scan(path: Path, report: Report = silent) -> Packets:
    """Pass over the packets of a video once, without decoding.

    Raises
    ------
    VideoError
        If the file is missing, is no video or has no packet.
    """
    pts, size, key, cut = array("q"), array("q"), array("q"), array("q")  # one row a packet would take longer
    other, search = array("q"), array("q")  # packets that are found by another time, and that time
    stage, whole, begun = f"reading {path.name}", True, -1
    with opened(path) as (container, stream):
        stamp, by_dts = stamp_of(path), is_searched_by_dts(container)
        packets, done = read_packets(container, stream), 0
        while begun < len(size):  # as long as there are more
            begun = len(size)
            for packet in islice(packets, _BETWEEN_REPORTS):
                if packet.is_keyframe:
                    key.append(len(size))
                if packet.is_discard:
                    cut.append(len(size))
                if packet.is_corrupt:
                    whole = False
                if ((time := packet.pts) is None or by_dts) and packet.dts is not None:
                    other.append(len(size))
                    search.append(packet.dts)
                pts.append(NO_TIME if time is None else time)
                size.append(packet.size)
            done += sum(size[begun:])
            report(Progress(stage, min(done, stamp[0]), stamp[0]))
        if not size:
            raise VideoError(f"{path} has no pictures in it: it was cut off, or never recorded. Leave it out.")
        times, sizes = np.array(pts, np.int64), np.array(size, np.int64)
        keys, shown = np.zeros(len(sizes), bool), np.ones(len(sizes), bool)
        keys[key], shown[cut] = True, False
        found_by = times.copy() if other else times
        found_by[other] = search
        fps = _mean_rate(times[shown], stream)
        expected = _promised(container, stream, fps, len(sizes))
        codec = stream.codec_context
        # AVI keeps no presentation times: they come in file order although the codec shows frames in another
        invented = bool(codec.has_b_frames) and bool(np.all(np.diff(times) > 0)) and not keys.all()
        # VP8 has packets that are never shown, MPEG-4 has packets that repeat the frame before
        hidden = codec.name == "vp8" or ("mpeg4" in codec.name and bool(np.any(sizes < _SMALLEST_PICTURE)))
        timed = _are_in_order(times) and not (invented or hidden)
        whole = whole and bool(keys[0]) and len(sizes) >= expected
        unit = float(stream.time_base or 0)
    return Packets(times, found_by, sizes, keys, shown, fps, expected, unit, stamp, timed, whole)


def _are_in_order(pts: np.ndarray) -> bool:
    """Whether all times are there, no two are alike, and none is further out of order than a codec reorders frames."""
    if np.any(pts == NO_TIME):
        return False
    order = np.argsort(pts)
    return bool(np.all(np.diff(pts[order]) > 0)) and int(np.abs(order - np.arange(len(pts))).max()) < _MOST_REORDERED


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
