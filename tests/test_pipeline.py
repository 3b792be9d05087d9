import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr

from napari_ubam import pipeline
from napari_ubam.errors import StudyError
from napari_ubam.magnify.compose import compose, overlay_heatmap
from napari_ubam.progress import Cancelled, Progress
from napari_ubam.settings import (
    CompareSettings,
    DeviateSettings,
    EmbedSettings,
    MagnifySettings,
    StudySettings,
    TrainSettings,
)
from napari_ubam.study import (
    Recording,
    Study,
    embedding_path,
    read_embedding,
    read_provenance,
    read_reference,
    write_reference,
)
from napari_ubam.video import open_frames, write_video

CPU = EmbedSettings(device="cpu")
UNSEEN = range(10, 20)  # frames without a box


def magnified(study: Study, name: str, factor: float = 2.5, frames: range | None = None):
    settings = MagnifySettings(factor=factor, unreliable="magnify", device="cpu")
    return list(pipeline.magnify(study, name, settings, frames=frames))


def pictures(study: Study, name: str) -> np.ndarray:
    with open_frames(study.recording(name).path) as source:
        return source[:]


def copy_of(cohort: Path, folder: Path, recordings: list[Recording], settings: StudySettings) -> Study:
    """Make a study of other recordings with the models of the cohort's study."""
    study = Study.create(folder / "study", recordings, "healthy", settings)
    study.models_folder.symlink_to(cohort / "study" / "models", target_is_directory=True)
    return study


@pytest.fixture(scope="module")
def cohort(finished_cohort: Path) -> Study:
    return Study.open(finished_cohort / "study")


