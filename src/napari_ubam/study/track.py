"""A step before all others, for subjects that move through the picture: find them, and give each its boxes."""

from __future__ import annotations

from collections.abc import Sequence

from napari_ubam.errors import Problem, StudyError, VideoError
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.settings import TrackSettings
from napari_ubam.study.boxes import write_boxes
from napari_ubam.study.follow import follow_subjects
from napari_ubam.study.recording import Recording
from napari_ubam.study.study import Study


def track(
    study: Study, names: Sequence[str] = (), settings: TrackSettings | None = None, *, report: Report = silent
) -> tuple[Study, list[Problem]]:
    """Follow the subjects of recordings, write ``boxes/NAME.csv``, and enter these into the study's table.

    Recordings of the same frames and region of one video are tracked together, one subject each: the first row of the
    table gets the subject that is leftmost in the first frame in which all are apart, and so on. A region says where to
    look, and is replaced by the boxes.

    Parameters
    ----------
    study : Study
        The study.
    names : sequence of str
        Which recordings; default: all that have no boxes yet.
    settings : TrackSettings, optional
        How.
    report : callable, optional
        Told of the progress, and of boxes that somebody should look at; may raise `Cancelled`, which loses
        the video that is being tracked.

    Returns
    -------
    study : Study
        With the new boxes; saved.
    problems : list of Problem
        Recordings that could not be tracked.

    Raises
    ------
    StudyError
        If there is no such recording, or all have boxes.
    """
    settings = settings or TrackSettings()
    wanted = {study.recording(name).name for name in names} or {r.name for r in study.recordings if r.boxes is None}
    if not wanted:
        raise StudyError(
            f"All recordings of {study.folder} have boxes already. Name those that are to be tracked again, as in: "
            f"napari-ubam track {study.folder} {study.recordings[0].name}"
        )
    problems: list[Problem] = []
    for together in _together(study.recordings):
        chosen = [recording.name for recording in together if recording.name in wanted]
        if not chosen:
            continue
        try:
            tracks = follow_subjects(together[0], len(together), settings, report)
        except (VideoError, StudyError) as error:
            problems += [Problem(name, str(error)) for name in chosen]
            continue
        tracked = dict(zip((recording.name for recording in together), tracks, strict=True))
        for name in chosen:
            path = study.boxes_folder / f"{name}.csv"
            write_boxes(path, tracked[name].frame, tracked[name].boxes)
            study = study.replace(recordings=[r.with_boxes(path) if r.name == name else r for r in study.recordings])
            if tracked[name].doubts:
                message = f"Look at the boxes of {name}: {tracked[name].doubts}."
                report(Progress(f"tracking {together[0].path.name}", 1, 1, message))
        study.save()
    return study, problems


def _together(recordings: Sequence[Recording]) -> list[list[Recording]]:
    """Group recordings that show different subjects of the same pictures."""
    groups: dict[tuple[object, ...], list[Recording]] = {}
    for recording in recordings:
        part = recording.path, recording.region, recording.start, recording.stop
        groups.setdefault(part, []).append(recording)
    return list(groups.values())
