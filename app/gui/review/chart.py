"""The timeline of a recording: a lane for each person, markers and gaps. Painted for the screen and for paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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

from mien.app.gui.look.palette import series_colour
from mien.app.gui.look.plot import Axes, Values, draw_time_ticks, stretches
from mien.app.gui.look.widgets import clock
from mien.engine.drawing.overlay import track_colour

if TYPE_CHECKING:
    from mien.engine.review.session import RecordedSession, Track

# Pixels: names at the left, space at the right, each person's lane, the axis below, the flags of markers above.
NAMES: Final = 110
RIGHT: Final = 12
LANE: Final = 46
AXIS: Final = 26
FLAGS: Final = 22
_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)


class ChartPainter:
    """Draws a session into any rectangle; one unit is one pixel of the screen, or a point of paper."""

    def __init__(self, session: RecordedSession, palette: QPalette, font: QFont, *, label: int | None = None) -> None:
        self._session, self._palette, self._font = session, palette, font
        self._label = label

    def height(self) -> float:
        """The height that all lanes need."""
        return FLAGS + LANE * max(len(self._session.tracks), 1) + AXIS

    def axes(self, area: QRectF) -> Axes:
        """Where times lie in `area`."""
        lanes = QRectF(area.left() + NAMES, area.top() + FLAGS, area.width() - NAMES - RIGHT, area.height())
        return Axes(lanes, 0.0, self._session.duration_s)

    def paint(self, painter: QPainter, area: QRectF) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._font)
        axes = self.axes(area)
        self._paint_gaps(painter, axes)
        for number, track in enumerate(self._session.tracks.values()):
            self._paint_lane(painter, axes, area.left(), area.top() + FLAGS + number * LANE, track)
        self._paint_axis(painter, axes)
        self._paint_markers(painter, axes, area)

    def _ink(self, role: QPalette.ColorRole) -> QColor:
        return self._palette.color(role)

    def _paint_lane(self, painter: QPainter, axes: Axes, left: float, top: float, track: Track) -> None:
        lane = QRectF(axes.area.left(), top + 5, axes.area.width(), LANE - 10)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._ink(QPalette.ColorRole.AlternateBase))
        painter.drawRoundedRect(lane, 4, 4)
        painter.setBrush(QColor(*track_colour(track.track_id)))
        painter.drawEllipse(QRectF(left + 2, top + LANE / 2 - 5, 10, 10))
        painter.setPen(self._ink(QPalette.ColorRole.WindowText))
        name = painter.fontMetrics().elidedText(
            self._session.name_of(track.track_id), Qt.TextElideMode.ElideRight, NAMES - 28
        )
        where = QRectF(left + 20, top, NAMES - 26, LANE)
        painter.drawText(where, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
        own = Axes(lane, axes.start_s, axes.end_s)
        for times, values in stretches(track.times_s, track.probabilities):
            self._paint_stretch(painter, own, times, values)

    def _paint_stretch(self, painter: QPainter, axes: Axes, times: Values, values: Values) -> None:
        """One unbroken stretch: which expression, as coloured blocks as high as it is probable."""
        chosen = values.argmax(axis=1) if self._label is None else np.full(len(values), self._label)
        height = values[np.arange(len(values)), chosen]
        # No more points than pixels.
        pixels = max(int(axes.area.width()), 1)
        stride = max(1, len(times) // (2 * pixels))
        times, chosen, height = times[::stride], chosen[::stride], height[::stride]
        edges = np.flatnonzero(np.diff(chosen)) + 1
        painter.setPen(Qt.PenStyle.NoPen)
        for begin, end in zip(np.append(0, edges), np.append(edges, len(chosen)), strict=True):
            colour = series_colour(int(chosen[begin]), self._palette)
            last = min(end, len(times) - 1)
            xs = [axes.x(float(t)) for t in times[begin : last + 1]] or [axes.x(float(times[begin]))]
            ys = [axes.y(float(share)) for share in height[begin:end]]
            ys += [ys[-1]] * (len(xs) - len(ys))
            bottom = axes.area.bottom()
            points = [QPointF(xs[0], bottom), *map(QPointF, xs, ys), QPointF(max(xs[-1], xs[0] + 1), bottom)]
            painter.setBrush(colour)
            painter.drawPolygon(QPolygonF(points))

    def _paint_axis(self, painter: QPainter, axes: Axes) -> None:
        painter.setPen(self._ink(QPalette.ColorRole.Dark))
        room = max(axes.area.width() / 90, 1)
        step = next((step for step in _STEPS_S if axes.end_s / step <= room), 7200)
        times = [float(number * step) for number in range(int(axes.end_s // step) + 1)]
        draw_time_ticks(painter, axes, {time_s: clock(time_s) for time_s in times}, self._bottom(axes))

    def _bottom(self, axes: Axes) -> float:
        """Where the last lane ends."""
        return axes.area.top() + LANE * len(self._session.tracks)

    def _paint_gaps(self, painter: QPainter, axes: Axes) -> None:
        for gap in self._session.gaps:
            x0, x1 = axes.x(gap.start_s), axes.x(gap.start_s + gap.seconds)
            rect = QRectF(x0, axes.area.top(), max(x1 - x0, 2), LANE * len(self._session.tracks))
            painter.fillRect(rect, self._ink(QPalette.ColorRole.Midlight))
            painter.fillRect(rect, Qt.BrushStyle.BDiagPattern)

    def _paint_markers(self, painter: QPainter, axes: Axes, area: QRectF) -> None:
        bottom = self._bottom(axes)
        end_before = -1.0
        for marker in self._session.markers:
            x, text = axes.x(marker.time_s), marker.text
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
    """The chart on the screen; a click or drag seeks."""

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
        """Move the line to `time_s`."""
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
        x = self._chart.axes(QRectF(self.rect())).x(self._time_s)
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.WindowText), 1.6))
        painter.drawLine(QPointF(x, FLAGS - 4), QPointF(x, self.height() - AXIS + 4))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._go(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go(event)

    def _go(self, event: QMouseEvent) -> None:
        if self._chart is not None:
            self.sought.emit(self._chart.axes(QRectF(self.rect())).time_at(event.position().x()))
