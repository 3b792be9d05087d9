"""How long each preset trains, in steps, and in time where an earlier training tells how long a step takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_ubam.settings import Preset, TrainSettings
    from napari_ubam.training.runs import Run


@dataclass(frozen=True)
class Steps:
    """How many steps a preset trains each model."""

    posture: int
    generator: int
    behaviour: int


STEPS: dict[Preset, Steps] = {
    "quick": Steps(posture=800, generator=300, behaviour=200),
    "standard": Steps(posture=3600, generator=900, behaviour=600),
    "thorough": Steps(posture=30_000, generator=10_000, behaviour=3000),
}


def estimate_seconds(preset: Preset, settings: TrainSettings, run: Run) -> float | None:
    """Foretell how long training takes, from how long the steps of an earlier one took.

    Parameters
    ----------
    preset : {"quick", "standard", "thorough"}
        How many steps.
    settings : TrainSettings
        What is to be trained, and on what device.
    run : Run
        The earlier training.

    Returns
    -------
    float or None
        Without the decoding of the recordings [s]; None if the earlier one trained another network, or elsewhere.
    """
    steps = STEPS[preset]
    if (settings.objective, settings.encoder, settings.generator) != (run.objective, run.encoder, run.generator):
        return None
    if settings.device not in ("auto", run.device):
        return None
    posture = "posture and generator" if settings.trained_together else "posture"
    wanted = {posture: steps.posture, "behaviour": steps.behaviour}
    if not settings.trained_together:
        wanted["generator"] = steps.generator
    if not all(run.points.get(stage) for stage in wanted):
        return None
    return sum(n * run.points[stage][-1].seconds / max(1, run.points[stage][-1].step) for stage, n in wanted.items())
