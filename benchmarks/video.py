"""Exactness and speed of reading videos, beside other readers.

Every file is written here, with the number of each frame drawn in it as a barcode. Each reader runs in a process of its
own, with a time limit, and says which barcodes it read in which order:

    python benchmarks/video.py /tmp/videos --peers PYTHON

``--peers`` names a Python that has napari-pyav, napari-video, decord2, OpenCV or torchcodec; those that are missing are
left out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

N, HEIGHT, WIDTH = 300, 240, 320
BITS, BLOCK = 10, 24
REQUESTS = 62
ROUNDS = 4  # the requests are made so often, each time of a video that is opened anew; the shortest time counts
TIME_LIMIT = 120  # s for one reader and one file

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


class Bound:
    """The least work there is: seek to the keyframe before, and decode with PyAV; the times are known beforehand."""

    def __init__(self, path: str) -> None:
        self.path = path
        with av.open(path) as container:
            self.times = [frame.pts for frame in container.decode(video=0) if frame.pts is not None]
        self.container = av.open(path)
        self.stream = self.container.streams.video[0]
        self.stream.thread_type = "AUTO"

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, t: int) -> np.ndarray:
        self.container.seek(self.times[t], stream=self.stream)
        for frame in self.container.decode(self.stream):
            if frame.pts == self.times[t]:
                return frame.to_ndarray(format="rgb24")
        raise IndexError(t)

    def __iter__(self) -> Iterator[np.ndarray]:
        with av.open(self.path) as container:
            container.streams.video[0].thread_type = "AUTO"
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format="rgb24")


def open_ours(path: str) -> Any:
    """Open with this package."""
    from napari_ubam.video import LazyVideo

    return LazyVideo(path)


def open_napari_pyav(path: str) -> Any:
    """Open with napari-pyav, as it reads for napari."""
    from napari_pyav._reader import FastVideoReader

    reader = FastVideoReader(path, read_format="rgb24")

    class Frames:
        def __len__(self) -> int:
            return int(reader.nframes)

        def __getitem__(self, t: int) -> np.ndarray:
            return reader[t]

    return Frames()


def open_napari_video(path: str) -> Any:
    """Open with napari-video, as it reads for napari."""
    from napari_video.napari_video import VideoReaderNP

    return VideoReaderNP(path)


def open_decord(path: str) -> Any:
    """Open with decord2."""
    import decord

    decord.bridge.set_bridge("native")
    reader = decord.VideoReader(path)

    class Frames:
        def __len__(self) -> int:
            return len(reader)

        def __getitem__(self, t: int) -> np.ndarray:
            return reader[t].asnumpy()

    return Frames()


def open_opencv(path: str) -> Any:
    """Open with OpenCV."""
    import cv2

    capture = cv2.VideoCapture(path)

    class Frames:
        def __len__(self) -> int:
            return int(capture.get(cv2.CAP_PROP_FRAME_COUNT))

        def __getitem__(self, t: int) -> np.ndarray:
            capture.set(cv2.CAP_PROP_POS_FRAMES, t)
            return capture.read()[1]

    return Frames()


def open_torchcodec(path: str) -> Any:
    """Open with torchcodec."""
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(path, dimension_order="NHWC")

    class Frames:
        def __len__(self) -> int:
            return len(decoder)

        def __getitem__(self, t: int) -> np.ndarray:
            return decoder[t].numpy()

    return Frames()


READERS: dict[str, Callable[[str], Any]] = {
    "bound": Bound,
    "napari-ubam": open_ours,
    "napari-pyav": open_napari_pyav,
    "napari-video": open_napari_video,
    "decord2": open_decord,
    "opencv": open_opencv,
    "torchcodec": open_torchcodec,
}
OURS = ("bound", "napari-ubam")


def measure(reader: str, path: str) -> dict[str, Any]:
    """Read a file at random, forwards and backwards (run in a process of its own)."""
    length = len(READERS[reader](path))
    requests = np.random.default_rng(0).integers(0, length, REQUESTS)
    codes: list[int] = []
    shortest = np.full(REQUESTS, np.inf)
    for _ in range(ROUNDS):
        video = READERS[reader](path)
        for i, t in enumerate(requests):
            begun = time.process_time()
            try:
                image = video[int(t)]
            except Exception:  # a frame that is promised and not given counts as wrong
                image = None
            else:
                shortest[i] = min(shortest[i], time.process_time() - begun)
            if len(codes) < REQUESTS:
                codes.append(-1 if image is None else read_barcode(image))
    seconds = shortest[np.isfinite(shortest)]
    found = {
        "length": length,
        "codes": codes,
        "median": 1000 * float(np.median(seconds)) if len(seconds) else float("nan"),
        "p95": 1000 * float(np.percentile(seconds, 95)) if len(seconds) else float("nan"),
    }
    if reader in OURS:
        found["forward"] = min(_forward(video) for _ in range(3))
    if reader == "napari-ubam":
        video[len(video) - 1], video[len(video) - 2]
        begun = time.process_time()
        for t in range(len(video) - 2, len(video) - 22, -1):
            video[t]
        found["back"] = 1000 * (time.process_time() - begun) / 20
    return found


def _forward(video: Any) -> float:
    begun = time.process_time()
    n = sum(1 for _ in (video.iterate() if hasattr(video, "iterate") else video))
    return 1000 * (time.process_time() - begun) / n


def measure_long(path: str) -> dict[str, float]:
    """Open a long file, beside demuxing it."""
    from napari_ubam.video import LazyVideo

    def demux() -> None:
        with av.open(path) as container:
            for _ in container.demux(video=0):
                pass

    def seconds(call: Callable[[], Any]) -> float:
        begun = time.process_time()
        call()
        return time.process_time() - begun

    def first() -> None:
        shutil.rmtree(os.environ["NAPARI_UBAM_CACHE"], ignore_errors=True)
        LazyVideo(path)

    by_turns = [(seconds(demux), seconds(first)) for _ in range(5)]
    demuxing, opening = np.min(by_turns, axis=0)
    again = min(seconds(lambda: LazyVideo(path)) for _ in range(3))
    return {"demux": float(demuxing), "first": float(opening), "again": again, "length": len(LazyVideo(path))}


def measure_memory(path: str) -> dict[str, float]:
    """Read random frames until the cache has been full for long; by how many MB the process has grown at most."""
    import psutil

    from napari_ubam.video import LazyVideo
    from napari_ubam.video.frame_cache import FRAME_CACHE

    FRAME_CACHE.limit = 64 * 2**20
    video, process = LazyVideo(path), psutil.Process()
    before, used = process.memory_info().rss, []
    for t in np.random.default_rng(0).integers(0, len(video), 2000):
        video[int(t)]
        used.append(process.memory_info().rss - before)
    return {"length": len(video), "grown after 1000": used[1000] / 2**20, "after 2000": used[-1] / 2**20}


def run(python: str, *args: str) -> dict[str, Any] | str:
    """Run this script in another process; the reason in words if that fails."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NAPARI_UBAM_CACHE": cache}
        try:
            done = subprocess.run(
                [python, __file__, *args], capture_output=True, text=True, timeout=TIME_LIMIT, env=environment
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "no end"
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["crashed"]
        return "missing" if "ModuleNotFoundError" in last[0] or "ImportError" in last[0] else f"failed: {last[0][:60]}"
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def truth(path: Path) -> list[int]:
    """Read the barcodes in the order of a plain decode."""
    with av.open(str(path)) as container:
        return [read_barcode(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def main() -> None:
    """Write the files, run the readers, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the files are written, and kept")
    parser.add_argument("--peers", help="a Python that has the other readers")
    parser.add_argument("--long", type=int, default=200_000, help="frames of the long file; 0: none")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    readers = [*OURS, *(name for name in READERS if name not in OURS and options.peers)]
    print(
        "wrong of", REQUESTS, "(length if wrong), median, 95th percentile [ms of processor]; ours also: forward, bound"
    )
    print(f"| file | {' | '.join(readers)} | forward, ours / bound | step back |\n{'|---' * (len(readers) + 3)}|")
    missing: set[str] = set()
    for name, kind in FILES.items():
        path = options.folder / name
        if not path.exists():
            write_file(path.with_name(f"part_{name}"), kind)
            path.with_name(f"part_{name}").rename(path)
        codes = truth(path)
        cells, forward, back = [], {}, ""
        for reader in readers:
            if reader in missing:
                cells.append("missing")
                continue
            found = run(sys.executable if reader in OURS else options.peers, "--measure", reader, str(path))
            if isinstance(found, str):
                cells.append(found)
                missing.update({reader} if found == "missing" else ())
                continue
            asked = np.random.default_rng(0).integers(0, found["length"], REQUESTS)
            wrong = sum(t >= len(codes) or codes[t] != code for t, code in zip(asked, found["codes"], strict=True))
            length = "" if found["length"] == len(codes) else f" ({found['length']} for {len(codes)})"
            cells.append(f"{wrong}{length}, {found['median']:.1f}, {found['p95']:.1f}")
            forward[reader] = found.get("forward")
            back = f"{found['back']:.2f}" if "back" in found else back
        ours, bound = forward.get("napari-ubam"), forward.get("bound")
        told = f"{ours:.2f} / {bound:.2f} = {bound / ours:.2f}" if ours and bound else ""
        print(f"| {name} | {' | '.join(cells)} | {told} | {back} |", flush=True)
    if options.long:
        for n in (options.long // 10, options.long):
            path = options.folder / f"long_{n}.mp4"
            if not path.exists():
                write_long(path.with_name("part.mp4"), n)
                path.with_name("part.mp4").rename(path)
            print("cache of 64 MB:", run(sys.executable, "--measure-memory", str(path)))
        print(run(sys.executable, "--measure-long", str(path)))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--measure", reader, path]:
            print(json.dumps(measure(reader, path)))
        case ["--measure-long", path]:
            print(json.dumps(measure_long(path)))
        case ["--measure-memory", path]:
            print(json.dumps(measure_memory(path)))
        case _:
            main()
