"""Asking where a file is to be written, so that nothing is replaced without being asked for."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget


def ask_where_to_save(parent: QWidget, title: str, name: str, filters: str) -> Path | None:
    """Ask for the name of a file; one without a suffix gets that of the kind that was chosen.

    The dialog asks before a file is replaced, but only for the name as it was typed: where the suffix makes it the
    name of another file, it is asked here.

    Parameters
    ----------
    parent : QWidget
        What the dialog belongs to.
    title, name : str
        Of the dialog; the name that is proposed.
    filters : str
        Kinds of files as Qt has them: ``H.264 (*.mp4);;Lossless (*.mkv)``.

    Returns
    -------
    Path or None
        None if the user thought better of it.
    """
    typed, kind = QFileDialog.getSaveFileName(parent, title, name, filters)
    if not typed:
        return None
    if Path(typed).suffix:
        return Path(typed)
    path = Path(typed + kind[kind.find("*") + 1 : kind.find(")")])
    if path.exists():
        answer = QMessageBox.question(parent, title, f"{path} is there already. Replace it?")
        if answer != QMessageBox.StandardButton.Yes:
            return None
    return path
