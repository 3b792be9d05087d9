"""Draw one subject's posture on another (Brattoli et al. 2021, Extended Data Fig. 6), beside a simple baseline."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from napari_ubam.magnify.compose import PAPER, side_by_side
from napari_ubam.magnify.magnifier import Shot, draw_shot
from napari_ubam.models.vae import VaeGenerator
from napari_ubam.models.warp import WarpGenerator


@dataclass(frozen=True, eq=False)
class Transfer:
    """Postures of some recordings, drawn on the subjects of others.

    All pictures are squares of uint8.

    Attributes
    ----------
    postures : ndarray, shape (n, S, S, 3)
        The frames that show them.
    captions : list of str
        n: whose posture, in which frame.
    subjects : ndarray, shape (m, S, S, 3)
        Frames of the recordings that they are drawn on.
    names : list of str
        m: of these recordings.
    drawn : ndarray, shape (m, n, S, S, 3)
        Every posture on every subject.
    added : ndarray, shape (m, n, S, S, 3)
        The baseline; see `add_difference`.
    """

    postures: np.ndarray
    captions: list[str]
    subjects: np.ndarray
    names: list[str]
    drawn: np.ndarray
    added: np.ndarray

    def grid(self, height: int = 240) -> np.ndarray:
        """Lay everything out: the postures on top, and below them two rows a subject, the drawn and the baseline.

        Parameters
        ----------
        height : int
            Of each picture [px].

        Returns
        -------
        ndarray of uint8, shape (Y, X, 3)
        """
        empty = np.broadcast_to(np.array(PAPER, np.uint8), self.postures[0].shape)
        blank = [""] * (len(self.captions) - 1)
        rows = [side_by_side([empty, *self.postures], ["", *self.captions], height)]
        for name, subject, drawn, added in zip(self.names, self.subjects, self.drawn, self.added, strict=True):
            rows.append(side_by_side([subject, *drawn], [name, "drawn", *blank], height))
            rows.append(side_by_side([empty, *added], ["", "differences from the mean added", *blank], height))
        return np.concatenate(rows)


def closest_frames(wanted: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Find the frames whose postures (T, d) are closest to those that are wanted (n, d), as they change least."""
    return np.array([((codes - posture) ** 2).sum(1).argmin() for posture in wanted])


def draw_postures(
    shot: Shot, wanted: np.ndarray, generator: WarpGenerator | VaeGenerator, device: torch.device
) -> list[np.ndarray]:
    """Draw a posture on each of some frames.

    Parameters
    ----------
    shot : Shot
        The frames; their reference postures do not count.
    wanted : ndarray, shape (B, d)
        The postures, at the place and size of the subject that they are drawn on.
    generator : WarpGenerator or VaeGenerator
        A trained generator on ``device``.
    device : torch.device
        Where to compute.

    Returns
    -------
    list of ndarray of uint8, shape (Y, X, 3)
        The whole frames.
    """
    return draw_shot(replace(shot, reference=wanted), generator, 0.0, device)


def add_difference(frames: np.ndarray, mean: np.ndarray, other_mean: np.ndarray) -> np.ndarray:
    """Add what frames differ from their own mean to another subject's mean frame: what needs no posture.

    Parameters
    ----------
    frames : ndarray of uint8, shape (n, S, S, 3)
        Of the subject whose posture is wanted.
    mean, other_mean : ndarray, shape (S, S, 3)
        Mean frames of its recording, and of that of the subject to be drawn.

    Returns
    -------
    ndarray of uint8, shape (n, S, S, 3)
    """
    return np.clip(np.round(other_mean + (frames.astype(np.float32) - mean)), 0, 255).astype(np.uint8)
