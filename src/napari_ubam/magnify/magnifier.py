"""Draw a subject with its deviation from the reference posture multiplied by a factor.

posture' = reference + factor * (posture - reference)  (Brattoli et al. 2021, Methods, "Magnification").
Factor 0 shows the reference posture, 1 the recording itself, more than 1 the deviation magnified.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from scipy.special import softmax

from napari_ubam.magnify.limit import limit_movement
from napari_ubam.magnify.marks import Marks, no_marks
from napari_ubam.magnify.region import Region
from napari_ubam.magnify.warping import warp_region, warp_subject
from napari_ubam.models.inputs import as_pictures
from napari_ubam.models.landmarks import pixel_grid
from napari_ubam.models.objectives import FOREGROUND
from napari_ubam.models.vae import VaeGenerator
from napari_ubam.models.warp import GRID, Warp, WarpGenerator

ARROW_STEP = 2  # cells of the warp's grid from one arrow to the next
AROUND = 0.08  # how far landmarks count around them in a heatmap (standard deviation) [half the square's side]
NEAR = 0.2  # from the nearest landmark, up to where a heatmap keeps its light; at twice that it ends [as AROUND]
SHORTEST_ARROW = 0.02  # that is drawn [half the square's side]


@dataclass(frozen=True, eq=False)
class MagnifiedFrame:
    """One frame with its deviation magnified, measured and pointed at.

    Attributes
    ----------
    frame : int
        Its number in the file.
    original : ndarray of uint8, shape (Y, X, 3)
        The frame as it was filmed.
    image : ndarray of uint8, shape (Y, X, 3)
        The frame with the deviation multiplied by the factor.
    heatmap, vectors : ndarray
        As in `Marks`.
    """

    frame: int
    original: np.ndarray
    image: np.ndarray
    heatmap: np.ndarray
    vectors: np.ndarray


@dataclass(frozen=True, eq=False)
class Shot:
    """Consecutive frames of a recording, and what is known of them.

    Attributes
    ----------
    frame : ndarray of int, shape (B,)
        Numbers in the file.
    pictures : list of ndarray of uint8, shape (Y, X, 3)
        The original frames.
    crops : ndarray of uint8, shape (B, S, S, 3)
        What the networks see of them.
    squares : ndarray, shape (B, 4)
        x, y and side of the crops in the frames [px], and the angle by which they are turned [degrees].
    mirrored : bool
        Whether crops and background are mirror images.
    background : ndarray of uint8, shape (n, n, 3)
        The region's own background at the video's resolution, or the floor's colour at the crops'.
    still : bool
        Whether it is the background indeed: if a part of the subject may be in it, what differs from it does not tell
        where the subject is. What differs from the floor's colour does.
    posture, reference : ndarray, shape (B, d)
        What is shown, and its reference.
    score : ndarray, shape (B,)
        The frames' deviation.
    parts : ndarray, shape (B, K)
        How far each landmark deviates beyond what is usual; up to 1 it is normal.
    left : ndarray of bool, shape (B,)
        Frames that are left as they are, and not marked.
    is_empty : bool
        Whether nothing of the subject is in the background: then it can be cut out.
    """

    frame: np.ndarray
    pictures: list[np.ndarray]
    crops: np.ndarray
    squares: np.ndarray
    mirrored: bool
    background: np.ndarray
    still: bool
    posture: np.ndarray
    reference: np.ndarray
    score: np.ndarray
    parts: np.ndarray
    left: np.ndarray
    is_empty: bool = False

    def without_left(self) -> Shot:
        """Give the frames that are not left as they are."""
        rows = np.flatnonzero(~self.left)
        if len(rows) == len(self.left):
            return self
        per_frame = ("frame", "crops", "squares", "posture", "reference", "score", "parts", "left")
        arrays = {name: getattr(self, name)[rows] for name in per_frame}
        return replace(self, pictures=[self.pictures[i] for i in rows], **arrays)


def magnified_posture(posture: np.ndarray, reference: np.ndarray, factor: float) -> np.ndarray:
    """Multiply the deviation of postures (..., d) from their reference by a factor."""
    return posture + (factor - 1) * (posture - reference)


def magnify_shot(
    shot: Shot, generator: WarpGenerator | VaeGenerator, factor: float, device: torch.device
) -> list[MagnifiedFrame]:
    """Magnify the deviation in consecutive frames, and mark it: `draw_shot` and `mark_shot` together."""
    images, marks = draw_shot(shot, generator, factor, device), mark_shot(shot, generator, device)
    return [
        MagnifiedFrame(int(frame), picture, image, of.heatmap, of.vectors)
        for frame, picture, image, of in zip(shot.frame, shot.pictures, images, marks, strict=True)
    ]


def draw_shot(
    shot: Shot, generator: WarpGenerator | VaeGenerator, factor: float, device: torch.device
) -> list[np.ndarray]:
    """Draw consecutive frames with the deviation multiplied by a factor.

    Parameters
    ----------
    shot : Shot
        The frames.
    generator : WarpGenerator or VaeGenerator
        A trained generator on ``device``.
    factor : float
        0 shows the reference posture, 1 the recording itself.
    device : torch.device
        Where to compute.

    Returns
    -------
    list of ndarray of uint8, shape (Y, X, 3)
    """
    if shot.left.all():
        return [picture.copy() for picture in shot.pictures]
    some = shot.without_left()
    if isinstance(generator, WarpGenerator):
        drawn = iter(_draw_warped(some, generator, factor, device))
    else:
        drawn = iter(_draw_anew(some, generator, factor, device))
    return [picture.copy() if left else next(drawn) for picture, left in zip(shot.pictures, shot.left, strict=True)]


def mark_shot(shot: Shot, generator: WarpGenerator | VaeGenerator, device: torch.device) -> list[Marks]:
    """Say where consecutive frames deviate.

    Parameters
    ----------
    shot, generator, device
        As in `draw_shot`.
    """
    if shot.left.all():
        return [no_marks(*picture.shape[:2]) for picture in shot.pictures]
    some = shot.without_left()
    if isinstance(generator, WarpGenerator):
        found = iter(_mark_warped(some, generator, device))
    else:
        found = iter(_mark_anew(some, generator, device))
    return [
        no_marks(*picture.shape[:2]) if left else next(found)
        for picture, left in zip(shot.pictures, shot.left, strict=True)
    ]


def _draw_warped(shot: Shot, generator: WarpGenerator, factor: float, device: torch.device) -> list[np.ndarray]:
    wanted = magnified_posture(shot.posture, shot.reference, factor)
    if factor > 1:
        shape = (len(wanted), generator.n_landmarks, 2)
        wanted = limit_movement(shot.posture.reshape(shape), wanted.reshape(shape))
    warp = _warp(shot, generator, wanted, device)
    flow, uncovered = warp.flow.cpu().numpy(), warp.uncovered[:, 0].cpu().numpy()
    fill = warp.fill.movedim(1, -1).cpu().numpy() * 127.5
    move = warp_subject if shot.is_empty else warp_region
    return [
        move(picture, region, flow[i], uncovered[i], fill[i], shot.background)
        for i, (picture, region) in enumerate(zip(shot.pictures, _regions(shot), strict=True))
    ]


def _mark_warped(shot: Shot, generator: WarpGenerator, device: torch.device) -> list[Marks]:
    back = _warp(shot, generator, shot.reference, device)
    flow = back.flow.cpu().numpy()
    heat = spread_parts(shot.posture.reshape(len(flow), generator.n_landmarks, 2), shot.parts)
    marks = []
    for i, (picture, region) in enumerate(zip(shot.pictures, _regions(shot), strict=True)):
        heatmap = _heatmap(heat[i], region, picture.shape[:2])
        seen = subject_presence(shot.crops[i], shot.background)
        if shot.is_empty or not shot.still:
            heatmap[region.rows, region.columns] *= region.spread(seen, smooth=False)
        marks.append(Marks(heatmap, deviation_arrows(flow[i], region, seen)))
    return marks


@torch.inference_mode()
def _warp(shot: Shot, generator: WarpGenerator, wanted: np.ndarray, device: torch.device) -> Warp:
    """Find the warp that leads to the postures that are wanted."""
    n, k = len(shot.frame), generator.n_landmarks
    small = np.stack([cv2.resize(crop, (GRID, GRID), interpolation=cv2.INTER_AREA) for crop in shot.crops])
    still = cv2.resize(shot.background, (GRID, GRID), interpolation=cv2.INTER_AREA)
    pictures, background = as_pictures(small, device), as_pictures(still[None].repeat(n, 0), device)
    now, then = (
        torch.as_tensor(posture.reshape(n, k, 2), dtype=torch.float32, device=device)
        for posture in (shot.posture, wanted)
    )
    return generator(pictures, background, now, then)


def _draw_anew(shot: Shot, generator: VaeGenerator, factor: float, device: torch.device) -> list[np.ndarray]:
    (drawn,) = _pictures(shot, generator, [magnified_posture(shot.posture, shot.reference, factor)], device)
    images = []
    for i, (picture, region) in enumerate(zip(shot.pictures, _regions(shot), strict=True)):
        image = picture.copy()
        new = np.clip(np.round(region.spread(drawn[i].astype(np.float32))), 0, 255).astype(np.uint8)
        part = image[region.rows, region.columns]
        part[region.inside()] = new[region.inside()]
        images.append(image)
    return images


def _mark_anew(shot: Shot, generator: VaeGenerator, device: torch.device) -> list[Marks]:
    now, reference = _pictures(shot, generator, [shot.posture, shot.reference], device)
    change = np.abs(now - reference).mean(-1)
    heat = shot.score[:, None, None] * change / (change.max((1, 2), keepdims=True) + 1e-6)  # peaks at the deviation
    return [
        Marks(_heatmap(heat[i], region, picture.shape[:2]), np.zeros((0, 2, 2), np.float32))
        for i, (picture, region) in enumerate(zip(shot.pictures, _regions(shot), strict=True))
    ]


@torch.inference_mode()
def _pictures(
    shot: Shot, generator: VaeGenerator, postures: list[np.ndarray], device: torch.device
) -> list[np.ndarray]:
    """Draw the shot's subject in several postures (B, d): each (B, S, S, 3) in grey levels."""
    appearance, _ = generator.appear(as_pictures(shot.crops, device))
    codes = (torch.as_tensor(posture, dtype=torch.float32, device=device) for posture in postures)
    return [generator.draw(appearance, code).movedim(1, -1).cpu().numpy() * 127.5 + 127.5 for code in codes]


