"""A cohort of people walking on treadmills whose truth is known.

Every subject has its own look, build, room and style of walking. Impaired subjects also deviate: stiff knee, foot
drop, reduced hip and arm swing, leaning trunk, more on the right, which is the side that the camera sees. As the
pictures are drawn from joint angles, the joints, the deviation and the *counterfactual frames*, the same frames with
the deviation times any factor, are known exactly.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from napari_ubam.files import write_text
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.sample.body import Build, Pose, pose
from napari_ubam.sample.figure import draw_figure
from napari_ubam.sample.gait import Gait, jitter, within_limits
from napari_ubam.sample.look import Look
from napari_ubam.sample.room import Room
from napari_ubam.video import write_video

FPS = 30.0
_SUPERSAMPLING = 4  # antialiasing: frames are drawn this much larger


@dataclass(frozen=True, eq=False)
class Camera:
    """What the camera adds: brightness of each colour, and noise."""

    light: np.ndarray
    noise: float
    seed: tuple[int, ...]

    @classmethod
    def draw(cls, rng: np.random.Generator, seed: tuple[int, ...]) -> Camera:
        """Draw a camera; ``seed`` is that of the noise."""
        light = rng.uniform(0.88, 1.08) * rng.normal(1, 0.02, 3)
        return cls(light.astype(np.float32), rng.uniform(1.0, 3.0), seed)


@dataclass(frozen=True, eq=False)
class Walker:
    """One subject: everything that its frames are drawn from."""

    gait: Gait
    build: Build
    look: Look
    room: Room
    camera: Camera
    phase: np.ndarray
    healthy_angles: np.ndarray
    deviation: np.ndarray

    @classmethod
    def draw(cls, seed: tuple[int, ...], severity: float, n_frames: int, size: int) -> Walker:
        """Draw a subject, the same for the same ``seed`` whatever the other arguments are."""
        body, style, looks, place, lens, time = (np.random.default_rng((*seed, i)) for i in range(6))
        gait, build = Gait.draw(style, severity), Build.draw(body)
        room = Room.draw(place, size * _SUPERSAMPLING)
        phase = gait.phase(n_frames)
        return cls(
            gait=gait,
            build=build,
            look=Look.draw(looks, build, room.wall),
            room=room,
            camera=Camera.draw(lens, (*seed, 6)),
            phase=phase,
            healthy_angles=gait.healthy(phase) + jitter(time, n_frames),
            deviation=gait.deviation(phase),
        )

    def in_look(self, number: int) -> Walker:
        """Give the same body moving alike, with other skin, hair and clothes, in another room, by another camera."""
        seed = (*self.camera.seed, number)
        looks, place, lens = (np.random.default_rng((*seed, i)) for i in range(3))
        room = Room.draw(place, len(self.room.picture))
        look = Look.draw(looks, self.build, room.wall)
        return replace(self, look=look, room=room, camera=Camera.draw(lens, (*seed, 3)))

    def pose(self, factor: float) -> Pose:
        """Put the body as it is with the deviation times ``factor``."""
        return pose(self.build, within_limits(self.healthy_angles + factor * self.deviation), self.phase)

    def film(self, factor: float) -> np.ndarray:
        """Draw all frames (T, Y, X, 3) with the deviation times ``factor``; the noise is always the same."""
        posed = self.pose(factor)
        return self._film(lambda canvas, t: draw_figure(canvas, self.look, self.build, posed, t))

    def empty_frames(self) -> np.ndarray:
        """Draw all frames (T, Y, X, 3) without the subject: the room, with the same noise."""
        return self._film(lambda canvas, t: None)

    def _film(self, draw: Callable[[np.ndarray, int], None]) -> np.ndarray:
        rng = np.random.default_rng(self.camera.seed)
        side = len(self.room.picture) // _SUPERSAMPLING
        frames = np.empty((len(self.phase), side, side, 3), np.uint8)
        for t, frame in enumerate(frames):
            canvas = self.room.picture.copy()
            draw(canvas, t)
            picture = cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA) * self.camera.light
            picture += rng.standard_normal(picture.shape, np.float32) * np.float32(self.camera.noise)
            frame[:] = np.clip(picture, 0, 255)
        return frames


@dataclass(frozen=True, eq=False)
class SampleRecording:
    """A rendered recording and what is known about it.

    Attributes
    ----------
    name, subject, group : str
        Names; the group is ``healthy`` or ``impaired``, or ``recovering`` in sessions.
    frames : uint8 array (T, Y, X, 3)
        RGB.
    joints : array (T, J, 2)
        x and y of each of `JOINTS` [px].
    phase : array (T,)
        Phase of the right leg's stride in [0, 1); the heel strikes at 0.
    severity : float
        How strongly the subject deviates, 0 for healthy subjects, about 1 for impaired ones.
    deviation : array (T, A)
        What the impairment adds to each of the joint angles `ANGLES` [degrees], 0 for healthy subjects.
    fps : float
        Frames per second.
    """

    name: str
    subject: str
    group: str
    frames: np.ndarray
    joints: np.ndarray
    phase: np.ndarray
    severity: float
    deviation: np.ndarray
    walker: Walker = field(repr=False)
    fps: float = FPS

    def counterfactual(self, factor: float) -> np.ndarray:
        """Draw the same frames with the deviation times ``factor``.

        Parameters
        ----------
        factor : float
            0 draws the healthy posture, 1 exactly `frames`, 2.5 the deviation magnified.

        Returns
        -------
        uint8 array (T, Y, X, 3)
            RGB frames with the same jitter and camera noise.
        """
        return self.walker.film(factor)

    def in_look(self, number: int) -> np.ndarray:
        """Draw the same movement in another look: skin, hair, clothes, room, light and noise.

        Parameters
        ----------
        number : int
            Which look, from 0 on; the same number gives the same one.

        Returns
        -------
        uint8 array (T, Y, X, 3)
            RGB frames in which every joint is where it is in `frames`.

        Raises
        ------
        ValueError
            If the number is negative.
        """
        if number < 0:
            raise ValueError(f"Looks are numbered from 0 on; there is no look {number}.")
        return self.walker.in_look(number).film(1.0)

    def counterfactual_joints(self, factor: float) -> np.ndarray:
        """Give the joints (T, J, 2) [px] in `counterfactual` frames."""
        return self.walker.pose(factor).joint_array() * self.frames.shape[1]


def make_cohort(
    n_healthy: int = 2, n_impaired: int = 2, n_frames: int = 60, size: int = 128, seed: int = 0, severity: float = 1.0
) -> list[SampleRecording]:
    """Render a cohort; a subject does not depend on how many others there are.

    Parameters
    ----------
    n_healthy, n_impaired : int
        Number of subjects in each group, one recording each.
    n_frames : int
        Frames a recording, at 30 a second.
    size : int
        Side of the square frames [px].
    seed : int
        The same seed gives the same cohort.
    severity : float
        Mean severity of the impaired subjects.

    Returns
    -------
    list of SampleRecording
        Healthy subjects first.

    Raises
    ------
    ValueError
        If a number makes no sense.
    """
    return list(_recordings(n_healthy, n_impaired, n_frames, size, seed, severity))


def write_cohort(
    folder: str | Path,
    n_healthy: int = 2,
    n_impaired: int = 2,
    n_frames: int = 60,
    size: int = 128,
    seed: int = 0,
    severity: float = 1.0,
    *,
    report: Report = silent,
) -> Path:
    """Write a cohort as lossless videos with the table that a study starts from.

    Parameters
    ----------
    folder : str or Path
        Gets ``videos/SUBJECT.mkv`` and ``recordings.csv`` with the columns path (relative to the table), subject,
        group, session and severity.
    n_healthy, n_impaired, n_frames, size, seed, severity
        As in `make_cohort`.
    report : callable
        Called with the progress after every recording.

    Returns
    -------
    Path
        The table.

    Raises
    ------
    ValueError
        If a number makes no sense.
    UbamError
        If the folder cannot be written to.
    """
    folder = Path(folder)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["path", "subject", "group", "session", "severity"])
    total = n_healthy + n_impaired
    for i, recording in enumerate(_recordings(n_healthy, n_impaired, n_frames, size, seed, severity), start=1):
        path = f"videos/{recording.name}.mkv"
        write_video(folder / path, recording.frames, recording.fps)
        table.writerow([path, recording.subject, recording.group, 1, f"{recording.severity:.4f}"])
        report(Progress("drawing the sample cohort", i, total))
    write_text(folder / "recordings.csv", text.getvalue())
    return folder / "recordings.csv"


def _recordings(
    n_healthy: int, n_impaired: int, n_frames: int, size: int, seed: int, severity: float
) -> Iterator[SampleRecording]:
    if min(n_healthy, n_impaired, seed) < 0 or n_frames < 1 or size < 16 or not 0 <= severity < np.inf:
        raise ValueError(
            "A sample cohort needs numbers of subjects, a seed and a severity of at least 0, at least 1 frame and "
            f"a size of at least 16 px, not {n_healthy=}, {n_impaired=}, {n_frames=}, {size=}, {seed=}, {severity=}."
        )
    for group, number in enumerate((n_healthy, n_impaired)):
        for i in range(number):
            yield _record((seed, group, i), severity, n_frames, size)


def _record(seed: tuple[int, int, int], severity: float, n_frames: int, size: int) -> SampleRecording:
    _, group, i = seed
    own = severity * np.random.default_rng((*seed, 7)).uniform(0.7, 1.3) if group else 0.0
    walker = Walker.draw(seed, own, n_frames, size)
    subject = f"{'hi'[group]}{i + 1:02d}"
    return record(subject, subject, ("healthy", "impaired")[group], walker, own)


def record(name: str, subject: str, group: str, walker: Walker, severity: float) -> SampleRecording:
    """Film a walker."""
    frames = walker.film(1.0)
    return SampleRecording(
        name=name,
        subject=subject,
        group=group,
        frames=frames,
        joints=walker.pose(1.0).joint_array() * frames.shape[1],
        phase=walker.phase,
        severity=severity,
        deviation=walker.deviation,
        walker=walker,
    )
