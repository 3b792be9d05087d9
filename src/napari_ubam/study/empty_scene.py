"""The background without a subject that never leaves its place, such as somebody who walks on a treadmill.

The median over time holds what such a subject always covers, its trunk, and ghosts of limbs that are mostly at one
place. Both would look like background, differently in each recording, for each wears other clothes. Film makers call a
picture without them a clean plate.
"""

from __future__ import annotations

import cv2
import numpy as np

from napari_ubam.study.background import median_picture

_COARSE = 128  # px of the longer side on which it is decided what is background
_LEAST, _NOISES = 6.0, 4.0  # a change is larger than this [grey levels], and than so many standard deviations of noise
_SMALLEST = 12  # coarse px of a change that is somebody
_REACH = 3  # coarse px between parts of one subject
_MOSTLY, _ALWAYS = 0.5, 0.9  # share of the time in which somebody is there
_MOST = 0.5  # share of the picture: of a subject that fills it, the background cannot be found
_VARIES = (1.6, 2.5)  # times the noise: what changes by more
_SCENERY = 0.005  # share of the picture that a part that never changes has at least, to be background for sure
_CHANGED, _LEFT = 12, 0.25  # grey levels that matter; share of the outline's steepness, over the scene's, that may stay
_WINDOWS = ((5, 5), (7, 1))  # px around a pixel that its background is like; a floor's edge is like itself across
_ALIKE = (9.0, 5.0)  # grey levels that it may differ from each
_SAME = 10.0  # grey levels between moments that show the same background
_SEEN = 3  # samples in which a pixel's background has to be seen