@pytest.fixture(scope="module")
def varied(finished_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Give a measured study with recordings of all kinds, and the models of the cohort."""
    folder = tmp_path_factory.mktemp("varied")
    plain = Study.open(finished_cohort / "study")
    walk = pictures(plain, "i01")
    write_video(folder / "back.mkv", walk[:, :, ::-1], 30)
    write_video(folder / "still.mkv", np.repeat(walk[:1], 12, 0), 30)
    write_video(folder / "short.mkv", walk[:1], 30)
    write_video(folder / "wide.mkv", np.pad(walk, ((0, 0), (3, 4), (11, 20), (0, 0)), mode="edge"), 25)  # 71 x 95
    seen = [t for t in range(40) if t not in UNSEEN]
    boxes = pd.DataFrame({"frame": seen, "x": [t // 8 for t in seen], "y": -2, "width": 50, "height": 60})
    boxes.to_csv(folder / "boxes.csv", index=False)
    path = plain.recording("i01").path

    def impaired(name: str, path: Path, **further: object) -> Recording:
        return Recording(name=name, path=path, subject=name, group="impaired", **further)

    recordings = [r for r in plain.recordings if r.name != "i02"] + [
        impaired("part", path, start=10, stop=30),
        impaired("back", folder / "back.mkv", side="left"),
        impaired("still", folder / "still.mkv"),
        impaired("short", folder / "short.mkv"),
        impaired("wide", folder / "wide.mkv", x=50, y=2, width=60, height=64),
        impaired("boxed", path, boxes=folder / "boxes.csv"),
    ]
    study = copy_of(finished_cohort, folder, recordings, StudySettings(crop_size=64, mirror_to="right"))
    assert pipeline.embed(study, CPU) == []
    assert pipeline.deviate(study) == []
    return study


@pytest.fixture(scope="module")
def drawn(finished_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """Give a study with the paper's generator and reference, and a posture that is not landmarks."""
    from napari_ubam.training.train import STEPS, Steps

    folder = tmp_path_factory.mktemp("drawn")
    plain = Study.open(finished_cohort / "study")
    study = Study.create(folder / "study", plain.recordings, "healthy", StudySettings(crop_size=64))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(STEPS, "quick", Steps(posture=2, generator=2, behaviour=2))
        pipeline.train(study, TrainSettings(preset="quick", objective="contrastive", device="cpu"))
    pipeline.embed(study, CPU)
    pipeline.deviate(study, DeviateSettings(reference="nearest"))
    return study


def test_embeddings_have_one_row_a_frame(cohort: Study):
    for recording in cohort.recordings:
        group = zarr.open_group(cohort.embeddings_folder / f"{recording.name}.zarr", mode="r")
        assert group["posture"].shape == (40, 32)
        assert group["posture"].dtype == np.float32
        assert group["behaviour"].shape[0] == 40
        assert group["behaviour"].dtype == np.float32
        np.testing.assert_array_equal(group["frame"][:], np.arange(40))
        assert np.isfinite(group["posture"][:]).all()
        assert np.isfinite(group["behaviour"][:]).all()


def test_embeddings_are_in_frame_order(varied: Study):
    """A recording of a part of the file has the postures of those frames."""
    whole, part = read_embedding(varied, "i01"), read_embedding(varied, "part")
    np.testing.assert_array_equal(part.frame, np.arange(10, 30))
    # the background is that of fewer frames, so postures are nearly the same
    distance = np.linalg.norm(whole.posture[None] - part.posture[:, None], axis=-1)
    same = distance[np.arange(20), np.arange(10, 30)]
    assert same.mean() < 0.5 * distance.mean()


def test_deviation_table(cohort: Study):
    table = pd.read_csv(cohort.results_folder / "deviation.csv")
    assert list(table.columns) == ["recording", "subject", "group", "frame", "deviation", "percentile", "reliable"]
    assert len(table) == 5 * 40
    assert table["reliable"].dtype == bool
    assert table["reliable"].mean() > 0.5
    assert table["frame"].dtype == np.int64
    assert np.isfinite(table["deviation"]).all()
    assert table["percentile"].between(0, 100).all()
    assert list(table["recording"].unique()) == [r.name for r in cohort.recordings]


def test_subjects_table(cohort: Study):
    table = pd.read_csv(cohort.results_folder / "subjects.csv").set_index("subject")
    assert list(table.columns) == ["group", "deviation", "rank", "p_value", "n_reference"]
    assert table["n_reference"].to_dict() == {"h01": 2, "h02": 2, "h03": 2, "i01": 3, "i02": 3}
    np.testing.assert_allclose(table["p_value"], table["rank"] / (table["n_reference"] + 1), rtol=1e-5)
    frames = pd.read_csv(cohort.results_folder / "deviation.csv")
    means = frames[frames["reliable"]].groupby("subject")["deviation"].mean()
    for subject in means.index:
        assert table.loc[subject, "deviation"] == pytest.approx(means[subject], rel=1e-4)


def test_other_results(cohort: Study):
    groups = pd.read_csv(cohort.results_folder / "groups.csv")
    assert groups["measure"].tolist() == ["deviation", "important", "abnormal"]
    assert groups[["group", "reference", "n_group", "n_reference"]].drop_duplicates().to_numpy().tolist() == [
        ["impaired", "healthy", 2, 3]
    ]
    assert groups["auc"].between(0, 1).all()
    run = json.loads((cohort.results_folder / "run.json").read_text())
    assert {"napari-ubam", "python", "torch", "numpy", "av"} <= set(run["versions"])
    assert run["train"] == TrainSettings(preset="quick", device="cpu").model_dump()
    assert run["deviate"] == DeviateSettings().model_dump()
    assert run["compare"] == CompareSettings().model_dump()


def test_report_is_one_file(cohort: Study):
    page = (cohort.results_folder / "report.html").read_text(encoding="utf-8")
    loaded = re.findall(r"""(?:src|href|data|url)\s*[=(]\s*["']?([^"')\s>]+)""", page)
    assert [link for link in loaded if not link.startswith(("data:", "#"))] == []
    assert "<script src" not in page
    for subject in ("h01", "h02", "h03", "i01", "i02"):
        assert subject in page


@pytest.mark.usefixtures("undrawn")
def test_report_needs_no_videos(finished: Study):
    """A report is written of what was measured, also after the disk with the videos was taken off."""
    for recording in finished.recordings:
        recording.path.unlink()
    pipeline.make_report(finished)


@pytest.mark.usefixtures("undrawn")
def test_report_names_those_whose_background_holds_the_subject(finished: Study):
    page = (finished.results_folder / "report.html").read_text("utf-8")
    assert "could not be taken out of the background" not in page
    assert read_provenance(finished, "i01")["is_empty"]
    zarr.open_group(embedding_path(finished, "i01"), mode="r+").attrs["is_empty"] = False
    page = pipeline.make_report(finished).read_text("utf-8")
    assert "could not be taken out of the background of i01, as it was in the other recordings" in page


def test_all_recordings_are_measured(varied: Study):
    table = pd.read_csv(varied.results_folder / "deviation.csv")
    assert np.isfinite(table["deviation"]).all()
    frames = {name: list(rows["frame"]) for name, rows in table.groupby("recording")}
    assert frames["part"] == list(range(10, 30))
    assert frames["short"] == [0]
    assert len(frames["still"]) == 12
    assert len(frames["boxed"]) == len(frames["wide"]) == 40


def test_frames_without_a_box_are_unreliable(varied: Study):
    table = pd.read_csv(varied.results_folder / "deviation.csv")
    boxed = table[table["recording"] == "boxed"].set_index("frame")["reliable"]
    assert not boxed[boxed.index.isin(UNSEEN)].any()
    assert boxed[~boxed.index.isin(UNSEEN)].mean() > 0.5


def test_factor_1_gives_the_recording_bit_for_bit(varied: Study):
    for name in ("i01", "wide", "boxed", "back", "short", "still"):
        found = magnified(varied, name, factor=1)
        np.testing.assert_array_equal(np.stack([f.image for f in found]), pictures(varied, name))


@pytest.mark.parametrize("factor", [0.0, 2.5])
def test_other_factors_change_the_region_only(varied: Study, factor: float):
    found = magnified(varied, "wide", factor)
    original = pictures(varied, "wide")
    changed = np.stack([f.image for f in found]) != original
    assert changed.any((1, 2, 3)).mean() > 0.9
    square = np.zeros(original.shape[1:3], bool)
    square[2:66, 48:] = True  # 64 px around the middle of the region of 60 x 64 px, cut off by the picture's edge
    assert not changed[:, ~square].any()
    assert not np.stack([f.heatmap for f in found])[:, ~square].any()


def test_boxed_recording_changes_within_its_boxes(varied: Study):
    original = pictures(varied, "boxed")
    found = magnified(varied, "boxed")
    changed = np.stack([f.image for f in found]) != original
    assert changed.any()
    assert not changed[:, 58:].any()  # a box is 60 px high and ends at y = 58


def test_mirrored_recording_is_measured_and_drawn_as_its_mirror_image(varied: Study):
    plain, back = read_embedding(varied, "i01"), read_embedding(varied, "back")
    np.testing.assert_allclose(plain.posture, back.posture, atol=1e-5)
    np.testing.assert_allclose(
        read_reference(varied, "i01").reference, read_reference(varied, "back").reference, atol=1e-4
    )
    for one, other in zip(magnified(varied, "i01"), magnified(varied, "back"), strict=True):
        difference = np.abs(one.image.astype(int) - other.image[:, ::-1])
        assert difference.mean() < 0.5
        assert np.percentile(difference, 99) <= 4
        np.testing.assert_allclose(one.heatmap, other.heatmap[:, ::-1], atol=0.02 * one.heatmap.max() + 1e-3)


def test_a_range_of_frames_is_the_same_as_in_the_whole(varied: Study):
    whole = {f.frame: f.image for f in magnified(varied, "part")}
    assert sorted(whole) == list(range(10, 30))
    some = magnified(varied, "part", frames=range(12, 17))
    assert [f.frame for f in some] == [12, 13, 14, 15, 16]
    for frame in some:
        difference = np.abs(frame.image.astype(int) - whole[frame.frame])
        assert difference.max() <= 1  # batches of other sizes round otherwise
    with pytest.raises(StudyError, match=r"part has no frame in the range .* frames 10 to 29"):
        magnified(varied, "part", frames=range(30, 40))


def test_a_magnifier_that_is_kept_open_draws_any_frame_at_any_factor(varied: Study):
    magnifier = pipeline.Magnifier(varied, "part", "cpu", unreliable="magnify")
    assert magnifier.frame.tolist() == list(range(10, 30))
    for factor in (2.5, 0):
        whole = {f.frame: f for f in magnified(varied, "part", factor)}
        for frame in magnifier.draw([27, 11], factor):
            difference = np.abs(frame.image.astype(int) - whole[frame.frame].image)
            assert difference.max() <= 1  # batches of other sizes round otherwise
            np.testing.assert_allclose(frame.heatmap, whole[frame.frame].heatmap, atol=1e-3)
            np.testing.assert_array_equal(magnifier.images([frame.frame], 1)[0], pictures(varied, "part")[frame.frame])
    images = list(magnifier.iterate_images(0, range(12, 15)))
    np.testing.assert_array_equal(images, [f.image for f in magnifier.iterate(0, range(12, 15))])
    for outside in (9, 30):
        with pytest.raises(StudyError, match=rf"part has no frames \[{outside}\]; it has frames 10 to 29"):
            magnifier.draw([outside], 1)


def test_frames_without_a_good_reference_are_left_as_they_are(varied: Study, tmp_path: Path):
    was = read_reference(varied, "part")
    left = (was.frame >= 14) & (was.frame < 18)
    write_reference(varied, "part", replace(was, reliable=~left))
    try:
        heat, settings = tmp_path / "heat.zarr", MagnifySettings(factor=6, device="cpu")
        pipeline.save_magnified(varied, "part", tmp_path / "a.mkv", settings, heatmap=heat, frames=range(12, 20))
    finally:
        write_reference(varied, "part", was)
    array = zarr.open_array(heat, mode="r")
    assert dict(array.attrs) == {"recording": "part", "frames": [12, 19], "left_as_they_are": [14, 15, 16, 17]}
    expected = magnified(varied, "part", 6, range(12, 20))
    with open_frames(tmp_path / "a.mkv") as video:
        for i, frame in enumerate(expected):
            is_left = 14 <= frame.frame < 18
            original = pictures(varied, "part")[frame.frame]
            wanted = original if is_left else frame.image
            assert np.abs(video[i].astype(int) - wanted).max() <= (0 if is_left else 1)
            assert array[i].any() != is_left


def test_lossless_video_holds_the_magnified_frames(varied: Study, tmp_path: Path):
    out, heat = tmp_path / "new" / "wide.mkv", tmp_path / "heat.zarr"
    settings = MagnifySettings(factor=2.5, unreliable="magnify", device="cpu")
    assert pipeline.save_magnified(varied, "wide", out, settings, heatmap=heat) == 40
    found = magnified(varied, "wide")
    with open_frames(out) as video:
        assert video.fps == pytest.approx(25)
        np.testing.assert_array_equal(video[:], np.stack([f.image for f in found]))
    array = zarr.open_array(heat, mode="r")
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array[:], np.stack([f.heatmap for f in found]))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["heat.zarr", "new"]


