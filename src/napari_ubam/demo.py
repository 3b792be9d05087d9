"""The demo: draw a small cohort of walkers, run every step on it, say what was found, and show it.

What is there already is kept: a demo that was interrupted goes on where it was, one that is finished is shown again.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from pydantic import Field, ValidationError

from napari_ubam import pipeline
from napari_ubam.analysis.important import worst_frame
from napari_ubam.errors import Problem, UbamError
from napari_ubam.files import atomic_path, clear_errors, write_text
from napari_ubam.magnify.compose import compare_panels
from napari_ubam.models.store import load_config
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.sample import write_cohort
from napari_ubam.settings import MagnifySettings, Settings, StudySettings, TrainSettings
from napari_ubam.study import Recording, Study, embedding_path, read_result
from napari_ubam.training.runs import SETTINGS, can_resume
from napari_ubam.video import open_frames, write_video

Say = Callable[[str], object]

REFERENCE, IMPAIRED = "healthy", "impaired"
FEW_STEPS = 400  # of training the posture: with fewer, limbs are drawn as ghosts
_MARK = "demo.json"  # what makes a folder a demo's: the settings that it was begun with


class DemoSettings(Settings):
    """How large the cohort is, and how long it is trained on."""

    n_healthy: int = Field(8, ge=2)
    n_impaired: int = Field(4, ge=1)
    n_frames: int = Field(120, ge=1)
    size: int = Field(256, ge=16)
    study: StudySettings = StudySettings()
    train: TrainSettings = TrainSettings(minutes=4.5)  # a slow machine trains fewer steps, not longer
    magnify: MagnifySettings = MagnifySettings()


@dataclass(frozen=True)
class Demo:
    """A finished demo.

    Attributes
    ----------
    study : Study
        The study, every step done.
    recording : Recording
        That of the impaired subject that deviates most.
    frame : int
        The frame in which it does.
    settings : MagnifySettings
        How it was magnified.
    files : tuple of Path
        Pictures and videos of it.
    """

    study: Study
    recording: Recording
    frame: int
    settings: MagnifySettings
    files: tuple[Path, ...]

    def open_viewer(self, say: Say = print) -> None:
        """Show the result in napari, and return when its window is closed.

        Raises
        ------
        UbamError
            If napari or its Qt is not installed.
        """
        if not has_display():
            say("There is no display to open a window on. Look at the pictures and videos instead.")
            return
        say("Opening napari …")
        try:
            from napari_ubam.widgets.magnify.result_view import open_result

            open_result(self.study, self.recording, self.frame, self.settings)
        except ImportError as error:
            raise UbamError(
                f"napari cannot be opened ({error}). Install it with: pip install 'napari-ubam[all]'. "
                "The pictures and videos are there without it."
            ) from error


def run_demo(
    out: str | Path, settings: DemoSettings | None = None, *, report: Report = silent, say: Say = print
) -> Demo:
    """Run every step on a sample cohort, as far as it is not done yet, and save pictures of the result.

    Needs no display and no Qt.

    Parameters
    ----------
    out : str or Path
        A new or empty folder, or that of an earlier demo, which is gone on with.
    settings : DemoSettings, optional
        Only for a new demo; an earlier one keeps its own.
    report : callable, optional
        Told of the progress.
    say : callable, optional
        Told in words what was found.

    Returns
    -------
    Demo
        What can be shown.

    Raises
    ------
    UbamError
        If the folder holds something else, or a step fails.
    Cancelled
        If ``report`` raised it, or Ctrl-C was pressed while training; the next run goes on from there.
    """
    start = time.monotonic()
    folder = Path(out).resolve()
    settings = _begin(folder, settings or DemoSettings(), say)
    study = _make_study(folder, settings, report)
    for problem in _run_steps(study, settings, report):
        say(str(problem))
    steps = load_config(study.models_folder / "posture")["steps"]
    if steps < FEW_STEPS:
        say(
            f"Only {steps} steps of training fitted into the time of a demo: too few for good pictures. For better "
            f"ones: napari-ubam train {study.folder} --preset quick, and embed, deviate and magnify anew."
        )
    subjects, frames = read_result(study, "subjects", "deviate"), read_result(study, "deviation", "deviate")
    demo = _choose(study, subjects, frames, settings.magnify, folder)
    _save_pictures(demo, folder, report)
    fps = _fps(demo.recording.path)
    for line in describe(subjects, frames, REFERENCE, fps):
        say(line)
    say("")
    say(f"{demo.recording.name}, its deviation magnified {settings.magnify.factor:g} times:")
    for path in (*demo.files, study.results_folder / "report.html"):
        say(f"  {path}")
    say(f"This took {_duration(time.monotonic() - start)}.")
    return demo


def has_display() -> bool:
    """Tell whether a window can be opened."""
    return not sys.platform.startswith("linux") or any(os.environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY"))


def describe(subjects: pd.DataFrame, frames: pd.DataFrame, reference: str, fps: float) -> list[str]:
    """Say in words what was found.

    Parameters
    ----------
    subjects : DataFrame
        ``results/subjects.csv``.
    frames : DataFrame
        ``results/deviation.csv``.
    reference : str
        The reference group.
    fps : float
        Frames per second of the recordings.

    Returns
    -------
    list of str
        How many stood out, how many would by chance, and the frame in which each deviates most.
    """
    healthy, others = (subjects[(subjects["group"] == reference) == own] for own in (True, False))
    n, stand_out = len(healthy), others["rank"] == 1
    names = ", ".join(others.loc[stand_out, "subject"])
    most = ", ".join(healthy.loc[healthy["rank"] == 1, "subject"])
    lines = [
        f"{stand_out.sum()} of {len(others)} impaired subjects stood out, deviating more than every {reference} subject"
        + (f": {names}." if names else "."),
        f"By chance, 1 in {n + 1} would: about {len(others) / (n + 1):.1f} of {len(others)}. So the smallest possible "
        f"p-value of a subject is 1/{n + 1} = {1 / (n + 1):.2g}.",
        f"1 of {n} {reference} subjects deviates more than the other {n - 1}, as one always must: {most}.",
    ]
    for row in others.sort_values("deviation", ascending=False).to_dict("records"):
        worst = worst_frame(frames[frames["subject"] == row["subject"]])
        lines.append(
            f"  {row['subject']} (p = {row['p_value']:.2g}) deviates most in frame {worst['frame']}, at "
            f"{worst['frame'] / fps:.1f} s: more than {worst['percentile']:.0f} % of the {reference} subjects' frames."
        )
    return lines


def _begin(folder: Path, settings: DemoSettings, say: Say) -> DemoSettings:
    """Mark a new folder as a demo's, or take the settings of the demo that is there."""
    mark = folder / _MARK
    if mark.exists():
        say(f"There is a demo in {folder}: what is done is kept. Delete the folder to begin anew.")
        try:
            return DemoSettings.model_validate_json(mark.read_text(encoding="utf-8"))
        except ValidationError as error:
            raise UbamError(
                f"{mark} is damaged or by another version. Delete the folder, or choose another with --out."
            ) from error
    with clear_errors(folder):
        if folder.exists() and any(not path.name.startswith(".") for path in folder.iterdir()):
            raise UbamError(f"{folder} has files that are not the demo's. Choose a new folder with --out.")
    n = settings.n_healthy + settings.n_impaired
    say(f"A cohort of {n} walkers goes through every step, in {folder}. On two CPU cores that takes about 6 minutes.")
    write_text(mark, settings.model_dump_json(indent=2) + "\n")
    return settings


