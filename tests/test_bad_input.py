"""What goes wrong with a user's files: one clear message, the others go on, nothing is left half-written."""

import contextlib
import errno
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file, save_file

from napari_ubam import pipeline
from napari_ubam.errors import DeviceError, ModelError, StudyError, UbamError, VideoError
from napari_ubam.files import atomic_path
from napari_ubam.progress import Progress
from napari_ubam.sample import write_cohort
from napari_ubam.settings import DeviateSettings, EmbedSettings, MagnifySettings, StudySettings, TrainSettings
from napari_ubam.study import Embedding, Study, load_crops, read_embedding, read_result, write_embedding
from napari_ubam.video import open_frames

QUICK = TrainSettings(preset="quick", device="cpu")
CPU = MagnifySettings(device="cpu")


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(tmp_path_factory.mktemp("cohort"), n_healthy=2, n_impaired=1, n_frames=8, size=32)


@pytest.fixture
def table(filmed: Path, tmp_path: Path) -> Path:
    return shutil.copytree(filmed.parent, tmp_path / "cohort") / filmed.name


@pytest.fixture
def untrained(table: Path, tmp_path: Path) -> Study:
    return pipeline.init(tmp_path / "study", table, "healthy", StudySettings(crop_size=32))


def magnify(study: Study, name: str) -> list[int]:
    return [frame.frame for frame in pipeline.magnify(study, name, CPU)]


def files(study: Study) -> dict[str, bytes]:
    """Every file of the study but for the cache."""
    kept = (p for p in study.folder.rglob("*") if p.is_file() and study.cache_folder not in p.parents)
    return {str(p.relative_to(study.folder)): p.read_bytes() for p in kept}


def leftovers(folder: Path) -> list[str]:
    return [str(p) for p in folder.rglob("*") if ".part" in p.name or ".old" in p.name]


def changed(study: Study, name: str, **values: object) -> Study:
    """The study with another value of one of its recordings, saved."""
    recordings = [r.model_copy(update=values) if r.name == name else r for r in study.recordings]
    other = study.replace(recordings=recordings)
    other.save()
    return other


# videos


def missing(path: Path) -> None:
    path.unlink()


def no_video(path: Path) -> None:
    path.write_bytes(b"this is no video" * 100)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("damage", [missing, no_video, empty])
def test_broken_video_is_left_out_and_the_others_go_on(finished: Study, damage: Callable[[Path], None]):
    path = finished.recording("i02").path
    damage(path)
    for problems in (pipeline.embed(finished, EmbedSettings(device="cpu")), pipeline.deviate(finished)):
        assert [p.name for p in problems] == ["i02"]
        assert str(path) in problems[0].message
        assert problems[0].message.rstrip().endswith(".")
    assert set(read_result(finished, "deviation", "deviate")["recording"]) == {"h01", "h02", "h03", "i01"}
    pipeline.compare(finished)
    assert "i02 was left out" in pipeline.make_report(finished).read_text(encoding="utf-8")
    with pytest.raises(VideoError, match=re.escape(str(path))):
        magnify(finished, "i02")
    assert not leftovers(finished.folder)


def test_training_goes_on_without_a_broken_video(untrained: Study, few_steps: None):
    path = untrained.recording("i01").path
    path.unlink()
    problems = pipeline.train(untrained, QUICK)
    assert [p.name for p in problems] == ["i01"]
    assert str(path) in problems[0].message
    assert (untrained.models_folder / "generator" / "model.safetensors").exists()


def test_truncated_video_is_read_as_far_as_it_goes(finished: Study):
    path = finished.recording("i02").path
    path.write_bytes(path.read_bytes()[: int(0.6 * path.stat().st_size)])
    told: list[Progress] = []
    assert pipeline.embed(finished, EmbedSettings(device="cpu"), report=told.append) == []
    skipped, damaged = (p.message for p in told if p.message)
    assert "4 of 5 recordings are embedded already" in skipped
    assert str(path) in damaged
    n = len(read_embedding(finished, "i02").frame)
    assert 5 < n < 40
    assert pipeline.deviate(finished) == []
    rows = read_result(finished, "deviation", "deviate")
    assert (rows["recording"] == "i02").sum() == n
    assert np.isfinite(rows["deviation"]).all()
    assert magnify(finished, "i02") == list(range(n))


def test_no_video_can_be_read(untrained: Study):
    for recording in untrained.recordings:
        recording.path.unlink()
    with pytest.raises(StudyError, match=r"No recording of .*study can be read\. .*h01\.mkv"):
        pipeline.train(untrained, QUICK)
    assert not untrained.models_folder.exists()


