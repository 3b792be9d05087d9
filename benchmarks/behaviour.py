"""How good is the behaviour code, on walkers whose stride is known?

    python benchmarks/behaviour.py [--seeds 3] [--preset standard]         # the true joints, with noise, for postures
    python benchmarks/behaviour.py --study STUDY --sample-seed 1           # the postures of a trained study of them

Trains the behaviour on the postures of a sample cohort, and prints each measure beside that of two baselines from the
same run: principal components of the clip (its postures over time in one vector), and the network as it was drawn.
Only clips that lie within their recordings count.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from napari_ubam.models.behaviour import clip_samples, clips_around
from napari_ubam.progress import silent
from napari_ubam.sample import FPS, make_cohort
from napari_ubam.settings import TrainSettings
from napari_ubam.study import Study, read_embedding
from napari_ubam.training.behaviour import behaviour_recipe
from napari_ubam.training.fit import fit
from napari_ubam.training.log import Log
from napari_ubam.training.modules import Module
from napari_ubam.training.train import STEPS

COHORT = {"n_healthy": 12, "n_impaired": 8, "n_frames": 160}
NOISE = 0.01  # of the picture's side, standard deviation: about that of landmarks
SIZE = 16  # px; the pictures are not looked at
SETTINGS = TrainSettings()
SAMPLES = clip_samples(SETTINGS.clip_seconds, SETTINGS.clip_stride)
FASTEST = 1.5  # clips are played up to so many times as fast, or as slowly, to ask for the stride's period
SAME_PHASE = 0.02  # of a stride
BARS = {
    "gait phase of the nearest clip of another subject: error (0 exact, 1 random)": "≤ 0.035",
    "forward against backwards, unseen subjects: AUC (0.5 chance)": "≥ 0.99",
    "stride period, unseen subjects: R2": "≥ 0.90",
    "same phase in another stride: distance (0 the same, 1 random clips)": "≤ 0.15",
}

Encode = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Walk:
    """What is known of a recording: postures (T, d), their mean taken off; phase (T,); frames per stride."""

    posture: np.ndarray
    phase: np.ndarray
    period: float

    def inside(self, pace: float = 1.0) -> np.ndarray:
        """Give every second frame around which a clip at that pace lies within the recording."""
        half = 0.5 * SETTINGS.clip_seconds * FPS * pace
        return np.arange(np.ceil(half), len(self.posture) - 1 - half, 2)

    def clips(self, at: np.ndarray, pace: np.ndarray | float = 1.0) -> np.ndarray:
        """Give the clips (n, L, d) around frames."""
        return clips_around(self.posture, at, FPS, SETTINGS.clip_seconds, SAMPLES, pace)


def walks(seed: int, study: Study | None) -> list[Walk]:
    """Draw a cohort; its postures are those of a study of it, or else the true joints with noise."""
    rng, found = np.random.default_rng(seed), []
    sizes = COHORT if study is None else sizes_of(study)
    for recording in make_cohort(**sizes, size=SIZE, seed=seed):
        if study is None:
            joints = recording.joints.reshape(len(recording.phase), -1) / SIZE
            posture = joints + rng.normal(0, NOISE, joints.shape)
        else:
            posture = read_embedding(study, recording.name).posture
        found.append(Walk(posture - posture.mean(0), recording.phase, recording.walker.gait.period))
    return found


def sizes_of(study: Study) -> dict[str, int]:
    """Tell how large a cohort a study is of."""
    groups = [r.group for r in study.recordings]
    n_frames = len(read_embedding(study, study.recordings[0].name).frame)
    return {"n_healthy": groups.count("healthy"), "n_impaired": groups.count("impaired"), "n_frames": n_frames}


def phase_error(found: list[Walk], encode: Encode) -> float:
    """Circular error of the gait phase of the most similar clip of any other subject, over that of a random clip."""
    codes = [unit(encode(w.clips(w.inside()))) for w in found]
    phases = [w.phase[w.inside().astype(int)] for w in found]
    errors = []
    for i, (code, phase) in enumerate(zip(codes, phases, strict=True)):
        others = [j for j in range(len(found)) if j != i]
        nearest = (code @ np.concatenate([codes[j] for j in others]).T).argmax(1)
        errors.append(circular(phase, np.concatenate([phases[j] for j in others])[nearest]).mean())
    return float(np.mean(errors) / 0.25)


def direction_auc(found: list[Walk], encode: Encode) -> float:
    """How well a linear probe tells clips from the same clips played backwards, in subjects that it has not seen."""

    def both(those: list[Walk]) -> tuple[np.ndarray, np.ndarray]:
        codes = [encode(w.clips(w.inside(), pace)) for w in those for pace in (1.0, -1.0)]
        return np.concatenate(codes), np.repeat([True, False] * len(those), [len(c) for c in codes])

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(*both(found[::2]))
    codes, truth = both(found[1::2])
    return float(roc_auc_score(truth, probe.decision_function(codes)))


def period_r2(found: list[Walk], encode: Encode) -> float:
    """How well a linear probe reads the stride's period (its logarithm) from clips of subjects that it has not seen.

    Clips are played faster or slower at random, as walkers' own periods differ little.
    """
    rng = np.random.default_rng(0)

    def played(those: list[Walk]) -> tuple[np.ndarray, np.ndarray]:
        codes, truth = [], []
        for w in those:
            pace = FASTEST ** rng.uniform(-1, 1, 150)
            at = rng.choice(w.inside(FASTEST), 150)
            codes.append(encode(w.clips(at, pace)))
            truth.append(np.log(w.period / pace))
        return np.concatenate(codes), np.concatenate(truth)

    probe = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 13))).fit(*played(found[::2]))
    codes, truth = played(found[1::2])
    return float(r2_score(truth, probe.predict(codes)))


def distance_over_strides(found: list[Walk], encode: Encode) -> float:
    """Distance of the codes of the same phase in different strides of a recording, over that of any two clips."""
    same, any_two = [], []
    for w in found:
        at = w.inside()
        code, phase = encode(w.clips(at)), w.phase[at.astype(int)]
        distance = np.linalg.norm(code[:, None] - code, axis=-1)
        other_stride = np.abs(at[:, None] - at) > w.period / 2
        alike = circular(phase[:, None], phase) < SAME_PHASE
        same.append(distance[alike & other_stride].mean())
        any_two.append(distance[other_stride].mean())
    return float(np.mean(same) / np.mean(any_two))


def circular(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Give the distance of phases in [0, 1): 0 to 0.5."""
    apart = np.abs(one - other) % 1
    return np.minimum(apart, 1 - apart)


