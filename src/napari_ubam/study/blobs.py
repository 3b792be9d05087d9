"""What stands out from the still background of a fixed camera, and which subject it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from napari_ubam.study.background import median_picture

_SHARE = 1 / 6  # of the subjects' contrast that is somebody: limbs are fainter than bodies
_NOISES = 6  # standard deviations of a pixel's own noise that are nobody
_MOST = 3  # times the least difference: a place where subjects often are has noise by them alone
_LEAST = 5.0  # grey levels that are nobody in any case: compression alone makes as many
_EVERY = 8  # pixels from one to the next of those that the light is measured on
_SMALLEST, _LARGEST = 0.2, 8.0  # areas of a subject, in units of its usual area
_REACH = 3.0  # body lengths that a subject moves at most from one frame to the next
_ROUNDS = 5  # of k-means


@dataclass(frozen=True, eq=False)
class Scene:
    """What a fixed camera shows when nobody is there, and what counts as somebody.

    Attributes
    ----------
    background : ndarray of uint8, shape (Y, X, 3)
        What is there when nobody is.
    threshold : ndarray of uint8, shape (Y, X)
        What a pixel's difference must exceed to be somebody [grey levels].
    area : float
        The usual area of one subject [px]; 0 if there is nobody.
    """

    background: np.ndarray
    threshold: np.ndarray
    area: float


@dataclass(frozen=True, eq=False)
class Blob:
    """One subject in one frame.

    Attributes
    ----------
    centre : ndarray, shape (2,)
        x and y of the middle of its body [px]; pixel i covers [i, i + 1).
    axis : float
        Direction of its long axis, clockwise from up, in [0, π): which end is the head is not known.
    elongation : float
        1 - width / length of the body: 0 if it is round, and ``axis`` means nothing.
    reach : float
        How far it extends from its centre along x or y [px].
    area : float
        [px]
    """

    centre: np.ndarray
    axis: float
    elongation: float
    reach: float
    area: float


def learn_scene(samples: np.ndarray, n_subjects: int, threshold: float | None = None) -> Scene:
    """Learn the background, and how much subjects stand out from it.

    The background is every pixel's median over time, without those who rested there.
    A pixel is somebody if it differs from that by a sixth of the contrast that subjects have (the median over pictures
    of the largest difference), and by more than its own noise: six standard deviations (from the median absolute
    deviation), so that leaves in the wind are nobody, but at most half of the contrast.

    Parameters
    ----------
    samples : ndarray of uint8, shape (n, Y, X, 3)
        Pictures at times spread over the recording.
    n_subjects : int
        How many subjects there are.
    threshold : float, optional
        The least difference, instead of a sixth of the contrast [grey levels].
    """
    still = median_picture(samples)
    background = _without_ghosts(samples, still, *_limits(samples, still, n_subjects, threshold))
    return Scene(background, *_limits(samples, background, n_subjects, threshold))


def _limits(
    samples: np.ndarray, background: np.ndarray, n_subjects: int, threshold: float | None
) -> tuple[np.ndarray, float]:
    """Find a scene's threshold and its subjects' usual area."""
    differences = np.stack([difference(sample, background) for sample in samples])
    noise = 1.4826 * median_picture(differences).astype(np.float32)
    least = max(_LEAST, _SHARE * float(np.median(differences.max((1, 2))))) if threshold is None else threshold
    limit = np.clip(_NOISES * noise, least, min(_MOST * least, 255)).astype(np.uint8)
    largest = [sum(sorted(_areas(found > limit))[-n_subjects:]) / n_subjects for found in differences]
    return limit, float(np.median(largest))


def _without_ghosts(samples: np.ndarray, background: np.ndarray, limit: np.ndarray, area: float) -> np.ndarray:
    """Paint over subjects that rested for so long that they are in the background.

    When such a subject leaves, its place stands out as if somebody were there. But the outline of that ghost is an edge
    of the background, whereas that of a subject is one of the picture.
    """
    total, count = np.zeros(background.shape, np.float32), np.zeros(background.shape[:2], np.int32)
    edges = _edges(background)
    for sample in samples:
        own = _edges(sample)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(
            cv2.compare(difference(sample, background), limit, cv2.CMP_GT)
        )
        for label in 1 + np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] > _SMALLEST * area):
            mask, corner = _cut(labels, stats, int(label))
            part = slice(corner[1], corner[1] + mask.shape[0]), slice(corner[0], corner[0] + mask.shape[1])
            outline = mask ^ cv2.erode(mask.astype(np.uint8), np.ones((5, 5)), borderValue=0).astype(bool)
            if edges[part][outline].mean() > own[part][outline].mean():
                total[part][mask] += sample[part][mask]
                count[part] += mask
    return np.where(count[..., None] > 0, total / np.maximum(count, 1)[..., None], background).round().astype(np.uint8)


def _edges(picture: np.ndarray) -> np.ndarray:
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), 1)
    return np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))


def difference(picture: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Say how much each pixel differs from the background, changes of the light taken off: (Y, X) uint8."""
    sample = picture[::_EVERY, ::_EVERY].astype(np.int16) - background[::_EVERY, ::_EVERY]
    light = (*np.median(sample, axis=(0, 1)).tolist(), 0.0)
    lit = cv2.add(background, light)  # type: ignore[call-overload]  # a colour may be added to a picture
    red, green, blue = cv2.split(cv2.absdiff(picture, lit))
    return cv2.GaussianBlur(cv2.max(cv2.max(red, green), blue), (0, 0), 1)


