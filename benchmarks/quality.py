"""How good are posture, deviation and magnification, on a cohort whose truth is known?

    python benchmarks/quality.py OUT [--preset quick|standard|thorough] [--healthy 12] [--impaired 8] [--frames 160]

Draws the cohort (`napari_ubam.sample`), runs every step on it, and prints each measure with that of a baseline from
the same run: principal components of the frames minus their background for the posture, copying the input for the
magnification.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from napari_ubam import pipeline
from napari_ubam.sample import JOINTS, SampleRecording, make_cohort, write_cohort
from napari_ubam.settings import MagnifySettings, TrainSettings
from napari_ubam.study import Study, load_crops, read_embedding, read_result


def retrieval_error(codes: dict[str, np.ndarray], poses: dict[str, np.ndarray]) -> float:
    """Pose error of the most similar frame of any other subject (0: the best there is, 1: a random frame)."""
    found, best, chance = [], [], []
    for name, code in codes.items():
        others = [n for n in codes if n != name]
        pool = np.concatenate([unit(codes[n]) for n in others])
        far = np.linalg.norm(poses[name][:, None] - np.concatenate([poses[n] for n in others])[None], axis=-1).mean(-1)
        nearest = (unit(code) @ pool.T).argmax(1)
        found.append(far[np.arange(len(code)), nearest].mean())
        best.append(far.min(1).mean())
        chance.append(far.mean())
    return float((np.mean(found) - np.mean(best)) / (np.mean(chance) - np.mean(best)))


def unit(codes: np.ndarray) -> np.ndarray:
    """Centre and normalise codes (T, d)."""
    centred = codes - codes.mean(0)
    return centred / (np.linalg.norm(centred, axis=1, keepdims=True) + 1e-9)


def body_pose(recording: SampleRecording) -> np.ndarray:
    """Joints relative to the hip in units of the trunk's length, the recording's mean taken off: (T, J, 2)."""
    joints = recording.joints
    hip, neck = joints[:, JOINTS.index("hip")], joints[:, JOINTS.index("neck")]
    pose = (joints - hip[:, None]) / np.linalg.norm(hip - neck, axis=-1).mean()
    return pose - pose.mean(0)


def principal_components(study: Study, names: list[str], n: int = 32) -> dict[str, np.ndarray]:
    """Embed every frame by the principal components of its difference from the recording's median."""
    flat = {}
    for name in names:
        frames = load_crops(study, study.recording(name)).frames
        small = np.stack([cv2.resize(f, (64, 64), interpolation=cv2.INTER_AREA) for f in frames]).astype(np.float32)
        flat[name] = (small - np.median(small, 0)).reshape(len(small), -1)
    fit = PCA(n, random_state=0).fit(np.concatenate(list(flat.values())))
    return {name: fit.transform(x) for name, x in flat.items()}


def counterfactual_r2(drawn: np.ndarray, original: np.ndarray, truth: np.ndarray) -> float:
    """Share of the true change that was made (0: the input was copied, 1: exact), where the truth changes."""
    drawn, original, truth = (x.astype(np.float32) for x in (drawn, original, truth))
    where = np.abs(original - truth).max(-1) > 0.08 * 255
    return float(1 - ((drawn - truth) ** 2)[where].sum() / ((original - truth) ** 2)[where].sum())


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--preset", default="standard")
    for name, default in {"healthy": 12, "impaired": 8, "frames": 160, "seed": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    sizes = {"n_healthy": given.healthy, "n_impaired": given.impaired, "n_frames": given.frames, "seed": given.seed}
    cohort = {r.name: r for r in make_cohort(**sizes)}
    study = pipeline.init(given.out / "study", write_cohort(given.out, **sizes), "healthy")
    start = time.monotonic()
    pipeline.train(study, TrainSettings(preset=given.preset))
    print(f"training: {(time.monotonic() - start) / 60:.1f} min")
    pipeline.embed(study)
    pipeline.deviate(study)

    poses = {name: body_pose(r) for name, r in cohort.items()}
    postures = {name: read_embedding(study, name).posture for name in cohort}
    print(f"retrieval error (0 best, 1 random): {retrieval_error(postures, poses):.3f}, "
          f"principal components {retrieval_error(principal_components(study, list(cohort)), poses):.3f}")  # fmt: skip
    subjects = read_result(study, "subjects", "deviate")
    auc = roc_auc_score(subjects["group"] == "impaired", subjects["deviation"])
    print(f"deviation, AUC impaired against healthy (0.5 chance): {auc:.3f}")
    for factor in (0.0, 2.5):
        scores = []
        for name, r in cohort.items():
            if r.group == "impaired":
                drawn = [f.image for f in pipeline.magnify(study, name, MagnifySettings(factor=factor))]
                scores.append(counterfactual_r2(np.stack(drawn), r.frames, r.counterfactual(factor)))
        print(f"factor {factor:g}, counterfactual R2 (0 copy, 1 exact): {np.mean(scores):.3f}")


if __name__ == "__main__":
    main()
