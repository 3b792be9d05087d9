"""How good is a study's magnification, for each reference, beside the truth?

    python benchmarks/magnify.py STUDY [STUDY ...] --sample-seed 1            # a study of the sample cohort
    python benchmarks/magnify.py STUDY --truth truth.npz --metrics metrics.py   # another cohort, with its measures
    python benchmarks/magnify.py FLIES --keypoints FOLDER                     # does the heatmap lie on the spread wing?

Every study is trained and embedded; its files are only read. A column a study and reference: `context`, the default,
and `nearest`, the paper's way. Give a study trained with `--generator vae` as well to compare generators.

The truth is a file with, for each impaired subject S and factor F of 0 and 2.5, the frames `S/xF`, and `S/oracle_xF`,
what can be drawn of them by who knows all joint angles; the keypoints are files NAME.keypoints.npz with `nodes` and
`xy`, frames x nodes x 2 [px].
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import torch
from measures import WING_OUT, load_measures, print_table, read_keypoints, wing_reach
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from napari_ubam import pipeline
from napari_ubam.models.store import load_config
from napari_ubam.sample import SampleRecording, make_cohort
from napari_ubam.settings import CheckSettings, DeviateSettings, MagnifySettings
from napari_ubam.study import Recording, Study, read_embedding, read_result
from napari_ubam.video import open_frames

REFERENCES = ("context", "nearest")
FACTORS = (0.0, 2.5)
SUBJECT = 25  # grey levels from the recording's median from which on a pixel shows the subject
WING_WIDTH = 15  # px from the wing's line that count as on it
MATCHED_FRAMES = 8  # of each healthy subject, in the oracle


def oracle(recording: SampleRecording, healthy: list[SampleRecording], factor: float) -> np.ndarray:
    """Draw what can be drawn by who knows every joint angle; the reference is the healthy subjects' mean."""
    shown = []
    for other in healthy:
        gap = np.abs(recording.phase[:, None] - other.phase)
        nearest = np.argsort(np.minimum(gap, 1 - gap), 1)[:, :MATCHED_FRAMES]
        shown.append(other.walker.healthy_angles[nearest].mean(1))
    reference, walker = np.mean(shown, 0), recording.walker
    deviation = walker.healthy_angles + walker.deviation - reference
    return replace(walker, healthy_angles=reference, deviation=deviation).film(factor)


def sample_truth(study: Study, seed: int, subjects: list[str]) -> dict[str, np.ndarray]:
    """Draw the truth of a study of the sample cohort with that seed again."""
    first = frames_of(study.recordings[0])
    n_healthy, n_impaired = (sum(r.group == group for r in study.recordings) for group in ("healthy", "impaired"))
    cohort = make_cohort(n_healthy, n_impaired, n_frames=len(first), size=first.shape[1], seed=seed)
    if not np.array_equal(cohort[0].frames, first):
        sys.exit(f"{study.folder} is not a study of the sample cohort with the seed {seed}.")
    healthy = [r for r in cohort if r.group == "healthy"]
    truth = {}
    for r in cohort:
        for factor in FACTORS if r.name in subjects else ():
            truth[f"{r.name}/x{factor:g}"] = r.counterfactual(factor)
            truth[f"{r.name}/oracle_x{factor:g}"] = oracle(r, healthy, factor)
    return truth


def frames_of(recording: Recording) -> np.ndarray:
    """Read all frames (T, Y, X, 3) of a recording's video."""
    with open_frames(recording.path) as source:
        return source[:]


def draw(study: Study, name: str, factor: float, frames: range) -> tuple[np.ndarray, np.ndarray]:
    """Magnify a recording; give the frames and the heatmaps."""
    found = list(pipeline.magnify(study, name, MagnifySettings(factor=factor), frames=frames))
    return np.stack([f.image for f in found]), np.stack([f.heatmap for f in found])


