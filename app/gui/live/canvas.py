"""The live view: shows what the engine rendered for exactly this size, and reports which face was clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy

from mien.app.gui.look.frame_view import INK, MessageView, paint_message

if TYPE_CHECKING:
    from mien.engine.drawing.view import View


_RED: Final = QColor("#FF4D4D")


class Canvas(MessageView):
    """Paints the newest view, centred, and messages over it."""

    resized = Signal(int, int)
    """The size in device pixels for which frames should be rendered."""
    face_clicked = Signal(int)
    double_clicked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 160)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Live view"))
        self._view: View | None = None
        self._image: QImage | None = None
        self._badge = self._recording = ""
        self.painted = 0
        """How many views were painted."""

    @property
    def view(self) -> View | None:
        return self._view

    def show_view(self, view: View) -> None:
        """Paint `view` next."""
        height, width = view.image.shape[:2]
        # The image borrows the memory of the frame, which `view` keeps alive.
        self._image = QImage(view.image.data, width, height, view.image.strides[0], QImage.Format.Format_RGB888)
        self._view = view
        self.update()

    def clear(self) -> None:
        """Forget the frame."""
        self._view = self._image = None
        self.update()

    def show_badge(self, text: str) -> None:
        """Show a short word in the corner, such as "Paused"; "" removes it."""
        if self._badge != text:
            self._badge = text
            self.update()

    def show_recording(self, text: str) -> None:
        """Show a red dot and `text` in the corner while something is recorded; "" removes both."""
        if self._recording != text:
            self._recording = text
            self.update()

    @property
    def badges(self) -> tuple[str, str]:
        """What the corner says: of the recording, and of the view."""
        return self._recording, self._badge

    def sizeHint(self) -> QSize:
        return QSize(960, 640)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._tell_size()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._tell_size()

    def _tell_size(self) -> None:
        ratio = self.devicePixelRatioF()
        self.resized.emit(max(16, round(self.width() * ratio)), max(16, round(self.height() * ratio)))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Shadow))
        if self._image is not None:
            painter.drawImage(self._target(), self._image)
            self.painted += 1
        paint_message(self, painter, *self._message, over=self._image is not None)
        left = self._paint_badge(painter, 14.0, self._recording, dot=True) if self._recording else 14.0
        if self._badge:
            self._paint_badge(painter, left, self._badge)

    def _target(self) -> QRectF:
        """Where the frame goes, in the widget's coordinates: unscaled in device pixels, where it fits."""
        assert self._image is not None
        ratio = self.devicePixelRatioF()
        width, height = self._image.width() / ratio, self._image.height() / ratio
        # While the window is being resized, frames of the old size still come.
        fit = min(self.width() / width, self.height() / height)
        if fit < 1 or fit > 1.02:
            width, height = width * fit, height * fit
        x, y = (self.width() - width) / 2, (self.height() - height) / 2
        return QRectF(round(x * ratio) / ratio, round(y * ratio) / ratio, width, height)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        track = self.face_at(event.position())
        if track is not None:
            self.face_clicked.emit(track)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.double_clicked.emit()

    def face_at(self, point: QPointF) -> int | None:
        """Track id of the face at `point` of the widget."""
        if self._view is None or self._image is None:
            return None
        target = self._target()
        zoom = self._image.width() / target.width()
        left, top = self._view.offset
        face = self._view.face_at(left + (point.x() - target.x()) * zoom, top + (point.y() - target.y()) * zoom)
        return None if face is None else face.track_id

    def _paint_badge(self, painter: QPainter, left: float, text: str, *, dot: bool = False) -> float:
        """Paint a short word at `left`; returns where the next one goes."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        room = 16 if dot else 0
        area = QRectF(left, 14, painter.fontMetrics().horizontalAdvance(text) + 24 + room, 28)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(10, 12, 16, 200))
        painter.drawRoundedRect(area, 14, 14)
        if dot:
            painter.setBrush(_RED)
            painter.drawEllipse(QPointF(area.left() + 17, area.center().y()), 5, 5)
        painter.setPen(INK)
        painter.drawText(area.adjusted(room, 0, 0, 0), Qt.AlignmentFlag.AlignCenter, text)
        return area.right() + 8