# tables


@pytest.mark.parametrize("column", ["path", "subject", "group"])
def test_table_without_a_column(table: Path, tmp_path: Path, column: str):
    pd.read_csv(table).drop(columns=column).to_csv(table, index=False)
    with pytest.raises(StudyError, match=f"recordings.csv.*{column}"):
        pipeline.init(tmp_path / "study", table, "healthy")
    assert not (tmp_path / "study").exists()


def test_table_with_an_empty_region(table: Path, tmp_path: Path):
    pd.read_csv(table).assign(x=0, y=0, width=0, height=20).to_csv(table, index=False)
    with pytest.raises(StudyError, match=r"recordings\.csv.*row.*region of interest is empty \(0 x 20 px\)"):
        pipeline.init(tmp_path / "study", table, "healthy")
    assert not (tmp_path / "study").exists()


def test_region_outside_of_the_picture_is_left_out(finished: Study):
    study = changed(finished, "i02", x=500, y=0, width=20, height=20)
    problems = pipeline.embed(study, EmbedSettings(device="cpu"))
    assert [p.name for p in problems] == ["i02"]
    assert "i02.mkv" in problems[0].message
    assert "outside the picture, which is 64 x 64 px" in problems[0].message
    assert [p.name for p in pipeline.deviate(study)] == ["i02"]


def test_missing_boxes_are_left_out(finished: Study, tmp_path: Path):
    study = changed(finished, "i02", boxes=tmp_path / "boxes.csv")
    problems = pipeline.embed(study, EmbedSettings(device="cpu"))
    assert [p.name for p in problems] == ["i02"]
    assert str(tmp_path / "boxes.csv") in problems[0].message


def test_two_groups_with_one_subject_each(finished: Study):
    study = finished.replace(recordings=[finished.recording("h01"), finished.recording("i01")])
    before = files(finished)
    with pytest.raises(
        StudyError, match=r"recordings\.csv has 1 subject .*healthy \(1 subject\), impaired \(1 subject"
    ):
        pipeline.deviate(study)
    assert files(finished) == before


def test_one_subject_in_the_other_group_is_compared_with_a_note(finished: Study):
    study = finished.replace(recordings=[r for r in finished.recordings if r.name != "i02"])
    pipeline.deviate(study)
    pipeline.compare(study)
    row = read_result(study, "groups", "compare").iloc[0]
    assert np.isnan(row["p_value"])
    assert "single subject" in row["note"]
    pipeline.make_report(study)


# studies


def test_study_of_a_newer_version(untrained: Study):
    path = untrained.folder / "study.toml"
    path.write_text(path.read_text().replace("format_version = 1", "format_version = 99"))
    with pytest.raises(StudyError, match=r"study format 99.*reads formats up to 1.*pip install --upgrade"):
        Study.open(untrained.folder)


