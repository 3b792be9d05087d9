"""The command line: ``napari-ubam …``, one thin command a step.

Options are made from the settings classes, so that their names, help and bounds stand in one place.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import platform
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

from napari_ubam import __version__
from napari_ubam.errors import Problem, UbamError
from napari_ubam.progress import Cancelled, Progress, Report
from napari_ubam.settings import (
    CheckSettings,
    CompareSettings,
    DeviateSettings,
    EmbedSettings,
    KeypointSettings,
    MagnifySettings,
    Settings,
    StudySettings,
    TrackSettings,
    TrainSettings,
    TransferSettings,
)

if TYPE_CHECKING:
    from napari_ubam.study import Study

app = typer.Typer(
    help="Learn how subjects move from video alone, measure how each deviates from a reference group, and magnify it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(stderr=True, highlight=False)

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before much of the disk is taken.")]
StudyFolder = Annotated[Path, typer.Argument(metavar="STUDY", help="The study's folder.")]


def with_settings(cls: type[Settings]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option for every setting, and pass it the settings object."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True).parameters.values()
        options = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=info.default,
                annotation=Annotated[info.annotation, typer.Option(help=info.description)],
            )
            for name, info in cls.model_fields.items()
        ]

        @functools.wraps(command)
        def wrapper(**values: Any) -> None:
            given = {name: values.pop(name) for name in cls.model_fields}
            try:
                settings = cls(**given)
            except ValidationError as error:
                first = error.errors()[0]
                option = str(first["loc"][0]).replace("_", "-") if first["loc"] else "settings"
                raise UbamError(f"--{option}: {first['msg']}.") from error
            command(**values, settings=settings)

        parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in own if p.name != "settings"] + options
        wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
        return wrapper

    return decorate


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
    _say(f"{made.folder} has {len(made.recordings)} recordings: {made.describe_groups()}.")


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
    _tell_problems(problems)
    n = sum(recording.boxes is not None for recording in tracked.recordings)
    _say(f"{n} of {len(tracked.recordings)} recordings of {tracked.folder} have boxes.")


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
    from napari_ubam.training.train import can_resume

    def run(report: Report) -> list[Problem]:
        if as_json and not yes:
            _ask_for_disk(Study.open(study))
        return pipeline.train(Study.open(study), settings, resume=resume, report=report)

    if as_json:
        _train_for_a_program(run)
        return
    if not yes:
        _ask_for_disk(Study.open(study))
    with progress_bar() as report, _stop_on_interrupt(report, "Stopping: writing a checkpoint") as stoppable:
        try:
            _tell_problems(run(stoppable))
        except Cancelled:
            go_on = "--resume" if can_resume(Study.open(study).models_folder) else ""  # stopped while it read videos
            _say(f"Stopped. Go on with: napari-ubam train {study} {go_on}")
            raise typer.Exit(130) from None


@app.command()
@with_settings(EmbedSettings)
def embed(study: StudyFolder, settings: EmbedSettings, yes: Yes = False) -> None:
    """Write posture and behaviour of every frame to embeddings/."""
    from napari_ubam import pipeline
    from napari_ubam.study import Study

    if not yes:
        _ask_for_disk(Study.open(study))
    with progress_bar() as report, _stop_on_interrupt(report, "Stopping") as stoppable:
        try:
            _tell_problems(pipeline.embed(Study.open(study), settings, report=stoppable))
        except Cancelled:
            _say(f"Stopped. What is done is kept; go on with: napari-ubam embed {study}")
            raise typer.Exit(130) from None


@app.command()
@with_settings(DeviateSettings)
def deviate(study: StudyFolder, settings: DeviateSettings) -> None:
    """Measure every frame and subject against the reference group: results/deviation.csv and subjects.csv."""
    from napari_ubam import pipeline
    from napari_ubam.study import Study, read_result

    opened = Study.open(study)
    with progress_bar() as report:
        _tell_problems(pipeline.deviate(opened, settings, report=report))
    n = int((read_result(opened, "subjects", "deviate")["group"] == opened.reference).sum())
    _say(
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
        _tell_problems(pipeline.keypoints(opened, settings, report=report))
    _say(f"Written: {opened.results_folder / 'keypoint_scores.csv'}")


@app.command()
@with_settings(MagnifySettings)
def magnify(
    study: StudyFolder,
    recording: Annotated[str, typer.Argument(metavar="RECORDING", help="The recording's name: its file's stem.")],
    out: Annotated[Path, typer.Option(help="FILE.mkv is lossless, at the recording's own size; FILE.mp4 is H.264.")],
    settings: MagnifySettings,
    heatmap: Annotated[Path | None, typer.Option(help="Also write the heatmap: FILE.zarr (T, Y, X).")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
) -> None:
    """Write a recording with its deviation magnified."""
    from napari_ubam import pipeline
    from napari_ubam.study import Study

    for path in (out, heatmap):
        if path is not None and path.exists() and not overwrite:
            raise UbamError(f"{path} is there already. Choose another name, or add --overwrite.")
    with progress_bar() as report:
        n = pipeline.save_magnified(Study.open(study), recording, out, settings, heatmap=heatmap, report=report)
    _say(f"{out} has {n} frames.")


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
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Draw postures of some recordings on the subjects of others, as a grid with a simple baseline."""
    from napari_ubam import pipeline
    from napari_ubam.study import Study

    if out.exists() and not overwrite:
        raise UbamError(f"{out} is there already. Choose another name, or add --overwrite.")
    with progress_bar() as report:
        pipeline.save_transfer(Study.open(study), source, target, out, settings, frames=frame or None, report=report)
    _say(f"Written: {out}")