def _make_study(folder: Path, settings: DemoSettings, report: Report) -> Study:
    table = folder / "cohort" / "recordings.csv"
    if not table.exists():
        write_cohort(
            table.parent, settings.n_healthy, settings.n_impaired, settings.n_frames, settings.size, report=report
        )
    if (folder / "study" / "study.toml").exists():
        return Study.open(folder / "study")
    return pipeline.init(folder / "study", table, REFERENCE, settings.study)


def _run_steps(study: Study, settings: DemoSettings, report: Report) -> Iterator[Problem]:
    """Run the steps whose results are not there yet."""
    results = study.results_folder
    if not (study.models_folder / SETTINGS).exists():
        resume = can_resume(study.models_folder)
        yield from pipeline.train(study, settings.train, resume=resume, report=report)
    if not all(embedding_path(study, recording.name).exists() for recording in study.recordings):
        yield from pipeline.embed(study, report=report)
    if not (results / "subjects.csv").exists():
        yield from pipeline.deviate(study, report=report)
    if not (results / "groups.csv").exists():
        yield from pipeline.compare(study, report=report)
    if not (results / "report.html").exists():
        pipeline.make_report(study, report=report)


def _choose(
    study: Study, subjects: pd.DataFrame, frames: pd.DataFrame, settings: MagnifySettings, folder: Path
) -> Demo:
    """Choose the impaired subject that deviates most."""
    impaired = subjects[subjects["group"] == IMPAIRED]
    subject = impaired.loc[impaired["deviation"].idxmax(), "subject"]
    worst = worst_frame(frames[frames["subject"] == subject])
    name = worst["recording"]
    results = study.results_folder
    files = (
        folder / "demo.png", folder / "demo.mp4", results / f"{name}_magnified.mp4", results / f"{name}_magnified.mkv",
        results / f"{name}_heatmap.zarr",
    )  # fmt: skip
    return Demo(study, study.recording(name), int(worst["frame"]), settings, files)


def _save_pictures(demo: Demo, folder: Path, report: Report) -> None:
    """Write what is not there yet; the video goes last."""
    import zarr  # slow to import

    picture, video, mp4, mkv, heatmap = demo.files
    name = demo.recording.name
    if not (mkv.exists() and heatmap.exists()):
        pipeline.save_magnified(demo.study, name, mkv, demo.settings, heatmap=heatmap, report=report)
    if all(path.exists() for path in (picture, video, mp4)):
        return
    heat = zarr.open_array(heatmap, mode="r")
    with open_frames(demo.recording.path) as original, open_frames(mkv) as magnified:

        def panels() -> Iterator[np.ndarray]:
            for t, (one, other) in enumerate(zip(original.iterate(), magnified.iterate(), strict=True)):
                report(Progress("drawing the pictures", t, heat.shape[0]))
                composed = compare_panels(one, other, np.asarray(heat[t]), name, demo.settings.factor)
                if t == demo.frame:
                    with atomic_path(picture) as temporary:
                        Image.fromarray(composed).save(temporary, optimize=True)
                yield composed

        write_video(video, panels(), original.fps)
        write_video(mp4, magnified.iterate(), original.fps)
    report(Progress("drawing the pictures", heat.shape[0], heat.shape[0]))


def _fps(path: Path) -> float:
    with open_frames(path) as frames:
        return frames.fps


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
