"""How much of its time does `embed` lose to decoding and encoding one after the other?

    python benchmarks/embed.py OUT [--recordings 8] [--frames 300] [--height 1080] [--device auto]

Writes H.264 recordings, trains for a moment, and embeds them three times: decoding only, encoding only (with the crops
in the cache), and both, as `embed` does it. Prints frames per second of each, and what both reach of the slower one:
1 is a perfect overlap, and what remains where one waits for the other or they share the processor. Processors that
decoding and encoding both fill can at best do both in the sum of their times: that figure stands beside it.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import torch

from napari_ubam import pipeline
from napari_ubam.sample import make_cohort
from napari_ubam.settings import EmbedSettings, TrainSettings
from napari_ubam.study import Recording, Study, load_crops
from napari_ubam.video import write_video


def make_study(folder: Path, n_recordings: int, n_frames: int, height: int) -> Study:
    """Write recordings of a camera's size and make a study of them, its models hardly trained."""
    cohort = make_cohort(n_healthy=n_recordings - 1, n_impaired=1, n_frames=n_frames, size=256)
    recordings = []
    for r in cohort:
        path = folder / "videos" / f"{r.name}.mp4"
        wide = (cv2.resize(frame, (height * 16 // 9, height)) for frame in r.frames)
        write_video(path, wide, r.fps)
        recordings.append(Recording(name=r.name, path=path, subject=r.subject, group=r.group))
    study = Study.create(folder / "study", recordings, "healthy")
    pipeline.train(study, TrainSettings(preset="quick", minutes=0.05))
    return study


def timed(step: Callable[[], object]) -> float:
    """Return how long a step takes [s]."""
    start = time.monotonic()
    step()
    return time.monotonic() - start


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    for name, default in {"recordings": 8, "frames": 300, "height": 1080}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    study = make_study(given.out, given.recordings, given.frames, given.height)
    settings = EmbedSettings(device=given.device, anew=True)
    n = given.recordings * given.frames

    pipeline.embed(study, settings)  # once without looking at the clock: libraries load, and the device warms up
    forward = timed(lambda: pipeline.embed(study, settings))
    shutil.rmtree(study.cache_folder)
    decode = timed(lambda: [load_crops(study, recording) for recording in study.recordings])
    shutil.rmtree(study.cache_folder)
    both = timed(lambda: pipeline.embed(study, settings))
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    print(f"{given.recordings} recordings of {given.frames} frames, {given.height} lines; "
          f"{torch.get_num_threads()} threads, {gpu}")  # fmt: skip
    for name, seconds in (("decoding alone", decode), ("encoding alone", forward), ("embed", both)):
        print(f"{name:16} {n / seconds:8.1f} frames/s")
    print(f"embed / the slower of them: {max(decode, forward) / both:.2f} (1 is perfect)")
    print(f"one after the other / embed: {(decode + forward) / both:.2f} (1 is what a full processor allows)")


if __name__ == "__main__":
    main()
