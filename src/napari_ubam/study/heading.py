"""Which end of a body is its head: the long axis of a blob points both ways."""

from __future__ import annotations

import numpy as np

_TURN = 40.0  # cost of turning about from one frame to the next, for a long thin body
_MOVE = 10.0  # cost of walking backwards for a second, at a body length a second or more
_SEEN_APART = 0.5  # time without a frame after which turning about costs 1/e [s]


def find_heading(
    time: np.ndarray, centre: np.ndarray, axis: np.ndarray, elongation: np.ndarray, length: float
) -> np.ndarray:
    """Choose the end of the long axis that is the head, in every frame.

    Animals mostly move head first, and their heads do not jump to the other end. The cheapest sequence of ends is found
    by dynamic programming (Viterbi): to move against the head costs in proportion to time and speed, up to a body
    length a second, and to turn about costs as much as half a second of that, less where the body is round.

    Parameters
    ----------
    time : ndarray, shape (n,)
        Of the frames in which the subject was found, ascending [s].
    centre : ndarray, shape (n, 2)
        x and y of the body [px], smoothed.
    axis : ndarray, shape (n,)
        Direction of the long axis, clockwise from up, either of its ends.
    elongation : ndarray, shape (n,)
        1 - width / length of the body.
    length : float
        Of a body [px].

    Returns
    -------
    ndarray, shape (n,)
        Where the head points, clockwise from up, in (-π, π].
    """
    n = len(time)
    if n < 2:
        return _wrapped(axis)
    velocity = np.gradient(centre, time, axis=0) / length
    towards = velocity[:, 0] * np.sin(axis) - velocity[:, 1] * np.cos(axis)  # y points down
    speed = np.linalg.norm(velocity, axis=1)
    step = np.gradient(time)
    against = _MOVE * np.minimum(step, _SEEN_APART) * towards / np.maximum(speed, 1)
    unary = np.stack([-against, against], 1)
    gap = np.diff(time)
    weight = (
        _TURN * np.minimum(elongation[1:], elongation[:-1]) * np.exp(-np.maximum(gap - np.median(gap), 0) / _SEEN_APART)
    )
    straight = weight * np.cos(np.diff(axis))  # of keeping the end; that of changing it is the opposite

    cost, came_from = unary[0], np.zeros((n, 2), int)
    for t in range(1, n):
        turned = 0.5 * straight[t - 1] * np.array([[-1, 1], [1, -1]])  # from, to
        total = cost[:, None] + turned
        came_from[t] = total.argmin(0)
        cost = total.min(0) + unary[t]
    end = np.zeros(n, int)
    end[-1] = cost.argmin()
    for t in range(n - 1, 0, -1):
        end[t - 1] = came_from[t, end[t]]
    return _wrapped(axis + np.pi * end)


def _wrapped(angle: np.ndarray) -> np.ndarray:
    return np.pi - (np.pi - angle) % (2 * np.pi)
