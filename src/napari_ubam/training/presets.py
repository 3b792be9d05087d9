"""How long each preset trains, in steps, and in time where it is known how long a step takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_ubam import __version__
from napari_ubam.training.log import elapsed

if TYPE_CHECKING:
    from napari_ubam.settings import Preset, TrainSettings
    from napari_ubam.training.runs import Run


@dataclass(frozen=True)
class Steps:
    """How many steps a preset trains each model."""

    posture: int
    generator: int
    behaviour: int


IN_WORDS: dict[Preset, str] = {"quick": "quick look", "standard": "standard", "thorough": "thorough"}
STEPS: dict[Preset, Steps] = {
    "quick": Steps(posture=800, generator=300, behaviour=200),
    "standard": Steps(posture=5400, generator=900, behaviour=600),
    "thorough": Steps(posture=30_000, generator=10_000, behaviour=3000),
}


def estimate_seconds(preset: Preset, settings: TrainSettings, a_step: Mapping[str, float]) -> float | None:
    """Foretell how long training takes, from how long its steps do.

    Parameters
    ----------
    preset : {"quick", "standard", "thorough"}
        How many steps.
    settings : TrainSettings
        What is to be trained.
    a_step : mapping of str to float
        How long a step of each stage takes [s].

    Returns
    -------
    float or None
        Without the decoding of the recordings [s]; None if it is not known of all stages.
    """
    steps = STEPS[preset]
    posture = "posture and generator" if settings.trained_together else "posture"
    wanted = {posture: steps.posture, "behaviour": steps.behaviour}
    if not settings.trained_together:
        wanted["generator"] = steps.generator
    return sum(n * a_step[stage] for stage, n in wanted.items()) if wanted.keys() <= a_step.keys() else None


def step_times(run: Run, settings: TrainSettings, crop_size: int) -> dict[str, float]:
    """Tell from an earlier training how long a step of each stage takes [s].

    Nothing if it trained another network, elsewhere, on crops of another size, or by another version, whose batches may
    have had another size.
    """
    if (run.version, run.crop_size) != (__version__, crop_size):
        return {}
    if run.settings.get("precision", "single") != settings.precision:
        return {}
    if (settings.objective, settings.encoder, settings.generator) != (run.objective, run.encoder, run.generator):
        return {}
    if settings.device not in ("auto", run.device):
        return {}
    return {stage: elapsed(points) / max(1, points[-1].step) for stage, points in run.points.items()}
