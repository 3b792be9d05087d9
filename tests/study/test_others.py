import cv2
import numpy as np
import pytest

from napari_ubam.study.others import find_others, find_threshold, hide_others

FLOOR = np.array([20, 24, 18], np.uint8)


def scene(size=128, touching=False, other=True, wing=True):
    """Draw a subject in the middle with thin legs and a spread wing, and another that comes in at the top."""
    picture = np.empty((size, size, 3), np.uint8)
    picture[:] = FLOOR
    at = lambda *xy: tuple(round(v * size / 128) for v in xy)  # noqa: E731
    subject = np.zeros((size, size), np.uint8)
    if wing:
        cv2.ellipse(subject, at(34, 76), at(26, 7), -20, 0, 360, 110, -1)
    for y in (52, 64, 76):
        cv2.line(subject, at(64, y), at(124, y + 4), 120, max(1, size // 64))
    cv2.ellipse(subject, at(64, 64), at(12, 30), 0, 0, 360, 200, -1)
    others = np.zeros((size, size), np.uint8)
    if other:
        cv2.ellipse(others, at(70, 4), at(14, 34 if touching else 14), 0, 0, 360, 170, -1)
    others[subject > 0] = 0
    for shape in (others, subject):
        picture[shape > 0] = shape[shape > 0][:, None]
    return picture, subject > 0, others > 0


@pytest.mark.parametrize("size", [64, 128, 256])
@pytest.mark.parametrize("touching", [False, True])
def test_who_comes_in_is_found_and_the_subject_is_not(size, touching):
    picture, subject, others = scene(size, touching)
    found = find_others(picture, FLOOR, find_threshold(picture[None], FLOOR))
    assert found[others].mean() > 0.75  # what is thin between the two may fall to either
    assert found[subject].mean() < 0.02


def test_a_subject_alone_is_left_alone():
    picture, _, _ = scene(other=False)  # a leg reaches the rim
    assert not find_others(picture, FLOOR, find_threshold(picture[None], FLOOR)).any()
    empty = np.full((64, 64, 3), 20, np.uint8)
    np.testing.assert_array_equal(hide_others(empty[None], FLOOR, find_threshold(empty[None], FLOOR))[0, 32, 32], 20)


def test_who_is_hidden_leaves_no_trace_and_the_subject_stays_as_it_is():
    picture, subject, others = scene()
    threshold = find_threshold(picture[None], FLOOR)
    (hidden,) = hide_others(picture[None], FLOOR, threshold)
    assert np.abs(hidden[others].astype(int) - FLOOR).mean() < 3
    middle = np.zeros_like(subject)
    middle[32:96, 32:96] = subject[32:96, 32:96]
    np.testing.assert_array_equal(hidden[middle], picture[middle])
    assert hidden.dtype == np.uint8
    assert hidden.shape == picture.shape
