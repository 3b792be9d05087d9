"""How honest the comparison of groups is: false alarms where there is no difference, and what is found where there is.

Studies are simulated whose groups do not differ. Subjects' codes wander in time (one frame is like the next), every
subject has a way of its own, and recordings are long or short. What matters is that a test rejects at 0.05 in about
5 % of the studies, and never in many more.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from group_levels import changes_found, levels
from group_speed import deviation_speed, neighbours_speed
from measures import WING_OUT, read_keypoints, wing_reach
from scipy.signal import lfilter
from scipy.stats import chisquare

from napari_ubam.analysis.classifier import MODELS, classify_subjects, describe_codes
from napari_ubam.analysis.effect import auc, auc_interval, bootstrap_limits
from napari_ubam.analysis.intervals import Marked, compare_intervals
from napari_ubam.analysis.permutation import paired_p, permutation_p, several_groups_p
from napari_ubam.analysis.recovery import Outcome, judge_recovery
from napari_ubam.analysis.regression import predict_covariate
from napari_ubam.models.behaviour import clips_around
from napari_ubam.pipeline.embedding import embed_mirror_images
from napari_ubam.sample.cohort import FPS, Walker
from napari_ubam.sample.gait import ANGLES
from napari_ubam.sample.sessions import FATES, walk_on_days
from napari_ubam.study import Recording, Study, read_embedding

N_PERMUTATIONS = 999
DIMENSIONS = 8
CORRELATION = 0.97  # of a frame with the next
OWN = 0.5  # spread of the subjects' means, over that of the frames
DESIGNS = {
    "6 + 6": ((200,) * 6, (200,) * 6),
    "12 + 8": ((200,) * 12, (200,) * 8),
    "12 + 8, lengths 20 to 400": (
        tuple(np.linspace(20, 400, 12, dtype=int)),
        tuple(np.linspace(20, 400, 8, dtype=int)),
    ),
}
HIGHEST, LOWEST = 0.065, 0.035
N_DISTINCT = 100  # p-values; a test with fewer is discrete


def simulate(lengths: tuple[int, ...], rng: np.random.Generator) -> list[np.ndarray]:
    """Give every subject's codes, (T, d): its own mean, and a walk around it that forgets slowly."""
    longest = max(lengths)
    noise = rng.standard_normal((len(lengths), longest + 100, DIMENSIONS)) * np.sqrt(1 - CORRELATION**2)
    walks = lfilter([1.0], [1.0, -CORRELATION], noise, axis=1)[:, 100:] + OWN * rng.standard_normal(
        (len(lengths), 1, 1)
    )
    return [walk[:n] for walk, n in zip(walks, lengths, strict=True)]


def scores_of(codes: list[np.ndarray], n_reference: int) -> np.ndarray:
    """Give every subject's mean distance from what reference subjects show, each measured against equally many."""
    means = np.array([c.mean(0) for c in codes])
    references = means[:n_reference]
    left_out = (references.sum(0) - references) / (n_reference - 1)
    scores = [np.linalg.norm(c - left_out[i], axis=1).mean() for i, c in enumerate(codes[:n_reference])]
    for c in codes[n_reference:]:
        scores.append(np.mean([np.linalg.norm(c - r, axis=1).mean() for r in left_out]))
    return np.array(scores)


def test_all(scores: np.ndarray, n_reference: int, seed: int) -> dict[str, float]:
    """Give the p-value of every test: all others in one group, in two, and every two subjects as one's two sessions."""
    reference, others = scores[:n_reference], scores[n_reference:]
    half = len(others) // 2
    three = [reference, others[:half], others[half:]]
    change = scores[0::2] - scores[1::2]
    return {
        "two groups": permutation_p(others, reference, N_PERMUTATIONS, seed)[0],
        "three groups": several_groups_p(three, N_PERMUTATIONS, seed)[1],
        "paired sessions": paired_p(change, N_PERMUTATIONS, seed)[0],
    }


def left_out_subjects(n_studies: int, seed: int) -> None:
    """Print whether p-values of healthy subjects that are no reference are uniform on their grid."""
    print(
        f"\n| reference subjects | p-values that are possible | their share of {n_studies} | uniform, p (chi²) | met |"
    )
    print("|---|---|---|---|---|")
    for n in (6, 12, 19):
        rng = np.random.default_rng(seed)
        ranks = []
        for _ in range(n_studies):
            lengths = tuple(rng.integers(20, 400, n + 1))
            scores = scores_of(simulate(lengths, rng), n)
            ranks.append(int((scores[:n] >= scores[n]).sum()))
        counts = np.bincount(ranks, minlength=n + 1)
        p_value = float(chisquare(counts).pvalue)
        share = f"{100 * counts.min() / n_studies:.1f} to {100 * counts.max() / n_studies:.1f} %"
        print(f"| {n} | 1/{n + 1} to 1 | {share} ({100 / (n + 1):.1f} %) | {p_value:.2f} | {_met(p_value > 0.01)} |")


