"""What the user is told: errors in a sentence with the whole of it in napari's log, and what was left out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from napari.utils.notifications import notification_manager, show_error, show_warning

from napari_ubam.errors import UbamError

_MOST = 8  # problems that are told of at once

_log = logging.getLogger("napari_ubam")


def tell_error(error: Exception) -> None:
    """Show an error; where it comes from goes to the log (*Help > Show logs*)."""
    _log.error("%s", error, exc_info=error)
    if isinstance(error, UbamError):
        show_error(str(error))
    else:  # a mistake of ours: napari shows it with its traceback, to be reported
        notification_manager.receive_error(type(error), error, error.__traceback__)


@contextmanager
def errors_shown() -> Iterator[None]:
    """Show an error that the user can act on as a message, and go on; also as a decorator."""
    try:
        yield
    except UbamError as error:
        tell_error(error)


def warn_of_problems(problems: Iterable[object]) -> None:
    """Tell what was left out."""
    if told := [str(problem) for problem in problems]:
        _log.warning("%s", "\n".join(told))
        more = [f"And {len(told) - _MOST} more, which are in the log: Help > Show logs."] if len(told) > _MOST else []
        show_warning("\n".join(told[:_MOST] + more))
