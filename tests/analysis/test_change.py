import numpy as np
import pytest

from napari_ubam.analysis.change import change_inside_outside, subject_mask

BACKGROUND = np.full((50, 50, 3), 100, np.uint8)


def with_subject(n: int = 1) -> np.ndarray:
    frames = np.repeat(BACKGROUND[None], n, 0).copy()
    frames[:, 20:30, 10:20] = 160
    return frames


def test_the_subject_is_what_differs_from_the_background():
    frames = with_subject()
    frames[0, 5, 5] += 10  # noise
    mask = subject_mask(frames, BACKGROUND, reach=0)
    assert mask.sum() == 100
    assert mask[0, 20:30, 10:20].all()


def test_what_is_within_reach_counts_as_the_subject():
    mask = subject_mask(with_subject(), BACKGROUND, reach=0.06)  # 3 px
    assert mask[0, 25, 7:23].all()
    assert not mask[0, 25, 6]
    assert not mask[0, 25, 23]


def test_change_is_measured_apart():
    before = with_subject(2)
    after = before.copy()
    after[0, 20:30, 10:20] += 51  # a fifth of full scale
    after[1, 0, 0] -= 51
    inside, outside = change_inside_outside(before, after, subject_mask(before, BACKGROUND, reach=0))
    np.testing.assert_allclose(inside, [400, 0])
    np.testing.assert_allclose(outside, [0, 400 / 2400])


def test_bytes_do_not_wrap_around():
    dark, bright = np.zeros((1, 4, 4, 3), np.uint8), np.full((1, 4, 4, 3), 255, np.uint8)
    for before, after in ((dark, bright), (bright, dark)):
        assert change_inside_outside(before, after, np.ones((1, 4, 4), bool))[0] == pytest.approx(1e4)


def test_nothing_outside_is_no_number():
    frames = with_subject()
    inside, outside = change_inside_outside(frames, frames, np.ones((1, 50, 50), bool))
    assert inside[0] == 0
    assert np.isnan(outside[0])
