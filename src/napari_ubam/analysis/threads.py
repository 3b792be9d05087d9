"""Do one thing with many, several of them at a time.

PyTorch shares out each operation among threads, which wait for one another after every one of them. Where operations
are short and something else is at work on the processor, such as a training, most of the time is spent on waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(do: Callable[[Item], Result], items: Iterable[Item], device: torch.device | str) -> list[Result]:
    """Return what is done with each item, by as many threads as PyTorch may use, in each of which it uses one.

    Parameters
    ----------
    do : callable
        Takes an item; must not depend on the others.
    items : iterable
        What to do it with.
    device : torch.device or str
        Where tensors are; on anything but a CPU one thread does it all.

    Returns
    -------
    list
        In the order of the items.
    """
    n_threads = torch.get_num_threads()
    if torch.device(device).type != "cpu" or n_threads == 1:
        return list(map(do, items))
    try:
        with ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(do, items))
    finally:
        torch.set_num_threads(n_threads)  # threads that are started later take over what was set last
