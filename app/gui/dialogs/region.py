"""Lets the user draw a rectangle on the screen."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QDialog, QWidget

from mien.app.gui.look.frame_view import INK

_SMALLEST = 32


class RegionPicker(QDialog):
    """Covers the screen with a picture of itself; a drag chooses a rectangle, Escape none."""

    picked = Signal(str)
    """``X,Y,WIDTHxHEIGHT`` in device pixels of the desktop."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowFlags(self.windowFlags() | Qt.WindowType.FramelessWindowHint | Qt.WindowType.WindowStaysOnTopHint)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setAccessibleName(self.tr("Draw the region with the mouse; Escape leaves"))
        self._screen = QPixmap()  # a translucent window would need a compositor
        self._from: QPoint | None = None
        self._drawn = QRect()

    def start(self) -> None:
        """Cover the screen on which the parent is."""
        self._screen = self.screen().grabWindow(0)
        self.setModal(True)
        self.setGeometry(self.screen().geometry())
        self.showFullScreen()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._from = event.position().toPoint()
        self._drawn = QRect(self._from, self._from)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._from is not None:
            self._drawn = QRect(self._from, event.position().toPoint()).normalized()
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        drawn, self._from = self._drawn, None
        if min(drawn.width(), drawn.height()) < _SMALLEST:
            self._drawn = QRect()
            self.update()
            return
        ratio, corner = self.devicePixelRatioF(), self.mapToGlobal(drawn.topLeft())
        width, height = round(drawn.width() * ratio) // 2 * 2, round(drawn.height() * ratio) // 2 * 2
        self.picked.emit(f"{round(corner.x() * ratio)},{round(corner.y() * ratio)},{width}x{height}")
        self.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.reject()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.drawPixmap(self.rect(), self._screen)
        painter.fillRect(self.rect(), QColor(8, 10, 14, 150))
        if not self._drawn.isEmpty():
            painter.setClipRect(self._drawn)
            painter.drawPixmap(self.rect(), self._screen)
            painter.setClipping(False)
            painter.setPen(QPen(INK, 2))
            painter.drawRect(self._drawn)
        painter.setPen(INK)
        said = self.tr("Draw a rectangle around what is to be filmed. Escape leaves.")
        painter.drawText(
            self.rect().adjusted(0, 40, 0, 0), Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, said
        )
