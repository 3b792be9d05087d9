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

import numpy as np
from measures import body_pose, centred, counterfactual_r2, principal_components, retrieval_error
from sklearn.metrics import roc_auc_score

from napari_ubam import pipeline
from napari_ubam.sample import make_cohort, write_cohort
from napari_ubam.settings import MagnifySettings, TrainSettings
from napari_ubam.study import load_crops, read_embedding, read_result


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

    poses = centred({name: body_pose(r.joints) for name, r in cohort.items()})
    crops = {name: load_crops(study, study.recording(name)).frames for name in cohort}
    encode = principal_components(crops.values())
    codes = {
        "": {name: read_embedding(study, name).posture for name in cohort},
        "principal components ": {name: encode(frames) for name, frames in crops.items()},
    }
    errors = (f"{label}{retrieval_error(centred(code), poses):.3f}" for label, code in codes.items())
    print(f"retrieval error (0 best, 1 random): {', '.join(errors)}")
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