def find_blobs(picture: np.ndarray, scene: Scene, last: np.ndarray) -> list[Blob | None]:
    """Find each subject in a picture.

    A single subject is the blob whose area is nearest to the usual one. Several are given the blobs nearest to their
    last places, together as near as can be (the Hungarian method); a blob that is large enough for two may be given
    to two, and is parted between them by k-means from their last places (as in Tracktor: Sridhar et al., Methods in
    Ecology and Evolution 10, 2019).

    Parameters
    ----------
    picture : ndarray of uint8, shape (Y, X, 3)
        A frame.
    scene : Scene
        Its background.
    last : ndarray, shape (n, 2)
        x and y where each subject was last [px]; NaN in all rows before all of them were seen apart.

    Returns
    -------
    list of Blob or None
        One for each subject, in the order of ``last``, or at first from left to right; None where it is not seen.
    """
    n = len(last)
    change = difference(picture, scene.background)
    _, labels, stats, middles = cv2.connectedComponentsWithStats(cv2.compare(change, scene.threshold, cv2.CMP_GT))
    sizes = stats[:, cv2.CC_STAT_AREA] / max(scene.area, 1.0)
    kept = 1 + np.flatnonzero((sizes[1:] > _SMALLEST) & (sizes[1:] < _LARGEST))
    if n == 1:
        likely = kept[np.argsort(np.abs(np.log(sizes[kept])))[:1]]
        return [_blob(change, *_cut(labels, stats, int(i))) for i in likely] or [None]
    if np.isnan(last).any():  # nobody is followed before all were seen apart
        if len(kept) < n:
            return [None] * n
        first = kept[np.argsort(sizes[kept])[-n:]]
        return [_blob(change, *_cut(labels, stats, int(i))) for i in first[np.argsort(middles[first, 0])]]
    given = _assign(last, middles[kept], sizes[kept], math.sqrt(scene.area))
    found: list[Blob | None] = [None] * n
    for j, label in enumerate(kept):
        owners = np.flatnonzero(given == j)
        if len(owners):
            mask, corner = _cut(labels, stats, int(label))
            for owner, part in zip(owners, _part(mask, last[owners] - corner), strict=True):
                found[owner] = _blob(change, part, corner) if part.any() else None
    return found


def _areas(there: np.ndarray) -> list[int]:
    _, _, stats, _ = cv2.connectedComponentsWithStats(there.astype(np.uint8))
    return stats[1:, cv2.CC_STAT_AREA].tolist()


def _cut(labels: np.ndarray, stats: np.ndarray, label: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut a blob out: its mask, and x and y of the mask's corner."""
    x, y, width, height = stats[label, :4]
    return labels[y : y + height, x : x + width] == label, np.array([x, y])


def _blob(change: np.ndarray, mask: np.ndarray, corner: np.ndarray) -> Blob:
    """Measure a blob.

    Pixels weigh by their squared depth in it and their contrast, both squared: the trunk counts, and a tail, a spread
    wing or a shadow hardly does.
    """
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    corner, mask = corner + np.array([left, top]), mask[top : top + height, left : left + width]
    depth = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    contrast = change[corner[1] : corner[1] + height, corner[0] : corner[0] + width]
    weight = (depth**2 * contrast) ** 2
    m = cv2.moments(weight)
    x, y = m["m10"] / m["m00"] + 0.5, m["m01"] / m["m00"] + 0.5
    xx, xy, yy = (m[key] / m["m00"] for key in ("mu20", "mu11", "mu02"))
    spread = math.hypot(xx - yy, 2 * xy)
    long, short = xx + yy + spread, max(xx + yy - spread, 0)
    direction = 0.5 * math.atan2(2 * xy, xx - yy)  # from x towards y, that is, clockwise from the right
    return Blob(
        centre=np.array([x, y]) + corner,
        axis=(direction + math.pi / 2) % math.pi,
        elongation=1 - math.sqrt(short / long) if long else 0.0,
        reach=max(x, width - x, y, height - y),
        area=float(mask.sum()),
    )


def _assign(last: np.ndarray, middles: np.ndarray, sizes: np.ndarray, length: float) -> np.ndarray:
    """Give each subject the index of a blob, -1 where none is near enough."""
    n, m = len(last), len(middles)
    distance = np.linalg.norm(last[:, None] - middles, axis=-1) / length
    seats = [distance + np.maximum(0, k + 1 - sizes) * (k > 0) for k in range(n)]  # small blobs are not for two
    cost = np.concatenate([*seats, np.full((n, n), _REACH)], axis=1)
    column = linear_sum_assignment(cost)[1]
    return np.where(column < n * m, column % max(m, 1), -1)


def _part(mask: np.ndarray, centres: np.ndarray) -> list[np.ndarray]:
    """Part a blob between those who are in it, by k-means from where they were (n, 2)."""
    if len(centres) == 1:
        return [mask]
    points = np.argwhere(mask)[:, ::-1] + 0.5
    for _ in range(_ROUNDS):
        nearest = np.linalg.norm(points[:, None] - centres, axis=-1).argmin(1)
        centres = np.stack([
            points[nearest == i].mean(0) if (nearest == i).any() else centre for i, centre in enumerate(centres)
        ])  # fmt: skip
    parts = np.zeros((len(centres), *mask.shape), bool)
    parts[nearest, points[:, 1].astype(int), points[:, 0].astype(int)] = True
    return list(parts)
