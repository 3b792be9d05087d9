from qtpy.QtWidgets import QLineEdit

from napari_ubam.widgets.fold import Fold


def test_what_is_folded_away_is_shown_and_hidden_by_its_title(qtbot):
    line = QLineEdit()
    fold = Fold("More settings", line)
    qtbot.addWidget(fold)
    fold.show()
    assert not line.isVisible()
    folded = fold.sizeHint().height()
    fold.button.click()
    assert line.isVisible()
    assert "▾ More settings" in fold.button.text()
    assert fold.sizeHint().height() > folded
    fold.button.click()
    assert not line.isVisible()
    assert fold.sizeHint().height() == folded
