"""Paints the timeline of a recording, for the screen and for paper.

A lane for each person and each code, markers, gaps, what is excluded or selected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QPainter, QPalette, QPen, QPolygonF

from mien.app.gui.look.expressions import called
from mien.app.gui.look.palette import series_colour
from mien.app.gui.look.plot import Axes, Values, draw_curve, draw_time_ticks, stretches
from mien.engine.drawing.overlay import track_colour
from mien.engine.language import tr
from mien.engine.review.coding.model import EventKind
from mien.engine.review.face.curves import curve, range_of
from mien.engine.review.spans import Span, clock_ms

if TYPE_CHECKING:
    from mien.engine.review.coding.model import Code, Event
    from mien.engine.review.session import RecordedSession, Track

# Pixels: names at the left, space at the right, lanes of people and codes, the axis below, flags of markers above.
NAMES: Final = 132
RIGHT: Final = 14
LANE: Final = 44
CODE_LANE: Final = 22
AXIS: Final = 26
FLAGS: Final = 20
_STEPS_S: Final = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200),
)
_TICK_ROOM: Final = 96.0  # pixels for one time
_SMALLEST_EVENT: Final = 3.0  # pixels


@dataclass(frozen=True, slots=True)
class ChartView:
    """What of a recording is drawn.

    Attributes:
        start_s, end_s: the times at the left and at the right edge.
        label: only this expression, by its index, or what was measured of the face, by the name of its curve; None: the
            most probable expression at each time.
        selected: a span that is marked.
        person: whose lane is marked, by track id.
        event: the number of the event that is marked.
        open: when spans of codes began that have no end yet, by code, and the time up to which to draw them.
    """

    start_s: float
    end_s: float
    label: int | str | None = None
    selected: Span | None = None
    person: int | None = None
    event: int | None = None
    open: tuple[tuple[str, float], ...] = ()
    now_s: float = 0.0


class ChartPainter:
    """Draws a session into any rectangle; one unit is one pixel of the screen, or a point of paper."""

    def __init__(
        self,
        session: RecordedSession,
        palette: QPalette,
        font: QFont,
        view: ChartView | None = None,
        *,
        names: int = NAMES,
    ) -> None:
        self._session, self._palette, self._font = session, palette, font
        self._view = view or ChartView(0.0, max(session.duration_s, 1e-3))
        self._names = names

    def height(self) -> float:
        """The height that all lanes need."""
        return FLAGS + self._lanes() + AXIS

    def _lanes(self) -> float:
        codes = len(self._session.coding.codes)
        return LANE * max(len(self._session.tracks), 1) + CODE_LANE * codes + (4 if codes else 0)

    def axes(self, area: QRectF) -> Axes:
        """Where times lie in `area`."""
        lanes = QRectF(area.left() + self._names, area.top() + FLAGS, area.width() - self._names - RIGHT, self._lanes())
        return Axes(lanes, self._view.start_s, self._view.end_s)

    def track_at(self, area: QRectF, y: float) -> int | None:
        """Whose lane lies at `y`."""
        number = int((y - area.top() - FLAGS) // LANE)
        keys = list(self._session.tracks)
        return keys[number] if y >= area.top() + FLAGS and number < len(keys) else None

    def event_at(self, area: QRectF, x: float, y: float) -> Event | None:
        """The event drawn at (x, y): of a code's lane, or a marker's flag."""
        axes = self.axes(area)
        found: list[tuple[float, Event]] = []
        for event, rect in self._event_rects(axes, area):
            if rect.adjusted(-3, 0, 3, 0).contains(QPointF(x, y)):
                found.append((abs(rect.center().x() - x), event))
        return min(found, key=lambda item: item[0])[1] if found else None

    def paint(self, painter: QPainter, area: QRectF) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._font)
        axes = self.axes(area)
        for number, track in enumerate(self._session.tracks.values()):
            self._paint_lane(painter, axes, area.left(), area.top() + FLAGS + number * LANE, track)
        self._paint_codes(painter, axes, area)
        painter.save()
        painter.setClipRect(QRectF(axes.area.left() - 1, area.top(), axes.area.width() + 2, area.height()))
        self._paint_gaps(painter, axes)
        self._paint_selection(painter, axes)
        painter.restore()
        self._paint_axis(painter, axes)
        self._paint_markers(painter, axes, area)

    def _ink(self, role: QPalette.ColorRole) -> QColor:
        return self._palette.color(role)

    def _name(self, painter: QPainter, left: float, top: float, height: float, text: str, indent: float = 20) -> None:
        painter.setPen(self._ink(QPalette.ColorRole.WindowText))
        room = self._names - indent - 8
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(room))
        where = QRectF(left + indent, top, room + 4, height)
        painter.drawText(where, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)

    def _paint_lane(self, painter: QPainter, axes: Axes, left: float, top: float, track: Track) -> None:
        lane = QRectF(axes.area.left(), top + 4, axes.area.width(), LANE - 8)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._ink(QPalette.ColorRole.AlternateBase))
        if track.track_id == self._view.person:
            painter.setPen(QPen(self._ink(QPalette.ColorRole.Highlight), 1.2))
        painter.drawRoundedRect(lane, 4, 4)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(*track_colour(track.track_id)))
        painter.drawEllipse(QRectF(left + 4, top + LANE / 2 - 5, 10, 10))
        self._name(painter, left, top, LANE, called(self._session.name_of(track.track_id)))
        own = Axes(lane, axes.start_s, axes.end_s)
        first, last = np.searchsorted(track.times_s, (axes.start_s, axes.end_s))
        part = slice(max(int(first) - 1, 0), int(last) + 1)
        painter.save()
        painter.setClipRect(lane)
        if isinstance(self._view.label, str):
            self._paint_curve(painter, own, track, part, self._view.label)
        else:
            for times, values in stretches(track.times_s[part], track.probabilities[part]):
                self._paint_stretch(painter, own, times, values)
        painter.restore()

    def _paint_curve(self, painter: QPainter, axes: Axes, track: Track, part: slice, name: str) -> None:
        """Something that was measured of the face, over its whole range; a line where 0 lies in its middle."""
        low, high = range_of(self._session, name)
        if low < 0:
            painter.setPen(QPen(self._ink(QPalette.ColorRole.Mid), 1.0, Qt.PenStyle.DashLine))
            middle = axes.area.center().y()
            painter.drawLine(QPointF(axes.area.left(), middle), QPointF(axes.area.right(), middle))
        values = curve(self._session, track, name)[part]
        colour = QColor(*track_colour(track.track_id))
        for times, shares in stretches(track.times_s[part], values[:, None]):
            draw_curve(painter, axes, times, shares[:, 0], colour, 1.6)
        small = QFont(self._font)
        small.setPointSizeF(self._font.pointSizeF() * 0.75)
        painter.setFont(small)
        painter.setPen(self._ink(QPalette.ColorRole.Dark))
        for value, where in ((high, Qt.AlignmentFlag.AlignTop), (low, Qt.AlignmentFlag.AlignBottom)):
            text = tr("{value:g}", value=float(value))
            area = axes.area.adjusted(3, 0, -3, 0)
            painter.drawText(area, Qt.AlignmentFlag.AlignLeft | where, text.replace("-", "\u2212"))
        painter.setFont(self._font)

    def _paint_stretch(self, painter: QPainter, axes: Axes, times: Values, values: Values) -> None:
        """One unbroken stretch: which expression, as coloured blocks as high as it is probable."""
        label = self._view.label
        assert not isinstance(label, str)
        chosen = values.argmax(axis=1) if label is None else np.full(len(values), label)
        height = values[np.arange(len(values)), chosen]
        # No more points than pixels.
        pixels = max(int(axes.area.width()), 1)
        stride = max(1, len(times) // (2 * pixels))
        times, chosen, height = times[::stride], chosen[::stride], height[::stride]
        edges = np.flatnonzero(np.diff(chosen)) + 1
        painter.setPen(Qt.PenStyle.NoPen)
        for begin, end in zip(np.append(0, edges), np.append(edges, len(chosen)), strict=True):
            last = min(end, len(times) - 1)
            xs = [axes.x(float(t)) for t in times[begin : last + 1]] or [axes.x(float(times[begin]))]
            ys = [axes.y(float(share)) for share in height[begin:end]]
            ys += [ys[-1]] * (len(xs) - len(ys))
            bottom = axes.area.bottom()
            points = [QPointF(xs[0], bottom), *map(QPointF, xs, ys), QPointF(max(xs[-1], xs[0] + 1), bottom)]
            painter.setBrush(series_colour(int(chosen[begin]), self._palette))
            painter.drawPolygon(QPolygonF(points))

    # Codes and events

    def _code_top(self, area: QRectF, number: int) -> float:
        return area.top() + FLAGS + LANE * max(len(self._session.tracks), 1) + 4 + number * CODE_LANE

    def _event_rects(self, axes: Axes, area: QRectF) -> list[tuple[Event, QRectF]]:
        tops = {code.name: self._code_top(area, number) for number, code in enumerate(self._session.coding.codes)}
        found: list[tuple[Event, QRectF]] = []
        for event in self._session.coding.events:
            if event.end_s < axes.start_s or event.start_s > axes.end_s or event.kind is EventKind.EXCLUDED:
                continue
            x0, x1 = axes.x(event.start_s), axes.x(event.end_s)
            if event.kind is EventKind.MARKER:
                found.append((event, QRectF(x0, area.top() + 2, 10, FLAGS - 4)))
            elif event.start_s == event.end_s:
                found.append((event, QRectF(x0 - 5, tops[event.code] + 4, 10, CODE_LANE - 8)))
            else:
                wide = max(x1 - x0, _SMALLEST_EVENT)
                found.append((event, QRectF(x0, tops[event.code] + 4, wide, CODE_LANE - 8)))
        return found

    def code_colour(self, code: Code) -> QColor:
        """The colour of a code: those of expressions mean expressions, so it is that of text, more or less of it."""
        number = self._session.coding.codes.index(code)
        colour = QColor(self._ink(QPalette.ColorRole.Highlight))
        hue = (colour.hueF() + 0.13 * number) % 1.0
        return QColor.fromHslF(hue, 0.45, 0.62 if self._palette.window().color().lightness() < 128 else 0.42)

    def _paint_codes(self, painter: QPainter, axes: Axes, area: QRectF) -> None:
        codes = self._session.coding.codes
        colours = {code.name: self.code_colour(code) for code in codes}
        for number, code in enumerate(codes):
            top = self._code_top(area, number)
            lane = QRectF(axes.area.left(), top + 3, axes.area.width(), CODE_LANE - 6)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._ink(QPalette.ColorRole.AlternateBase))
            painter.drawRoundedRect(lane, 3, 3)
            painter.setPen(self._ink(QPalette.ColorRole.Dark))
            key = QRectF(area.left() + 2, top, 14, CODE_LANE)
            painter.drawText(key, Qt.AlignmentFlag.AlignCenter, str(code.key) if code.key else "")
            self._name(painter, area.left(), top, CODE_LANE, code.name)
        painter.save()
        painter.setClipRect(QRectF(axes.area.left() - 6, area.top(), axes.area.width() + 12, area.height()))
        for event, rect in self._event_rects(axes, area):
            if event.kind is EventKind.MARKER:
                continue
            chosen = event.number == self._view.event
            ink = self._ink(QPalette.ColorRole.WindowText)
            painter.setPen(QPen(ink, 1.6) if chosen else Qt.PenStyle.NoPen)
            painter.setBrush(colours[event.code])
            if event.start_s == event.end_s:
                middle, size = rect.center(), rect.height() / 2
                corners = [QPointF(0, -size), QPointF(size, 0), QPointF(0, size), QPointF(-size, 0)]
                painter.drawPolygon(QPolygonF([middle + corner for corner in corners]))
            else:
                painter.drawRoundedRect(rect, 3, 3)
        tops = {code.name: self._code_top(area, number) for number, code in enumerate(codes)}
        for name, began_s in self._view.open:
            if name in tops:
                x0, x1 = sorted((axes.x(began_s), axes.x(self._view.now_s)))
                rect = QRectF(x0, tops[name] + 4, max(x1 - x0, _SMALLEST_EVENT), CODE_LANE - 8)
                painter.setPen(QPen(colours[name], 1.4, Qt.PenStyle.DashLine))
                faint = QColor(colours[name])
                faint.setAlpha(90)
                painter.setBrush(faint)
                painter.drawRoundedRect(rect, 3, 3)
        painter.restore()

    def _paint_axis(self, painter: QPainter, axes: Axes) -> None:
        painter.setPen(self._ink(QPalette.ColorRole.Dark))
        room = max(axes.area.width() / _TICK_ROOM, 1)
        shown_s = axes.end_s - axes.start_s
        step = next((step for step in _STEPS_S if shown_s / step <= room), 14400)
        first = int(np.ceil(axes.start_s / step - 1e-9))
        times = [float(number * step) for number in range(first, int(axes.end_s / step + 1e-9) + 1)]
        texts = {time_s: clock_ms(time_s) if step < 1 else clock_ms(time_s)[:-4] for time_s in times}
        draw_time_ticks(painter, axes, texts, axes.area.bottom())

    def _paint_gaps(self, painter: QPainter, axes: Axes) -> None:
        for gap in self._session.gaps:
            x0, x1 = axes.x(gap.start_s), axes.x(gap.start_s + gap.seconds)
            rect = QRectF(x0, axes.area.top(), max(x1 - x0, 2), LANE * len(self._session.tracks))
            painter.fillRect(rect, self._ink(QPalette.ColorRole.Midlight))
            painter.fillRect(rect, Qt.BrushStyle.BDiagPattern)
        for event in self._session.coding.of_kind(EventKind.EXCLUDED):
            x0, x1 = axes.x(event.start_s), axes.x(event.end_s)
            rect = QRectF(x0, axes.area.top(), max(x1 - x0, 2), axes.area.height())
            veil = QColor(self._ink(QPalette.ColorRole.Window))
            veil.setAlpha(215)
            painter.fillRect(rect, veil)
            painter.fillRect(rect, QBrush(self._ink(QPalette.ColorRole.Dark), Qt.BrushStyle.FDiagPattern))
            chosen = event.number == self._view.event
            role = QPalette.ColorRole.WindowText if chosen else QPalette.ColorRole.Dark
            painter.setPen(QPen(self._ink(role), 2.0 if chosen else 1.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(rect)

    def _paint_selection(self, painter: QPainter, axes: Axes) -> None:
        span = self._view.selected
        if span is None:
            return
        x0, x1 = axes.x(span.start_s), axes.x(span.end_s)
        veil = QColor(self._ink(QPalette.ColorRole.Highlight))
        veil.setAlpha(46)
        rect = QRectF(x0, axes.area.top() - 4, max(x1 - x0, 1), axes.area.height() + 4)
        painter.fillRect(rect, veil)
        painter.setPen(QPen(self._ink(QPalette.ColorRole.Highlight), 1.6))
        painter.drawLine(rect.topLeft(), rect.bottomLeft())
        painter.drawLine(rect.topRight(), rect.bottomRight())

    def _paint_markers(self, painter: QPainter, axes: Axes, area: QRectF) -> None:
        end_before = -1.0
        accent = self._ink(QPalette.ColorRole.Highlight)
        for number, marker in enumerate(self._session.markers, start=1):
            if not axes.start_s <= marker.time_s <= axes.end_s:
                continue
            x, text = axes.x(marker.time_s), marker.text or str(number)
            painter.setPen(QPen(accent, 1.2))
            painter.drawLine(QPointF(x, area.top() + 4), QPointF(x, axes.area.bottom()))
            painter.setBrush(accent)
            flag = [QPointF(x, area.top() + 3), QPointF(x + 9, area.top() + 7), QPointF(x, area.top() + 11)]
            painter.drawPolygon(QPolygonF(flag))
            width = painter.fontMetrics().horizontalAdvance(text)
            if x > end_before and x + 14 + width < area.right():
                painter.setPen(self._ink(QPalette.ColorRole.WindowText))
                painter.drawText(QPointF(x + 13, area.top() + 13), text)
                end_before = x + 20 + width
