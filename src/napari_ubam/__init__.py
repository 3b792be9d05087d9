"""Learn how subjects move from video alone, and see how each deviates, magnified.

Importing the package loads neither torch nor Qt: public names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

try:
    from napari_ubam._version import version as __version__
except ImportError:  # a source tree that was never installed
    __version__ = "0+unknown"

_PUBLIC = {
    "Study": "napari_ubam.study",
    "Recording": "napari_ubam.study",
    "LazyVideo": "napari_ubam.video",
    "UbamError": "napari_ubam.errors",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
