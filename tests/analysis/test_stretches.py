import pytest

from napari_ubam.analysis.stretches import stretches


@pytest.mark.parametrize(
    ("frames", "step", "gap", "found"),
    [
        ([], 1, 0, []),
        ([7], 1, 0, [[7, 8]]),
        ([3, 4, 5, 9, 10], 1, 0, [[3, 6], [9, 11]]),
        ([10, 3, 9, 5, 4, 4], 1, 0, [[3, 6], [9, 11]]),
        ([3, 4, 5, 9, 10], 1, 3, [[3, 11]]),
        ([3, 4, 5, 9, 10], 1, 2, [[3, 6], [9, 11]]),
        ([0, 4, 8, 20], 4, 0, [[0, 12], [20, 24]]),
    ],
)
def test_frames_that_follow_one_another_are_joined(frames, step, gap, found):
    assert stretches(frames, step, gap).tolist() == found
