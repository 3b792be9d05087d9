import numpy as np
import pytest

from napari_ubam.errors import StudyError
from napari_ubam.study.boxes import Boxes, read_boxes, squares_of_boxes, write_boxes

HEADER = "frame,x,y,width,height\n"
TURNED = "frame,x,y,width,height,angle\n"


def boxes_file(folder, text):
    path = folder / "boxes.csv"
    path.write_text(text)
    return path


def test_gaps_are_interpolated_and_ends_held(tmp_path):
    path = boxes_file(tmp_path, HEADER + "8,20,0,10,6\n4,0,4,6,10.5\n")
    squares, interpolated = squares_of_boxes(np.arange(3, 10), read_boxes(path))
    side = 11  # the largest box, in whole pixels, in every frame
    x, y = squares[:, 0] + side / 2, squares[:, 1] + side / 2
    assert squares.dtype == np.float32
    np.testing.assert_array_equal(squares[:, 2], side)
    np.testing.assert_allclose(x, [3, 3, 8.5, 14, 19.5, 25, 25])
    np.testing.assert_allclose(y[[0, 1, 5, 6]], [9.25, 9.25, 3, 3])
    np.testing.assert_array_equal(interpolated, [1, 0, 1, 1, 1, 0, 1])


def test_frames_where_the_subject_was_not_found_are_gaps(tmp_path):
    boxes = read_boxes(boxes_file(tmp_path, HEADER + "0,0,0,4,4\n1,,,,\n2,nan,NaN,nan,nan\n3,6,0,4,4\n"))
    assert boxes.frame.tolist() == [0, 3]
    assert boxes.box.shape == (2, 4)
    assert boxes.angle is None


def test_angles_go_the_shorter_way_round(tmp_path):
    path = boxes_file(tmp_path, TURNED + "0,0,0,4,4,170\n2,0,0,4,4,-170\n3,0,0,4,4,\n4,0,0,4,4,-90\n")
    squares, interpolated = squares_of_boxes(np.arange(6), read_boxes(path), turned=True)
    np.testing.assert_allclose((squares[:, 3] + 360) % 360, [170, 180, 190, 230, 270, 270], atol=1e-3)
    np.testing.assert_array_equal(interpolated, [0, 1, 0, 1, 0, 1])
    still, interpolated = squares_of_boxes(np.arange(6), read_boxes(path))
    assert not still[:, 3].any()
    np.testing.assert_array_equal(interpolated, [0, 1, 0, 0, 0, 1])


def test_what_is_written_is_read_again(tmp_path):
    path, frame = tmp_path / "deep" / "boxes.csv", np.arange(10, 14)
    box = np.array([[1.25, -3.5, 20, 20], [2.5, 4, 20, 20]])
    write_boxes(path, frame, Boxes(frame[[0, 2]], box, np.array([-179.5, np.nan])))
    assert path.read_text().splitlines()[1:4] == [
        "10,1.25,-3.50,20.00,20.00,-179.50",
        "11,,,,,",
        "12,2.50,4.00,20.00,20.00,",
    ]
    boxes = read_boxes(path)
    np.testing.assert_array_equal(boxes.frame, [10, 12])
    np.testing.assert_array_equal(boxes.box, box)
    np.testing.assert_array_equal(boxes.angle, [-179.5, np.nan])


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
        (TURNED + "0,1,2,3,4,up\n", ["row 2", "'angle'", "up"]),
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