def test_a_video_compares_the_magnified_frames_with_the_recording(varied: Study, tmp_path: Path):
    settings, frames = MagnifySettings(factor=2, device="cpu", unreliable="magnify"), range(12, 14)
    expected = list(pipeline.magnify(varied, "part", settings, frames=frames))
    heat, out = tmp_path / "heat.zarr", tmp_path / "a.mkv"
    pipeline.save_magnified(varied, "part", out, settings, frames=frames, show="heatmap", heatmap=heat)
    with open_frames(out) as video:
        shown = list(video.iterate())
    for picture, frame in zip(shown, expected, strict=True):
        np.testing.assert_array_equal(picture, overlay_heatmap(frame.original, frame.heatmap))
    np.testing.assert_array_equal(zarr.open_array(heat)[:], [frame.heatmap for frame in expected])
    pipeline.save_magnified(varied, "part", out, settings, frames=frames, show="side-by-side", arrows=True)
    with open_frames(out) as video:
        (panels,) = video.read([0])
    np.testing.assert_array_equal(panels, compose(expected[0], "side-by-side", "part", 2, arrows=True))


def test_h264_video_shows_the_magnified_frames(varied: Study, tmp_path: Path):
    settings = MagnifySettings(factor=2.5, unreliable="magnify", device="cpu")
    pipeline.save_magnified(varied, "part", tmp_path / "a.mp4", settings, frames=range(12, 20))
    with open_frames(tmp_path / "a.mp4") as video:
        assert video.shape == (8, 64, 64, 3)
        found = np.stack([f.image for f in magnified(varied, "part", frames=range(12, 20))])
        assert np.abs(video[:].astype(int) - found).mean() < 8


