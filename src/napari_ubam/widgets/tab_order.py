"""Tab goes through a widget as it is read, from top to bottom; Qt's own order is that in which things were made."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QLayout, QLayoutItem, QScrollArea, QTabWidget, QWidget


def order_tabs(widget: QWidget) -> None:
    """Let Tab go through a widget in the order of its layouts."""
    stops = [x for x in in_order(widget) if x.focusPolicy() & Qt.FocusPolicy.TabFocus]
    for before, after in pairwise(stops):
        QWidget.setTabOrder(before, after)


def in_order(widget: QWidget) -> Iterator[QWidget]:
    """Give what a widget is laid out of, and what these are, as they are read."""
    if isinstance(widget, QTabWidget):
        yield widget.tabBar()
        for i in range(widget.count()):
            yield from in_order(widget.widget(i))
    elif isinstance(widget, QScrollArea) and widget.focusPolicy() == Qt.FocusPolicy.NoFocus:
        yield from in_order(widget.widget())
    elif widget.layout() is None:
        yield widget
    else:
        yield from _in_layout(widget.layout())


def _in_layout(layout: QLayout) -> Iterator[QWidget]:
    for item in _items(layout):
        if item is None:
            continue
        if item.widget() is not None:
            yield from in_order(item.widget())
        elif item.layout() is not None:
            yield from _in_layout(item.layout())


def _items(layout: QLayout) -> Iterator[QLayoutItem | None]:
    if not isinstance(layout, QFormLayout):
        yield from (layout.itemAt(i) for i in range(layout.count()))
        return
    role = QFormLayout.ItemRole
    for row in range(layout.rowCount()):  # its items are in the order in which they were added
        yield from (layout.itemAt(row, each) for each in (role.LabelRole, role.FieldRole))