def _regions(shot: Shot) -> list[Region]:
    return [
        Region.of(square, shot.mirrored, *picture.shape[:2])
        for square, picture in zip(shot.squares, shot.pictures, strict=True)
    ]


def deviation_arrows(flow: np.ndarray, region: Region, seen: np.ndarray) -> np.ndarray:
    """Draw the flow that leads from the recording to the reference posture as arrows, where there is any.

    Parameters
    ----------
    flow : ndarray, shape (g, g, 2)
        Where each pixel of the reference picture comes from, minus where it is, in units of half the square's side.
    region : Region
        Where the square lies in the frame.
    seen : ndarray, shape (S, S)
        Where the subject is, from `subject_presence`: arrows end on it.

    Returns
    -------
    ndarray of float32, shape (n, 2, 2)
        Start and direction, as y and x in the frame [px].
    """
    start = pixel_grid(flow.shape[0], flow.shape[1]).numpy()[::ARROW_STEP, ::ARROW_STEP].reshape(-1, 2)
    direction = flow[::ARROW_STEP, ::ARROW_STEP].reshape(-1, 2)
    end = np.clip((start + direction + 1) / 2 * len(seen), 0, len(seen) - 1).astype(int)
    shown = (np.linalg.norm(direction, axis=1) > SHORTEST_ARROW) & (seen[end[:, 1], end[:, 0]] > 0.5)
    arrows = np.stack([region.to_frame(start[shown]), region.vectors_to_frame(direction[shown])], 1)
    return arrows[..., ::-1].astype(np.float32)