@app.command()
@with_settings(CompareSettings)
def compare(study: StudyFolder, settings: CompareSettings) -> None:
    """Compare the groups' subjects: results/groups.csv."""
    from napari_ubam import pipeline
    from napari_ubam.study import Study

    with progress_bar() as report:
        path = pipeline.compare(Study.open(study), settings, report=report)
    _say(f"Written: {path}")


@app.command()
@with_settings(CheckSettings)
def check(study: StudyFolder, settings: CheckSettings) -> None:
    """Check what magnifying does to every subject: results/magnification.csv and magnification_groups.csv."""
    from napari_ubam import pipeline
    from napari_ubam.study import Study

    opened = Study.open(study)
    with progress_bar() as report:
        _tell_problems(pipeline.check_magnification(opened, settings, report=report))
    _say(f"Written: {opened.results_folder / 'magnification.csv'}")


@app.command()
def report(study: StudyFolder) -> None:
    """Write what was found, with figures, as one page: results/report.html."""
    from napari_ubam import pipeline
    from napari_ubam.study import Study

    with progress_bar() as tell:
        path = pipeline.make_report(Study.open(study), report=tell)
    _say(f"Written: {path}")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where to make the demo's study and pictures.")] = Path("ubam-demo"),
    no_viewer: Annotated[bool, typer.Option("--no-viewer", help="Only save pictures and videos.")] = False,
) -> None:
    """Make a small cohort, run every step on it, and show the result."""
    try:
        from napari_ubam.demo import run_demo  # takes seconds, in which Ctrl-C may come too

        with progress_bar() as tell:
            finished = run_demo(out, report=tell, say=_say)
        if not no_viewer:
            finished.open_viewer(say=_say)
    except (Cancelled, KeyboardInterrupt):
        _say(f"Stopped. What is done is kept; go on with: napari-ubam demo --out {out}")
        raise typer.Exit(130) from None


@app.command()
def info() -> None:
    """Show versions, devices and memory, for questions and bug reports."""
    from importlib.metadata import PackageNotFoundError, version

    import psutil
    import torch

    from napari_ubam.models.device import available_devices

    print(f"napari-ubam {__version__}, Python {platform.python_version()}, {platform.platform()}")
    for package in ("torch", "lightning", "napari", "npe2", "av", "zarr", "numpy", "scikit-learn", "PySide6", "PyQt6"):
        with contextlib.suppress(PackageNotFoundError):
            print(f"  {package} {version(package)}")
    memory = psutil.virtual_memory()
    print(f"Memory: {memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free, {psutil.cpu_count()} cores")
    for device in available_devices():
        text = f"Device: {device}"
        if device.startswith("cuda"):
            free, total = torch.cuda.mem_get_info(device)
            text += f", {torch.cuda.get_device_name(device)}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
        print(text)