def test_recording_that_is_not_there(finished: Study, tmp_path: Path):
    with pytest.raises(StudyError, match=r"has no recording 'i1'\. Did you mean .*i01"):
        magnify(finished, "i1")
    with pytest.raises(StudyError, match="has no recording 'i1'"):
        pipeline.save_magnified(finished, "i1", tmp_path / "out.mkv", CPU)
    assert not (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize(
    "step",
    [
        lambda study: pipeline.train(study, TrainSettings(device="cuda:99")),
        lambda study: pipeline.embed(study, EmbedSettings(device="cuda:99")),
        lambda study: list(pipeline.magnify(study, "i01", MagnifySettings(device="cuda:99"))),
    ],
    ids=["train", "embed", "magnify"],
)
def test_device_that_is_not_there(finished: Study, step: Callable[[Study], object]):
    shutil.rmtree(finished.cache_folder)
    before = files(finished)
    with pytest.raises(DeviceError, match=r"no device 'cuda:99' on this machine\. Use 'auto' or one of: .*cpu"):
        step(finished)
    assert files(finished) == before
    assert not finished.cache_folder.exists()  # said before the videos are read


# steps in the wrong order


def test_steps_before_those_they_need(finished: Study):
    def fails(error: type[UbamError], command: str, step: Callable[[], object]) -> None:
        with pytest.raises(error, match=f"napari-ubam {command} {re.escape(str(finished.folder))}") as raised:
            step()
        assert str(finished.folder) in str(raised.value)

    (finished.results_folder / "groups.csv").unlink()
    fails(StudyError, "compare", lambda: pipeline.make_report(finished))
    shutil.rmtree(finished.results_folder)
    fails(StudyError, "deviate", lambda: pipeline.compare(finished))
    fails(StudyError, "deviate", lambda: magnify(finished, "i01"))
    shutil.rmtree(finished.embeddings_folder)
    fails(StudyError, "embed", lambda: pipeline.deviate(finished))
    shutil.rmtree(finished.models_folder)
    fails(ModelError, "train", lambda: pipeline.embed(finished))
    assert not finished.results_folder.exists()
    assert not finished.embeddings_folder.exists()


def test_embedding_older_than_the_training(finished: Study):
    """Else a generator would draw the postures of another network."""
    path = finished.models_folder / "posture" / "model.safetensors"
    weights = load_file(path)
    save_file({name: 1.01 * value for name, value in weights.items()}, path)
    with pytest.raises(StudyError, match=r"i01 is older than the training\. Run again: napari-ubam embed"):
        magnify(finished, "i01")
    with pytest.raises(StudyError, match="older than the training"):
        pipeline.deviate(finished)
    pipeline.embed(finished, EmbedSettings(device="cpu"))
    pipeline.deviate(finished)
    assert len(magnify(finished, "i01")) == 40


@pytest.mark.parametrize(
    "values", [{"start": 5}, {"stop": 30}, {"x": 0, "y": 0, "width": 50, "height": 50}, {"path": "h01"}]
)
def test_embedding_older_than_its_recording(finished: Study, values: dict[str, object]):
    if "path" in values:
        values = {"path": finished.recording("h01").path}
    study = changed(finished, "i01", **values)
    with pytest.raises(
        StudyError, match=r"i01 is older than its frames, its region or the study's settings\. .* embed"
    ):
        magnify(study, "i01")
    assert [p.name for p in pipeline.deviate(study)] == ["i01"]


def test_results_older_than_the_embedding(finished: Study):
    old = read_embedding(finished, "i01")
    write_embedding(finished, "i01", Embedding(old.posture + 0.1, old.behaviour, old.frame), {})
    with pytest.raises(StudyError, match=r"results of i01 are older than its embedding\. Run again: .*deviate"):
        magnify(finished, "i01")
    pipeline.deviate(finished)
    assert len(magnify(finished, "i01")) == 40


# damaged files of a study


def test_damaged_model(finished: Study):
    path = finished.models_folder / "posture" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match=rf"{re.escape(str(path.parent))} is damaged .* Train"):
        pipeline.embed(finished)


def test_damaged_embedding_is_left_out(finished: Study):
    (finished.embeddings_folder / "i02.zarr" / "posture" / "zarr.json").write_text("{")
    problems = pipeline.deviate(finished)
    assert [p.name for p in problems] == ["i02"]
    assert "i02.zarr" in problems[0].message
    assert "napari-ubam embed" in problems[0].message


def test_damaged_cache_is_made_again(finished: Study):
    for path in (finished.cache_folder / "i01").iterdir():
        path.write_bytes(path.read_bytes()[:50])
    assert len(magnify(finished, "i01")) == 40


# where to write to


def test_recordings_are_never_written_over(finished: Study, tmp_path: Path):
    link = tmp_path / "link.mkv"
    link.symlink_to(finished.recording("i01").path)
    for out in (finished.recording("i01").path, finished.recording("h01").path, link):
        before = out.read_bytes()
        with pytest.raises(StudyError, match=r"is the recording .01 itself\. Choose another name"):
            pipeline.save_magnified(finished, "i01", out, CPU)
        assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("out", "heatmap", "said"),
    [
        ("a.avi", None, r"a\.avi .*\.mkv .*\.mp4"),
        ("a.mkv", "heat.tif", r"heat\.tif .*\.zarr"),
        ("file/a.mkv", None, "file"),
    ],
)
def test_names_that_cannot_be_written(finished: Study, tmp_path: Path, out: str, heatmap: str | None, said: str):
    (tmp_path / "file").write_text("a file, no folder")
    with pytest.raises(UbamError, match=said):
        pipeline.save_magnified(finished, "i01", tmp_path / out, CPU, heatmap=heatmap and tmp_path / heatmap)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cohort", "file"]


