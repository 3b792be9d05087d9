"""Options are made from the settings classes, so that their names, help and bounds stand in one place."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from napari_ubam.errors import UbamError
from napari_ubam.settings import Settings

T = TypeVar("T")
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before much of the disk is taken.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")]
StudyFolder = Annotated[Path, typer.Argument(metavar="STUDY", help="The study's folder.")]


def refuse_to_replace(*paths: Path | None, overwrite: bool) -> None:
    """Raise an error where a file is there already, unless the user said that it may be replaced."""
    for path in paths:
        if path is not None and path.exists() and not overwrite:
            raise UbamError(f"{path} is there already. Choose another name, or add --overwrite.")


def one_for_each(option: str, values: Sequence[T] | None, n: int, default: T) -> list[T]:
    """Give an option's values, one for each of ``n`` files; the default where it was not given at all.

    Raises
    ------
    UbamError
        If it was given another number of times.
    """
    if not values:
        return [default] * n
    if len(values) != n:
        raise UbamError(
            f"{option}: given {len(values)} times for {n} files. Give it once for each file, in their order."
        )
    return list(values)


def read_limits(text: str) -> tuple[float, float] | None:
    """Read contrast limits as ``LOW,HIGH``; None for ``auto``.

    Raises
    ------
    UbamError
        If it is neither.
    """
    if text == "auto":
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low, high = 0.0, 0.0
    if not (math.isfinite(high - low) and low < high):
        raise UbamError(f"--limits: '{text}' is neither 'auto' nor two increasing numbers such as 1,5.")
    return low, high


def with_settings(cls: type[Settings]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option for every setting, and pass it the settings object."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True).parameters.values()
        options = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=info.default,
                annotation=Annotated[info.annotation, typer.Option(help=info.description)],
            )
            for name, info in cls.model_fields.items()
        ]

        @functools.wraps(command)
        def wrapper(**values: Any) -> None:
            given = {name: values.pop(name) for name in cls.model_fields}
            try:
                settings = cls(**given)
            except ValidationError as error:
                first = error.errors()[0]
                option = str(first["loc"][0]).replace("_", "-") if first["loc"] else "settings"
                raise UbamError(f"--{option}: {first['msg']}.") from error
            command(**values, settings=settings)

        parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in own if p.name != "settings"] + options
        wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
        return wrapper

    return decorate
