"""Indices of videos, kept between sessions in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from napari_ubam.errors import UbamError
from napari_ubam.files import atomic_path
from napari_ubam.video.index import FrameIndex
from napari_ubam.video.packets import Packets, stamp_of

FOLDER_VARIABLE = "NAPARI_UBAM_CACHE"  # of the environment: where to keep them instead
_FORMAT = 2  # indices of another one are made anew
_MOST = 500  # files; the oldest are removed


def cache_folder() -> Path:
    """Give the folder that indices are kept in; it may be deleted at any time."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    return (Path(chosen) if chosen else user_cache_path("napari-ubam", appauthor=False)) / "indices"


def save_index(path: Path, index: FrameIndex) -> None:
    """Keep the index of a video; where that is not possible, it is made anew the next time."""
    packets = index.packets
    counts = [_FORMAT, *packets.stamp, packets.expected, packets.timed, packets.whole, index.length]
    arrays: dict[str, Any] = {"counts": counts, "rates": [packets.fps, packets.unit], "problem": index.problem}
    arrays |= {"pts": packets.pts, "size": packets.size, "key": packets.key, "shown": packets.shown}
    arrays |= {"keys": index.keys, "damaged": index.damaged}
    if packets.search is not packets.pts:
        arrays["search"] = packets.search
    if index.number is not None:
        arrays["number"] = index.number
    file = _file(path)
    with suppress(UbamError, OSError), atomic_path(file) as temporary:
        np.savez(temporary, **arrays)
    with suppress(OSError):
        kept = sorted(file.parent.glob("*.npz"), key=lambda one: one.stat().st_mtime)
        for old in kept[:-_MOST]:
            old.unlink()


def load_index(path: Path) -> FrameIndex | None:
    """Give the index of a video that was kept; None if there is none of the file as it is now."""
    try:
        with np.load(_file(path), allow_pickle=False) as kept:
            form, *stamp, expected, timed, whole, length = kept["counts"].tolist()
            if form != _FORMAT or tuple(stamp) != stamp_of(path):
                return None
            fps, unit = kept["rates"].tolist()
            pts = kept["pts"]
            packets = Packets(
                pts, kept.get("search", pts), kept["size"], kept["key"], kept["shown"],
                fps, expected, unit, (stamp[0], stamp[1]), bool(timed), bool(whole),
            )  # fmt: skip
            number = kept.get("number")
            return FrameIndex(packets, number, kept["keys"], length, str(kept["problem"]), kept["damaged"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _file(path: Path) -> Path:
    return cache_folder() / f"{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]}.npz"
