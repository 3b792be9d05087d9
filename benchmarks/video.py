"""Exactness and speed of reading videos, beside other readers.

Every file is written here, with the number of each frame drawn in it as a barcode. Each reader runs in a process of its
own, with a time limit, and says which barcodes it read in which order. The processes of all readers take turns, so that
what else the machine does weighs on all alike:

    python benchmarks/video.py /tmp/videos --peers PYTHON

``--peers`` names a Python that has napari-pyav, napari-video, decord2, OpenCV or torchcodec; those that are missing are
left out.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from video_files import FILES, read_barcode, truth, write_file, write_long
from video_readers import OURS, READERS

REQUESTS = 62
ROUNDS = 6  # the readers take turns so often, each time with a video that is opened anew; the shortest time counts
TIME_LIMIT = 60  # s for one reader, one file and one task
ANSWER = "answer: "  # begins the line in which a process of a reader tells what it found


def read_randomly(reader: str, path: str) -> dict[str, Any]:
    """Open a file anew and read random frames of it: the barcodes, and the seconds that each took."""
    video = READERS[reader](path)
    codes, seconds = [], []
    for t in np.random.default_rng(0).integers(0, len(video), REQUESTS):
        begun = time.process_time()
        try:
            image = video[int(t)]
        except Exception:
            image = None
        if image is None:  # a frame that is promised and not given counts as wrong
            codes.append(-1)
            continue
        seconds.append(time.process_time() - begun)
        codes.append(read_barcode(image))
    return {"length": len(video), "codes": codes, "seconds": seconds}


def play_forward(reader: str, path: str) -> float:
    """Give the milliseconds of a frame when all are read in order."""
    video = READERS[reader](path)
    begun = time.process_time()
    n = sum(1 for _ in (video.iterate() if hasattr(video, "iterate") else video))
    return 1000 * (time.process_time() - begun) / n


def step_back(reader: str, path: str) -> float:
    """Give the milliseconds of a step back within the cache."""
    video = READERS[reader](path)
    frames = range(len(video) - 40, len(video))
    for t in frames:
        video[t]
    begun = time.process_time()
    for t in frames[-2:-22:-1]:
        video[t]
    return 1000 * (time.process_time() - begun) / 20


TASKS: dict[str, Callable[[str, str], Any]] = {
    "random": read_randomly,
    "forward": play_forward,
    "back": step_back,
}


class Process:
    """A reader at work on a file in a process of its own; `problem` says why it ended if it did."""

    def __init__(self, python: str, reader: str, path: Path) -> None:
        self.problem = ""
        self._cache, self._errors = tempfile.TemporaryDirectory(), tempfile.TemporaryFile("w+")  # noqa: SIM115  (until `close`)
        self._process = subprocess.Popen(
            [python, __file__, "--serve", reader, str(path)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
            env={**os.environ, "NAPARI_UBAM_CACHE": self._cache.name},
        )  # fmt: skip

    def ask(self, task: str) -> Any:
        """Have a task done; None if the process has ended, or did not answer in time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self.problem:
            return None
        late = threading.Timer(TIME_LIMIT, self._process.kill)
        late.start()
        with suppress(BrokenPipeError):
            print(task, file=self._process.stdin, flush=True)
        while (line := self._process.stdout.readline()) and not line.startswith(ANSWER):
            pass  # what the reader's libraries print
        if not line:
            self.problem = self._reason() if late.is_alive() else "no end"
        late.cancel()
        return json.loads(line.removeprefix(ANSWER)) if line else None

    def _reason(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        last = (self._errors.read().strip().splitlines() or ["crashed"])[-1]
        return "missing" if "ModuleNotFoundError" in last or "ImportError" in last else f"failed: {last[:60]}"

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()
        self._cache.cleanup()


def serve(reader: str, path: str) -> None:
    """Do the tasks that are asked for on standard input, one a line."""
    for task in sys.stdin:
        print(ANSWER + json.dumps(TASKS[task.strip()](reader, path)), flush=True)


@dataclass
class Found:
    """What was found out of a reader and a file; times in milliseconds of processor."""

    problem: str
    wrong: int = 0
    length: int = 0
    median: float = math.nan
    p95: float = math.nan
    forward: float = math.nan
    back: float = math.nan

    def cell(self, length: int) -> str:
        """Say it in a cell of the table, for a file of so many frames."""
        told = "" if self.length == length else f" ({self.length} for {length})"
        return self.problem or f"{self.wrong}{told}, {self.median:.2f}, {self.p95:.2f}"


def measure(path: Path, codes: list[int], pythons: dict[str, str]) -> dict[str, Found]:
    """Read a file with all readers, which take turns."""
    processes = {reader: Process(python, reader, path) for reader, python in pythons.items()}
    rounds: dict[str, list[dict[str, Any]]] = {reader: [] for reader in processes}
    forward: dict[str, list[float]] = {reader: [] for reader in OURS}
    for _ in range(ROUNDS):
        for reader, process in processes.items():
            if (answer := process.ask("random")) is not None:
                rounds[reader].append(answer)
    for _ in range(ROUNDS):
        for reader in OURS:
            forward[reader].append(processes[reader].ask("forward"))
    back = [processes["napari-ubam"].ask("back") for _ in range(ROUNDS)]
    found = {}
    for reader, process in processes.items():
        found[reader] = Found(process.problem)
        if not process.problem:
            found[reader] = _summary(rounds[reader], codes)
            found[reader].forward = min(forward.get(reader, [math.nan]))
        process.close()
    found["napari-ubam"].back = min(back)
    return found


def _summary(rounds: list[dict[str, Any]], codes: list[int]) -> Found:
    length = rounds[0]["length"]
    asked = np.random.default_rng(0).integers(0, length, REQUESTS)
    wrong = max(
        sum(t >= len(codes) or codes[t] != code for t, code in zip(asked, one["codes"], strict=True)) for one in rounds
    )
    seconds = [one["seconds"] for one in rounds if len(one["seconds"]) == REQUESTS]
    if not seconds:
        return Found("", wrong, length)
    shortest = 1000 * np.min(seconds, axis=0)
    return Found("", wrong, length, float(np.median(shortest)), float(np.percentile(shortest, 95)))


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
    ratio = float(np.median([first / demux for demux, first in by_turns]))
    again = min(seconds(lambda: LazyVideo(path)) for _ in range(3))
    return {"demux": float(demuxing), "first": float(opening), "ratio": ratio, "again": again}


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


def main() -> None:
    """Write the files, run the readers, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the files are written, and kept")
    parser.add_argument("--peers", help="a Python that has the other readers")
    parser.add_argument("--files", nargs="+", choices=FILES, default=list(FILES), help="which files; all if not given")
    parser.add_argument("--long", type=int, default=200_000, help="frames of the long file; 0: none")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    pythons = {name: sys.executable if name in OURS else options.peers for name in READERS}
    pythons = {name: python for name, python in pythons.items() if python}
    print("wrong of", REQUESTS, "(length if wrong), median, 95th percentile [ms of processor]")
    heads = ["file", *pythons, "ours / bound", "ours / best exact peer", "forward, bound / ours", "step back"]
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for name in options.files:
        path = options.folder / name
        if not path.exists():
            write_file(path.with_name(f"part_{name}"), FILES[name])
            path.with_name(f"part_{name}").rename(path)
        codes = truth(path)
        found = measure(path, codes, pythons)
        ours, bound = found["napari-ubam"], found["bound"]
        exact = [one for name, one in found.items() if name not in OURS and not one.problem and not one.wrong]
        exact = [one for one in exact if one.length == len(codes)]
        cells = [one.cell(len(codes)) for one in found.values()]
        cells.append(f"{ours.median / bound.median:.2f}, {ours.p95 / bound.p95:.2f}")
        best = [min((getattr(one, what) for one in exact), default=math.nan) for what in ("median", "p95")]
        cells.append(f"{ours.median / best[0]:.2f}, {ours.p95 / best[1]:.2f}")
        cells.append(f"{bound.forward:.2f} / {ours.forward:.2f} = {bound.forward / ours.forward:.2f}")
        print(f"| {' | '.join([name, *cells, f'{ours.back:.2f}'])} |", flush=True)
        pythons = {name: python for name, python in pythons.items() if found[name].problem != "missing"}
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
        case ["--serve", reader, path]:
            serve(reader, path)
        case ["--measure-long", path]:
            print(json.dumps(measure_long(path)))
        case ["--measure-memory", path]:
            print(json.dumps(measure_memory(path)))
        case _:
            main()
