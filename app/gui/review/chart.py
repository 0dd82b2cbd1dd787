"""The timeline of a recorded session: a lane for each person, markers and gaps. Painted for screen and for paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from mien.app.gui.live.people import Person
from mien.app.gui.look.palette import series_colour
from mien.app.gui.look.widgets import clock

if TYPE_CHECKING:
    from mien.engine.review.session import RecordedSession

NAMES = 110
LANE = 46
AXIS = 26
FLAGS = 22
_BREAK_S = 1.0


class ChartPainter:
    """Draws a session into any rectangle; one unit is one pixel of the screen, or a point of paper."""

    def __init__(self, session: RecordedSession, palette: QPalette, font: QFont, *, label: int | None = None) -> None:
        self._session, self._palette, self._font = session, palette, font
        self._label = label

    def height(self) -> float:
        """What all lanes need."""
        return FLAGS + LANE * max(len(self._session.tracks), 1) + AXIS

    def x_of(self, time_s: float, area: QRectF) -> float:
        session = self._session
        share = time_s / max(session.duration_s, 1e-6)
        return area.left() + NAMES + share * (area.width() - NAMES - 12)

    def time_at(self, x: float, area: QRectF) -> float:
        share = (x - area.left() - NAMES) / max(area.width() - NAMES - 12, 1.0)
        return min(max(share, 0.0), 1.0) * self._session.duration_s

    def paint(self, painter: QPainter, area: QRectF) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._font)
        self._paint_gaps(painter, area)
        for number, (track_id, track) in enumerate(self._session.tracks.items()):
            self._paint_lane(painter, area, area.top() + FLAGS + number * LANE, track_id, track)
        self._paint_axis(painter, area)
        self._paint_markers(painter, area)

    def _ink(self, role: QPalette.ColorRole) -> QColor:
        return self._palette.color(role)

    def _paint_lane(self, painter: QPainter, area: QRectF, top: float, track_id: int, track: Any) -> None:
        lane = QRectF(area.left() + NAMES, top + 5, area.width() - NAMES - 12, LANE - 10)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._ink(QPalette.ColorRole.AlternateBase))
        painter.drawRoundedRect(lane, 4, 4)
        painter.setBrush(Person(track_id).colour)
        painter.drawEllipse(QRectF(area.left() + 2, top + LANE / 2 - 5, 10, 10))
        painter.setPen(self._ink(QPalette.ColorRole.WindowText))
        name = painter.fontMetrics().elidedText(
            self._session.name_of(track_id), Qt.TextElideMode.ElideRight, NAMES - 28
        )
        where = QRectF(area.left() + 20, top, NAMES - 26, LANE)
        painter.drawText(where, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
        values = np.asarray(track.probabilities)
        times = np.asarray(track.times_s)
        good = np.isfinite(values).all(axis=1) if len(values) else np.zeros(0, bool)
        if not good.any():
            return
        times, values = times[good], values[good]
        cuts = np.flatnonzero(np.diff(times) > _BREAK_S) + 1
        for some, shares in zip(np.split(times, cuts), np.split(values, cuts), strict=True):
            self._paint_stretch(painter, area, lane, some, shares)

    def _paint_stretch(self, painter: QPainter, area: QRectF, lane: QRectF, times: Any, values: Any) -> None:
        """One unbroken stretch: which expression, as coloured blocks as high as it is probable."""
        chosen = values.argmax(axis=1) if self._label is None else np.full(len(values), self._label)
        height = values[np.arange(len(values)), chosen]
        # No more points than pixels.
        pixels = max(int(lane.width()), 1)
        stride = max(1, len(times) // (2 * pixels))
        times, chosen, height = times[::stride], chosen[::stride], height[::stride]
        edges = np.flatnonzero(np.diff(chosen)) + 1
        painter.setPen(Qt.PenStyle.NoPen)
        for begin, end in zip(np.append(0, edges), np.append(edges, len(chosen)), strict=True):
            colour = series_colour(int(chosen[begin]), self._palette)
            last = min(end, len(times) - 1)
            xs = [self.x_of(float(t), area) for t in times[begin : last + 1]] or [self.x_of(float(times[begin]), area)]
            hs = [*map(float, height[begin:end])]
            hs += [hs[-1]] * (len(xs) - len(hs))
            points = [QPointF(xs[0], lane.bottom())]
            points += [QPointF(x, lane.bottom() - h * lane.height()) for x, h in zip(xs, hs, strict=True)]
            points.append(QPointF(max(xs[-1], xs[0] + 1), lane.bottom()))
            painter.setBrush(colour)
            painter.drawPolygon(QPolygonF(points))

    def _paint_axis(self, painter: QPainter, area: QRectF) -> None:
        y = area.top() + FLAGS + LANE * len(self._session.tracks)
        painter.setPen(self._ink(QPalette.ColorRole.Dark))
        span = self._session.duration_s
        room = max((area.width() - NAMES) / 90, 1)
        step = next((s for s in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600) if span / s <= room), 7200)
        for number in range(int(span // step) + 1):
            x = self.x_of(number * step, area)
            painter.drawLine(QPointF(x, y), QPointF(x, y + 4))
            text = QRectF(x - 40, y + 5, 80, AXIS - 6)
            painter.drawText(text, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, clock(number * step))

    def _paint_gaps(self, painter: QPainter, area: QRectF) -> None:
        for gap in self._session.gaps:
            x0, x1 = self.x_of(gap.start_s, area), self.x_of(gap.start_s + gap.seconds, area)
            rect = QRectF(x0, area.top() + FLAGS, max(x1 - x0, 2), LANE * len(self._session.tracks))
            painter.fillRect(rect, self._ink(QPalette.ColorRole.Midlight))
            painter.fillRect(rect, Qt.BrushStyle.BDiagPattern)

    def _paint_markers(self, painter: QPainter, area: QRectF) -> None:
        bottom = area.top() + FLAGS + LANE * len(self._session.tracks)
        end_before = -1.0
        for marker in self._session.markers:
            x, text = self.x_of(marker.time_s, area), marker.text
            painter.setPen(QPen(self._ink(QPalette.ColorRole.Highlight), 1.2))
            painter.drawLine(QPointF(x, area.top() + 4), QPointF(x, bottom))
            painter.setBrush(self._ink(QPalette.ColorRole.Highlight))
            flag = [QPointF(x, area.top() + 3), QPointF(x + 9, area.top() + 7), QPointF(x, area.top() + 11)]
            painter.drawPolygon(QPolygonF(flag))
            width = painter.fontMetrics().horizontalAdvance(text)
            if x > end_before and x + 14 + width < area.right():
                painter.setPen(self._ink(QPalette.ColorRole.Dark))
                painter.drawText(QPointF(x + 13, area.top() + 13), text)
                end_before = x + 20 + width


class SessionChart(QWidget):
    """The chart on the screen: click or drag to go somewhere."""

    sought = Signal(float)
    """Seconds from the beginning of the recording."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Timeline of all people"))
        self._session: RecordedSession | None = None
        self._chart: ChartPainter | None = None
        self._label: int | None = None
        self._drawn: QPixmap | None = None
        self._time_s = 0.0

    def show_session(self, session: RecordedSession, label: int | None = None) -> None:
        """Draw `session`; `label`: only this expression, else the most probable at each time."""
        self._session, self._label = session, label
        self._redraw()
        self.updateGeometry()

    def show_time(self, time_s: float) -> None:
        """Put the line there."""
        self._time_s = time_s
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(600, round(self._chart.height()) if self._chart else 120)

    def minimumSizeHint(self) -> QSize:
        return QSize(300, self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._redraw()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in {QEvent.Type.PaletteChange, QEvent.Type.DevicePixelRatioChange}:
            self._redraw()

    def _redraw(self) -> None:
        self._drawn = None
        if self._session is not None:
            self._chart = ChartPainter(self._session, self.palette(), self.font(), label=self._label)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._chart is None:
            return
        if self._drawn is None:  # only the line moves while playing
            ratio = self.devicePixelRatioF()
            self._drawn = QPixmap(self.size() * ratio)
            self._drawn.setDevicePixelRatio(ratio)
            self._drawn.fill(Qt.GlobalColor.transparent)
            inner = QPainter(self._drawn)
            self._chart.paint(inner, QRectF(self.rect()))
            inner.end()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._drawn)
        x = self._chart.x_of(self._time_s, QRectF(self.rect()))
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.WindowText), 1.6))
        painter.drawLine(QPointF(x, FLAGS - 4), QPointF(x, self.height() - AXIS + 4))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._go(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go(event)

    def _go(self, event: QMouseEvent) -> None:
        if self._chart is not None:
            self.sought.emit(self._chart.time_at(event.position().x(), QRectF(self.rect())))
