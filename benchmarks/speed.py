"""How quick is the slider, and how quickly is a whole recording magnified and written?

    python benchmarks/speed.py OUT [--frames 150] [--height 720] [--minutes 2] [--device auto]

Makes a small cohort of a camera's size, trains on it for some minutes (OUT is used again if it is there), and draws
one subject's recording twice: with the subject's own region, and with the whole picture as the region. Prints the
median time from a new factor to the picture, and frames per second of whole recordings, from file to file, beside what
decoding and encoding take alone, so that one sees what bounds it. Also the most memory that was in use, for a short and
a long range. Beside the clock's time stands the processors', which counts all cores, and other programs do not change.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import torch

from napari_ubam import pipeline
from napari_ubam.sample import make_cohort
from napari_ubam.settings import EmbedSettings, MagnifySettings, TrainSettings
from napari_ubam.study import Recording, Study
from napari_ubam.video import open_frames, write_video

NEAR, WHOLE = "near", "whole"
FACTORS = (0.0, 2.5, 8.0)
N_REDRAWN = 25


def make_study(folder: Path, n_frames: int, height: int, minutes: float, device: str) -> Study:
    """Write walkers in the middle of a camera's picture, and go through every step before magnifying."""
    beside = (height * 16 // 9 - height) // 2
    recordings = []
    for r in make_cohort(n_healthy=4, n_impaired=1, n_frames=n_frames, size=256):
        path = folder / "videos" / f"{r.name}.mp4"
        large = (cv2.resize(frame, (height, height), interpolation=cv2.INTER_CUBIC) for frame in r.frames)
        frames = (cv2.copyMakeBorder(f, 0, 0, beside, beside, cv2.BORDER_REPLICATE) for f in large)
        write_video(path, frames, r.fps)
        near = {"x": beside, "y": 0, "width": height, "height": height}
        recordings.append(Recording(name=r.name, path=path, subject=r.subject, group=r.group, **near))
    recordings[-1] = recordings[-1].model_copy(update={"name": NEAR})
    whole = {"name": WHOLE, "x": None, "y": None, "width": None, "height": None}
    study = Study.create(folder / "study", [*recordings, recordings[-1].model_copy(update=whole)], "healthy")
    pipeline.train(study, TrainSettings(preset="quick", minutes=minutes, device=device))
    pipeline.embed(study, EmbedSettings(device=device))
    pipeline.deviate(study)
    return study


class Taken(NamedTuple):
    """How long a step takes [s]: by the clock, and of all processors together."""

    clock: float
    cpu: float


def redraw(study: Study, name: str, factor: float, device: str) -> Taken:
    """Return the median time from a new factor to the current frame's picture."""
    magnifier = pipeline.Magnifier(study, name, device)
    frame = [int(magnifier.frame[len(magnifier.frame) // 2])]
    magnifier.images(frame, 1.5)  # the first takes longer: the video is opened
    times = [timed(partial(magnifier.images, frame, factor + i / 1000)) for i in range(N_REDRAWN)]
    return Taken(*(statistics.median(of) for of in zip(*times, strict=True)))


def timed(step: Callable[[], object]) -> Taken:
    """Take the time of a step."""
    start, cpu = time.perf_counter(), time.process_time()
    step()
    return Taken(time.perf_counter() - start, time.process_time() - cpu)


def per_frame(taken: Taken, n: int) -> str:
    """Say how quick a step on n frames was."""
    return f"{n / taken.clock:.0f} frames/s, {1000 * taken.cpu / n:.0f} ms of processor a frame"


def peak() -> float:
    """Return the most memory that this process had in use so far [MiB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    folder = given.out / "study"
    if (folder / "results" / "deviation.csv").is_file():
        study = Study.open(folder)
    else:
        study = make_study(given.out, given.frames, given.height, given.minutes, given.device)
    source = open_frames(study.recording(NEAR).path)
    n, gpu = len(source), torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    print(f"{source.shape[2]} x {source.shape[1]} px, {n} frames; {torch.get_num_threads()} threads, {gpu}")

    print(f"decoding alone: {per_frame(timed(lambda: [None for _ in source]), n)}")
    frames = source[:60]
    for suffix in (".mkv", ".mp4"):
        alone = partial(write_video, given.out / f"alone{suffix}", frames, 30)
        print(f"encoding alone, {suffix}: {per_frame(timed(alone), len(frames))}")
    for name in (NEAR, WHOLE):
        found = [(factor, redraw(study, name, factor, given.device)) for factor in FACTORS]
        text = ", ".join(f"{1000 * t.clock:.0f} ({1000 * t.cpu:.0f}) ms at {factor:g}" for factor, t in found)
        print(f"{name}: a redraw takes, by the clock (of all processors), {text}")
        settings = MagnifySettings(factor=2.5, device=given.device)
        for suffix in (".mkv", ".mp4"):
            write = partial(pipeline.save_magnified, study, name, given.out / f"{name}{suffix}", settings)
            before = peak()
            few = timed(partial(write, frames=range(n // 3)))
            short = peak()
            whole = timed(write)
            rest = Taken(whole.clock - few.clock, whole.cpu - few.cpu)  # without what it takes to begin
            print(f"{name}: from file to {suffix}: {per_frame(rest, n - n // 3)}; "
                  f"memory {before:.0f}, {short:.0f} after {n // 3} frames, {peak():.0f} MiB after all")  # fmt: skip


if __name__ == "__main__":
    main()
