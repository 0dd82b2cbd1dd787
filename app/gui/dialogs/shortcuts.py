"""Which keys do what."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QKeySequence, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QDialog, QGridLayout, QLabel, QScrollArea, QWidget

from mien.app.gui.look.widgets import button, column, label, row

_WIDEST = 940  # pixels of two columns


class Key(QLabel):
    """A key, drawn as a key cap."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() * 0.95)
        self.setFont(font)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setContentsMargins(9, 3, 9, 4)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(self.palette().color(QPalette.ColorRole.Mid))
        painter.setBrush(self.palette().color(QPalette.ColorRole.Base))
        painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), 5, 5)
        painter.end()
        super().paintEvent(event)


class ShortcutsSheet(QDialog):
    """The keys, in groups."""

    def __init__(self, parent: QWidget, menus: list[tuple[str, list[tuple[str, list[str]]]]]) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Keyboard shortcuts"))
        review = [
            (self.tr("Play / pause"), _keys("Space")), (self.tr("Previous / next frame"), _keys("Left", "Right")),
            (self.tr("5 seconds back / forward"), _keys("Shift+Left", "Shift+Right")),
            (self.tr("Start / end"), _keys("Home", "End")), (self.tr("Next / previous marker"), _keys("N", "Shift+N")),
        ]  # fmt: skip
        groups = [(title.upper(), rows) for title, rows in menus if rows] + [(self.tr("IN A REVIEW"), review)]
        # Two columns of about the same height.
        whole = sum(len(rows) + 2 for _, rows in groups)
        columns: list[list[QWidget]] = [[], []]
        height = 0
        for title, rows in groups:
            columns[height + len(rows) / 2 >= whole / 2].append(self._group(title, rows))
            height += len(rows) + 2
        needed = sum(max((part.sizeHint().width() for part in parts), default=0) for parts in columns) + 44
        if needed > min(_WIDEST, parent.screen().availableGeometry().width() - 120):  # in one column
            columns = [[*columns[0], *columns[1]]]
        inside = QWidget()
        inside.setLayout(row(*(column(*parts, 0, spacing=12) for parts in columns), spacing=44, margins=4))
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setProperty("flat", True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        area.setMinimumWidth(inside.sizeHint().width() + 24)
        close = button(self.tr("Close"), kind="primary")
        close.setDefault(True)
        close.clicked.connect(self.accept)
        body = column(label(self.tr("Keyboard shortcuts"), "title"), 8, area, 8, row(0, close))
        body.setContentsMargins(28, 24, 28, 20)
        self.setLayout(body)
        room = parent.screen().availableGeometry().height()
        self.resize(self.sizeHint().width(), min(inside.sizeHint().height() + 150, room - 60))

    def _group(self, title: str, rows: list[tuple[str, list[str]]]) -> QWidget:
        grid = QGridLayout()
        grid.setContentsMargins(0, 6, 0, 0)
        grid.setVerticalSpacing(7)
        grid.setHorizontalSpacing(24)
        for number, (text, keys) in enumerate(rows):
            grid.addWidget(label(text), number, 0)
            caps = row(0, *(Key(key) for key in keys), spacing=4)
            grid.addLayout(caps, number, 1)
        box = QWidget()
        box.setLayout(column(label(title, "section"), grid, spacing=2))
        return box


def _keys(*keys: str) -> list[str]:
    """As people here call them."""
    return [QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) for key in keys]
