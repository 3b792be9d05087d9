"""Does the memory that training and embedding need grow with the length of the recordings?

    python benchmarks/memory.py OUT [--recordings 100] [--crop-size 32] [--minutes 1 60] [--training 0.5]

Puts crops of many recordings into the cache of a study, as if they had been decoded (the files are sparse: they take
little of the disk), trains the default models on them for a moment, and embeds the first recording. Each length has a
process of its own, whose resident memory is sampled 50 times a second. Prints the highest of each step; libraries
alone take the figure of the first column.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from napari_ubam import pipeline
from napari_ubam.settings import EmbedSettings, StudySettings, TrainSettings
from napari_ubam.study import Recording, Study, crops_key, load_crops
from napari_ubam.video import write_video

FPS = 30


def fake_study(folder: Path, n_recordings: int, n_frames: int, size: int) -> Study:
    """Make a study with crops of so many frames in its cache; some at the start show something, the rest is black."""
    path = folder / "video.mkv"
    write_video(path, np.zeros((2, 32, 32, 3), np.uint8), FPS)
    recordings = [
        Recording(name=f"r{i:03}", path=path, subject=f"s{i:03}", group="healthy") for i in range(n_recordings)
    ]
    study = Study.create(folder / "study", recordings, "healthy", StudySettings(crop_size=size))
    rng = np.random.default_rng(0)
    for recording in recordings:
        cache = study.cache_folder / recording.name
        cache.mkdir(parents=True)
        crops = np.lib.format.open_memmap(cache / "crops.npy", "w+", np.uint8, (n_frames, size, size, 3))
        crops[:64] = rng.integers(0, 255, crops[:64].shape, dtype=np.uint8)
        squares = np.tile(np.array([0, 0, size, 0], np.float32), (n_frames, 1))
        np.savez(cache / "index.npz", frame=np.arange(n_frames), squares=squares, interpolated=np.zeros(n_frames, bool))
        about = {"key": crops_key(study, recording), "fps": FPS, "has_background": False}
        (cache / "crops.json").write_text(json.dumps(about))
    assert len(load_crops(study, recordings[0]).frames) == n_frames
    return study


@contextmanager
def highest_memory(peaks: list[int]) -> Iterator[None]:
    """Add the process's highest resident memory [bytes] while this lasts."""
    process, done = psutil.Process(), threading.Event()
    highest = [process.memory_info().rss]

    def sample() -> None:
        while not done.wait(0.02):
            highest.append(max(highest.pop(), process.memory_info().rss))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        peaks.append(highest[0])


def measure(folder: Path, minutes: float) -> None:
    """Train and embed the study in the folder, and print the peaks as JSON."""
    study = Study.open(folder)
    peaks = [psutil.Process().memory_info().rss]
    with highest_memory(peaks):
        pipeline.train(study, TrainSettings(preset="quick", minutes=minutes, device="cpu"))
    with highest_memory(peaks):
        pipeline.embed(study.replace(recordings=study.recordings[:1]), EmbedSettings(device="cpu"))
    print(json.dumps(peaks))


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--recordings", type=int, default=100)
    parser.add_argument("--crop-size", type=int, default=32)
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 60], help="lengths of a recording")
    parser.add_argument("--training", type=float, default=0.5, help="how long to train [min]")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure is not None:
        measure(given.measure, given.training)
        return
    print(f"{given.recordings} recordings, crops of {given.crop_size} px; resident memory [MB]")
    print(f"{'length':>8} {'crops [GB]':>11} {'start':>7} {'train':>7} {'embed':>7}")
    for minutes in given.minutes:
        n_frames = round(minutes * 60 * FPS)
        folder = given.out / f"{minutes:g}min"
        study = fake_study(folder, given.recordings, n_frames, given.crop_size)
        command = [sys.executable, __file__, str(folder), "--measure", str(study.folder), "--training", given.training]
        run = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
        peaks = [f"{peak / 1e6:7.0f}" for peak in json.loads(run.stdout.splitlines()[-1])]
        size = given.recordings * n_frames * 3 * given.crop_size**2 / 1e9
        print(f"{minutes:>5g} min {size:>11.1f} {' '.join(peaks)}", flush=True)


if __name__ == "__main__":
    main()
