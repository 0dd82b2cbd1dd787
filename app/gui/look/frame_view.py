"""A frame shown in its own aspect ratio, with room for a message over it."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QSizePolicy, QWidget

from mien.app.gui.look.icons import paint_icon
from mien.engine.types import RgbImage

INK = QColor("#F2F4F8")
MUTED = QColor("#B4BCC9")


class MessageView(QWidget):
    """A place for a frame, over which something can be said; what is in it is painted by the subclass."""

    def __init__(self) -> None:
        super().__init__()
        self._message = ("", "", "")

    def show_message(self, icon: str, title: str, detail: str = "") -> None:
        """Say something over the frame; an empty title removes it."""
        if self._message != (icon, title, detail):
            self._message = (icon, title, detail)
            self.setAccessibleDescription(f"{title}. {detail}" if title else "")
            self.update()


class FrameView(MessageView):
    """Shows frames, (H, W, 3) uint8 RGB, scaled to fit."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 160)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName(self.tr("Video"))
        self._frame: RgbImage | None = None
        self._image: QImage | None = None

    def show_image(self, image: RgbImage) -> None:
        """Paint `image`, (H, W, 3) uint8 RGB, next."""
        # The image borrows the memory of the array, which must live as long.
        self._frame = np.ascontiguousarray(image)
        height, width = image.shape[:2]
        self._image = QImage(self._frame.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(960, 540)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Shadow))
        if self._image is not None:
            fit = min(self.width() / self._image.width(), self.height() / self._image.height())
            width, height = self._image.width() * fit, self._image.height() * fit
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            target = QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)
            painter.drawImage(target, self._image)
        paint_message(self, painter, *self._message, over=self._image is not None)


def paint_message(widget: QWidget, painter: QPainter, icon: str, title: str, detail: str, *, over: bool) -> None:
    """Write a message into the middle of `widget`; `over`: it lies over a frame, which is darkened."""
    if not title:
        return
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if over:
        painter.fillRect(widget.rect(), QColor(8, 10, 14, 170))
    middle = widget.rect().center()
    text = widget.rect().adjusted(32, 0, -32, 0)
    if icon:
        paint_icon(painter, icon, QRectF(middle.x() - 22, middle.y() - 76, 44, 44), MUTED)
    font = QFont(widget.font())
    font.setPointSizeF(widget.font().pointSizeF() * 1.4)
    font.setWeight(QFont.Weight.DemiBold)
    painter.setFont(font)
    painter.setPen(INK)
    flags = Qt.AlignmentFlag.AlignHCenter | Qt.TextFlag.TextWordWrap
    text.setTop(middle.y() - 18)
    used = painter.boundingRect(text, flags, title)
    painter.drawText(text, flags, title)
    painter.setFont(widget.font())
    painter.setPen(MUTED)
    text.setTop(used.bottom() + 8)
    painter.drawText(text, flags, detail)
