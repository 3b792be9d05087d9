"""How long it takes to measure deviations, and how much memory: the speed part of `groups.py`."""

from __future__ import annotations

import time

import numpy as np
import psutil
import torch

from napari_ubam.analysis.deviation import measure_deviation
from napari_ubam.analysis.matching import Movement
from napari_ubam.analysis.moments import Library, Spacing, Track, ask_for_all, match_moments
from napari_ubam.settings import DeviateSettings

DIMENSIONS = 64  # entries of a code
N_FRAMES, SECONDS, GIGABYTES = 1_000_000, 120, 4  # the bar: in all, of 100 subjects


def cyclic_subjects(n_references: int, n_others: int, n_frames: int, seed: int) -> dict[str, Movement]:
    """Give subjects that walk in codes without a meaning: a common cycle, a way of their own, noise."""
    rng = np.random.default_rng(seed)
    common, movements = rng.standard_normal((2, 7, DIMENSIONS)) / np.arange(1, 8)[:, None], {}
    for i in range(n_references + n_others):
        phase = 2 * np.pi * (np.arange(n_frames) / rng.uniform(27, 37) + rng.random())
        harmonics = phase[:, None] * np.arange(1, 8)
        codes = np.cos(harmonics) @ common[0] + np.sin(harmonics) @ common[1]
        codes = codes * (1 + 0.1 * rng.standard_normal(DIMENSIONS)) + rng.standard_normal(DIMENSIONS)
        codes += 0.3 * rng.standard_normal(codes.shape)
        group = "healthy" if i < n_references else "impaired"
        movements[f"{i}"] = Movement(
            f"{i}", group, i < n_references, codes.astype(np.float32), 30.0, np.ones(n_frames, bool)
        )
    return movements


def neighbours_speed(device: str, seed: int) -> None:
    """Print the processor time of one frame among the moments that are kept of a reference subject, by one thread."""
    rng = np.random.default_rng(seed)
    settings = DeviateSettings()

    def track(n: int, fps: float) -> Track:
        codes = rng.standard_normal((n, DIMENSIONS)).astype(np.float32)
        return Track(codes, codes, np.ones(n, bool), Spacing.of(fps, settings.context))

    print(f"\n| frames among {settings.n_moments} moments, {device} | rate | microseconds a frame |\n|---|---|---|")
    for fps, numbers in ((30.0, (1000, 4000, 16_000)), (25.0, (1000,))):  # at 25 Hz, samples lie between frames
        library = Library([track(5 * settings.n_moments, fps)], settings.n_moments, device)
        for n in numbers:
            asked = ask_for_all(track(n, fps), device)
            match_moments(ask_for_all(track(100, fps), device), library, settings.n_nearest)
            threads = torch.get_num_threads()
            torch.set_num_threads(1)  # as each of those that `measure_deviation` shares reference subjects out to
            start = time.process_time()
            match_moments(asked, library, settings.n_nearest)
            print(f"| {n} | {fps:g} | {1e6 * (time.process_time() - start) / n:.1f} |", flush=True)
            torch.set_num_threads(threads)


def deviation_speed(n_references: int, n_others: int, n_frames: int, device: str, seed: int) -> None:
    """Print time and memory of all deviations, and what the bar's million frames would take.

    With `DeviateSettings.n_moments` frames a subject or more, time grows as the number of frames does.
    """
    movements = cyclic_subjects(n_references, n_others, n_frames, seed)
    total = n_frames * len(movements)
    start, busy = time.perf_counter(), time.process_time()
    measure_deviation(movements, DeviateSettings(device=device), points=False)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    peak = getattr(psutil.Process().memory_info(), "peak_wset", 0) or _peak_memory()
    whole = seconds * N_FRAMES / total
    print(
        f"\n{n_references} reference subjects and {n_others} others, {n_frames} frames of {DIMENSIONS} entries each, "
        f"{torch.get_num_threads()} threads, {device}: {seconds:.0f} s, of the processor {busy:.1f} s, "
        f"{peak / 2**30:.1f} GiB; {N_FRAMES} frames: {whole:.0f} s, of the processor {busy * N_FRAMES / total:.0f} s "
        f"(bar {SECONDS} s on 2 cores, {GIGABYTES} GiB; met: {'yes' if whole <= SECONDS else 'no'})"
    )


def _peak_memory() -> int:
    import resource  # not on Windows, where psutil tells

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
