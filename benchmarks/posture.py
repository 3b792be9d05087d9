"""How good is the posture code of each objective, and what does each of its ingredients add?

    python benchmarks/posture.py [--seeds 3] [--ablation]                       # the sample cohort; --cohort-seed 1
    python benchmarks/posture.py --study STUDY --truth TRUTH.npz [--metrics METRICS.py]   # another, its joints known
    python benchmarks/posture.py --study FLIES --keypoints FOLDER               # flies: keypoints, and wings spread out

Trains every objective with every seed, and scores its code beside the true joints, principal components and networks
that were never trained; with `--ablation` also the objective `landmarks` with each of its parts left out, one at a
time. Prints a Markdown table, mean ± standard deviation over the seeds. For a quick look: `--preset quick`, or
`--steps` or `--minutes` of each training, and `--seeds 1`; `--objectives` with none after it trains nothing.

A study needs no training; where it is embedded, its own codes are scored too. The truth is a file with the joints
`SUBJECT/joints`, frames x joints x 2 [px], the second the neck and the third the hip; the keypoints are files
VIDEO.keypoints.npz with `nodes` and `xy`, frames x nodes x 2 [px].

Retrieval error, keypoint R2 and leakage: of codes and poses minus each recording's mean. Two looks: the distance of
the codes of the same frame, drawn with other skin, hair, clothes, room and light, over that of random frames of the
same two recordings; nobody is trained on the second look. It stands there twice: of codes minus each recording's mean,
and of codes as they are. Flies: R2 in time blocks of 5 s, nothing taken off, mean of the recordings; in recordings left
out, minus each one's mean; the AUC of the deviation, as `deviate` measures it, for a wing out, with the 95 % interval
of a bootstrap over bouts (mean of the seeds' intervals).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cohorts import Flies, Walkers, flies_of, sample_walkers, walkers_of
from measures import load_measures, principal_components, print_table

from napari_ubam.errors import StudyError
from napari_ubam.models.device import pick_device
from napari_ubam.models.encode import encode_postures
from napari_ubam.pipeline.reading import has_landmarks
from napari_ubam.progress import silent
from napari_ubam.settings import TrainSettings
from napari_ubam.study import Study, read_embedding
from napari_ubam.training.bank import Footage
from napari_ubam.training.fit import fit
from napari_ubam.training.log import Log
from napari_ubam.training.modules import LandmarkWeights
from napari_ubam.training.recipes import frame_bank, posture_recipe
from napari_ubam.training.train import STEPS

OBJECTIVES = ("landmarks", "contrastive", "order")
PAIRS = "telling pairs"  # of frames, as `FrameBank` draws them
Encode = Callable[[Footage], np.ndarray]
Scores = dict[str, float]


@dataclass(frozen=True)
class Way:
    """A way to train a code.

    Attributes
    ----------
    settings : dict
        Those that differ from the defaults.
    left_out : str
        The part of the objective `landmarks` that counts nothing, or `PAIRS`; none where empty.
    trained : bool
        Whether it is trained at all.
    """

    settings: dict[str, Any]
    left_out: str = ""
    trained: bool = True

    def weights(self) -> LandmarkWeights:
        """Say what counts how much in the objective `landmarks`."""
        return LandmarkWeights(**({self.left_out: 0.0} if self.left_out not in ("", PAIRS) else {}))


def ways(objectives: list[str], mirrored: bool, ablation: bool) -> dict[str, Way]:
    """List what is trained; the ablation leaves out mirror images only where they are used."""
    found = {
        "untrained, landmarks": Way({}, trained=False),
        "untrained, vector": Way({"objective": "contrastive"}, trained=False),
    }
    found |= {objective: Way({"objective": objective}) for objective in objectives}
    if ablation:
        found |= {f"landmarks, no {part}": Way({}, left_out=part) for part in (*asdict(LandmarkWeights()), PAIRS)}
        if mirrored:
            found["landmarks, no mirror images"] = Way({"mirrored": "no"})
        fewer = TrainSettings().n_landmarks // 2
        found[f"landmarks, {fewer} points"] = Way({"n_landmarks": fewer})
    return found


def train(
    way: Way, footage: list[Footage], seed: int, preset: str, steps: int | None, minutes: float | None, device: str
) -> Encode:
    """Train a code as the step `train` does, and give what encodes footage."""
    settings = TrainSettings(**way.settings, preset=preset, seed=seed, device=device)
    bank = frame_bank(footage, settings)
    if way.left_out == PAIRS:
        bank.telling = 0.0
    torch.manual_seed(seed)
    recipe = posture_recipe(settings, bank, steps or STEPS[settings.preset].posture, way.weights())
    module, where = recipe.make(), pick_device(device)
    if way.trained:
        with tempfile.TemporaryDirectory() as folder:
            fit(
                module, recipe.stage, device=where, seed=seed, seconds=minutes and minutes * 60,
                checkpoint=Path(folder) / "posture.safetensors", report=silent, log=Log(Path(folder) / "log.csv"),
            )  # fmt: skip
    posture = module.get_submodule("posture").to(where).eval()
    return lambda f: encode_postures(posture, f.frames, f.background, where)


def own_codes(study: Study, footage: dict[str, Footage]) -> dict[str, np.ndarray] | None:
    """Read a study's own codes; none where it is not embedded, or was embedded with other frames."""
    try:
        codes = {name: read_embedding(study, name).posture for name in footage}
    except StudyError as error:
        print(error, file=sys.stderr)
        return None
    return codes if all(len(codes[name]) == len(f.frames) for name, f in footage.items()) else None


