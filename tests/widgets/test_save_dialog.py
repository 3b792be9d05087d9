import pytest
from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from napari_ubam.widgets.save_dialog import ask_where_to_save

FILTERS = "H.264 (*.mp4);;Lossless (*.mkv)"


@pytest.fixture
def asked(monkeypatch, qtbot):
    """Answer the dialogs; gives a function that asks, and the questions that were asked."""
    questions = []
    parent = QWidget()
    qtbot.addWidget(parent)

    def ask(typed, kind="Lossless (*.mkv)", answer=QMessageBox.StandardButton.No):
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: (str(typed or ""), kind))
        monkeypatch.setattr(QMessageBox, "question", lambda _, title, text: (questions.append(text), answer)[1])
        return ask_where_to_save(parent, "Save", "video.mp4", FILTERS)

    return ask, questions


def test_a_name_without_a_suffix_gets_that_of_the_kind(asked, tmp_path):
    ask, questions = asked
    assert ask(tmp_path / "v.mov") == tmp_path / "v.mov"
    assert ask(tmp_path / "v") == tmp_path / "v.mkv"
    assert ask(None) is None
    assert not questions


def test_another_file_is_not_replaced_without_being_asked_for(asked, tmp_path):
    ask, questions = asked
    (tmp_path / "v.mkv").write_bytes(b"a video")
    assert ask(tmp_path / "v") is None
    assert f"{tmp_path / 'v.mkv'} is there already" in questions[0]
    assert ask(tmp_path / "v", answer=QMessageBox.StandardButton.Yes) == tmp_path / "v.mkv"
