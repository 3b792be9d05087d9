import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_ubam.errors import StudyError
from napari_ubam.study.keypoints import Keypoints, holds_keypoints, read_keypoints


def some_keypoints(n_frames: int = 6, names: Sequence[str] = ("nose", "tailbase"), seed: int = 0) -> Keypoints:
    """Make keypoints of which one is missing in frame 1."""
    rng = np.random.default_rng(seed)
    xy, score = rng.uniform(0, 100, (n_frames, len(names), 2)), rng.uniform(0.7, 1, (n_frames, len(names)))
    xy[1, 0], score[1, 0] = np.nan, np.nan
    return Keypoints(np.arange(n_frames), tuple(names), xy, score)


def write_deeplabcut(path: Path, individuals: Mapping[str, Keypoints]) -> None:
    """Three header rows for an individual without a name, four otherwise."""
    columns = [(i, name) for i, keypoints in individuals.items() for name in keypoints.names]
    header = [["scorer"] + ["net"] * 3 * len(columns)]
    if "" not in individuals:
        header.append(["individuals", *(i for i, _ in columns for _ in range(3))])
    header.append(["bodyparts", *(name for _, name in columns for _ in range(3))])
    header.append(["coords", *(["x", "y", "likelihood"] * len(columns))])
    every = [
        np.concatenate([k.xy, k.score[..., None]], axis=-1).reshape(len(k.frame), -1) for k in individuals.values()
    ]
    rows = np.concatenate(every, axis=1)
    frame = next(iter(individuals.values())).frame
    _write_csv(path, header + [[t, *_cells(row)] for t, row in zip(frame, rows, strict=True)])


def write_sleap_csv(path: Path, individuals: Mapping[str, Keypoints]) -> None:
    names = next(iter(individuals.values())).names
    rows = [["track", "frame_idx", "instance.score", *(f"{n}.{c}" for n in names for c in ("x", "y", "score"))]]
    for track, k in individuals.items():
        values = np.concatenate([k.xy, k.score[..., None]], axis=-1).reshape(len(k.frame), -1)
        rows += [[track, t, 0.9, *_cells(row)] for t, row in zip(k.frame, values, strict=True)]
    _write_csv(path, rows)


def write_table(path: Path, individuals: Mapping[str, Keypoints]) -> None:
    rows = [["frame", "individual", "keypoint", "x", "y", "score"]]
    for individual, k in individuals.items():
        rows += [
            [t, individual, name, *_cells([*k.xy[i, j], k.score[i, j]])]
            for i, t in enumerate(k.frame)
            for j, name in enumerate(k.names)
        ]
    _write_csv(path, rows)


def write_sleap(path: Path, individuals: Mapping[str, Keypoints], *, as_sleap_io: bool = False) -> None:
    """As SLEAP does, whose axes are MATLAB's, or as sleap-io does with its preset ``standard``."""
    keypoints = list(individuals.values())
    xy, score = np.stack([k.xy for k in keypoints]), np.stack([k.score for k in keypoints])
    with h5py.File(path, "w") as file:
        file["node_names"] = [name.encode() for name in keypoints[0].names]
        file["track_names"] = [name.encode() for name in individuals if name]
        if as_sleap_io:
            file["tracks"], file["point_scores"] = xy.transpose(1, 0, 2, 3), score.transpose(1, 0, 2)
            file["tracks"].attrs["dims"] = json.dumps(["frame", "track", "node", "xy"])
            file["point_scores"].attrs["dims"] = json.dumps(["frame", "track", "node"])
        else:
            file["tracks"], file["point_scores"] = xy.transpose(0, 3, 2, 1), score.transpose(0, 2, 1)


def write_movement(path: Path, individuals: Mapping[str, Keypoints], *, fps: float | None = None) -> None:
    """As xarray writes a dataset of movement; time is in seconds where there is a rate."""
    keypoints = list(individuals.values())
    xy, score = np.stack([k.xy for k in keypoints], -1), np.stack([k.score for k in keypoints], -1)
    arrays = {"position": xy.transpose(0, 2, 1, 3), "confidence": score}
    _write_netcdf(path, arrays, keypoints[0].frame, fps, keypoints=keypoints[0].names, individuals=list(individuals))