def test_failure_on_the_way_leaves_no_video_and_no_heatmap(finished: Study, tmp_path: Path):
    out, heat = tmp_path / "out.mkv", tmp_path / "heat.zarr"
    out.write_bytes(b"older")

    def fail(progress: Progress) -> None:
        if progress.stage.startswith("magnifying") and progress.done > 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UbamError, match=r"The disk is full: .*out\.mkv was not written"):
        pipeline.save_magnified(finished, "i01", out, CPU, heatmap=heat, report=fail)
    assert out.read_bytes() == b"older"
    assert not heat.exists()
    assert not leftovers(tmp_path)


# a disk that fills up


@contextlib.contextmanager
def little_space(n_bytes: int) -> Iterator[None]:
    """Let no file grow beyond a size: writers fail half-way, as on a full disk."""
    resource = pytest.importorskip("resource", reason="Windows has no limit on the size of files")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_disk_full_while_crops_are_cached(untrained: Study):
    recording = untrained.recordings[0]
    with little_space(10_000), pytest.raises(UbamError, match=r"h01.* cannot be written"):
        load_crops(untrained, recording)
    assert not list(untrained.cache_folder.iterdir())
    assert len(load_crops(untrained, recording).frames) == 8


def test_disk_full_while_embedding(finished: Study):
    before = files(finished)
    with little_space(3000), pytest.raises(UbamError, match=r"h01\.zarr cannot be written"):
        pipeline.embed(finished, EmbedSettings(device="cpu", anew=True))
    assert files(finished) == before
    assert not leftovers(finished.folder)


@pytest.mark.parametrize(("name", "step"), [("deviation.csv", pipeline.deviate), ("report.html", pipeline.make_report)])
def test_disk_full_while_results_are_written(finished: Study, name: str, step: Callable[..., object]):
    path = finished.results_folder / name
    old = path.read_bytes()
    with little_space(len(old) - 100), pytest.raises(UbamError, match=f"{name} cannot be written"):
        step(finished)
    assert path.read_bytes() == old
    assert not leftovers(finished.folder)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_disk_full_while_a_video_is_written(finished: Study, tmp_path: Path, suffix: str):
    out, heat = tmp_path / f"out{suffix}", tmp_path / "heat.zarr"
    pipeline.save_magnified(finished, "h01", out, CPU)
    old = out.read_bytes()
    with little_space(len(old) // 2), pytest.raises(UbamError, match=f"out{suffix} cannot be written"):
        pipeline.save_magnified(finished, "i01", out, CPU, heatmap=heat)
    assert out.read_bytes() == old
    assert not heat.exists()
    assert not leftovers(tmp_path)
    with open_frames(out) as video:
        assert len(video) == 40


def test_disk_full_while_a_heatmap_is_written(finished: Study, tmp_path: Path):
    out, heat = tmp_path / "out.mkv", tmp_path / "heat.zarr"
    with little_space(1000), pytest.raises(UbamError, match=r"(heat\.zarr|out\.mkv) cannot be written"):
        pipeline.save_magnified(finished, "i01", out, CPU, heatmap=heat)
    assert not out.exists()
    assert not heat.exists()
    assert not leftovers(tmp_path)


def test_disk_full_while_training(untrained: Study, few_steps: None):
    load_crops(untrained, untrained.recordings[0])
    for recording in untrained.recordings:
        load_crops(untrained, recording)
    with little_space(20_000), pytest.raises(UbamError, match="cannot be written"):
        pipeline.train(untrained, QUICK)
    assert not (untrained.models_folder / "posture").exists()
    assert not leftovers(untrained.folder)
    pipeline.train(untrained, QUICK)
    assert (untrained.models_folder / "posture" / "model.safetensors").exists()


def test_numpy_that_runs_out_of_space(tmp_path: Path):
    """NumPy's error has no number that says so."""
    with little_space(1000), pytest.raises(UbamError, match=r"a\.npy was not written .*disk is not full"):  # noqa: SIM117
        with atomic_path(tmp_path / "a.npy") as temporary:
            np.save(temporary, np.zeros(10_000))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("table", ["deviation", "subjects"])
def test_no_space_left_is_said_in_words(finished: Study, monkeypatch: pytest.MonkeyPatch, table: str):
    write = pd.DataFrame.to_csv

    def full(self: pd.DataFrame, path: Path, **how: object) -> None:
        if f".{table}." in path.name:
            path.write_text("half of")
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, path, **how)

    old = (finished.results_folder / f"{table}.csv").read_bytes()
    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(UbamError, match=rf"The disk is full: .*{table}\.csv was not written\. Free some space"):
        pipeline.deviate(finished, DeviateSettings())
    assert (finished.results_folder / f"{table}.csv").read_bytes() == old
    assert not leftovers(finished.folder)
