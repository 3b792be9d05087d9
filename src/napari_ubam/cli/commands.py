"""The commands: one thin function a step."""

from __future__ import annotations

import contextlib
import platform
from pathlib import Path
from typing import Annotated

import typer

from napari_ubam import __version__
from napari_ubam.cli.for_programs import train_for_a_program
from napari_ubam.cli.options import (
    Overwrite,
    StudyFolder,
    Yes,
    one_for_each,
    read_limits,
    refuse_to_replace,
    with_settings,
)
from napari_ubam.cli.terminal import ask_for_disk, progress_bar, say, stop_on_interrupt, tell_problems
from napari_ubam.errors import Problem
from napari_ubam.progress import Cancelled, Report
from napari_ubam.settings import (
    CheckSettings,
    CompareSettings,
    DeviateSettings,
    EmbedSettings,
    ExportSettings,
    KeypointSettings,
    MagnifySettings,
    ReportSettings,
    Show,
    StudySettings,
    TrackSettings,
    TrainSettings,
    TransferSettings,
)

app = typer.Typer(
    help="Learn how subjects move from video alone, measure how each deviates from a reference group, and magnify it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        print(f"napari-ubam {__version__}")
        raise typer.Exit


@app.callback()
def options_of_all(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take what stands before the command."""


@app.command()
@with_settings(StudySettings)
def init(
    study: StudyFolder,
    recordings: Annotated[Path, typer.Option(help="CSV with the columns path, subject, group and optional ones.")],
    reference: Annotated[str, typer.Option(help="The group that deviations are measured from.")],
    settings: StudySettings,
) -> None:
    """Make a study of the recordings in a table."""
    from napari_ubam import pipeline

    made = pipeline.init(study, recordings, reference, settings)
    say(f"{made.folder} has {len(made.recordings)} recordings: {made.describe_groups()}.")


@app.command()
@with_settings(TrackSettings)
def track(
    study: StudyFolder,
    settings: TrackSettings,
    recordings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RECORDING]...", help="Which recordings. Default: all that have no boxes yet."),
    ] = None,
) -> None:
    """Follow subjects that move through the picture of a fixed camera: boxes/NAME.csv, entered into the table."""
    from napari_ubam.study import Study
    from napari_ubam.study import track as follow  # needs no torch

    with progress_bar() as report:
        tracked, problems = follow(Study.open(study), recordings or (), settings, report=report)
    tell_problems(problems)
    n = sum(recording.boxes is not None for recording in tracked.recordings)
    say(f"{n} of {len(tracked.recordings)} recordings of {tracked.folder} have boxes.")


@app.command()
@with_settings(TrainSettings)
def train(
    study: StudyFolder,
    settings: TrainSettings,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a training that was stopped.")] = False,
    yes: Yes = False,
    as_json: Annotated[bool, typer.Option("--json", hidden=True)] = False,
) -> None:
    """Learn posture, behaviour and how to draw them, from the videos alone."""
    from napari_ubam import pipeline
    from napari_ubam.study import Study
    from napari_ubam.training.runs import can_resume

    def run(report: Report) -> list[Problem]:
        if as_json and not yes:
            ask_for_disk(Study.open(study))
        return pipeline.train(Study.open(study), settings, resume=resume, report=report)

    if as_json:
        train_for_a_program(run)
        return
    if not yes:
        ask_for_disk(Study.open(study))
    with progress_bar() as report, stop_on_interrupt(report, "Stopping: writing a checkpoint") as stoppable:
        try:
            tell_problems(run(stoppable))
        except Cancelled:
            go_on = "--resume" if can_resume(Study.open(study).models_folder) else ""  # stopped while it read videos
            say(f"Stopped. Go on with: napari-ubam train {study} {go_on}")
            raise typer.Exit(130) from None


@app.command()
@with_settings(EmbedSettings)
def embed(study: StudyFolder, settings: EmbedSettings, yes: Yes = False) -> None:
    """Write posture and behaviour of every frame to embeddings/."""
    from napari_ubam import pipeline
    from napari_ubam.study import Study

    if not yes:
        ask_for_disk(Study.open(study))
    with progress_bar() as report, stop_on_interrupt(report, "Stopping") as stoppable:
        try:
            tell_problems(pipeline.embed(Study.open(study), settings, report=stoppable))
        except Cancelled:
            say(f"Stopped. What is done is kept; go on with: napari-ubam embed {study}")
            raise typer.Exit(130) from None


@app.command()
@with_settings(DeviateSettings)
def deviate(study: StudyFolder, settings: DeviateSettings) -> None:
    """Measure every frame and subject against the reference group: results/deviation.csv and subjects.csv."""
    from napari_ubam import pipeline
    from napari_ubam.study import Study, read_result

    opened = Study.open(study)
    with progress_bar() as report:
        tell_problems(pipeline.deviate(opened, settings, report=report))
    n = int((read_result(opened, "subjects", "deviate")["group"] == opened.reference).sum())
    say(
        f"With {n} reference subjects, the smallest possible p-value of a subject is 1/{n + 1} = {1 / (n + 1):.3g} "
        f"(1/{n} for a reference subject)."
    )


@app.command()
@with_settings(KeypointSettings)
def keypoints(study: StudyFolder, settings: KeypointSettings) -> None:
    """Predict keypoints in every frame from its posture, learned from recordings that have some: results/keypoints/."""
    from napari_ubam import pipeline
    from napari_ubam.study import Study

    opened = Study.open(study)
    with progress_bar() as report:
        tell_problems(pipeline.keypoints(opened, settings, report=report))
    say(f"Written: {opened.results_folder / 'keypoint_scores.csv'}")


@app.command()
@with_settings(MagnifySettings)
def magnify(
    study: StudyFolder,
    recording: Annotated[str, typer.Argument(metavar="RECORDING", help="The recording's name: its file's stem.")],
    out: Annotated[Path, typer.Option(help="FILE.mkv is lossless, at the recording's own size; FILE.mp4 is H.264.")],
    settings: MagnifySettings,
    heatmap: Annotated[Path | None, typer.Option(help="Also write the heatmap: FILE.zarr (T, Y, X).")] = None,
    show: Annotated[
        Show,
        typer.Option(
            help="What the video shows: the magnified frames; recording, magnified frames and heatmap side by side; or "
            "the heatmap over the recording."
        ),
    ] = "magnified",
    arrows: Annotated[bool, typer.Option("--arrows", help="Draw the deviation's direction into the video.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Write a recording with its deviation magnified."""
    from napari_ubam import pipeline
    from napari_ubam.study import Study

    refuse_to_replace(out, heatmap, overwrite=overwrite)
    with progress_bar() as report:
        n = pipeline.save_magnified(
            Study.open(study), recording, out, settings, heatmap=heatmap, show=show, arrows=arrows, report=report
        )
    say(f"{out} has {n} frames.")


@app.command()
@with_settings(ExportSettings)
def export(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Videos, multi-page TIFFs, folders of numbered images, or raw arrays (.npy, .zarr): from left to "
            "right, or from the lowest to the highest.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="The video. FILE.mkv is lossless, FILE.mp4 is H.264; also .mov, .webm, .gif and .tif.")
    ],
    settings: ExportSettings,
    name: Annotated[
        list[str] | None, typer.Option(help="A file's caption. Once for each file; default: its name.")
    ] = None,
    opacity: Annotated[
        list[float] | None,
        typer.Option(min=0, max=1, help="When blended. Once for each file; default: 1, 0.5 for upper ones."),
    ] = None,
    blending: Annotated[
        list[str] | None,
        typer.Option(
            help="translucent (the default), additive, minimum, multiplicative or opaque. Once for each file."
        ),
    ] = None,
    colormap: Annotated[
        list[str] | None,
        typer.Option(
            help="Of grey values: 'glow', that of the heatmaps, or by napari's name. Once for each file ('gray' for "
            "coloured ones)."
        ),
    ] = None,
    limits: Annotated[
        list[str] | None,
        typer.Option(metavar="LOW,HIGH", help="Grey values shown darkest and lightest, or 'auto'. Once for each file."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Put videos of any origin into one: side by side with names, or blended as the viewer shows them."""
    from napari_ubam import pipeline

    refuse_to_replace(out, overwrite=overwrite)
    n = len(files)
    each = zip(
        files,
        one_for_each("--name", name, n, ""),
        one_for_each("--opacity", opacity, n, None),
        one_for_each("--blending", blending, n, "translucent"),
        one_for_each("--colormap", colormap, n, "gray"),
        map(read_limits, one_for_each("--limits", limits, n, "auto")),
        strict=True,
    )
    with progress_bar() as report:
        written = pipeline.export([pipeline.FileLayer(*one) for one in each], out, settings, report)
    say(f"{out} has {written} frames.")


@app.command()
@with_settings(TransferSettings)
def transfer(
    study: StudyFolder,
    source: Annotated[list[str], typer.Option("--from", help="A recording whose postures are drawn. May be repeated.")],
    target: Annotated[list[str], typer.Option("--to", help="A recording that they are drawn on. May be repeated.")],
    out: Annotated[Path, typer.Option(help="The picture: FILE.png.")],
    settings: TransferSettings,
    frame: Annotated[
        list[int] | None, typer.Option(help="A frame whose posture is drawn, instead of spread ones. May be repeated.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw postures of some recordings on the subjects of others, as a grid with a simple baseline."""
    from napari_ubam import pipeline
    from napari_ubam.study import Study

    refuse_to_replace(out, overwrite=overwrite)
    with progress_bar() as report:
        pipeline.save_transfer(Study.open(study), source, target, out, settings, frames=frame or None, report=report)
    say(f"Written: {out}")


@app.command()
@with_settings(CompareSettings)
def compare(study: StudyFolder, settings: CompareSettings) -> None:
    """Compare groups and sessions, and classify unseen subjects: results/groups.csv and others, see columns.csv."""
    from napari_ubam import pipeline
    from napari_ubam.study import Study

    opened = Study.open(study)
    with progress_bar() as report:
        tell_problems(pipeline.compare(opened, settings, report=report))
    say(f"Written: {opened.results_folder / 'groups.csv'}")


@app.command()
@with_settings(CheckSettings)
def check(study: StudyFolder, settings: CheckSettings) -> None:
    """Check what magnifying does to every subject: results/magnification.csv and magnification_groups.csv."""
    from napari_ubam import pipeline
    from napari_ubam.study import Study

    opened = Study.open(study)
    with progress_bar() as report:
        tell_problems(pipeline.check_magnification(opened, settings, report=report))
    say(f"Written: {opened.results_folder / 'magnification.csv'}")


@app.command()
@with_settings(ReportSettings)
def report(study: StudyFolder, settings: ReportSettings) -> None:
    """Write what was found, with figures, as one page: results/report.html."""
    from napari_ubam import pipeline
    from napari_ubam.study import Study

    with progress_bar() as tell:
        path = pipeline.make_report(Study.open(study), settings, report=tell)
    say(f"Written: {path}")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where to make the demo's study and pictures.")] = Path("ubam-demo"),
    no_viewer: Annotated[bool, typer.Option("--no-viewer", help="Only save pictures and videos.")] = False,
) -> None:
    """Make a small cohort, run every step on it, and show the result."""
    try:
        from napari_ubam.demo import run_demo  # takes seconds, in which Ctrl-C may come too

        with progress_bar() as tell:
            finished = run_demo(out, report=tell, say=say)
        if not no_viewer:
            finished.open_viewer(say=say)
    except (Cancelled, KeyboardInterrupt):
        say(f"Stopped. What is done is kept; go on with: napari-ubam demo --out {out}")
        raise typer.Exit(130) from None


@app.command()
def info() -> None:
    """Show versions, devices and memory, for questions and bug reports."""
    from importlib.metadata import PackageNotFoundError, version

    from napari_ubam.models.device import available_devices, describe_device

    print(f"napari-ubam {__version__}, Python {platform.python_version()}, {platform.platform()}")
    for package in ("torch", "lightning", "napari", "npe2", "av", "zarr", "numpy", "scikit-learn", "PySide6", "PyQt6"):
        with contextlib.suppress(PackageNotFoundError):
            print(f"  {package} {version(package)}")
    for device in available_devices():
        print(f"Device: {describe_device(device)}")