def _write_netcdf(
    path: Path, arrays: Mapping[str, np.ndarray], frame: np.ndarray, fps: float | None, **names: Sequence[str]
) -> None:
    with h5py.File(path, "w") as file:
        file["time"] = frame if fps is None else frame / fps
        file["space"] = ["x", "y"]
        for name, values in names.items():
            file[name] = list(values)
        for name in ("time", "space", *names):
            file[name].make_scale(name)
        for name, array in arrays.items():
            file[name] = array
            dimensions = [d for d in ("time", "space", *names) if d != "space" or name != "confidence"]
            for i, dimension in enumerate(dimensions):
                file[name].dims[i].attach_scale(file[dimension])
        file.attrs["time_unit"] = "frames" if fps is None else "seconds"
        if fps is not None:
            file.attrs["fps"] = fps


def _cells(values: Sequence[float] | np.ndarray) -> list[str]:
    return ["" if np.isnan(value) else repr(float(value)) for value in values]


def _write_csv(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


BOTH = {"a": some_keypoints(), "b": some_keypoints(seed=1)}
WRITERS = {
    "deeplabcut.csv": write_deeplabcut,
    "sleap.csv": write_sleap_csv,
    "table.csv": write_table,
    "sleap.h5": write_sleap,
    "sleap_io.h5": lambda path, given: write_sleap(path, given, as_sleap_io=True),
    "frames.nc": write_movement,
    "SECONDS.NC": lambda path, given: write_movement(path, given, fps=29.97),
}


def check_same(found: Keypoints, given: Keypoints):
    np.testing.assert_array_equal(found.frame, given.frame)
    assert found.names == given.names
    np.testing.assert_array_equal(found.xy, given.xy)
    assert found.score is not None
    np.testing.assert_array_equal(found.score, given.score)


@pytest.mark.parametrize("name", WRITERS)
def test_each_individual_of_each_format_is_read(tmp_path: Path, name: str):
    path = tmp_path / name
    WRITERS[name](path, BOTH)
    assert holds_keypoints(path)
    for individual, given in BOTH.items():
        check_same(read_keypoints(path, individual), given)
    for wrong in (None, "c"):
        with pytest.raises(StudyError, match=r"a, b") as error:
            read_keypoints(path, wrong)
        assert str(path) in str(error.value)


@pytest.mark.parametrize("name", WRITERS)
def test_a_single_individual_needs_no_name(tmp_path: Path, name: str):
    path, given = tmp_path / name, some_keypoints(seed=2)
    WRITERS[name](path, {"": given})
    check_same(read_keypoints(path), given)
    check_same(read_keypoints(path, "her"), given)  # the file does not say who it is, so the table may


def test_individuals_that_were_never_seen_are_none(tmp_path: Path):
    nobody = Keypoints(np.arange(6), ("nose", "tailbase"), np.full((6, 2, 2), np.nan), np.full((6, 2), np.nan))
    for name in ("deeplabcut.csv", "sleap.h5", "frames.nc"):
        WRITERS[name](tmp_path / name, {"a": BOTH["a"], "b": nobody})
        check_same(read_keypoints(tmp_path / name), BOTH["a"])
        WRITERS[name](tmp_path / name, {"a": nobody})
        with pytest.raises(StudyError, match="holds no keypoint"):
            read_keypoints(tmp_path / name)


@pytest.mark.parametrize("index", [["labeled-data/mouse/img0007.png"], ["labeled-data", "mouse", "img0007.png"]])
def test_images_that_were_labelled_by_hand(tmp_path: Path, index: list[str]):
    empty = [""] * (len(index) - 1)
    path = tmp_path / "CollectedData_me.csv"
    _write_csv(path, [["scorer", *empty, "me", "me"], ["bodyparts", *empty, "nose", "nose"],
                      ["coords", *empty, "x", "y"], [*index, 1.5, 2]])  # fmt: skip
    keypoints = read_keypoints(path)
    assert (keypoints.frame.tolist(), keypoints.names, keypoints.score) == ([7], ("nose",), None)
    assert keypoints.xy.tolist() == [[[1.5, 2]]]


def test_a_table_may_have_gaps_and_its_columns_other_names(tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_text("Node,x,y,Frame,confidence\nnose,1,2,5,0.9\ntail,,,5,\nnose,3,4,2,\n")
    keypoints = read_keypoints(path)
    assert (keypoints.frame.tolist(), keypoints.names) == ([2, 5], ("nose", "tail"))
    np.testing.assert_array_equal(keypoints.xy, [[[3, 4], [np.nan] * 2], [[1, 2], [np.nan] * 2]])
    at = keypoints.at(np.array([5, 6, 2]))
    np.testing.assert_array_equal(at[:, 0], [[1, 2], [np.nan] * 2, [3, 4]])


def test_those_that_score_less_are_missing_and_those_without_a_score_are_kept():
    score = np.array([[0.59, 0.6], [np.nan, 1]])
    keypoints = Keypoints(np.arange(2), ("a", "b"), np.ones((2, 2, 2)), score)
    assert np.isfinite(keypoints.confident(0.6).xy).all(-1).tolist() == [[False, True], [True, True]]
    by_hand = Keypoints(np.arange(2), ("a", "b"), np.ones((2, 2, 2)))
    assert by_hand.confident(0.6) is by_hand


DLC = "scorer,n,n,n\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["holds no keypoints", "frame, keypoint, x, y"]),
        ("frame,x,y\n0,1,2\n", ["holds no keypoints"]),
        ("frame;keypoint;x;y\n0;a;1;2\n", ["separated by commas"]),
        ("frame,keypoint,x,y\n", ["below its header"]),
        ("frame,keypoint,x,y\n0,a,1,left\n", ["row 2", "'left'"]),
        ("frame,keypoint,x,y\n0,a,,\n", ["holds no keypoint"]),
        ("frame,keypoint,x,y\n0.5,a,1,2\n", ["0.5 is not a frame's number"]),
        ("frame,keypoint,x,y\n-1,a,1,2\n", ["-1 is not a frame's number"]),
        ("frame,keypoint,x,y\n0,a,1,2\n0,a,1,2\n", ["row 3", "'a' twice"]),
        (DLC, ["below its header"]),
        (DLC + "0,1,2\n", ["4 columns in its header, and 3 below"]),
        (DLC + "0,1,2,0.9\n1,1,two,0.9\n", ["row 5", "'two'"]),
        (DLC + "0,1,2,0.9\n0,1,2,0.9\n", ["frame 0 comes twice"]),
        (DLC + "0,,,0.9\n", ["holds no keypoint"]),
        (DLC + "here.png,1,2,0.9\n", ["here.png", "which frame"]),
        ("scorer,n,n\nbodyparts,nose,nose\n0,1,2\n", ["damaged"]),
        ("scorer,n,n\nbodyparts,nose,tail\ncoords,x,y\n0,1,2\n", ["without x and y"]),
        ("scorer,n,n,n\nbodyparts,a,a,a\ncoords,x,y,z\n0,1,2,3\n", ["x, y, z"]),
        ("track,frame_idx,a.x\n,0,1\n", ["no column a.y"]),
        ("track,frame_idx,a.x,a.y\n,0,1,2\n,0,1,2\n", ["frame 0 comes twice"]),
    ],
)
def test_what_is_wrong_with_a_csv_is_told(tmp_path: Path, text: str, parts: list[str]):
    path = tmp_path / "keypoints.csv"
    path.write_text(text)
    with pytest.raises(StudyError) as error:
        read_keypoints(path)
    for part in [str(path), *parts]:
        assert part in str(error.value)


