"""One video of one subject in one session, and which part of it counts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from napari_ubam.errors import StudyError

REGION = ("x", "y", "width", "height")
NAME_COLUMN = "recording"  # what tables and results call a recording's name
_NOT_IN_FILES = re.compile(r'[<>:"/\\|?*\x00-\x1f]+')


class Recording(BaseModel):
    """One video of one subject in one session.

    Attributes
    ----------
    name : str
        Unique within a study (also where upper and lower case are the same); names the recording's files.
    path : Path
        The video file, multi-page TIFF or folder of images, absolute. It may be missing.
    subject, group, session : str
        Who, which cohort, and which visit or day.
    side : {"left", "right"} or None
        Which side of the subject is seen.
    x, y, width, height : int or None
        The region of interest [px]: all four, or none for the whole picture.
    boxes : Path or None
        Where the subject is that moves through the picture: a CSV of ``frame, x, y, width, height`` and, optionally,
        ``angle``, or a file of tracks (see `napari_ubam.study.box_files`).
    keypoints : Path or None
        Keypoints that another program found (see `napari_ubam.study.keypoints`).
    individual : str or None
        Which of the individuals in these files is the subject; None where they have but one.
    start, stop : int, int or None
        The frames [start, stop) of the file that count; to the end where ``stop`` is None.
    covariates : dict of str to str
        What else the table says about the recording, as written there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    path: Path
    subject: str
    group: str
    session: str = "1"
    side: Literal["left", "right"] | None = None
    x: int | None = None
    y: int | None = None
    width: int | None = None
    height: int | None = None
    boxes: Path | None = None
    keypoints: Path | None = None
    individual: str | None = None
    start: int = Field(0, ge=0)
    stop: int | None = None
    covariates: dict[str, str] = {}

    @classmethod
    def checked(cls, where: str, **values: object) -> Recording:
        """Make a recording as the constructor does, with an error that a user understands.

        Parameters
        ----------
        where : str
            Where the values come from, such as ``"table.csv, row 3"``; the message begins with it.
        **values
            The attributes, as numbers or as text.

        Raises
        ------
        StudyError
            Naming ``where``, the attribute and what to do.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            named = NAME_COLUMN if first["loc"] == ("name",) else first["loc"][0] if first["loc"] else None
            column = f", column '{named}'" if named else ""
            raise StudyError(f"{where}{column}: {_in_words(dict(first))}") from error

    @field_validator("subject", "group", "session")
    @classmethod
    def _not_empty(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("it is empty. Write a value into it.")
        return value.strip()

    @field_validator("name")
    @classmethod
    def _is_file_name(cls, value: str) -> str:
        if not value or value != file_name(value):
            raise ValueError(f"{value!r} cannot be the name of a file. Use letters, digits, '-' and '_'.")
        return value

    @field_validator("covariates")
    @classmethod
    def _are_other_columns(cls, value: dict[str, str]) -> dict[str, str]:
        taken = {NAME_COLUMN, *cls.model_fields} - {"name", "covariates"}  # the columns of a table
        for column in value:
            if not column.strip() or column.strip().lower() in taken:
                raise ValueError(f"{column!r} cannot be a covariate's name. Choose another one.")
        return value

    @model_validator(mode="after")
    def _is_consistent(self) -> Recording:
        given = [name for name in REGION if getattr(self, name) is not None]
        missing = [name for name in REGION if name not in given]
        if given and missing:
            raise ValueError(
                f"the region of interest is given in part: {', '.join(missing)} is missing. "
                "Give x, y, width and height, or none of them for the whole picture."
            )
        if self.width is not None and self.height is not None and min(self.width, self.height) <= 0:
            raise ValueError(
                f"the region of interest is empty ({self.width} x {self.height} px). "
                "Give a width and a height of at least 1, or leave all four out for the whole picture."
            )
        if given and self.boxes is not None:
            raise ValueError("both a region and boxes are given. Give x, y, width and height, or a boxes file.")
        if self.stop is not None and self.stop <= self.start:
            raise ValueError(
                f"no frame is left: start is {self.start} and stop is {self.stop}. "
                "Give a stop after start (frames count from 0; stop itself is left out), or leave it out."
            )
        return self

    @property
    def region(self) -> tuple[int, int, int, int] | None:
        """The region of interest as x, y, width, height [px], or None for the whole picture."""
        if self.x is None or self.y is None or self.width is None or self.height is None:
            return None
        return self.x, self.y, self.width, self.height

    def with_boxes(self, path: Path) -> Recording:
        """Give the recording with boxes, which replace its region."""
        return self.model_copy(update={**dict.fromkeys(REGION), "boxes": path})

    def frames(self, length: int) -> np.ndarray:
        """List the frames that count, of a file of ``length`` frames: (T,) int64; a stop beyond the end is the end.

        Raises
        ------
        StudyError
            If none is left.
        """
        if self.start >= length:
            raise StudyError(
                f"Recording {self.name} starts at frame {self.start}, but {self.path} has {length} "
                "frames. Correct its start in the table."
            )
        return np.arange(self.start, length if self.stop is None else min(self.stop, length), dtype=np.int64)


def file_name(text: str) -> str:
    """Turn ``text`` into a name that files can have on every system; empty if nothing is left."""
    return _NOT_IN_FILES.sub("_", text).strip(". ")


def _in_words(error: dict) -> str:
    """Say what pydantic found wrong, and what to do."""
    value = error["input"]
    match error["type"]:
        case "int_parsing" | "int_from_float" | "int_type" | "int_parsing_size":
            return f"{value!r} is not a whole number. Write one, or leave it empty."
        case "greater_than_equal":
            return f"{value} is below {error['ctx']['ge']}. Write {error['ctx']['ge']} or more, or leave it empty."
        case "literal_error":
            return f"{value!r} is not known. Write {error['ctx']['expected']}, or leave it empty."
        case "value_error":
            return str(error["ctx"]["error"])
        case _:
            return f"{value!r} cannot be used: {error['msg']}."