def unit(codes: np.ndarray) -> np.ndarray:
    """Centre and normalise codes (n, e)."""
    centred = codes - codes.mean(0)
    return centred / (np.linalg.norm(centred, axis=1, keepdims=True) + 1e-9)


def principal_components(found: list[Walk], n: int) -> Encode:
    """Fit the principal components of clips, each as one vector."""
    clips = np.concatenate([w.clips(w.inside()) for w in found])
    fitted = PCA(n, random_state=0).fit(clips.reshape(len(clips), -1))
    return lambda clips: fitted.transform(clips.reshape(len(clips), -1))


def networks(found: list[Walk], steps: int, seed: int) -> tuple[Encode, Encode]:
    """Give the network as it is drawn, and trained."""
    postures = [w.posture - w.posture.mean(0) for w in found]
    torch.manual_seed(seed)
    recipe = behaviour_recipe(postures, [FPS] * len(found), [str(i) for i in range(len(found))], SETTINGS, steps)
    module, untrained = recipe.make(), recipe.make()
    with tempfile.TemporaryDirectory() as folder:
        fit(
            module, recipe.stage, device=torch.device("cpu"), seed=seed, seconds=None,
            checkpoint=Path(folder, "behaviour.safetensors"), report=silent, log=Log(Path(folder, "log.csv")),
        )  # fmt: skip
    return encoder(untrained), encoder(module)


def encoder(module: Module) -> Encode:
    """Give a module's behaviour code as a function of arrays."""
    model = module.get_submodule("behaviour").eval()

    def encode(clips: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model(torch.from_numpy(clips))[0].numpy()

    return encode


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--preset", default="standard", choices=STEPS)
    parser.add_argument("--study", type=Path)
    parser.add_argument("--sample-seed", type=int, default=1)
    given = parser.parse_args()
    study = Study.open(given.study) if given.study else None
    seeds = range(given.sample_seed, given.sample_seed + (1 if study else given.seeds))
    scores = []  # (seeds, codes, measures)
    for seed in seeds:
        found = walks(seed, study)
        untrained, trained = networks(found, STEPS[given.preset].behaviour, seed)
        codes = (principal_components(found, 32), untrained, trained)
        measures = (phase_error, direction_auc, period_r2, distance_over_strides)
        scores.append([[measure(found, encode) for measure in measures] for encode in codes])
    print("| measure | components over time | untrained | trained | bar |\n|---|---|---|---|---|")
    for i, (name, bar) in enumerate(BARS.items()):
        values = np.array(scores)[:, :, i]
        cells = [f"{mean:.3f} ± {spread:.3f}" for mean, spread in zip(values.mean(0), values.std(0), strict=True)]
        print(f"| {name} | {' | '.join(cells)} | {bar} |")


if __name__ == "__main__":
    main()
