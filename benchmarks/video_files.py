"""The files that `video.py` measures with: each frame has its number drawn in it as a barcode."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

N, HEIGHT, WIDTH = 300, 240, 320
BITS, BLOCK = 10, 24

FILES: dict[str, dict[str, Any]] = {
    "h264.mp4": {"codec": "libx264"},
    "h264_variable_rate.mp4": {"codec": "libx264", "variable": True},
    "h264_edit_list.mp4": {"codec": "libx264", "shift": 5},
    "h264_open_gop.mkv": {"codec": "libx264", "options": {"x264-params": "open-gop=1:bframes=3"}},
    "h264.avi": {"codec": "libx264"},
    "h264_interlaced.mts": {"codec": "libx264", "options": {"x264-params": "interlaced=1"}},
    "h264_10_bits.mkv": {"codec": "libx264", "pix_fmt": "yuv420p10le"},
    "h264_one_keyframe.mp4": {"codec": "libx264", "gop": 10_000, "options": {"x264-params": "scenecut=0"}},
    "h265.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none", "preset": "ultrafast"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}, "b_frames": None},
    "av1.mkv": {"codec": "libsvtav1", "options": {"preset": "12"}, "b_frames": None},
    "mpeg4_b_frames.avi": {"codec": "mpeg4"},
    "mpeg2.ts": {"codec": "mpeg2video"},
    "mjpeg.mov": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "gop": None, "b_frames": None},
    "prores.mov": {"codec": "prores_ks", "pix_fmt": "yuv422p10le", "gop": None, "b_frames": None},
    "ffv1.mkv": {"codec": "ffv1", "pix_fmt": "bgr0", "gop": 1, "b_frames": None},
    "ffv1_grey_16_bits.mkv": {"codec": "ffv1", "pix_fmt": "gray16le", "gop": 1, "b_frames": None},
}


def picture(t: int) -> np.ndarray:
    """Draw a moving pattern with the barcode of ``t`` at the top: (HEIGHT, WIDTH, 3) uint8."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    image = np.stack([(x + 3 * t) % 256, (y + 2 * t) % 256, (x + y) // 3 % 256], axis=-1).astype(np.uint8)
    for bit in range(BITS):
        image[:BLOCK, BLOCK * bit : BLOCK * (bit + 1)] = 255 * ((t >> bit) & 1)
    return image


def read_barcode(image: np.ndarray) -> int:
    """Read the number that `picture` drew."""
    grey = np.asarray(image).reshape(HEIGHT, WIDTH, -1)[..., :3].mean(axis=-1)
    middle = grey[BLOCK // 2, BLOCK // 2 : BLOCK * BITS : BLOCK] > np.iinfo(np.asarray(image).dtype).max / 2
    return int((middle * 2 ** np.arange(BITS)).sum())


def write_file(path: Path, kind: dict[str, Any], n: int = N) -> None:
    """Write a file of ``n`` frames; with ``shift``, an edit list leaves out so many at its start."""
    times = np.arange(n) * 40
    if kind.get("variable"):
        times = np.cumsum(np.random.default_rng(0).integers(5, 90, n))
    whole = path.with_name(f"whole_{path.name}") if "shift" in kind else path
    with av.open(str(whole), "w") as container:
        stream = container.add_stream(kind["codec"], rate=25, options=kind.get("options", {}))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, kind.get("pix_fmt", "yuv420p")
        if (gop := kind.get("gop", 25)) is not None:
            stream.codec_context.gop_size = gop
        if (b_frames := kind.get("b_frames", 2)) is not None:
            stream.codec_context.max_b_frames = b_frames
        base = Fraction(1, 1000) if kind.get("variable") else Fraction(1, 25)
        stream.codec_context.time_base = base
        for t in range(n):
            frame = av.VideoFrame.from_ndarray(picture(t), format="rgb24")
            frame.pts, frame.time_base = round(times[t] / 1000 / base), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    if whole != path:
        with av.open(str(whole)) as old, av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as new:
            stream = old.streams.video[0]
            copy = new.add_stream_from_template(stream)
            earlier = int(kind["shift"] / 25 / stream.time_base)
            for packet in old.demux(stream):
                if packet.dts is not None and packet.pts is not None:
                    packet.stream, packet.pts, packet.dts = copy, packet.pts - earlier, packet.dts - earlier
                    new.mux(packet)
        whole.unlink()


def write_long(path: Path, n: int) -> None:
    """Write a file of ``n`` tiny frames by repeating encoded ones."""
    size = 32
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "g": "250"})
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        for t in range(n):
            image = np.full((size, size, 3), t % 256, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = t, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def truth(path: Path) -> list[int]:
    """Read the barcodes in the order of a plain decode."""
    with av.open(str(path)) as container:
        return [read_barcode(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