def coverage(n_studies: int, seed: int) -> None:
    """Print how often 95 % limits hold the truth, which is that groups do not differ."""
    print("\n| groups | limits | hold the truth |\n|---|---|---|")
    for n, m in ((6, 6), (12, 8), (30, 30)):
        rng = np.random.default_rng(seed)
        held = np.zeros(2)
        for study in range(n_studies):
            x, y = rng.standard_normal(n), rng.standard_normal(m)
            bounds = auc_interval(auc(x, y), n, m), bootstrap_limits([x, y], n_resamples=1000, seed=study)
            held += [low <= truth <= high for (low, high), truth in zip(bounds, (0.5, 0.0), strict=True)]
        for name, share in zip(("AUC", "difference of the means (bootstrap)"), held / n_studies, strict=True):
            print(f"| {n} + {m} | {name} | {100 * share:.1f} % |")


def false_alarms(n_studies: int, seed: int) -> None:
    """Print how often each test rejects at 0.05."""
    print(f"| groups | test | rejected of {n_studies} | bar | met |\n|---|---|---|---|---|")
    for name, (references, others) in DESIGNS.items():
        rng = np.random.default_rng(seed)
        n = len(references)
        p_values: dict[str, list[float]] = {}
        for study in range(n_studies):
            scores = scores_of(simulate((*references, *others), rng), n)
            for test, p_value in test_all(scores, n, study).items():
                p_values.setdefault(test, []).append(p_value)
        for test, found in p_values.items():
            rate = float(np.mean(np.array(found) <= 0.05 + 1e-12))
            lowest = 0.0 if len(set(found)) < N_DISTINCT else LOWEST  # few possible p-values: none is just below 0.05
            bar = f"{100 * lowest:g} to {100 * HIGHEST:g} %"
            print(f"| {name} | {test} | {100 * rate:.1f} % | {bar} | {_met(lowest <= rate <= HIGHEST)} |", flush=True)


def recovery(n_subjects: int, seed: int) -> None:
    """Print how many sample subjects are told apart by what became of them, by their true joints."""
    outcomes = dict(zip(FATES, (Outcome.RETURNED, Outcome.PARTIAL, Outcome.COMPENSATED), strict=True))
    print("\n| what became of the subject | told rightly | bar | met |\n|---|---|---|---|")
    for fate, outcome in outcomes.items():
        right = 0
        for number in range(n_subjects):
            days = walk_on_days(fate, number, 3, 300, 64, seed, 1.0)
            joints = [walker.pose(1.0).joint_array().reshape(300, -1) for walker in days]
            right += judge_recovery(joints[0], joints[1], joints[2]).outcome == outcome
        print(f"| {fate} | {right} of {n_subjects} | 9 of 10 | {_met(right >= 0.9 * n_subjects)} |")


def angles_of(group: int, number: int, severity: float, seed: int, n_frames: int = 300) -> np.ndarray:
    """Give the true joint angles of a sample walker, (T, A) [degrees]."""
    walker = Walker.draw((seed, group, number), severity, n_frames, 64)
    return walker.healthy_angles + walker.deviation


def walkers(seed: int) -> None:
    """Print what is found in sample walkers by their true joint angles; learned codes can at best reach that."""
    rng = np.random.default_rng(seed)
    names = [f"{'hi'[g]}{i}" for g, n in enumerate((12, 8)) for i in range(n)]
    clips = [
        describe_codes(angles_of(name[0] == "i", int(name[1:]), rng.uniform(0.7, 1.3) * (name[0] == "i"), seed))
        for name in names
    ]
    owners = np.repeat(names, [len(c) for c in clips])
    groups = ["healthy" if name[0] == "h" else "impaired" for name in owners]
    print(
        "\n| 12 + 8 walkers, true joint angles | balanced accuracy | AUC | p | shuffled labels |\n|---|---|---|---|---|"
    )
    for model in MODELS:
        found = classify_subjects(np.concatenate(clips), groups, list(owners), "healthy", model=model, seed=seed)
        row = found.row("joints", model)
        shuffled = f"{row['shuffled_accuracy']:.2f} ({row['shuffled_low']:.2f} to {row['shuffled_high']:.2f})"
        print(f"| {model} | {found.balanced_accuracy:.2f} | {found.auc:.2f} | {found.p_value:.3f} | {shuffled} |")
    severity = rng.uniform(0, 1.3, 40)
    means = [describe_codes(angles_of(1, i, s, seed)).mean(0) for i, s in enumerate(severity)]
    predicted = predict_covariate(np.array(means), list(map(str, range(40))), pd.Series(severity), seed=seed)
    about = f"rank correlation {predicted.rank_correlation:.2f}, p = {predicted.p_value:.2f}"
    print(f"\nSeverity of 40 unseen walkers: {about}")


