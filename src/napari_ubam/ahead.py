"""Make the next thing while the one before it is used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


def ahead(
    make: Callable[[T], U], things: Iterable[T], n: int = 1, *, on_leave: Callable[[], None] = lambda: None
) -> Generator[U, None, None]:
    """Give ``make(thing)`` for one thing after the other, made in order in a thread of its own.

    Use it within `contextlib.closing`: left early, it makes nothing more, and waits for what is just being made.

    Parameters
    ----------
    make : callable
        What it raises is raised when its thing's turn comes.
    things : iterable
        Gone through in the caller's thread.
    n : int
        How many are made, or being made, beside the one that is used.
    on_leave : callable, optional
        Called when the iterator is left early, so that a ``make`` that takes long can end.

    Yields
    ------
    object
        In the order of ``things``.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        made: deque[Future[U]] = deque()
        try:
            for thing in things:
                made.append(thread.submit(make, thing))
                if len(made) > n:
                    yield _result(made.popleft())
            while made:
                yield _result(made.popleft())
        except BaseException:
            for future in made:
                future.cancel()
            on_leave()
            raise


def _result(future: Future[U]) -> U:
    while not wait([future], timeout=0.5).done:  # a wait without end would let no Ctrl-C in on Windows
        pass
    return future.result()
