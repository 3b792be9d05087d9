import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_ubam.study import Recording, Study
from napari_ubam.video import write_video
from napari_ubam.widgets.embedding.embedding_data import MapData
from napari_ubam.widgets.embedding.frame_pictures import FramePictures
from napari_ubam.widgets.embedding.neighbours_page import NeighboursPage

GREYS = (20, 60, 100, 180)


@pytest.fixture
def study(tmp_path):
    """Give four subjects, each filmed in front of another grey."""
    recordings = []
    for i, grey in enumerate(GREYS):
        write_video(tmp_path / f"r{i}.mkv", np.full((3, 64, 64, 3), grey, np.uint8), fps=10)
        group = "healthy" if i < 2 else "impaired"
        recordings.append(Recording(name=f"r{i}", path=tmp_path / f"r{i}.mkv", subject=f"s{i}", group=group))
    return Study.create(tmp_path / "study", recordings, "healthy")


@pytest.fixture
def data(study):
    """Give three frames a recording: r2 is nearest to r0, then r1, then r3; frame 1 of each is the nearest."""
    places = np.array([[0.0, 1, 5], [12, 10, 15], [6, 4, 8], [30, 20, 25]]).ravel()
    n, nothing = 12, np.full(12, np.nan)
    return MapData(
        position=np.zeros((n, 2), np.float32), recordings=study.recordings, which=np.repeat(np.arange(4), 3),
        frame=np.tile(np.arange(3), 4), codes=places[:, None].astype(np.float32), step=1, deviation=nothing,
        cluster=np.full(n, -1),
    )  # fmt: skip


@pytest.fixture
def page(qtbot, study, data):
    page = NeighboursPage()
    qtbot.addWidget(page, before_close_func=NeighboursPage.close_thread)
    page.show_data(data, FramePictures(study), [x.group for x in study.recordings])
    page.show()
    return page


def wait_for(qtbot, page, rows):
    qtbot.waitUntil(lambda: page.found is not None and page.found.rows.tolist() == rows, timeout=30_000)


def test_the_nearest_frame_of_each_other_subject_is_shown_with_its_distance(qtbot, page):
    page.mark(0)
    wait_for(qtbot, page, [7, 4, 10])
    assert [page.gallery.item(i).text() for i in range(3)] == [
        "s2 (impaired)\n4", "s1 (healthy)\n10", "s3 (impaired)\n20",
    ]  # fmt: skip
    icon = page.gallery.item(2).icon().pixmap(84, 84).toImage()
    assert icon.pixelColor(40, 40).red() == pytest.approx(180, abs=6)
    assert page.query.pixmap().toImage().pixelColor(60, 60).red() == pytest.approx(20, abs=6)
    average = page.average.pixmap().toImage().pixelColor(60, 60).red()
    assert average == pytest.approx(np.mean([60, 100, 180]), abs=6)
    with qtbot.waitSignal(page.point_clicked) as clicked:
        page.gallery.itemClicked.emit(page.gallery.item(1))
    assert clicked.args == [4]


def test_groups_can_be_chosen(qtbot, page):
    page.mark(0)
    page.group.setCurrentText("healthy")
    wait_for(qtbot, page, [4])
    page.group.setCurrentText("impaired")
    wait_for(qtbot, page, [7, 10])
    page.mark(10)
    wait_for(qtbot, page, [8])


def test_nothing_is_looked_for_while_it_is_hidden_but_when_it_is_shown(qtbot, page):
    page.hide()
    page.mark(0)
    assert not page._finder.busy
    page.show()
    wait_for(qtbot, page, [7, 4, 10])


def test_another_map_forgets_what_was_found(qtbot, page, data):
    page.mark(0)
    wait_for(qtbot, page, [7, 4, 10])
    page.show_data(data, page._pictures, ["healthy"])
    assert page.gallery.count() == 0
    assert [page.group.itemText(i) for i in range(page.group.count())] == ["all groups", "healthy"]
    assert "Click a point" in page.caption.text()
    assert page.gallery.accessibleName()
    assert page.caption.textFormat() == Qt.TextFormat.PlainText


def test_a_video_that_is_gone_is_a_message(qtbot, page, study, notifications):
    study.recordings[3].path.unlink()
    page.mark(0)
    qtbot.waitUntil(lambda: len(notifications) > 0, timeout=30_000)
    assert "r3" in notifications[-1]


def test_a_study_of_one_subject_says_so(qtbot, page, data):
    alone = MapData(
        data.position[:3], data.recordings[:1], data.which[:3], data.frame[:3], data.codes[:3], 1, data.deviation[:3],
        data.cluster[:3],
    )  # fmt: skip
    page.show_data(alone, page._pictures, ["healthy"])
    page.mark(1)
    wait_for(qtbot, page, [])
    assert "No other subject" in page.caption.text()