def score_subjects(study: Study) -> dict[str, float]:
    """Say how well the deviation tells the groups and the severities apart."""
    table = read_result(study, "subjects", "deviate").set_index("subject")
    impaired = (table["group"] != study.reference).to_numpy()
    rows = {"AUC, reference group against others (0.5: chance)": roc_auc_score(impaired, table["deviation"])}
    severity = {r.subject: r.covariates["severity"] for r in study.recordings if "severity" in r.covariates}
    known = [s for s in table.index[impaired] if s in severity]
    if len(known) > 2:
        found = spearmanr([float(severity[s]) for s in known], table.loc[known, "deviation"])
        rows["rank correlation with severity"] = found.statistic
    return rows


def score_pictures(
    study: Study, truth: Mapping[str, np.ndarray], measures: ModuleType, n_subjects: int, n_frames: int | None
) -> dict[str, float]:
    """Score what is drawn of the first impaired subjects, and the heatmaps of as many healthy ones."""
    rows: dict[str, list[float]] = {}
    inside: dict[bool, list[float]] = {True: [], False: []}

    def note(measure: str, value: float) -> None:
        rows.setdefault(measure, []).append(value)

    for is_reference in (False, True):
        for r in [r for r in study.recordings if study.is_reference(r) is is_reference][:n_subjects]:
            everything = frames_of(r)
            seen = range(n_frames or len(everything))
            original = everything[: len(seen)]
            contrast = np.abs(original - np.median(everything, 0)).max(-1)
            image, heat = draw(study, r.name, 2.5, seen)
            inside[is_reference].append(heat[contrast > SUBJECT].mean())
            if is_reference:
                continue
            for factor in FACTORS:
                drawn = image if factor == 2.5 else draw(study, r.name, factor, seen)[0]
                target, best = (truth[f"{r.subject}/{kind}x{factor:g}"][: len(seen)] for kind in ("", "oracle_"))
                note(f"x{factor:g}: R2", measures.counterfactual_r2(drawn, original, target))
                note(f"x{factor:g}: R2 of the oracle", measures.counterfactual_r2(best, original, target))
            note("background change at 2.5 [1e-4]", measures.background_change(image, original, target))
            note("flicker at 2.5 (1: as the truth)", measures.flicker(image, original, target))
            note("flicker at 2.5 of the oracle", measures.flicker(best, original, target))
            note("PSNR at factor 1 [dB] (99: exact)", measures.psnr(draw(study, r.name, 1.0, seen)[0], original))
    table = {measure: float(np.mean(values)) for measure, values in rows.items()}
    for factor in FACTORS:
        table[f"x{factor:g}: share of the oracle"] = table[f"x{factor:g}: R2"] / table[f"x{factor:g}: R2 of the oracle"]
    healthy, impaired = (float(np.mean(inside[is_reference])) for is_reference in (True, False))
    table |= {"heatmap inside healthy subjects": healthy, "heatmap inside impaired subjects": impaired}
    return table | {"heatmap inside healthy / impaired": healthy / impaired}


def score_abnormality(study: Study) -> dict[str, float]:
    """Say how many more frames a one-class machine of other reference subjects calls abnormal after magnification."""
    for problem in pipeline.check_magnification(study, CheckSettings(n_shuffles=1)):
        print(problem, file=sys.stderr)
    table = read_result(study, "magnification_groups", "check").set_index(["measure", "group"])["mean"]
    rows = {}
    for group in dict.fromkeys(r.group for r in study.recordings):
        before, after = (float(table["pixels_" + when, group]) for when in ("before", "after"))
        rows[f"abnormal {group} frames, by their pixels, before [%]"] = before
        rows[f"the same after - before, {group} [points]"] = after - before
    return rows


