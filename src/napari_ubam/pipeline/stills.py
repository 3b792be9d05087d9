"""Pictures of the moments in which subjects deviate most, for the report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from napari_ubam.analysis.important import worst_frame
from napari_ubam.errors import Problem, UbamError
from napari_ubam.magnify.compose import compare_panels, hide_faces
from napari_ubam.pipeline.drawing import Magnifier
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.settings import ReportSettings
from napari_ubam.study import Study

MARGIN = 0.15  # of the region's side, that is shown around it


@dataclass(frozen=True, eq=False)
class Still:
    """One moment of a subject.

    Attributes
    ----------
    picture : ndarray of uint8, shape (Y, X, 3)
        The frame, the same magnified, and the same with its heatmap, beside each other.
    caption : str
        Who it shows, when, and how far it deviates.
    """

    picture: np.ndarray
    caption: str


def draw_stills(
    study: Study, subjects: pd.DataFrame, frames: pd.DataFrame, settings: ReportSettings, *, report: Report = silent
) -> tuple[list[Still], list[Problem]]:
    """Draw the subjects that deviate most, and one of the reference group, each in its worst frame.

    Parameters
    ----------
    study : Study
        A measured study.
    subjects, frames : DataFrame
        ``results/subjects.csv`` and ``results/deviation.csv``.
    settings : ReportSettings
        How many, and how.
    report : callable, optional
        Told of the progress.

    Returns
    -------
    stills : list of Still
        The reference subject last.
    problems : list of Problem
        Recordings that could not be drawn.
    """
    stills, problems = [], []
    chosen = choose_subjects(subjects, study.reference, settings.n_stills)
    for done, subject in enumerate(chosen):
        report(Progress("drawing stills", done, len(chosen)))
        worst = worst_frame(frames[frames["subject"] == subject])
        try:
            stills.append(_draw(study, worst, settings, report))
        except UbamError as error:
            problems.append(Problem(str(worst["recording"]), str(error)))
    report(Progress("drawing stills", len(chosen), len(chosen)))
    return stills, problems


def choose_subjects(subjects: pd.DataFrame, reference: str, n: int) -> list[str]:
    """Choose the n subjects of other groups that deviate most, and the reference subject that does; none for 0."""
    if n == 0:
        return []
    ranked = subjects.sort_values("deviation", ascending=False, kind="stable")
    own = ranked["group"] == reference
    return [*ranked.loc[~own, "subject"].head(n), *ranked.loc[own, "subject"].head(1)]


def _draw(study: Study, worst: pd.Series, settings: ReportSettings, report: Report) -> Still:
    name, frame = str(worst["recording"]), int(worst["frame"])
    magnifier = Magnifier(study, name, settings.device, report)
    try:
        (drawn,) = magnifier.draw([frame], settings.factor)
        (original,) = magnifier.video.read([frame])
        fps = magnifier.video.fps
        x, y, side = magnifier.square(frame)
    finally:
        magnifier.close()
    rows, columns = (slice(max(0, round(at - MARGIN * side)), max(1, round(at + (1 + MARGIN) * side))) for at in (y, x))
    image, heatmap = drawn.image, drawn.heatmap
    if study.settings.people and not settings.show_faces:
        original, image = (hide_faces(picture, side) for picture in (original, image))
    picture = compare_panels(
        original[rows, columns], image[rows, columns], heatmap[rows, columns], str(worst["subject"]), settings.factor
    )
    when = f"frame {frame}" + (f" at {frame / fps:.1f} s" if fps else "")
    caption = (
        f"{worst['subject']} ({worst['group']}), {name}, {when}: deviates more than {worst['percentile']:.0f} % of the "
        f"frames of {'other ' if worst['group'] == study.reference else ''}{study.reference} subjects."
    )
    if not worst["reliable"]:
        caption += " No good reference was found for it, so it is shown as filmed."
    return Still(picture, caption)
