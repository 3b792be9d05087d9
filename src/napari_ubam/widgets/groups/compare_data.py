"""What the *Compare groups* widget shows: the tables of the step `compare`, read from the study."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from napari_ubam.analysis.important import worst_frame
from napari_ubam.errors import StudyError
from napari_ubam.study import Recording, Study, read_result

TABLES = {  # what is offered to look at, and its file
    "Two groups each": "groups",
    "All groups": "groups_overall",
    "Subjects": "scores",
    "Phases of the cycle": "phases",
    "Sessions": "sessions",
    "Trends": "trends",
    "Recovery": "recovery",
    "Nuisances": "nuisances",
    "Classifiers": "classification",
    "Who is taken for whom": "confusion",
    "Typical clips": "clips",
    "Covariates": "covariates",
    "On and off": "intervals",
}


@dataclass(frozen=True, eq=False)
class Compared:
    """Results of a comparison.

    Attributes
    ----------
    reference : str
        The reference group.
    tables : dict of str to DataFrame
        By the names of `TABLES`.
    frames : DataFrame
        One row a frame: ``recording``, ``subject``, ``frame``, ``deviation``, ``reliable``.
    """

    reference: str
    tables: dict[str, pd.DataFrame]
    frames: pd.DataFrame

    @property
    def scores(self) -> pd.DataFrame:
        """One row a subject."""
        return self.tables["Subjects"]

    def is_of(self, recordings: Iterable[Recording]) -> bool:
        """Tell whether those who were compared are still in the groups that they were in."""
        now = {(recording.subject, recording.group) for recording in recordings}
        return now.issuperset(zip(self.scores["subject"].astype(str), self.scores["group"].astype(str), strict=True))

    def most_deviating(self, subject: str) -> tuple[str, int]:
        """Give the recording and frame in which a subject deviates most, among reliable frames if there are any.

        Raises
        ------
        StudyError
            If deviations were measured anew since, without this subject.
        """
        own = self.frames[self.frames["subject"] == subject]
        if own.empty:
            raise StudyError(f"{subject} was compared, but is no longer measured. Compare the groups again.")
        row = worst_frame(own)
        return str(row["recording"]), int(row["frame"])


def load_compared(study: Study) -> Compared | None:
    """Read the results of a study's comparison; None where it was not compared yet.

    Raises
    ------
    StudyError
        If some of them are missing or cannot be read.
    """
    if not (study.results_folder / "columns.csv").exists():
        return None
    tables = {title: read_result(study, name, "compare") for title, name in TABLES.items()}
    return Compared(study.reference, tables, read_result(study, "deviation", "deviate"))