def subject_presence(crop: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Tell where a crop shows the subject, and a little around it, not the floor: (S, S) float32 in [0, 1]."""
    size = len(crop)
    contrast = np.abs(crop - cv2.resize(floor, (size, size)).astype(np.float32)).mean(-1) / 127.5
    wider = cv2.dilate(contrast, np.ones((3, 3), np.uint8))
    return cv2.GaussianBlur(np.clip(wider / FOREGROUND, 0, 1) ** 2, (0, 0), size / 128)


def spread_parts(points: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Give every place of a crop the deviation of the landmarks around it.

    Not by the generator's masks, which say what is moved how: a wing that covers the body when it is folded is moved by
    what lies there as well.

    Parameters
    ----------
    points : ndarray, shape (B, K, 2)
        Landmarks in the recording, x and y in [-1, 1].
    parts : ndarray, shape (B, K)
        How far each deviates.

    Returns
    -------
    ndarray, shape (B, g, g)
        The mean of the landmarks, the nearest counting most; 0 far from all of them.
    """
    far = np.linalg.norm(pixel_grid(GRID, GRID).numpy()[None, None] - points[:, :, None, None], axis=-1)
    shares = softmax(-(far**2) / (2 * AROUND**2), axis=1)
    heat = np.einsum("bkhw,bk->bhw", shares, parts)
    return heat * np.clip(2 - far.min(1) / NEAR, 0, 1)


def _heatmap(coarse: np.ndarray, region: Region, shape: tuple[int, ...]) -> np.ndarray:
    heatmap = np.zeros(shape, np.float32)
    inside = region.spread(coarse.astype(np.float32), smooth=False) * region.fade()
    heatmap[region.rows, region.columns] = np.maximum(inside, 0)
    return heatmap
