import csv
import json
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_ubam.errors import StudyError
from napari_ubam.magnify.region import points_to_squares
from napari_ubam.study.box_files import body_axis, boxes_from
from napari_ubam.study.boxes import squares_of_boxes
from napari_ubam.study.keypoints import Keypoints
from napari_ubam.study.steady import smooth_between

N = 60


def walk(names: tuple[str, ...] = ("nose", "tailbase", "paw")) -> Keypoints:
    """Make a body of 20 px that walks to the right with its nose ahead, beside a paw that swings."""
    t = np.arange(N)
    nose = np.stack([30.0 + t, np.full(N, 50.0)], 1)
    paw = nose - [10, 0] + np.stack([np.zeros(N), 4 * np.sin(t)], 1)
    return Keypoints(t, names, np.stack([nose, nose - [20, 0], paw], 1), np.ones((N, 3)))


def write_table(path: Path, individuals: Mapping[str, Keypoints]) -> Path:
    lines = ["frame,individual,keypoint,x,y,score"]
    for individual, k in individuals.items():
        for i, t in enumerate(k.frame):
            lines += [
                f"{t},{individual},{name},{k.xy[i, j, 0]},{k.xy[i, j, 1]},{k.score[i, j]}"
                for j, name in enumerate(k.names)
            ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_boxes_are_of_one_size_around_the_keypoints_and_turned_along_the_body(tmp_path: Path):
    keypoints = walk()
    boxes = boxes_from(write_table(tmp_path / "table.csv", {"a": keypoints}), None, 25)
    np.testing.assert_array_equal(boxes.frame, np.arange(N))
    np.testing.assert_array_equal(boxes.box[:, 2:], 25)  # the body's 20 px and a quarter
    middle = boxes.box[:, :2] + boxes.box[:, 2:] / 2
    np.testing.assert_allclose(middle[:, 0], keypoints.xy[:, 0, 0] - 10 + 0.5, atol=0.01)  # pixel i covers [i, i + 1)
    assert np.ptp(middle[:, 1]) < 0.7 * np.ptp(keypoints.xy[:, 2, 1]) / 2  # the paw does not shake the box
    assert boxes.angle is not None
    np.testing.assert_allclose(boxes.angle, 90, atol=1e-6)


def test_doubtful_keypoints_and_frames_without_any_do_not_count(tmp_path: Path):
    keypoints = walk()
    keypoints.xy[20, 0], keypoints.score[20, 0] = (900, 900), 0.3
    keypoints.score[30:33] = 0.1
    boxes = boxes_from(write_table(tmp_path / "table.csv", {"a": keypoints}), None, 25)
    np.testing.assert_array_equal(boxes.frame, [t for t in range(N) if t not in (30, 31, 32)])
    assert boxes.box[:, :2].max() < 100
    assert boxes.angle is not None
    assert np.flatnonzero(np.isnan(boxes.angle)).tolist() == [20]
    keypoints.score[:] = 0.1
    path = write_table(tmp_path / "table.csv", {"a": keypoints})
    with pytest.raises(StudyError, match=r"score of 0\.6"):
        boxes_from(path, None, 25)


def test_a_body_whose_ends_have_no_telling_names_has_no_angle(tmp_path: Path):
    path = write_table(tmp_path / "table.csv", {"a": walk(("p1", "p2", "p3"))})
    assert boxes_from(path, None, 25).angle is None


@pytest.mark.parametrize(
    ("names", "ends"),
    [
        (("thorax", "abdomen", "head"), (2, 1)),
        (("Tail_base", "left ear", "Snout"), (2, 0)),
        (("hip", "head", "neck"), (1, 0)),
        (("head", "paw"), None),
        (("tail", "paw"), None),
    ],
)
def test_the_ends_of_a_body_are_known_by_their_names(names: tuple[str, ...], ends: tuple[int, int] | None):
    assert body_axis(names) == ends


def test_one_of_several_individuals_is_chosen(tmp_path: Path):
    other = walk()
    other.xy[..., 1] += 200
    path = write_table(tmp_path / "table.csv", {"a": walk(), "b": other})
    assert boxes_from(path, "b", 25).box[:, 1].min() > 200
    with pytest.raises(StudyError, match="a, b"):
        boxes_from(path, None, 25)


def test_our_own_tables_are_taken_as_they_are(tmp_path: Path):
    path = tmp_path / "boxes.csv"
    path.write_text("frame,x,y,width,height\n0,1,2,10,4\n5,3,9,6,6\n")
    boxes = boxes_from(path, "whoever", 25)
    assert boxes.box.tolist() == [[1, 2, 10, 4], [3, 9, 6, 6]]


def moving_boxes(down: float = 0) -> np.ndarray:
    """Boxes of 40 frames, (T, 4) of corner and size, which moves by 1 px a frame."""
    t = np.arange(40.0)
    return np.stack([t, np.full(40, down), np.full(40, 20.0), np.full(40, 10.0)], 1)


def write_via(path: Path, individuals: Mapping[str, np.ndarray], **attributes: object) -> Path:
    header = ["filename", "file_size", "file_attributes", "region_count", "region_id", "region_shape_attributes"]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*header, "region_attributes"])
        for track, boxes in individuals.items():
            for t, (x, y, w, h) in enumerate(boxes.tolist()):
                shape = {"name": "rect", "x": x, "y": y, "width": w, "height": h}
                row = [f"img_{t:05}.png", 1, json.dumps(attributes), 1, 0, json.dumps(shape)]
                writer.writerow([*row, json.dumps({"track": track})])
    return path


