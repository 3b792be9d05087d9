"""What posture codes are scored on: recordings whose joints, or some keypoints, are known."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
from measures import (
    WING_OUT,
    Codes,
    auc_of_bouts,
    centred,
    explained,
    grouped_ridge,
    look_distance,
    read_keypoints,
    wing_reach,
)

from napari_ubam.analysis.deviation import measure_deviation
from napari_ubam.analysis.matching import Movement
from napari_ubam.models.inputs import background_of
from napari_ubam.sample import make_cohort
from napari_ubam.settings import DeviateSettings, StudySettings
from napari_ubam.study import Crops, Recording, Study, load_crops
from napari_ubam.training.bank import Footage
from napari_ubam.video import ASSUMED_FPS, write_video

BLOCK = 5.0  # s of a recording that stay on one side of a split
PARTS = {
    "body and wings": ("head", "abdomen", "wingL", "wingR"),
    "legs": ("forelegL4", "forelegR4", "midlegL4", "midlegR4", "hindlegL4", "hindlegR4"),
}


@dataclass(frozen=True, eq=False)
class Walkers:
    """Recordings of which every joint is known.

    Attributes
    ----------
    footage : dict of str to Footage
        What a training sees, by the recording's name.
    joints : dict of str to ndarray, each of shape (T, J, 2)
        The true joints [px]; the second is the neck, the third the hip.
    measures : module
        Has the measures.
    looks : dict of str to Footage
        Some of the recordings once more, the same movement in another look; nobody is trained on them.
    """

    footage: dict[str, Footage]
    joints: dict[str, np.ndarray]
    measures: ModuleType
    looks: dict[str, Footage] = field(default_factory=dict)

    def true_codes(self) -> dict[str, np.ndarray]:
        """Give the best code that there is: the true joints, (T, 2 J)."""
        return {name: joints.reshape(len(joints), -1) for name, joints in self.joints.items()}

    def score(self, codes: Codes, in_other_look: Codes, points: bool) -> dict[str, float]:
        """Score codes of the footage, and of the looks; codes and poses minus each recording's mean."""
        del points
        poses = centred({name: self.measures.body_pose(joints) for name, joints in self.joints.items()})
        code = centred(codes)
        rows = {
            "retrieval error": self.measures.retrieval_error(code, poses),
            "keypoint R2": self.measures.keypoint_r2(code, poses),
            "subject leakage": self.measures.subject_leakage(code),
        }
        if in_other_look:
            seen = {name: codes[name] for name in in_other_look}
            rows["two looks"] = look_distance(centred(seen), centred(in_other_look))
            rows["two looks, means kept"] = look_distance(seen, in_other_look)
        return rows


@dataclass(frozen=True, eq=False)
class Flies:
    """A study of flies seen from above, the females its reference group, some keypoints of which are known.

    Attributes
    ----------
    study : Study
        The study.
    footage : dict of str to Footage
        What a training sees, by the recording's name.
    trusted : dict of str to ndarray of bool, each of shape (T,)
        Whether a frame shows the subject for sure.
    keypoints : dict of str to dict of str to ndarray, each of shape (T, 2)
        Where each node is [px].
    """

    study: Study
    footage: dict[str, Footage]
    trusted: dict[str, np.ndarray]
    keypoints: dict[str, dict[str, np.ndarray]]

    looks: dict[str, Footage] = field(default_factory=dict)

    def score(self, codes: Codes, in_other_look: Codes, points: bool) -> dict[str, float]:
        """Score codes of the footage; the deviation is that of the step `deviate` with its own settings."""
        del in_other_look
        rows = {}
        for part in PARTS:
            blocks, recordings = self._r2(codes, part)
            rows[f"R2 {part}, time blocks"], rows[f"R2 {part}, recordings"] = blocks, recordings
        movements = {
            r.name: Movement(
                r.subject, r.group, self.study.is_reference(r), codes[r.name],
                self.footage[r.name].fps, self.trusted[r.name],
            )
            for r in self.study.recordings
        }  # fmt: skip
        deviations = measure_deviation(movements, DeviateSettings(), points=points)
        for name, deviation in deviations.items():
            out = wing_reach(self.keypoints[name]).max(0) > WING_OUT
            if not movements[name].is_reference and 0 < out.sum() < len(out):
                auc, low, high = auc_of_bouts(out, deviation.score)
                rows |= {f"AUC wing out, {name}": auc, f"{name}, from": low, f"{name}, to": high}
        return rows

    def _r2(self, codes: Codes, part: str) -> tuple[float, float]:
        """Share of the keypoints' variance that is found in time blocks, and in recordings, that were left out.

        Within a recording nothing is taken off; across recordings, each one's mean is, of the code and the keypoints.
        """
        within, x, y, recording = [], [], [], []
        for name, code in codes.items():
            xy = np.concatenate([self.keypoints[name][node] for node in PARTS[part]], 1)
            known = np.isfinite(xy).all(1)
            block = np.flatnonzero(known) // round(BLOCK * self.footage[name].fps)
            code, xy = code[known], xy[known]
            within.append(explained(grouped_ridge(code, xy, block), xy))
            x.append(code - code.mean(0))
            y.append(xy - xy.mean(0))
            recording += [name] * len(xy)
        joined = np.concatenate(y)
        guess = grouped_ridge(np.concatenate(x), joined, np.array(recording), folds=4)
        return float(np.mean(within)), explained(guess, joined)


