from napari.qt import get_current_stylesheet
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from napari_ubam.widgets.fold import Fold
from napari_ubam.widgets.tab_order import in_order, order_tabs


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


def test_what_has_no_room_is_scrolled_to_and_tab_reaches_it(qtbot):
    lines, content = [QLineEdit() for _ in range(20)], QWidget()
    column = QVBoxLayout(content)
    for line in lines:
        column.addWidget(line)
    fold = Fold("More settings", content)
    qtbot.addWidget(fold)
    fold.button.click()
    assert fold.sizeHint().height() > content.sizeHint().height()
    assert fold.minimumSizeHint().height() < 100
    order_tabs(fold)
    assert [x for x in in_order(fold) if isinstance(x, QLineEdit)] == lines
    fold.resize(200, 150)
    fold.show()
    lines[-2].setFocus()
    qtbot.keyClick(lines[-2], Qt.Key.Key_Tab)
    assert not lines[-1].visibleRegion().isEmpty()
    for line in lines[4:]:
        line.hide()
    qtbot.waitUntil(lambda: fold.sizeHint().height() < 200)


def test_where_there_is_room_nothing_is_scrolled(qtbot):
    content, page = QLineEdit(), QWidget()
    qtbot.addWidget(page)
    page.setStyleSheet(get_current_stylesheet())  # as in napari's window
    column, fold = QVBoxLayout(page), Fold("More settings", content)
    column.addWidget(fold)
    column.addStretch(1)
    page.resize(200, 300)
    page.show()
    fold.button.click()
    qtbot.waitUntil(lambda: not content.visibleRegion().isEmpty())
    assert content.visibleRegion().boundingRect().height() == content.height() >= content.sizeHint().height()
