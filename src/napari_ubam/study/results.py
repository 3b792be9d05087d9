"""What was found, on disk: tables that open anywhere, and the reference postures that magnification draws."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_ubam import __version__
from napari_ubam.errors import StudyError
from napari_ubam.files import atomic_path, write_text
from napari_ubam.study.arrays import open_arrays, write_arrays

if TYPE_CHECKING:
    import zarr

    from napari_ubam.study.study import Study

_PACKAGES = ("av", "lightning", "numpy", "pandas", "scikit-learn", "scipy", "statsmodels", "torch")
_FORMULA = re.compile(r"'*[=+\-@\t\r]")  # how a text begins that a spreadsheet takes for a formula


@dataclass(frozen=True, eq=False)
class Reference:
    """The reference posture of every frame of a recording.

    Attributes
    ----------
    reference : ndarray of float32, shape (T, d)
        At the subject's own place and size.
    score : ndarray of float32, shape (T,)
        The deviation from it.
    frame : ndarray of int64, shape (T,)
        Absolute frame numbers.
    parts : ndarray of float32, shape (T, K)
        How far each landmark or entry of the code deviates; up to 1 it is normal (`analysis.norm.normal_limit`).
    embedding : str
        `fingerprint` of the postures that these are the reference of.
    compared_with : str
        `napari_ubam.study.state.reference_fingerprint` of the reference group; empty where an older version has not
        written it.
    reliable : ndarray of bool, shape (T,)
        Whether the frame has a good reference; all True where an older version has not written it.
    uncertainty : ndarray of float32, shape (T,), or None
        How much reference subjects disagree about it, 1 is usual; None if that was not measured.
    """

    reference: np.ndarray
    score: np.ndarray
    frame: np.ndarray
    parts: np.ndarray
    embedding: str
    reliable: np.ndarray
    uncertainty: np.ndarray | None = None
    compared_with: str = ""


def write_reference(study: Study, name: str, reference: Reference) -> None:
    """Write the reference postures of the recording ``name`` to ``results/reference/NAME.zarr``."""
    arrays = {key: np.asarray(getattr(reference, key), np.float32) for key in ("reference", "score", "parts")}
    arrays["frame"] = np.asarray(reference.frame, np.int64)
    arrays["reliable"] = np.asarray(reference.reliable, bool)
    if reference.uncertainty is not None:
        arrays["uncertainty"] = np.asarray(reference.uncertainty, np.float32)
    about = {"embedding": reference.embedding, "reference": reference.compared_with}
    write_arrays(_reference_path(study, name), arrays, about)


def read_reference(study: Study, name: str) -> Reference:
    """Read the reference postures of the recording ``name``.

    Raises
    ------
    StudyError
        If they are missing or damaged, with the command that makes them.
    """
    with _open_reference(study, name) as group:
        arrays = {key: np.asarray(group[key]) for key in ("reference", "score", "frame", "parts")}
        arrays["reliable"] = np.asarray(group.get("reliable", np.ones(len(arrays["frame"]), bool)))
        if "uncertainty" in group:
            arrays["uncertainty"] = np.asarray(group["uncertainty"])
        about = group.attrs
        return Reference(**arrays, embedding=str(about["embedding"]), compared_with=str(about.get("reference", "")))


def read_reference_provenance(study: Study, name: str) -> dict[str, Any]:
    """Read what was written beside the reference postures of the recording ``name``; empty where there are none."""
    try:
        with _open_reference(study, name) as group:
            return dict(group.attrs)
    except StudyError:
        return {}


def write_result(study: Study, name: str, table: pd.DataFrame) -> Path:
    """Write a table to ``results/NAME.csv``.

    A spreadsheet would take text such as ``=1+1`` for a formula: a quote is put before it, which `read_result` takes
    off again.
    """
    path = study.results_folder / f"{name}.csv"
    with atomic_path(path) as temporary:
        _each_text(table, _as_text).to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
    return path


def read_result(study: Study, name: str, step: str) -> pd.DataFrame:
    """Read ``results/NAME.csv``; ``step`` is the command that makes it.

    Raises
    ------
    StudyError
        If it is missing or cannot be read, with the command that makes it.
    """
    path = study.results_folder / f"{name}.csv"
    text = {column: str for column in ("recording", "subject", "group", "reference", "session", "baseline")}  # also 007
    try:
        table = pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])  # a subject may be called NA
        return _each_text(table, _as_it_was)
    except FileNotFoundError:
        raise StudyError(f"{path} is missing. Make it with: napari-ubam {step} {study.folder}") from None
    except (OSError, ValueError) as error:
        raise StudyError(
            f"{path} cannot be read ({error}). Make it again with: napari-ubam {step} {study.folder}"
        ) from error


def result_fingerprint(study: Study, name: str) -> str:
    """Give a short text that is another one where ``results/NAME.csv`` is another one; empty if there is none."""
    try:
        return hashlib.sha256((study.results_folder / f"{name}.csv").read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


def keypoints_path(study: Study, name: str) -> Path:
    """Say where the predicted keypoints of the recording ``name`` lie, whether they are there or not."""
    return study.results_folder / "keypoints" / f"{name}.csv"


def record_run(study: Study, step: str, settings: dict[str, Any]) -> None:
    """Note in ``results/run.json`` what a step was run with: settings, seed and versions."""
    path = study.results_folder / "run.json"
    run = read_run(study)
    run["versions"] = {"napari-ubam": __version__, "python": platform.python_version()}
    run["versions"] |= {package: version(package) for package in _PACKAGES}
    run["platform"] = sys.platform
    run[step] = settings
    write_text(path, json.dumps(run, indent=2) + "\n")


def read_run(study: Study) -> dict[str, Any]:
    """Read ``results/run.json``; empty if there is none, or it is damaged."""
    try:
        run = json.loads((study.results_folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return run if isinstance(run, dict) else {}


def _each_text(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """Change every text of a table and its header."""
    changed = table.rename(columns=change)
    for column in changed.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in changed.dtypes]]:
        texts = changed[column].unique()  # few, in tables with a row a frame
        others = {text: new for text in texts if isinstance(text, str) and (new := change(text)) != text}
        if others:
            changed[column] = changed[column].map(partial(_replaced, others))
    return changed


def _replaced(others: dict[str, str], value: Any) -> Any:
    return others.get(value, value)


def _as_text(value: str) -> str:
    return f"'{value}" if _FORMULA.match(value) else value


def _as_it_was(value: str) -> str:
    return value[1:] if value.startswith("'") and _FORMULA.match(value) else value


def _open_reference(study: Study, name: str) -> AbstractContextManager[zarr.Group]:
    command = f"napari-ubam deviate {study.folder}"
    return open_arrays(_reference_path(study, name), missing=f"{name} was not measured yet", command=command)


def _reference_path(study: Study, name: str) -> Path:
    return study.results_folder / "reference" / f"{name}.zarr"