def sample_walkers(
    folder: Path, n_healthy: int, n_impaired: int, n_frames: int, size: int, seed: int, n_looks: int,
    measures: ModuleType,
) -> Walkers:  # fmt: skip
    """Draw the sample cohort, ``n_looks`` recordings of each group in another look as well."""
    cohort = make_cohort(n_healthy, n_impaired, n_frames, size, seed)
    drawn = {r.name: r.frames for r in cohort}
    again = [r.name for group in (cohort[:n_healthy], cohort[n_healthy:]) for r in group[:n_looks]]
    drawn |= {f"{r.name} again": r.in_look(0) for r in cohort if r.name in again}
    recordings = []
    for name, frames in drawn.items():
        path = folder / f"{name}.mkv"
        write_video(path, frames, cohort[0].fps)
        recordings.append(Recording(name=name, path=path, subject=name, group="sample"))
    study = Study.create(folder / "study", recordings, "sample", StudySettings(crop_size=size))
    footage = {r.name: footage_of(r, load_crops(study, r)) for r in study.recordings}
    looks = {name: footage.pop(f"{name} again") for name in again}
    return Walkers(footage, {r.name: r.joints for r in cohort}, measures, looks)


def walkers_of(study: Study, truth: Path, measures: ModuleType) -> Walkers:
    """Read a study whose joints stand in an .npz, as ``SUBJECT/joints``, one for every frame of the video."""
    crops = {r.name: load_crops(study, r) for r in study.recordings}
    with np.load(truth, allow_pickle=False) as file:
        joints = {r.name: file[f"{r.subject}/joints"][crops[r.name].frame] for r in study.recordings}
    return Walkers({r.name: footage_of(r, crops[r.name]) for r in study.recordings}, joints, measures)


def flies_of(study: Study, folder: Path) -> Flies:
    """Read a study whose keypoints stand in files ``VIDEO.keypoints.npz`` of a folder."""
    crops = {r.name: load_crops(study, r) for r in study.recordings}
    keypoints = {}
    for r in study.recordings:
        path = folder / f"{r.path.stem}.keypoints.npz"
        if not path.exists():
            sys.exit(f"{path} is missing: every recording of {study.folder} needs one.")
        keypoints[r.name] = {node: xy[crops[r.name].frame] for node, xy in read_keypoints(path).items()}
    trusted = {name: ~c.interpolated for name, c in crops.items()}
    return Flies(study, {r.name: footage_of(r, crops[r.name]) for r in study.recordings}, trusted, keypoints)


def footage_of(recording: Recording, crops: Crops) -> Footage:
    """Give what a training sees of a recording."""
    return Footage(recording.subject, crops.frames, background_of(crops), crops.fps or ASSUMED_FPS)
