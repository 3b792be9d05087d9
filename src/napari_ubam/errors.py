"""Errors that a user can act on: what is wrong, with which file, and what to do."""

from dataclasses import dataclass


class UbamError(Exception):
    """Base of every error that is shown to the user as a message, without a traceback."""


class VideoError(UbamError):
    """A video that is missing, damaged, or cannot be written."""


class StudyError(UbamError):
    """A study or a recordings' table that cannot be used as it is."""


class ModelError(UbamError):
    """A model that is missing, unfinished, or does not fit the study."""


class TrainingError(UbamError):
    """A training that cannot go on as it is."""


class DeviceError(UbamError):
    """A device that was asked for and is not there, or that ran out of memory."""


@dataclass(frozen=True)
class Problem:
    """Something that was left out while the rest went on.

    Attributes
    ----------
    name : str
        The recording or file that was left out.
    message : str
        Why, and what to do about it.
    """

    name: str
    message: str

    def __str__(self) -> str:
        """Give the line that is shown to the user."""
        return f"{self.name} was left out: {self.message}"
