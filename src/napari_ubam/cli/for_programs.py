"""Training as another program's child: the widgets run it so, and the viewer never stutters."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from typing import Any

import typer

from napari_ubam.errors import Problem, UbamError
from napari_ubam.progress import Cancelled, Progress, Report


def train_for_a_program(run: Callable[[Report], list[Problem]]) -> None:
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
        write(event="end", state="failed", message=str(error), error=type(error).__name__)
        raise typer.Exit(1) from None
    finally:
        sys.stdout = out