def write_movement_boxes(path: Path, individuals: Mapping[str, np.ndarray]) -> Path:
    boxes = np.stack(list(individuals.values()), -1)
    arrays = {"position": boxes[:, :2] + boxes[:, 2:] / 2, "shape": boxes[:, 2:]}
    with h5py.File(path, "w") as file:
        dimensions = {"time": np.arange(len(boxes)), "space": ["x", "y"], "individuals": list(individuals)}
        for name, values in dimensions.items():
            file[name] = values
            file[name].make_scale(name)
        for name, array in arrays.items():
            file[name] = array
            for i, dimension in enumerate(dimensions):
                file[name].dims[i].attach_scale(file[dimension])
    return path


@pytest.mark.parametrize(("name", "write"), [("via.csv", write_via), ("movement.nc", write_movement_boxes)])
def test_boxes_of_other_programs_become_squares_of_one_size(tmp_path: Path, name: str, write):
    path = write(tmp_path / name, {"1": moving_boxes(), "2": moving_boxes(300)})
    boxes = boxes_from(path, "2", 25)
    np.testing.assert_array_equal(boxes.frame, np.arange(40))
    np.testing.assert_array_equal(boxes.box[:, 2:], 25)
    np.testing.assert_allclose(boxes.box[:, :2] + 12.5, moving_boxes(300)[:, :2] + [10, 5], atol=1e-6)
    assert boxes.angle is None
    with pytest.raises(StudyError, match="1, 2"):
        boxes_from(path, None, 25)


def test_what_is_wrong_with_boxes_of_other_programs_is_told(tmp_path: Path):
    def told(path: Path) -> str:
        with pytest.raises(StudyError) as error:
            boxes_from(path, None, 25)
        assert str(path) in str(error.value)
        return str(error.value)

    path = write_via(tmp_path / "via.csv", {"1": moving_boxes()})
    path.write_text(path.read_text().replace('""width""', '""radius""', 1))
    assert "row 2" in told(path)
    path = write_via(tmp_path / "via.csv", {"1": moving_boxes()}, frame=3)
    assert "frame 3 has two boxes" in told(path)
    assert "holds no box" in told(write_via(tmp_path / "via.csv", {}))
    assert "holds no box" in told(write_movement_boxes(tmp_path / "none.nc", {"a": np.full((3, 4), np.nan)}))
    assert "missing" in told(tmp_path / "gone.nc")
    assert "no column width" in told(write_plain(tmp_path / "plain.csv"))


def write_plain(path: Path) -> Path:
    path.write_text("frame,x,y\n0,1,2\n")
    return path


def test_real_flies_stay_in_their_boxes_with_the_head_up(shared: Path, tmp_path: Path):
    with np.load(shared / "data" / "fly_pair.keypoints.npz") as data:
        xy, names = data["xy"][:, :500].astype(float), tuple(str(name) for name in data["nodes"])
    flies = {f"fly {i}": Keypoints(np.arange(500), names, one, np.ones(one.shape[:2])) for i, one in enumerate(xy)}
    path = write_table(tmp_path / "flies.csv", flies)
    for name, fly in flies.items():
        boxes = boxes_from(path, name, 25)
        own = fly.at(boxes.frame)
        squares, _ = squares_of_boxes(boxes.frame, boxes, turned=True)
        inside = points_to_squares(own, squares, False)
        seen = np.isfinite(inside).all(-1)
        assert len(boxes.frame) > 450
        assert (np.abs(inside[seen]) < 1).all(-1).mean() > 0.98
        head = inside[:, names.index("head")] - inside[:, names.index("abdomen")]
        assert np.nanmean(head[:, 1] < -2 * np.abs(head[:, 0])) > 0.95


def test_smoothing_keeps_who_moves_steadily_where_it_is_over_gaps_too():
    frame = np.array([3, 4, 5, 9, 10, 20])
    steady = np.stack([2.0 * frame, 5 - frame], 1)
    np.testing.assert_allclose(smooth_between(frame, steady, 2), steady, atol=1e-9)
    np.testing.assert_array_equal(smooth_between(frame[:1], steady[:1], 2), steady[:1])