def empty_scene(samples: np.ndarray, median: np.ndarray, rows: int = 64) -> tuple[np.ndarray, bool]:
    """Find the background behind a subject that is always there.

    A subject that never leaves its place differs from the median all around its trunk, at all times, whereas one that
    moves about, or passes, is nowhere always. Within the hulls of these differences, what never changes and is enclosed
    by what does is the subject. For the rest, the background grows inwards from what surrounds the subject: a pixel
    belongs to it in the moments in which it looks like its neighbours that do. What is never seen is painted over from
    around it (Telea, Journal of Graphics Tools 2004).

    The result is believed if the subject's outline is gone: where it begins to differ from the median, the picture has
    lost most of the median's edges.

    Parameters
    ----------
    samples : ndarray of uint8, shape (n, Y, X, 3)
        Pictures of the region at times spread over the recording; may be a memory map.
    median : ndarray of uint8, shape (Y, X, 3)
        Their median over time.
    rows : int
        How many rows are in memory at once.

    Returns
    -------
    picture : ndarray of uint8, shape (Y, X, 3)
        The median itself where no subject is always there, or where its background cannot be found.
    is_empty : bool
        Whether no subject is in it.
    """
    height, width = median.shape[:2]
    coarse = _coarsened(samples)
    size = coarse.shape[2], coarse.shape[1]
    zone = _always_there(coarse)
    if not zone.any():
        return median, True
    maps = _changing(coarse)
    zone |= _parts_with(maps[0], zone)  # the outline of who is always there
    if zone.mean() > _MOST:
        return median, False
    inside, scenery = _enclosed(maps, zone)
    zone |= cv2.dilate(inside.astype(np.uint8), np.ones((7, 7))) > 0
    picture, shown = _grow_inwards(coarse, ~zone | scenery, inside)
    hidden = cv2.dilate(np.logical_not(shown.any(0)).astype(np.uint8), np.ones((3, 3)))
    picture = cv2.inpaint(picture, hidden, 5, cv2.INPAINT_TELEA)

    whole = width, height
    painted = cv2.resize(picture, whole, interpolation=cv2.INTER_LINEAR)
    unseen = cv2.resize(hidden, whole, interpolation=cv2.INTER_NEAREST) > 0
    found = np.empty_like(median)
    for top in range(0, height, rows):
        part = slice(top, min(top + rows, height))
        places = np.minimum((np.arange(part.start, part.stop) * size[1]) // height, size[1] - 1)
        columns = np.minimum((np.arange(width) * size[0]) // width, size[0] - 1)
        found[part] = _median_of(np.asarray(samples[:, part]), shown[:, places][:, :, columns])
    found = np.where(unseen[..., None], painted, found)
    gone = _has_lost_its_outline(*(cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in (median, found)))
    return (found, True) if gone else (median, False)


def is_anybody_always_there(samples: np.ndarray) -> bool:
    """Tell whether the median over time of pictures (n, Y, X, 3) holds a subject that never leaves its place."""
    return bool(_always_there(_coarsened(samples)).any())


def _coarsened(samples: np.ndarray) -> np.ndarray:
    height, width = samples.shape[1:3]
    scale = min(1.0, _COARSE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.stack([cv2.resize(np.asarray(s), size, interpolation=cv2.INTER_AREA) for s in samples])


def _always_there(pictures: np.ndarray) -> np.ndarray:
    """Tell where somebody is most of the time, who is at some places nearly always: (h, w) bool."""
    smooth = np.stack([cv2.GaussianBlur(p, (0, 0), 1).astype(np.int16) for p in pictures])
    change = np.abs(smooth - np.median(smooth, 0))
    threshold = max(_LEAST, _NOISES * 1.4826 * float(np.median(change)))
    there = np.mean([_hulls(of > threshold) for of in change.max(-1)], axis=0)
    return _parts_with(there > _MOSTLY, there > _ALWAYS)


def _hulls(changed: np.ndarray) -> np.ndarray:
    """Fill the convex hull of each group of changed pixels: (h, w) uint8."""
    pixels = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _REACH + 1, 2 * _REACH + 1))
    n, labels = cv2.connectedComponents(cv2.dilate(pixels, kernel))
    hulls = np.zeros_like(pixels)
    for label in range(1, n):
        own = (labels == label) & (pixels > 0)
        if own.sum() >= _SMALLEST:
            cv2.fillConvexPoly(hulls, cv2.convexHull(cv2.findNonZero(own.astype(np.uint8))), 1)
    return hulls


def _changing(pictures: np.ndarray) -> list[np.ndarray]:
    """Tell which pixels change, (h, w) bool, in several ways, the finest first.

    A faint outline is closed only if little change counts; shading within it does not matter only if much does.
    """
    usual = np.stack([cv2.GaussianBlur(p, (0, 0), 0.8) for p in pictures]).std(0).max(-1)
    largest = np.percentile(np.abs(pictures - np.median(pictures, 0)).max(-1), 97, axis=0)
    return [change > times * np.median(change) for change in (usual, largest) for times in _VARIES]


def _parts_with(mask: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Give the connected parts of a mask in which some pixel is chosen, and what lies beside them: (h, w) bool."""
    n, labels = cv2.connectedComponents(mask.astype(np.uint8))
    has = np.bincount(labels[chosen], minlength=n) > 0
    has[0] = False
    return cv2.dilate(has[labels].astype(np.uint8), np.ones((5, 5))) > 0


def _enclosed(maps: list[np.ndarray], zone: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tell what never changes: within the subject, enclosed by what does, and outside; (h, w) bool each.

    The picture's edge may cut the subject off.
    """
    edge = np.zeros(zone.shape, bool)
    edge[[0, -1]], edge[:, [0, -1]] = True, True
    near = cv2.dilate(zone.astype(np.uint8), np.ones((7, 7))) > 0
    inside, scenery = np.zeros(zone.shape, bool), np.ones(zone.shape, bool)
    for varies in maps:
        n, labels = cv2.connectedComponents(1 - cv2.dilate(varies.astype(np.uint8), np.ones((3, 3))), connectivity=4)
        area = np.bincount(labels.ravel(), minlength=n)
        leaves = np.bincount(labels[edge & ~zone], minlength=n) > 0  # the picture, beside the subject
        enclosed = (np.bincount(labels[near], minlength=n) > 0) & ~leaves
        wide = leaves & (area > _SCENERY * labels.size)
        enclosed[0] = wide[0] = False  # what changes
        inside |= enclosed[labels]
        scenery &= wide[labels]
    return inside, scenery & ~inside


def _grow_inwards(
    pictures: np.ndarray, known: np.ndarray, inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Give the background (h, w, 3) as far as it is seen, and in which pictures each pixel shows it: (n, h, w) bool."""
    smooth = np.stack([cv2.GaussianBlur(p, (0, 0), 0.6) for p in pictures]).astype(np.float32)
    colour = np.median(smooth, 0)
    known, tried = known.copy(), np.zeros(known.shape, int)
    shown = np.broadcast_to(known, pictures.shape[:3]).copy()
    while True:
        means = [_mean_around(colour, known, window) for window in _WINDOWS]
        count = np.sum([n for _, n in means], axis=0)
        touching = cv2.dilate(known.astype(np.uint8), np.ones((3, 3))) > 0
        y, x = np.nonzero(touching & ~known & ~inside & (count > tried))
        if not len(y):
            return colour.round().clip(0, 255).astype(np.uint8), shown
        tried[y, x] = count[y, x]
        values = smooth[:, y, x]
        taken, shows = np.zeros(len(y), bool), np.zeros(values.shape[:2], bool)
        for (mean, _), alike in zip(means, _ALIKE, strict=True):
            far = np.abs(values - mean[y, x]).max(-1)
            same = np.abs(values - values[far.argmin(0), np.arange(len(y))]).max(-1) < _SAME
            seen = (np.sum(far <= alike, 0) >= _SEEN) & (same.sum(0) >= _SEEN)
            shows[:, seen & ~taken] = same[:, seen & ~taken]
            taken |= seen
        y, x = y[taken], x[taken]
        shown[:, y, x] = shows[:, taken]
        for i, j, member, value in zip(y, x, shows[:, taken].T, values[:, taken].swapaxes(0, 1), strict=True):
            colour[i, j] = np.median(value[member], 0)
        known[y, x] = True


def _mean_around(colour: np.ndarray, known: np.ndarray, window: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Give each pixel's mean over what is known in a window around it, infinite where nothing is, and how much is."""
    share = cv2.blur(known.astype(np.float32), window, borderType=cv2.BORDER_CONSTANT)
    total = cv2.blur(colour * known[..., None], window, borderType=cv2.BORDER_CONSTANT)
    count = np.round(share * window[0] * window[1]).astype(int)
    return np.where(count[..., None] > 0, total / np.maximum(share, 1e-6)[..., None], np.inf), count


def _has_lost_its_outline(median: np.ndarray, picture: np.ndarray) -> bool:
    kernel = np.ones((3, 3), np.uint8)
    changed = (cv2.absdiff(median, picture).max(-1) > _CHANGED).astype(np.uint8)
    changed = cv2.morphologyEx(changed, cv2.MORPH_OPEN, kernel)
    outline = (cv2.dilate(changed, kernel) > 0) & (cv2.erode(changed, kernel) == 0)
    if not outline.any():
        return False
    left, before = _edges(picture), float(_edges(median)[outline].mean())
    usual = float(np.median(left[cv2.dilate(changed, np.ones((5, 5))) == 0]))
    return float(left[outline].mean()) - usual < _LEFT * (before - usual)


def _edges(picture: np.ndarray) -> np.ndarray:
    """Give how steep the steepest of the colours is at each pixel: (h, w)."""
    smooth = [cv2.GaussianBlur(colour, (0, 0), 1) for colour in cv2.split(picture)]
    slopes = [np.hypot(cv2.Sobel(c, cv2.CV_32F, 1, 0), cv2.Sobel(c, cv2.CV_32F, 0, 1)) for c in smooth]
    return np.max(slopes, axis=0)


def _median_of(samples: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Take each pixel's median over the pictures (n, Y, X, 3) in which it is shown (n, Y, X)."""
    values = samples.copy()
    hidden = ~shown
    odd = np.cumsum(hidden, 0) % 2 == 1
    values[hidden & odd], values[hidden & ~odd] = 255, 0  # as many above as below leave the median where it is
    return median_picture(values)
