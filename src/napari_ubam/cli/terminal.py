"""What a command shows on the terminal, and what it asks there."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

from napari_ubam.errors import Problem, UbamError
from napari_ubam.progress import Cancelled, Progress, Report

if TYPE_CHECKING:
    from napari_ubam.study import Study

console = Console(stderr=True, highlight=False)


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
def stop_on_interrupt(report: Report, saying: str) -> Iterator[Report]:
    """Turn Ctrl-C, or being told to end, into `Cancelled` at the next report; a second time interrupts at once.

    A cluster's queue ends what runs too long, and a computer that shuts down ends all, by SIGTERM.
    """
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

    before = {number: signal.signal(number, on_interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield tell
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say(text: str, style: str | None = None) -> None:
    """Print a line, as it is."""
    console.print(text, style=style, markup=False, soft_wrap=True)  # unbroken, so that paths can be copied


def ask_for_disk(study: Study) -> None:
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


def tell_problems(problems: list[Problem]) -> None:
    """Print what was left out, and why."""
    for problem in problems:
        say(str(problem), style="yellow")
