"""Which keys do what."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QDialog, QGridLayout, QLabel, QWidget

from mien.app.gui.look.widgets import button, column, label, row


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

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Keyboard shortcuts"))
        groups = (
            (self.tr("LIVE VIEW"), (
                (self.tr("Pause / resume"), "Space"), (self.tr("Full screen"), "F"),
                (self.tr("Leave full screen"), "Esc"), (self.tr("Boxes and bars"), "B"),
                (self.tr("Mirror"), "Ctrl+M"), (self.tr("Side panel"), "F9"),
                (self.tr("Select a person"), "↑ ↓"), (self.tr("First / last person"), "Home End"),
                (self.tr("Rename the selected person"), "F2"),
            )),
            (self.tr("RECORDING"), (
                (self.tr("Start / stop"), "R"), (self.tr("Set a marker"), "M"), (self.tr("Snapshot"), "S"),
            )),
            (self.tr("REVIEW"), (
                (self.tr("Play / pause"), "Space"), (self.tr("Previous / next frame"), "← →"),
                (self.tr("5 seconds back / forward"), "Shift+← Shift+→"), (self.tr("Start / end"), "Home End"),
                (self.tr("Next / previous marker"), "M Shift+M"),
            )),
            (self.tr("SOURCES AND MORE"), (
                (self.tr("Open a file"), "Ctrl+O"), (self.tr("Network stream"), "Ctrl+N"),
                (self.tr("Choose a source"), "Ctrl+L"), (self.tr("Model"), "Ctrl+E"),
                (self.tr("Annotate files"), "Ctrl+J"), (self.tr("Review a recording"), "Ctrl+R"),
                (self.tr("Keyboard shortcuts"), "?"),
            )),
        )  # fmt: skip
        left, right = (
            column(self._group(*groups[0]), 0),
            column(self._group(*groups[1]), 14, self._group(*groups[2]), 0),
        )
        third = column(self._group(*groups[3]), 0)
        close = button(self.tr("Close"), kind="primary")
        close.setDefault(True)
        close.clicked.connect(self.accept)
        body = column(
            label(self.tr("Keyboard shortcuts"), "title"), 8, row(left, right, third, spacing=40), 8, row(0, close)
        )
        body.setContentsMargins(28, 24, 28, 20)
        self.setLayout(body)

    def _group(self, title: str, rows: tuple[tuple[str, str], ...]) -> QWidget:
        grid = QGridLayout()
        grid.setContentsMargins(0, 6, 0, 0)
        grid.setVerticalSpacing(7)
        grid.setHorizontalSpacing(24)
        for number, (text, keys) in enumerate(rows):
            grid.addWidget(label(text), number, 0)
            caps = row(0, *(Key(key) for key in keys.split()), spacing=4)
            grid.addLayout(caps, number, 1)
        box = QWidget()
        box.setLayout(column(label(title, "section"), grid, spacing=2))
        return box