def wing_out(study: Study, keypoints: Path, seed: int) -> None:
    """Print how well males' frames with a wing out are told from those with none, as `compare --intervals` does it.

    Within a male, and by the other males alone; of a male that never holds a wing out, nothing can be said. Either
    wing held out is the same in a mirror: there, the frames' mirror images are further examples.
    """
    wings: dict[str, np.ndarray] = {}
    codes: dict[str, np.ndarray] = {}
    males = [r for r in study.recordings if not study.is_reference(r) and _keypoints_of(r, keypoints).exists()]
    for r in males:
        embedding = read_embedding(study, r.name)
        wings[r.name] = wing_reach(read_keypoints(_keypoints_of(r, keypoints)))[:, embedding.frame]
        codes[r.name] = _centred(embedding.posture, embedding.behaviour)
    mirrored = {name: _centred(*found) for name, found in embed_mirror_images(study, males).items()}
    print("\n| out | male | frames out, frames in | AUC within | by the other males | p |\n|---|---|---|---|---|---|")
    asked = {"left wing": [0], "right wing": [1], "either wing": [0, 1], "either wing, mirror images": [0, 1]}
    for label, some in asked.items():
        marked = {}
        for name, reach in wings.items():
            on, off = reach[some].max(0) > WING_OUT, reach.max(0) <= WING_OUT
            known = on | off
            mirror = mirrored[name][known] if label.endswith("images") else None
            marked[name] = Marked("male", codes[name][known], on[known], mirror)
        table, overall = compare_intervals(marked, label, seed=seed)
        for row in table.itertuples():
            aucs = f"{row.auc_within:.3f} | {row.auc_unseen:.3f}"
            print(f"| {label} | {row.subject} | {row.n_on}, {row.n_off} | {aucs} | {overall['p_value'].iloc[0]:.2f} |")


def _keypoints_of(recording: Recording, folder: Path) -> Path:
    return folder / f"{recording.path.stem}.keypoints.npz"


def _centred(posture: np.ndarray, behaviour: np.ndarray) -> np.ndarray:
    return np.hstack([posture.astype(float) - posture.mean(0, dtype=float), behaviour])


def stimulation(seed: int) -> None:
    """Print how well a right knee that is stiff while something is on is told from one that is not."""
    marked = {}
    for i in range(8):
        angles = angles_of(0, i, 0.0, seed, 900)
        impaired = Walker.draw((seed, 0, i), 1.5, 900, 64).deviation
        on = np.arange(900) // 75 % 2 == 1
        knee = [ANGLES.index("right_knee"), ANGLES.index("right_ankle")]
        angles[:, knee] += on[:, None] * impaired[:, knee]
        samples = clips_around(angles - angles.mean(0), np.arange(900.0), FPS, 0.6, 16)
        marked[str(i)] = Marked("healthy", samples.reshape(900, -1), on)
    _, summary = compare_intervals(marked, "on")
    row = summary.iloc[0]
    print(
        f"On and off, 8 walkers: AUC within {row['auc_within']:.2f} (bar 0.9), unseen {row['auc_unseen']:.2f} (bar 0.8)"
    )


def moved_intervals(n_studies: int, seed: int) -> None:
    """Print how often on and off are told apart where codes have nothing to do with them."""
    rng, rejected = np.random.default_rng(seed), 0
    for study in range(n_studies):
        marked = {
            str(i): Marked("healthy", codes - codes.mean(0), (np.arange(200) + rng.integers(80)) // 40 % 2 == 1)
            for i, codes in enumerate(simulate((200,) * 8, rng))
        }
        _, summary = compare_intervals(marked, "on", n_permutations=19, seed=study)
        rejected += summary.loc[0, "p_value"] <= 0.05 + 1e-12
    print(f"\nOn and off, 8 subjects, no difference: {100 * rejected / n_studies:.1f} % of {n_studies} rejected")


def _met(good: bool) -> str:
    return "yes" if good else "no"


def main() -> None:
    """Run everything, or one part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000, help="how many studies are simulated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("tests", "levels", "found", "speed"), help="run one part alone")
    parser.add_argument("--references", type=int, default=20, help="reference subjects whose deviation is timed")
    parser.add_argument("--others", type=int, default=5, help="other subjects whose deviation is timed")
    parser.add_argument("--frames", type=int, default=4000, help="frames of each")
    parser.add_argument("--device", default="cpu", help="where neighbours are looked for")
    parser.add_argument("--flies", type=Path, help="a study of flies that is trained and embedded: measure it alone")
    parser.add_argument("--keypoints", type=Path, help="folder of its NAME.keypoints.npz")
    given = parser.parse_args()
    if given.flies:
        wing_out(Study.open(given.flies), given.keypoints or parser.error("--flies needs --keypoints"), given.seed)
        return
    if given.only in (None, "tests"):
        false_alarms(given.studies, given.seed)
        left_out_subjects(given.studies, given.seed)
        coverage(given.studies, given.seed)
        moved_intervals(given.studies // 5, given.seed)  # each is fitted many times
    if given.only in (None, "levels"):
        levels(given.studies, given.seed, simulate)
        changes_found(given.studies // 2, given.seed)
    if given.only in (None, "found"):
        recovery(20, given.seed)
        walkers(given.seed)
        stimulation(given.seed)
    if given.only in (None, "speed"):
        neighbours_speed(given.device, given.seed)
        deviation_speed(given.references, given.others, given.frames, given.device, given.seed)


if __name__ == "__main__":
    main()
