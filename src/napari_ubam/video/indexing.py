"""Finding out which frame each packet of a video becomes: by times where these hold, by decoding otherwise."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from napari_ubam.errors import VideoError
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.video.decoder import DamagedFrame, Decoder
from napari_ubam.video.index import FrameIndex, index_by_order, index_by_time
from napari_ubam.video.index_store import load_index, save_index
from napari_ubam.video.matching import Damage, decode
from napari_ubam.video.packets import Packets, opened, read_packets, scan

_PROBE = 32  # frames at the start that are decoded to see whether times can be trusted
_BETWEEN_REPORTS = 50  # frames
_WORTH_KEEPING = 0.2  # seconds that it took


def open_indexed(path: Path, report: Report = silent) -> Decoder:
    """Open a video with an index of it: the one that was kept in the user's cache folder, or a new one.

    Raises
    ------
    VideoError
        If the file is missing, is no video, or no frame of it can be decoded.
    """
    if (known := load_index(path)) is not None:
        return Decoder(path, known, Damage(known))
    begun = time.monotonic()
    packets = scan(path, report)
    decoder = _tried_out(path, index_by_time(packets)) if packets.timed and packets.whole else None
    if decoder is None:
        index = index_by_decoding(path, packets, report)
        decoder = Decoder(path, index, Damage(index))
    if time.monotonic() - begun > _WORTH_KEEPING:
        save_index(path, decoder.index)
    return decoder


def index_by_decoding(path: Path, packets: Packets, report: Report = silent) -> FrameIndex:
    """Decode the whole video once and see which packet becomes which frame.

    Raises
    ------
    VideoError
        If no frame can be decoded.
    """
    order: list[int | None] = []
    bad: set[int] = set()
    with opened(path) as (container, stream):
        for position, frame in decode(stream, read_packets(container, stream)):
            if position is not None and (frame is None or frame.is_corrupt):
                bad.add(position)
            if frame is not None:
                order.append(position)
            if not len(order) % _BETWEEN_REPORTS:
                report(Progress(f"decoding {path.name} once", min(len(order), len(packets.size)), len(packets.size)))
    if not order:
        raise VideoError(f"No frame of {path} can be decoded: the file is damaged. Copy it again, or leave it out.")
    known = [position for position in order if position is not None and position < len(packets.size)]
    if len(set(known)) != len(order):
        problem = f"{_problem(path, packets, len(order), 0, bool(bad))} {_untold(path)}".strip()
        return FrameIndex(packets, None, np.array([0]), len(order), problem)
    index = index_by_order(packets, _with_damaged(packets, np.array(known), bad))
    hurt = [index.hurt_by(position) for position in bad]
    damaged = np.unique(np.concatenate(hurt)) if hurt else index.damaged
    if len(damaged) == index.length:  # better something than nothing
        problem = _problem(path, packets, len(order), len(order), True)
        return FrameIndex(packets, None, np.array([0]), len(order), problem)
    problem = _problem(path, packets, index.length, len(damaged), bool(bad))
    return FrameIndex(packets, index.number, index.keys, index.length, problem, damaged)


def _with_damaged(packets: Packets, order: np.ndarray, bad: set[int]) -> np.ndarray:
    """Give damaged packets that became no frame their place between the others, where times tell it."""
    lost = np.array(sorted(bad.difference(order.tolist())), int)
    if not packets.timed or not len(lost) or np.any(np.diff(packets.pts[order]) <= 0):
        return order
    between = (packets.pts[lost] > packets.pts[order[0]]) & (packets.pts[lost] < packets.pts[order[-1]])
    together = np.concatenate([order, lost[between & packets.shown[lost]]])
    return together[np.argsort(packets.pts[together])]


def _problem(path: Path, packets: Packets, length: int, damaged: int, refused: bool) -> str:
    """Say what is wrong with a file; empty if nothing is."""
    expected = max(packets.expected, int(packets.shown.sum()))
    marked = f" {damaged} frames are damaged and shown as the last good one." if damaged else ""
    if damaged == length:
        marked = " All of them may look wrong."
    if length < expected and (refused or packets.expected > len(packets.size)):
        return (
            f"{path} is damaged or was cut off: {length} of {expected} frames can be decoded; these are used.{marked}"
        )
    return f"{path} is damaged: all {length} frames are there.{marked}" if damaged else ""


def _untold(path: Path) -> str:
    return (
        f"Which frames the packets of {path} become cannot be told: jumping back decodes it from its start, which is "
        "exact but slow. Make a scrubbing copy with the Video widget."
    )


def _tried_out(path: Path, index: FrameIndex) -> Decoder | None:
    """Open a video; None if the first frames, or the last ones if these can be reached soon, belie the index."""
    if not index.length:
        return None
    last = index.length - 1
    soon = last - int(index.key_frames[index.key_before(last)]) < 2 * _PROBE or last < 4 * _PROBE
    decoder = Decoder(path, index, Damage(index))
    with suppress(VideoError, DamagedFrame):
        for t in [*range(min(_PROBE, index.length)), *([last] if soon else [])]:
            for _ in decoder.decode_to(t):
                pass
        if not soon or decoder.remaining() == 0:
            return decoder
    decoder.close()
    return None