def cells(scores: list[Scores]) -> dict[str, str]:
    """Write the mean of each measure, and its standard deviation where there are several."""
    row = {}
    for measure in scores[0]:
        values = [s[measure] for s in scores]
        spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
        row[measure] = f"{np.mean(values):.3f}{spread}"
    return row


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = {"healthy": 12, "impaired": 8, "frames": 160, "size": 128, "cohort-seed": 1, "looks": 4}
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"of the sample cohort; default: {default}")
    parser.add_argument("--study", type=Path, help="another cohort: a study, trained or not")
    truths = parser.add_mutually_exclusive_group()
    truths.add_argument("--truth", type=Path, help="the study's true joints, an .npz")
    truths.add_argument("--keypoints", type=Path, help="a folder of VIDEO.keypoints.npz of the study's flies")
    parser.add_argument("--metrics", type=Path, help="a module with other measures of the same names")
    parser.add_argument("--objectives", nargs="*", choices=OBJECTIVES, default=list(OBJECTIVES))
    parser.add_argument("--ablation", action="store_true", help="also leave out each part of the objective landmarks")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each, with the seeds from 0 on")
    parser.add_argument("--preset", choices=list(STEPS), default="standard")
    parser.add_argument("--steps", type=int, help="of each training, instead of the preset's")
    parser.add_argument("--minutes", type=float, help="of each training at most")
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    if (given.study is None) != (given.truth is None and given.keypoints is None):
        parser.error("--study needs --truth or --keypoints, and they need it")

    with tempfile.TemporaryDirectory() as folder:
        cohort: Walkers | Flies
        measures = load_measures(given.metrics)
        if given.study is None:
            numbers = (given.healthy, given.impaired, given.frames, given.size, given.cohort_seed, given.looks)
            cohort = sample_walkers(Path(folder), *numbers, measures)
        elif given.truth:
            cohort = walkers_of(Study.open(given.study), given.truth, measures)
        else:
            cohort = flies_of(Study.open(given.study), given.keypoints)
        footage = list(cohort.footage.values())
        rows: dict[str, dict[str, str]] = {}

        def note(name: str, scores: list[Scores]) -> None:
            rows[name] = cells(scores)
            print(f"{name}: {rows[name]}", file=sys.stderr, flush=True)

        def score(encode: Encode, points: bool) -> Scores:
            codes, in_other_look = (
                {name: encode(f) for name, f in found.items()} for found in (cohort.footage, cohort.looks)
            )
            return cohort.score(codes, in_other_look, points)

        if isinstance(cohort, Walkers):
            truth = cohort.true_codes()
            note("true joints", [cohort.score(truth, {name: truth[name] for name in cohort.looks}, True)])
        components = principal_components(f.frames for f in footage)
        note("PCA", [score(lambda f: components(f.frames), False)])
        if given.study and (own := own_codes(Study.open(given.study), cohort.footage)):
            note("the study's own", [cohort.score(own, {}, has_landmarks(Study.open(given.study)))])
        mirrored = frame_bank(footage, TrainSettings()).mirrored
        for name, way in ways(given.objectives, mirrored, given.ablation).items():
            scores = []
            for seed in range(given.seeds):
                start = time.monotonic()
                encode = train(way, footage, seed, given.preset, given.steps, given.minutes, given.device)
                minutes = (time.monotonic() - start) / 60
                scores.append(score(encode, way.settings.get("objective", "landmarks") == "landmarks"))
                if way.trained:
                    scores[-1]["training [min]"] = minutes
                print(f"{name}, seed {seed}: {scores[-1]}", file=sys.stderr, flush=True)
            note(name, scores)
    print_table("code", rows)


if __name__ == "__main__":
    main()
