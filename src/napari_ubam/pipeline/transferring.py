"""Draw the postures of some recordings on the subjects of others, as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from napari_ubam.analysis.reference import Alignment
from napari_ubam.errors import StudyError
from napari_ubam.files import atomic_path
from napari_ubam.magnify.magnifier import Shot
from napari_ubam.magnify.transfer import Transfer, add_difference, closest_frames, draw_postures
from napari_ubam.models.device import pick_device
from napari_ubam.models.inputs import background_of
from napari_ubam.models.store import load_model
from napari_ubam.pipeline.reading import crop_like, has_landmarks, read_embedded
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.sampling import spread_rows
from napari_ubam.settings import TransferSettings
from napari_ubam.study import Crops, Recording, Study
from napari_ubam.video import open_frames

N_AVERAGED = 100  # frames, evenly spread, that a recording's mean frame is taken of


@dataclass(frozen=True, eq=False)
class _Known:
    """A recording, what the networks saw and said of it, and where its landmarks lie."""

    recording: Recording
    crops: Crops
    codes: np.ndarray
    alignment: Alignment
    mean: np.ndarray


def transfer(
    study: Study, sources: Sequence[str], targets: Sequence[str], settings: TransferSettings | None = None, *,
    frames: Sequence[int] | None = None, report: Report = silent,
) -> Transfer:  # fmt: skip
    """Draw postures of some recordings on the subjects of others.

    Place and size of the other subject are kept: landmarks are shifted and scaled to it first. Each posture is drawn
    on that frame of the other recording which needs to change least.

    Parameters
    ----------
    study : Study
        An embedded study.
    sources, targets : sequence of str
        Names of the recordings whose postures are drawn, and of those that they are drawn on.
    settings : TransferSettings, optional
        How many postures, and where to compute.
    frames : sequence of int, optional
        Frames of the files, of each source; default: evenly spread ones, as many as the settings say.
    report : callable, optional
        Told of the progress.

    Raises
    ------
    StudyError, VideoError, ModelError
        If a recording is missing or was not embedded, or has none of a frame that is asked for.
    """
    if not sources or not targets:
        raise StudyError("Name at least one recording whose posture is drawn, and one that it is drawn on.")
    settings = settings or TransferSettings()
    device = pick_device(settings.device)
    generator = load_model(study.models_folder / "generator", device)
    known = {name: _known(study, name, report) for name in dict.fromkeys([*sources, *targets])}
    shown = {name: _rows(known[name], frames, settings.n_postures) for name in dict.fromkeys(sources)}
    captions = [f"{name}, frame {known[name].crops.frame[row]}" for name, rows in shown.items() for row in rows]
    postures = np.concatenate([known[name].crops.frames[rows] for name, rows in shown.items()])
    names = list(dict.fromkeys(targets))
    drawn, added = [], []
    for i, name in enumerate(names):
        report(Progress("transferring postures", i, len(names)))
        of = known[name]
        wanted = [known[n].alignment.move(known[n].codes[rows], of.alignment) for n, rows in shown.items()]
        aligned = np.concatenate(wanted).astype(np.float32)
        shot = _shot(of, closest_frames(aligned, of.codes))
        pictures = draw_postures(shot, aligned, generator, device)
        drawn.append(
            [crop_like(picture, square, of.crops) for picture, square in zip(pictures, shot.squares, strict=True)]
        )
        differences = [add_difference(known[n].crops.frames[rows], known[n].mean, of.mean) for n, rows in shown.items()]
        added.append(np.concatenate(differences))
    report(Progress("transferring postures", len(names), len(names)))
    subjects = np.stack([known[name].crops.frames[0] for name in names])
    return Transfer(postures, captions, subjects, names, np.array(drawn), np.stack(added))


def save_transfer(
    study: Study, sources: Sequence[str], targets: Sequence[str], out: str | Path,
    settings: TransferSettings | None = None, *, frames: Sequence[int] | None = None, report: Report = silent,
) -> None:  # fmt: skip
    """Write what `transfer` draws as a grid to a picture, a PNG.

    Raises
    ------
    StudyError, VideoError, ModelError
        As `transfer`, or if ``out`` does not end in .png.
    """
    if Path(out).suffix.lower() != ".png":
        raise StudyError(f"{out} cannot be written: give the picture a name that ends in .png.")
    grid = transfer(study, sources, targets, settings, frames=frames, report=report).grid()
    with atomic_path(out) as temporary:
        Image.fromarray(grid).save(temporary)


def _known(study: Study, name: str, report: Report) -> _Known:
    recording = study.recording(name)
    embedding, crops = read_embedded(study, recording, report)
    sure = ~crops.interpolated if not crops.interpolated.all() else slice(None)
    alignment = Alignment.of(embedding.posture[sure], has_landmarks(study)).at_least(1e-6)
    mean = crops.frames[spread_rows(len(crops.frame), N_AVERAGED)].mean(0, dtype=np.float32)
    return _Known(recording, crops, embedding.posture, alignment, mean)


def _rows(of: _Known, frames: Sequence[int] | None, n: int) -> np.ndarray:
    """Find the rows of frames of the file, or of evenly spread ones."""
    number = of.crops.frame
    if frames is None:
        return spread_rows(len(number), n)
    if missing := sorted(set(frames) - set(number.tolist())):
        raise StudyError(f"{of.recording.name} has no frame {missing[0]}; it has frames {number[0]} to {number[-1]}.")
    return np.searchsorted(number, frames)


def _shot(of: _Known, rows: np.ndarray) -> Shot:
    crops = of.crops
    with open_frames(of.recording.path) as source:
        pictures = list(source.read(crops.frame[rows].tolist()))
    background = crops.background if crops.background is not None else background_of(crops)
    codes, n = of.codes[rows], len(rows)
    return Shot(
        crops.frame[rows], pictures, np.asarray(crops.frames[rows]), crops.squares[rows], crops.mirrored, background,
        crops.background is not None, codes, codes, np.zeros(n), np.zeros((n, 1)), np.zeros(n, bool),
        crops.is_empty,
    )  # fmt: skip
