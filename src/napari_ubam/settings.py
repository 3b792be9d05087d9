"""The settings of every step: the one source for the command's options, the widget's
form with its tooltips, the validation, and what is written beside the result.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

Background = Literal["auto", "median", "none"]
Objective = Literal["landmarks", "contrastive", "order"]
EncoderKind = Literal["small", "caffenet"]
GeneratorKind = Literal["warp", "vae"]
Preset = Literal["quick", "standard", "thorough"]
Precision = Literal["single", "mixed"]
Mirrored = Literal["auto", "yes", "no"]
ReferenceKind = Literal["context", "nearest"]
Turn = Literal["none", "body"]
Unreliable = Literal["leave", "magnify"]
Show = Literal["magnified", "side-by-side", "heatmap"]
Layout = Literal["side-by-side", "blended"]
Quality = Literal["small", "good", "best"]
OneClassKind = Literal["gaussian", "linear"]
OneClass = Annotated[
    OneClassKind,
    Field(
        title="One-class machine",
        description="What says which frames are abnormal, trained on reference subjects. 'gaussian': a broad "
        "kernel, finds what is unusual together. 'linear': as in the paper, each part or component by itself.",
    ),
]
Device = Annotated[
    str,
    Field(
        title="Device",
        description="Where to compute: 'auto' picks CUDA, then MPS, then CPU. Or name one: 'cpu', 'cuda:0', 'mps'.",
    ),
]
Seed = Annotated[
    int,
    Field(
        ge=0, lt=2**32, title="Seed",
        description="Same seed, same machine, same versions: same result (to the last bit on a CPU).",
    ),
]  # fmt: skip


class Settings(BaseModel):
    """Base of all settings: unknown names are errors, values cannot change by accident."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StudySettings(Settings):
    """What holds for a whole study; changing how crops are made makes crops and models out of date."""

    crop_size: int = Field(
        128, ge=32, le=512, multiple_of=32, title="Crop size",
        description="Side of the square that the networks see [px]. Larger keeps thin limbs, and is slower.",
    )  # fmt: skip
    background: Background = Field(
        "auto", title="Background",
        description="How the still background is found: 'median' over the recording's time, 'none' where the "
        "region moves with the subject, 'auto' decides for each recording, and takes a subject out of the median that "
        "never leaves its place.",
    )  # fmt: skip
    hide_others: bool = Field(
        True, title="Hide others",
        description="Where the region moves with the subject, hide from the networks what comes into it from outside, "
        "such as the other animal of a pair. Turn it off if the subject fills the region.",
    )  # fmt: skip
    mirror_to: Literal["none", "left", "right"] = Field(
        "none", title="Mirror to",
        description="Mirror the recordings of the other side, so that all show this side (needs the column 'side').",
    )  # fmt: skip
    turn: Turn = Field(
        "none", title="Turn",
        description="'body' turns every crop so that the head points upwards: for subjects seen from above whose "
        "boxes have an angle (tracked ones do). 'none' leaves crops as filmed.",
    )  # fmt: skip
    people: bool = Field(
        False, title="People",
        description="The recordings show people: the report shows them as coarse blocks, so that nobody is recognised, "
        "unless it is told to show faces.",
    )  # fmt: skip


class TrackSettings(Settings):
    """How subjects that move through the picture are followed."""

    margin: float = Field(
        0.25, ge=0, le=5, title="Margin",
        description="How much larger the boxes are than the subject usually is, as a share of its size.",
    )  # fmt: skip
    side: int | None = Field(
        None, ge=8, le=10_000, title="Side [px]",
        description="Width and height of the boxes. Empty: found for each recording. Give one where all recordings "
        "were filmed alike, so that subjects keep their true sizes.",
    )  # fmt: skip
    smooth: float = Field(
        0.1, ge=0, le=5, title="Smooth [s]",
        description="Width of the smoothing of places and angles in time (standard deviation).",
    )  # fmt: skip
    threshold: float | None = Field(
        None, ge=1, le=255, title="Threshold",
        description="By how many grey levels a pixel must differ from the background to be somebody. Empty: found for "
        "each recording.",
    )  # fmt: skip