def test_what_is_wrong_with_other_files_is_told(tmp_path: Path):
    def told(name: str) -> str:
        with pytest.raises(StudyError) as error:
            read_keypoints(tmp_path / name)
        assert str(tmp_path / name) in str(error.value)
        return str(error.value)

    assert "missing" in told("gone.csv")
    (tmp_path / "video.csv").write_bytes(b"\xff\xd8\xff\x00")
    assert "cannot be read as a CSV" in told("video.csv")
    (tmp_path / "text.h5").write_text("not HDF5")
    assert "cannot be read" in told("text.h5")
    (tmp_path / "old.nc").write_bytes(b"CDF\x01 and more")
    assert "netcdf4" in told("old.nc")
    with h5py.File(tmp_path / "project.slp", "w") as file:
        file["instances"], file["frames"] = [0], [0]
        file.create_group("metadata")
    assert "Export Analysis HDF5" in told("project.slp")
    with h5py.File(tmp_path / "DLC.h5", "w") as file:
        file.create_group("df_with_missing").attrs["pandas_type"] = "frame_table"
    assert "converth5_to_csv" in told("DLC.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["pictures"] = [0]
    assert "holds no keypoints" in told("other.h5")
    with h5py.File(tmp_path / "damaged.h5", "w") as file:
        file["tracks"], file["node_names"] = np.zeros((1, 2, 3)), [b"a"]
    assert "cannot be read" in told("damaged.h5")
    write_sleap(tmp_path / "whole.h5", BOTH)
    content = (tmp_path / "whole.h5").read_bytes()
    (tmp_path / "half.h5").write_bytes(content[: len(content) // 2])
    assert "cannot be read" in told("half.h5")
    space = Keypoints(np.arange(2), ("a",), np.zeros((2, 1, 3)), np.ones((2, 1)))
    write_sleap(tmp_path / "space.h5", {"": space})
    assert "x, y, z" in told("space.h5")
