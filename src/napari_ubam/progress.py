"""How a step tells its caller how far it is, without knowing who listens.

A step takes an optional ``report`` callback. The command line draws a bar with it, a
widget moves its progress bar. A callback stops the step by raising `Cancelled`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One report of a running step.

    Attributes
    ----------
    stage : str
        What is being done, in words, such as ``"training posture"``.
    done, total : int
        How many of how many units are done.
    message : str
        A remark for the user, such as why a recording was left out; mostly empty.
    loss : float or None
        The current training loss, where there is one.
    seconds_left : float or None
        Estimated time to the end of this stage [s].
    """

    stage: str
    done: int
    total: int
    message: str = ""
    loss: float | None = None
    seconds_left: float | None = None


Report = Callable[[Progress], None]


class Cancelled(Exception):
    """Raised by a ``report`` callback to stop the step that calls it."""


def silent(progress: Progress) -> None:
    """Ignore a report: the default of every step."""