def wing_share(study: Study, keypoints: Path, n_frames: int) -> dict[str, float]:
    """Tell the share of the heatmap of wing-out frames that lies on the spread wing, and that on an area as large."""
    rows = {}
    for r in study.recordings:
        path = keypoints / f"{r.path.stem}.keypoints.npz"
        if study.is_reference(r) or not path.exists():
            continue
        at = read_keypoints(path)
        thorax, reach = at["thorax"], wing_reach(at)
        out = np.intersect1d(np.flatnonzero(reach.max(0) > WING_OUT), read_embedding(study, r.name).frame)
        shares, chances = [], []
        for t in np.sort(np.random.default_rng(0).choice(out, min(n_frames, len(out)), replace=False)):
            heat = draw(study, r.name, 2.5, range(t, t + 1))[1][0]
            tip = at[("wingL", "wingR")[reach[:, t].argmax()]][t]
            line = np.ones(heat.shape, np.uint8)
            cv2.line(line, tuple(map(int, thorax[t])), tuple(map(int, tip)), 0, 1)
            on_wing = cv2.distanceTransform(line, cv2.DIST_L2, 5) <= WING_WIDTH
            shares.append(heat[on_wing].sum() / max(heat.sum(), 1e-9))
            chances.append(on_wing.mean())
        rows[f"{r.name}: share of the heatmap on the wing"] = float(np.mean(shares))
        rows[f"{r.name}: the same, were it spread evenly"] = float(np.mean(chances))
    return rows


def measured_again(study: Study, folder: Path, reference: str) -> Study:
    """Measure a study with a reference of that kind, without touching its files."""
    copy = Study.create(folder, study.recordings, study.reference, study.settings)
    for part in (copy.models_folder, copy.embeddings_folder):
        part.symlink_to(study.folder / part.name, target_is_directory=True)
    settings: dict[str, Any] = {"reference": reference}
    for problem in pipeline.deviate(copy, DeviateSettings(**settings)):
        print(problem, file=sys.stderr)
    return copy


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", type=Path, nargs="+", metavar="STUDY")
    truths = parser.add_mutually_exclusive_group(required=True)
    truths.add_argument("--sample-seed", type=int, help="it is a study of the sample cohort with this seed")
    truths.add_argument("--truth", type=Path, help="the cohort's true frames, an .npz")
    truths.add_argument("--keypoints", type=Path, help="a folder of NAME.keypoints.npz of flies")
    parser.add_argument("--metrics", type=Path, help="a module with other measures of the same names")
    parser.add_argument("--subjects", type=int, default=4, help="of either group whose frames are drawn")
    parser.add_argument("--frames", type=int, help="of each recording: the first so many; default: all (flies: 24)")
    given = parser.parse_args()
    torch.manual_seed(0)
    measures = load_measures(given.metrics)

    columns: dict[str, dict[str, float]] = {}
    for folder in given.studies:
        study = Study.open(folder)
        generator = load_config(study.models_folder / "generator")["kind"].removesuffix("Generator").lower()
        truth: Mapping[str, np.ndarray] = {}
        if given.sample_seed is not None:
            impaired = [r.name for r in study.recordings if not study.is_reference(r)][: given.subjects]
            truth = sample_truth(study, given.sample_seed, impaired)
        elif given.truth:
            truth = np.load(given.truth, allow_pickle=False)
        for reference in REFERENCES:
            with tempfile.TemporaryDirectory() as temporary:
                copy = measured_again(study, Path(temporary) / "study", reference)
                if given.keypoints:
                    found = wing_share(copy, given.keypoints, given.frames or 24)
                else:
                    found = score_subjects(copy)
                    found |= score_pictures(copy, truth, measures, given.subjects, given.frames)
                    found |= score_abnormality(copy)
            columns[f"{folder.name}: {generator}, {reference}"] = found
    rows: dict[str, dict[str, str]] = {}
    for column, found in columns.items():
        for measure, value in found.items():
            rows.setdefault(measure, {})[column] = f"{value:.2f}"
    print_table("measure", rows)


if __name__ == "__main__":
    main()
