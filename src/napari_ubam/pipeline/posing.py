"""Say where keypoints are from postures alone, learned from those that the user has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from napari_ubam.analysis.keypoints import ALL, Poses, Prediction, predict_keypoints
from napari_ubam.errors import Problem, StudyError, VideoError
from napari_ubam.files import atomic_path
from napari_ubam.magnify.region import points_to_frames, points_to_squares
from napari_ubam.pipeline.reading import read_embedded
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.settings import KeypointSettings
from napari_ubam.study import Crops, Recording, Study, keypoints_path, record_run, write_result
from napari_ubam.study.keypoints import Keypoints, read_keypoints


def keypoints(study: Study, settings: KeypointSettings | None = None, *, report: Report = silent) -> list[Problem]:
    """Predict keypoints in all frames of all recordings, from their postures.

    Some recordings have keypoints (the table's column ``keypoints``); from them a ridge regression is learned, see
    `napari_ubam.analysis.keypoints`. Writes ``results/keypoints/NAME.csv``, which
    `napari_ubam.study.keypoints.read_keypoints` reads, and ``results/keypoint_scores.csv``: how much of the keypoints'
    movement the postures explain in subjects that were not learned from.

    Parameters
    ----------
    study : Study
        An embedded study.
    settings : KeypointSettings, optional
        Which keypoints count.
    report : callable, optional
        Told of the progress; may raise `Cancelled`.

    Returns
    -------
    list of Problem
        Recordings without an embedding, or whose keypoints cannot be read; they were left out.

    Raises
    ------
    StudyError
        If no recording has keypoints, or there are too few to learn from.
    """
    settings = settings or KeypointSettings()
    if all(recording.keypoints is None for recording in study.recordings):
        raise StudyError(
            f"No recording of {study.folder} has keypoints. Write the files of some into the column 'keypoints' of "
            "recordings.csv: of DeepLabCut, SLEAP or movement, or a CSV of frame, keypoint, x, y."
        )
    problems: list[Problem] = []
    found: dict[str, tuple[np.ndarray, Crops, Keypoints | None]] = {}
    for i, recording in enumerate(study.recordings):
        report(Progress("reading keypoints", i, len(study.recordings)))
        try:
            embedding, crops = read_embedded(study, recording, report)
            found[recording.name] = embedding.posture, crops, _given(recording, settings, crops)
        except (VideoError, StudyError) as error:
            problems.append(Problem(recording.name, str(error)))
    names = tuple(dict.fromkeys(name for *_, given in found.values() if given is not None for name in given.names))
    if not names:
        raise StudyError(" ".join(problem.message for problem in problems[:3]))
    poses = {
        name: Poses(study.recording(name).subject, posture, _in_square(given, names, crops))
        for name, (posture, crops, given) in found.items()
    }
    predicted = predict_keypoints(
        poses, names, tell=lambda done, total: report(Progress("predicting keypoints", done, total))
    )
    for name, (_, crops, given) in found.items():
        _write(keypoints_path(study, name), predicted.points[name], names, crops, given)
    write_result(study, "keypoint_scores", predicted.scores)
    record_run(study, "keypoints", settings.model_dump())
    report(Progress("predicting keypoints", len(names), len(names), _told(predicted, names)))
    return problems


def _given(recording: Recording, settings: KeypointSettings, crops: Crops) -> Keypoints | None:
    """Read a recording's keypoints, and see that they belong to its frames."""
    if recording.keypoints is None:
        return None
    found = read_keypoints(recording.keypoints, recording.individual).confident(settings.min_score)
    if not np.isfinite(found.at(crops.frame)).any():
        raise StudyError(
            f"{recording.keypoints} has no keypoint with a score of {settings.min_score:g} or more in the frames "
            f"{crops.frame[0]} to {crops.frame[-1]} of {recording.path}. Frames count from 0 in the video's file."
        )
    return found


def _in_square(given: Keypoints | None, names: tuple[str, ...], crops: Crops) -> np.ndarray | None:
    """Bring keypoints into the crops: (T, n, 2), in the order of ``names``."""
    if given is None:
        return None
    points = np.full((len(crops.frame), len(names), 2), np.nan)
    points[:, [names.index(name) for name in given.names]] = given.at(crops.frame)
    return points_to_squares(points, crops.squares, crops.mirrored)


def _write(path: Path, points: np.ndarray, names: tuple[str, ...], crops: Crops, given: Keypoints | None) -> None:
    """Write a table of keypoints, and beside each the one that was given."""
    xy = points_to_frames(points, crops.squares, crops.mirrored)
    own = np.full(xy.shape, np.nan)
    if given is not None:
        own[:, [names.index(name) for name in given.names]] = given.at(crops.frame)
    table = pd.DataFrame(
        {"frame": np.repeat(crops.frame, len(names)), "keypoint": np.tile(names, len(xy)),
         "x": xy[..., 0].ravel(), "y": xy[..., 1].ravel(),
         "given_x": own[..., 0].ravel(), "given_y": own[..., 1].ravel()}
    )  # fmt: skip
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.2f", lineterminator="\n")


def _told(predicted: Prediction, names: tuple[str, ...]) -> str:
    """Sum up in words."""
    scores = predicted.scores.set_index("keypoint")
    every, unlearned = scores.loc[ALL], [name for name in names if name not in scores.index]
    text = f"R² in unseen {every['unseen']}: {every['r2']:.2f}"
    return f"{text}; too few frames show {', '.join(unlearned)}" if unlearned else text
