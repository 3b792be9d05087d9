"""Where to compute."""

from __future__ import annotations

import psutil
import torch

from napari_ubam.errors import DeviceError

# MPS, the CPU and CUDA's libraries have no class of error of their own for it.
_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "STATUS_ALLOC_FAILED")


def available_devices() -> list[str]:
    """Names of the devices that can be asked for, the best one first."""
    names = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]


def describe_device(name: str) -> str:
    """Say what a device is and how much of its memory is free, such as ``cpu: 8 cores, 11.2 of 15.6 GiB free``."""
    if name.startswith("cuda"):
        free, total = torch.cuda.mem_get_info(name)
        what = torch.cuda.get_device_name(name)
    else:
        memory = psutil.virtual_memory()
        free, total, what = memory.available, memory.total, f"{psutil.cpu_count()} cores"
    return f"{name}: {what}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"


def pick_device(name: str = "auto") -> torch.device:
    """Return the device of that name; ``auto`` is CUDA, then MPS, then the CPU.

    Raises
    ------
    DeviceError
        If there is no such device on this machine.
    """
    there = available_devices()
    if name == "auto":
        return torch.device(there[0])
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    wanted = "cuda:0" if name == "cuda" else name
    if device is None or wanted not in there:
        raise DeviceError(f"There is no device '{name}' on this machine. Use 'auto' or one of: {', '.join(there)}.")
    return device


def smaller_batch(error: RuntimeError, n: int, device: torch.device, purpose: str) -> int:
    """Return the size of the batch to go on with where batches of n ran out of memory.

    Raises
    ------
    RuntimeError
        The error itself, if it is another one.
    DeviceError
        If the memory is too small even for a batch of one.
    """
    if not (isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in _NO_MEMORY)):
        raise error
    if n == 1:
        raise DeviceError(
            f"{device} has too little memory for {purpose}. Choose a smaller crop size, or device 'cpu'."
        ) from error
    return n // 2
