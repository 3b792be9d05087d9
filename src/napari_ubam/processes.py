"""Which process something belongs to, told so that it holds later too: numbers of processes are used again."""

from __future__ import annotations

from collections.abc import Mapping

import psutil

_ALIKE = 1.0  # seconds: processes with the same number that began that near to one another are the same


def this_process() -> dict[str, float]:
    """Say which process this is, as JSON can hold it."""
    process = psutil.Process()
    return {"pid": process.pid, "began": process.create_time()}


def find_process(said: Mapping[str, float]) -> psutil.Process | None:
    """Find the process that `this_process` has told of; None if it has ended, or the mapping is none of its own."""
    try:
        process = psutil.Process(int(said["pid"]))
        same = abs(process.create_time() - float(said["began"])) < _ALIKE
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (ValueError, KeyError, TypeError, psutil.Error):
        return None
