"""Missing files, and where they went: one that was found tells of the others."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from napari_ubam.study.recording import Recording


def moved_alike(old: Path, new: Path, others: Iterable[Path]) -> dict[Path, Path]:
    """Find files where they would be, had they been moved together with one whose new place is known.

    Parameters
    ----------
    old, new : Path
        Where that one was, and where it was found. The folders in which the two paths differ were moved.
    others : iterable of Path
        Further files that are missing.

    Returns
    -------
    dict of Path to Path
        New place of each of the others that exists there.
    """
    from_parts, to_parts = list(old.parts), list(new.parts)
    while from_parts and to_parts and from_parts[-1] == to_parts[-1]:
        from_parts.pop()
        to_parts.pop()
    found = {}
    for other in others:
        if list(other.parts[: len(from_parts)]) == from_parts and len(from_parts) < len(old.parts):
            place = Path(*to_parts, *other.parts[len(from_parts) :])
            if place != other and place.exists():
                found[other] = place
    return found


def with_files_at(recordings: Iterable[Recording], places: dict[Path, Path]) -> tuple[Recording, ...]:
    """Give the table with other paths: ``places`` are the new ones by the old ones."""
    absolute = {old: Path(os.path.abspath(new)) for old, new in places.items()}
    return tuple(x.model_copy(update={"path": absolute[x.path]}) if x.path in absolute else x for x in recordings)
