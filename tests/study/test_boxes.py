import numpy as np
import pytest

from napari_ubam.errors import StudyError
from napari_ubam.study.boxes import read_boxes, squares_of_boxes

HEADER = "frame,x,y,width,height\n"


def boxes_file(folder, text):
    path = folder / "boxes.csv"
    path.write_text(text)
    return path


def test_gaps_are_interpolated_and_ends_held(tmp_path):
    path = boxes_file(tmp_path, HEADER + "8,20,0,10,6\n4,0,4,6,10.5\n")
    squares, interpolated = squares_of_boxes(np.arange(3, 10), *read_boxes(path))
    side = 11  # the largest box, in whole pixels, in every frame
    x, y = squares[:, 0] + side / 2, squares[:, 1] + side / 2
    assert squares.dtype == np.float32
    np.testing.assert_array_equal(squares[:, 2], side)
    np.testing.assert_allclose(x, [3, 3, 8.5, 14, 19.5, 25, 25])
    np.testing.assert_allclose(y[[0, 1, 5, 6]], [9.25, 9.25, 3, 3])
    np.testing.assert_array_equal(interpolated, [1, 0, 1, 1, 1, 0, 1])


def test_frames_where_the_subject_was_not_found_are_gaps(tmp_path):
    frames, boxes = read_boxes(boxes_file(tmp_path, HEADER + "0,0,0,4,4\n1,,,,\n2,nan,NaN,nan,nan\n3,6,0,4,4\n"))
    assert frames.tolist() == [0, 3]
    assert boxes.shape == (2, 4)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("frame,x,y,width\n0,1,2,3\n", ["no column height"]),
        ("frame;x;y;width;height\n0;1;2;3;4\n", ["semicolons"]),
        (HEADER, ["empty"]),
        (HEADER + "0,,,,\n", ["holds no box"]),
        (HEADER + "0,1,2,3,4\n1,1,2,3,wide\n", ["row 3", "'height'", "wide"]),
        (HEADER + "0,1,2,3,\n", ["row 2", "'height'"]),
        (HEADER + "0,1,inf,3,4\n", ["row 2", "'y'", "inf"]),
        (HEADER + "0,1,2,0,4\n", ["row 2", "empty"]),
        (HEADER + "0.5,1,2,3,4\n", ["row 2", "'frame'", "0.5"]),
        (HEADER + "-1,1,2,3,4\n", ["row 2", "'frame'", "-1"]),
        (HEADER + "7,1,2,3,4\n7,1,2,3,4\n", ["row 3", "frame 7 has two boxes"]),
    ],
)
def test_errors_name_file_and_row(tmp_path, text, parts):
    path = boxes_file(tmp_path, text)
    with pytest.raises(StudyError) as error:
        read_boxes(path)
    for part in [str(path), *parts]:
        assert part in str(error.value)