class TrainSettings(Settings):
    """What to train, how long, and on what."""

    preset: Preset = Field(
        "standard", title="Preset",
        description="How many steps to train. 'quick' for a first look, 'standard' about 15 minutes on a laptop "
        "without a GPU, 'thorough' for results to publish.",
    )  # fmt: skip
    minutes: float | None = Field(
        None, gt=0, title="Stop after [min]",
        description="Stop training after this many minutes even if the preset asks for more. Empty: no limit. "
        "Results are repeatable only without a limit.",
    )  # fmt: skip
    device: Device = "auto"
    seed: Seed = 0
    objective: Objective = Field(
        "landmarks", title="Posture objective",
        description="What posture is learned from. 'landmarks': points that the network finds for itself by redrawing "
        "one frame from another. 'contrastive': neighbouring frames attract, other frames of the same recording repel. "
        "'order': the paper's, a clip against its shuffled copy.",
    )  # fmt: skip
    encoder: EncoderKind = Field(
        "small", title="Encoder",
        description="The network that the objectives 'order' and 'contrastive' train. 'caffenet' is the paper's own, "
        "with its optimiser, to compare with: a GPU is needed, and a crop size near its 227 px.",
    )  # fmt: skip
    generator: GeneratorKind = Field(
        "warp", title="Generator",
        description="How a posture is drawn. 'warp' moves the pixels of the original frame and keeps its sharpness; "
        "'vae' is the paper's, which draws a new 128-px image. With posture objectives other than 'landmarks', "
        "'vae' is used.",
    )  # fmt: skip
    precision: Precision = Field(
        "single", title="Precision",
        description="In how many bits networks are trained. 'single': 32. 'mixed': convolutions and linear layers in "
        "bfloat16, of 16 bits: faster on GPUs, and on processors that have it (AMX); slower on others.",
    )  # fmt: skip
    n_landmarks: int = Field(
        16, ge=4, le=64, title="Landmarks",
        description="How many points the 'landmarks' objective finds on the body.",
    )  # fmt: skip

    mirrored: Mirrored = Field(
        "auto", title="Mirror images",
        description="Also train on mirror images, so that what was seen on one side is known on the other: for "
        "subjects whose left and right look alike to the camera, as from above. 'auto' looks whether they do.",
    )  # fmt: skip
    clip_seconds: float = Field(
        0.6, gt=0, le=60, title="Clip [s]",
        description="How much of the movement a behaviour is the code of: the clip around a frame. About half a cycle "
        "of the movement is good.",
    )  # fmt: skip
    clip_stride: float = Field(
        0.04, gt=0, le=2, validate_default=True, title="Clip's stride [s]",
        description="Time between two postures of a clip, whatever the recording's frame rate.",
    )  # fmt: skip

    @field_validator("clip_stride")
    @classmethod
    def _clips_have_some_samples(cls, value: float, info: ValidationInfo) -> float:
        if "clip_seconds" in info.data and not 4 <= info.data["clip_seconds"] / value <= 256:
            raise PydanticCustomError("clip", "a clip must be 4 to 256 strides long")
        return value

    @model_validator(mode="before")
    @classmethod
    def _warp_needs_landmarks(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("objective", "landmarks") != "landmarks":
            return values | {"generator": "vae"}
        return values

    @field_validator("encoder")
    @classmethod
    def _landmarks_have_their_own_encoder(cls, value: EncoderKind, info: ValidationInfo) -> EncoderKind:
        if value != "small" and info.data.get("objective") == "landmarks":
            raise PydanticCustomError("encoder", "'caffenet' needs the objective 'order' or 'contrastive'")
        return value

    @property
    def trained_together(self) -> bool:
        """Whether posture and generator are trained in one stage."""
        return self.generator == "warp"


class EmbedSettings(Settings):
    """Where to compute postures and behaviours, and of which recordings."""

    device: Device = "auto"
    anew: bool = Field(
        False, title="All anew",
        description="Embed all recordings anew. Otherwise those are skipped that have not changed since they were "
        "embedded with the same models.",
    )  # fmt: skip


class MapSettings(Settings):
    """What is laid out as a map, and how."""

    code: Literal["posture", "behaviour"] = Field(
        "posture", title="Map of", description="Posture is how the body is held, behaviour how it moves."
    )
    method: Literal["pca", "tsne", "umap"] = Field(
        "pca", title="Laid out by",
        description="PCA keeps distances; t-SNE and UMAP keep neighbours together, and far distances mean little.",
    )  # fmt: skip
    centred: bool = Field(
        True, title="Without each recording's mean", description="Show how subjects move, not how they are built."
    )
    anew: bool = Field(
        False, title="Anew",
        description="Forget the map that was kept, so that new recordings have the same say in it as older ones.",
    )  # fmt: skip
    seed: Seed = 0


class ClusterSettings(Settings):
    """Which behaviours count as recurring."""

    smallest: float = Field(
        2.0, gt=0, le=50, title="Smallest cluster [%]",
        description="The share of all frames that a cluster has at least. Smaller: more clusters.",
    )  # fmt: skip
    seed: Seed = 0


class DeviateSettings(Settings):
    """How the reference posture of every frame is found."""

    reference: ReferenceKind = Field(
        "context", title="Reference",
        description="'context': what a normal subject of this build shows at the same point of the movement. "
        "'nearest': the paper's, the 5 nearest single frames of the reference group, to compare with; of the settings "
        "below, only the device counts then.",
    )  # fmt: skip
    context: float = Field(
        0.4, ge=0, le=10, title="Context [s]",
        description="Frames are matched together with this much of the movement before and after them.",
    )  # fmt: skip
    n_nearest: int = Field(
        8, ge=1, le=100, title="Nearest frames",
        description="How many matching frames of each reference subject are averaged.",
    )  # fmt: skip
    n_moments: int = Field(
        2000, ge=100, le=1_000_000, title="Moments",
        description="How many frames of each reference subject are kept to match with, in short parts that are evenly "
        "spread over its recordings. More is slower, and needed where the movement hardly ever repeats itself.",
    )  # fmt: skip
    smooth: float = Field(
        0.1, ge=0, le=5, title="Smooth [s]",
        description="Width of the smoothing of the reference posture in time (standard deviation).",
    )  # fmt: skip
    device: Device = "auto"


class KeypointSettings(Settings):
    """Which keypoints count when they are predicted from postures."""

    min_score: float = Field(
        0.6, ge=0, le=1, title="Least score",
        description="Keypoints that the program which found them is less sure of count as missing.",
    )  # fmt: skip


class MagnifySettings(Settings):
    """How far to magnify, and where to compute."""

    factor: float = Field(
        2.5, ge=0, le=8, title="Factor",
        description="0 shows the reference posture, 1 the recording itself, 2.5 the deviation magnified.",
    )  # fmt: skip
    unreliable: Unreliable = Field(
        "leave", title="Unreliable frames",
        description="What happens to frames without a good reference: 'leave' shows them as they were filmed, with a "
        "dark heatmap and without arrows; 'magnify' treats them like the others.",
    )  # fmt: skip
    device: Device = "auto"


class ExportSettings(Settings):
    """How layers or files become one comparison video."""

    layout: Layout = Field(
        "side-by-side", title="Arrangement",
        description="'side-by-side': beside one another under their names. 'blended': over one another with the "
        "colormap, contrast limits, opacity and blending of each, on the pixels of the lowest.",
    )  # fmt: skip
    quality: Quality = Field(
        "good", title="Quality",
        description="Of formats that are not lossless. 'good': no loss that can be seen; 'small' makes a small file.",
    )  # fmt: skip
    start: int = Field(0, ge=0, title="First frame", description="The first frame that is written, counted from 0.")
    stop: int | None = Field(
        None, ge=1, title="Stop", description="The frame before which to end. Default: to the end of the longest."
    )  # fmt: skip


class CheckSettings(Settings):
    """How what magnifying does is checked, and where to compute."""

    factor: float = Field(2.5, ge=0, le=8, title="Factor", description="How far frames are magnified.")
    n_frames: int = Field(
        64, ge=2, le=10_000, title="Frames",
        description="How many frames of each recording are magnified, evenly spread over it.",
    )  # fmt: skip
    error_rate: float = Field(
        0.05, gt=0, lt=1, title="Error rate",
        description="Share of the reference subjects' own frames that may count as deviating, and as abnormal.",
    )  # fmt: skip
    one_class: OneClass = "gaussian"
    n_shuffles: int = Field(
        20, ge=1, le=10_000, title="Shuffles",
        description="How often it is drawn by lot who belongs to the reference group: the control.",
    )  # fmt: skip
    seed: Seed = 0
    device: Device = "auto"


class TransferSettings(Settings):
    """How many postures are drawn on other subjects, and where to compute."""

    n_postures: int = Field(
        4, ge=1, le=50, title="Postures",
        description="How many postures of each recording are drawn, evenly spread over it.",
    )  # fmt: skip
    device: Device = "auto"


class CompareSettings(Settings):
    """How groups are compared."""

    n_permutations: int = Field(
        10_000, ge=100, le=10_000_000, title="Permutations",
        description="How often group labels are shuffled over subjects. All are enumerated where they are fewer.",
    )  # fmt: skip
    n_shuffles: int = Field(
        99, ge=0, le=10_000, title="Shuffles",
        description="How often classifiers are fitted anew with shuffled labels: the smallest possible p is 1 over one "
        "more. 0: no p-values of classifiers.",
    )  # fmt: skip
    baselines: bool = Field(
        True, title="Baselines",
        description="Also classify by what needs no trained network (principal components of the pixels, energy of "
        "movement, an untrained network), to see what the trained one is worth. Reads the crops.",
    )  # fmt: skip
    error_rate: float = Field(
        0.05, ge=0.001, le=0.5, title="Error rate",
        description="Share of the reference subjects' own frames that may count as deviating importantly, and as "
        "abnormal.",
    )  # fmt: skip
    one_class: OneClass = "linear"
    n_phases: int = Field(
        10, ge=2, le=100, title="Phases",
        description="Into how many parts the cycle is cut, where the movement repeats itself, to see in which of them "
        "subjects deviate.",
    )  # fmt: skip
    nuisances: str = Field(
        "camera", title="Nuisances",
        description="Further columns of the table, with commas between them, that say how recordings were made: it is "
        "told where they separate the groups as well as posture does. Length, frame rate, speed, brightness, size, "
        "side and session always are.",
    )  # fmt: skip
    covariates: str = Field(
        "", title="Covariates",
        description="Further columns of the table, with commas between them, that are predicted from the behaviour of "
        "unseen subjects. Empty: all further columns.",
    )  # fmt: skip
    intervals: str = Field(
        "", title="Intervals",
        description="A CSV of recording, start, stop (frames of the file, the last left out) and label, or BORIS's "
        "tabular events: where something was on, such as stimulation. Off is what is labelled 'off', or without such a "
        "label all other frames.",
    )  # fmt: skip
    mirror_intervals: bool = Field(
        False, title="Mirror intervals",
        description="In the mirror, what is on means the same, as either wing or either hand held out: mirror images "
        "are further examples, so what is seen on one side is known on the other. Encodes the recordings once more.",
    )  # fmt: skip
    seed: Seed = 0


class ReportSettings(Settings):
    """What the report shows."""

    n_stills: int = Field(
        4, ge=0, le=100, title="Stills",
        description="How many subjects are shown in the frame in which they deviate most, those of other groups that "
        "deviate most; beside them one of the reference group. 0 shows no pictures of subjects.",
    )  # fmt: skip
    factor: float = Field(2.5, ge=0, le=8, title="Factor", description="How far these frames are magnified.")
    show_faces: bool = Field(
        False, title="Show faces",
        description="Show people as they were filmed, not as coarse blocks; only of studies whose setting 'people' is "
        "on.",
    )  # fmt: skip
    device: Device = "auto"