class _TimeLeft(TimeRemainingColumn):
    """Shows the time left as the step says it, which knows of a time limit, or else as the bar's speed says it."""

    def render(self, task: Task) -> Text:
        seconds = task.fields["seconds_left"]
        return super().render(task) if seconds is None else Text(str(timedelta(seconds=round(seconds))))


@contextlib.contextmanager
def progress_bar() -> Iterator[Report]:
    """Draw the progress of a step, a bar a stage; messages are printed."""
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), _TimeLeft()
    with Bar(*columns, TextColumn("{task.fields[loss]}"), console=console) as bar:
        tasks: dict[str, Any] = {}

        def tell(progress: Progress) -> None:
            if progress.message:
                bar.console.print(progress.message, markup=False)
            if progress.stage not in tasks:
                for task in tasks.values():
                    bar.update(task, visible=False)
                tasks[progress.stage] = bar.add_task(progress.stage, loss="", seconds_left=None)
            loss = "" if progress.loss is None else f"loss {progress.loss:.4f}"
            task = tasks[progress.stage]
            bar.update(
                task, completed=progress.done, total=progress.total, loss=loss, seconds_left=progress.seconds_left,
                visible=True,
            )  # fmt: skip

        yield tell


@contextlib.contextmanager
def _stop_on_interrupt(report: Report, saying: str) -> Iterator[Report]:
    """Turn Ctrl-C into `Cancelled` at the next report; a second one interrupts at once."""
    asked = threading.Event()

    def on_interrupt(*_: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()  # and no more: to print here may break into a print that is under way

    def tell(progress: Progress) -> None:
        report(progress)
        if asked.is_set():
            console.print(f"{saying} (Ctrl-C again to leave at once) …")
            raise Cancelled

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield tell
    finally:
        signal.signal(signal.SIGINT, before)


def _train_for_a_program(run: Callable[[Report], list[Problem]]) -> None:
    """Train for another program: one JSON object a line on stdout; ``stop`` or the end of stdin stops."""
    asked = threading.Event()
    out = sys.stdout
    sys.stdout = sys.stderr  # what libraries print must not be taken for an event

    def listen() -> None:
        for line in sys.stdin:
            if line.strip() == "stop":
                break
        asked.set()

    def write(**event: Any) -> None:
        out.write(json.dumps(event) + "\n")
        out.flush()

    def tell(p: Progress) -> None:
        write(
            event="progress", stage=p.stage, done=p.done, total=p.total, loss=p.loss, seconds_left=p.seconds_left,
            message=p.message,
        )  # fmt: skip
        if asked.is_set():
            raise Cancelled

    threading.Thread(target=listen, daemon=True).start()
    try:
        for problem in run(tell):
            write(event="problem", name=problem.name, message=problem.message)
        write(event="end", state="done")
    except (Cancelled, KeyboardInterrupt):
        write(event="end", state="stopped")
    except UbamError as error:
        write(event="end", state="failed", message=str(error))
        raise typer.Exit(1) from None
    finally:
        sys.stdout = out


def _say(text: str, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, soft_wrap=True)  # unbroken, so that paths can be copied


def _ask_for_disk(study: Study) -> None:
    """Ask before crops take much of the disk; where nobody can answer, say how to go on without being asked."""
    from napari_ubam.study import MUCH, cache_size, describe_size

    size = cache_size(study, study.recordings)
    if size <= MUCH:
        return
    text = f"The crops of the recordings will take {describe_size(size)} of the disk, in {study.cache_folder}."
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UbamError(f"{text} If that is all right, add --yes.")
    if not typer.confirm(f"{text} They may be deleted afterwards. Go on?", err=True):
        raise typer.Exit(1)


def _tell_problems(problems: list[Problem]) -> None:
    for problem in problems:
        _say(str(problem), style="yellow")


def main() -> None:
    """Run the command line; what a user can mend is shown as a message, without a traceback."""
    try:
        app()
    except UbamError as error:
        _say(f"Error: {error}", style="red")
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("Interrupted.")
        sys.exit(130)
