import pytest
from qtpy.QtWidgets import QDialogButtonBox

from napari_ubam.widgets.study.name_dialog import NameDialog


@pytest.fixture
def dialog(qtbot, recordings):
    dialog = NameDialog(recordings, [0, 1, 2])
    qtbot.addWidget(dialog)
    return dialog


def can_be_accepted(dialog):
    return dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).isEnabled()


def test_the_preview_follows_what_is_typed(dialog, recordings):
    assert not can_be_accepted(dialog)  # no file has three parts
    dialog.pattern.setEditText("{group}_{subject}")
    assert can_be_accepted(dialog)
    assert dialog.told.text().startswith("3 of 3 names fit")
    assert [dialog.preview.item(2, column).text() for column in range(3)] == ["videos/walk_2.mkv", "walk", "2"]
    assert [x.subject for x in dialog.result_table] == ["0", "1", "2", "s3"]


def test_what_is_wrong_is_told_while_it_is_typed(dialog):
    for text, why in (("{group", "no pattern"), ("{subject}_{group}", "in two groups")):
        dialog.pattern.setEditText(text)
        assert why in dialog.told.text()
        assert not can_be_accepted(dialog)