def test_the_papers_generator(drawn: Study):
    impaired = ("i01", "i02")
    found = [frame for name in impaired for frame in magnified(drawn, name)]
    assert len(found) == 80
    assert found[0].image.shape == (64, 64, 3)
    assert found[0].vectors.shape == (0, 2, 2)
    peaks = np.array([f.heatmap.max() for f in found])
    table = pd.read_csv(drawn.results_folder / "deviation.csv").set_index("recording")
    scores = np.concatenate([table.loc[name, "deviation"] for name in impaired])
    assert peaks.min() > 0  # this reference leaves nothing out as normal
    assert np.corrcoef(peaks, scores)[0, 1] > 0.9
    name, clearest = impaired[peaks.argmax() // 40], peaks.argmax() % 40
    zero, far = magnified(drawn, name, 0)[clearest].image, magnified(drawn, name, 6)[clearest].image
    assert (zero != far).any()


def test_same_seed_same_result(cohort: Study, finished: Study, few_steps: None):
    pipeline.train(finished, TrainSettings(preset="quick", device="cpu"))
    pipeline.embed(finished, EmbedSettings(device="cpu", anew=True))
    pipeline.deviate(finished)
    for name in ("i01", "h02"):
        np.testing.assert_array_equal(read_embedding(finished, name).posture, read_embedding(cohort, name).posture)
    for name in ("deviation.csv", "subjects.csv"):
        assert (finished.results_folder / name).read_text() == (cohort.results_folder / name).read_text()


def test_order_of_recordings_does_not_matter(finished: Study, cohort: Study):
    turned = finished.replace(recordings=reversed(finished.recordings))
    pipeline.deviate(turned)
    one = pd.read_csv(cohort.results_folder / "subjects.csv").set_index("subject")
    other = pd.read_csv(turned.results_folder / "subjects.csv").set_index("subject")
    np.testing.assert_allclose(other.loc[one.index, "deviation"], one["deviation"], rtol=1e-4)
    assert list(other.loc[one.index, "rank"]) == list(one["rank"])


@pytest.mark.usefixtures("undrawn")
def test_every_step_tells_its_progress_to_the_end(finished: Study):
    for step in (pipeline.embed, pipeline.deviate, pipeline.compare, pipeline.make_report):
        told: list[Progress] = []
        step(finished, report=told.append)
        assert told[-1].done == told[-1].total > 0


def test_cancelled_step_leaves_results_as_they_were(finished: Study):
    def files() -> dict[Path, bytes]:
        folders = finished.results_folder, finished.embeddings_folder
        return {p: p.read_bytes() for folder in folders for p in folder.rglob("*") if p.is_file()}

    def cancel(progress: Progress) -> None:
        if progress.done > 1:
            raise Cancelled

    before = files()
    with pytest.raises(Cancelled):
        pipeline.deviate(finished, report=cancel)
    assert files() == before


def test_covariates_are_in_the_report(finished: Study):
    page = (finished.results_folder / "report.html").read_text(encoding="utf-8")
    assert "severity" in page
