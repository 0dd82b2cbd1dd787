"""The last minute of one person as curves, with markers, a legend that hides curves, and the values under the mouse."""

from __future__ import annotations

from typing import Final

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QWidget

from mien.app.gui.look.expressions import expression
from mien.app.gui.look.palette import series_colour
from mien.app.gui.look.plot import Axes, Values, draw_curve, draw_time_ticks, stretches
from mien.app.gui.look.widgets import PRESS_KEYS
from mien.app.gui.panel.people import HISTORY_S, Person
from mien.engine.faces.valence import Valence
from mien.engine.language import tr, tr_later

_LEFT: Final = 44.0
_BELOW: Final = 24.0
_ABOVE: Final = 8.0
_LINE: Final = 1.8  # pixels
_ENTRY: Final = 20.0  # height of a line of the legend
VALENCE: Final = tr_later("valence (−1 to 1)")  # noqa: RUF001 (shown)


class Timeline(QWidget):
    """Probabilities over time, one curve for each label; a click in the legend, or Space on an entry, hides a curve.

    Args:
        hidden: labels whose curves are not drawn.
    """

    hidden_changed = Signal(list)
    """The labels that are hidden now."""

    def __init__(self, hidden: list[str] | None = None) -> None:
        super().__init__()
        self.setMinimumHeight(170)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(self.tr("Probabilities in the last minute"))
        self._times: Values = np.zeros(0)
        self._values: Values = np.zeros((0, 0))
        self._labels: tuple[str, ...] = ()
        self._hidden = set(hidden or ())
        self.with_valence = False
        """Whether valence is one more curve: its own scale, from -1 below to 1 above, is named in the legend."""
        self._markers: list[tuple[float, str]] = []  # on the source's clock
        self._now_s = 0.0
        self._hover: QPointF | None = None
        self._chosen = 0  # the entry of the legend that the keyboard is on

    @property
    def hidden(self) -> set[str]:
        """Labels whose curves are not drawn."""
        return self._hidden

    def show_person(self, person: Person | None, now_s: float, labels: tuple[str, ...] = ()) -> None:
        """Draw the last minute of `person`, up to `now_s` of the source; None empties the chart."""
        if now_s < self._now_s - 1:
            self._markers.clear()  # another source
        self._now_s = now_s
        valence = Valence(labels)
        if self.with_valence and valence.known:
            labels = (*labels, VALENCE)
        if labels != self._labels:
            self._labels = labels
            self._chosen = 0
            self.setMinimumHeight(round(150 + self._legend_height()))
        if person is None or len(person.history) < 2:
            if not len(self._times):
                return
            self._times, self._values = np.zeros(0), np.zeros((0, 0))
        else:
            count = len(person.history)
            self._times = np.fromiter((time_s for time_s, _ in person.history), float, count) - now_s
            self._values = np.stack([probabilities for _, probabilities in person.history])
            if VALENCE in labels:
                derived = (valence.of(self._values) + 1) / 2
                self._values = np.column_stack([self._values, derived])
        self.update()

    def mark(self, ago_s: float, text: str) -> None:
        """Show a marker that was set `ago_s` seconds ago."""
        self._markers.append((self._now_s - ago_s, text))
        self._markers = [one for one in self._markers if one[0] > self._now_s - HISTORY_S]
        self.update()

    def switch(self, index: int) -> None:
        """Hide the curve of the label `index`, or draw it again."""
        if index < len(self._labels):
            self._hidden ^= {self._labels[index]}
            self.hidden_changed.emit(sorted(self._hidden))
            self.update()

    def values_at(self, x: float) -> tuple[float, dict[str, float]]:
        """Seconds (0 is now) at `x` pixels, and the probabilities there, by label; valence from -1 to 1."""
        time_s = self._axes().time_at(x)
        if not len(self._times):
            return time_s, {}
        index = int(np.abs(self._times - time_s).argmin())
        if abs(self._times[index] - time_s) > 1:
            return time_s, {}
        row = self._values[index]
        shown = {name: float(row[n]) for n, name in enumerate(self._labels[: len(row)]) if name not in self._hidden}
        return time_s, {name: 2 * value - 1 if name == VALENCE else value for name, value in shown.items()}

    def event(self, event: QEvent) -> bool:
        keys = (*PRESS_KEYS, Qt.Key.Key_Left, Qt.Key.Key_Right)
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.key() in keys:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in PRESS_KEYS:
            self.switch(self._chosen)
        elif event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right) and self._labels:
            self._chosen = (self._chosen + (1 if event.key() == Qt.Key.Key_Right else -1)) % len(self._labels)
            self.update()
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        for index, area in enumerate(self._legend()):
            if area.contains(event.position()):
                self.switch(index)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover = event.position()
        over = any(area.contains(self._hover) for area in self._legend())
        self.setCursor(Qt.CursorShape.PointingHandCursor if over else Qt.CursorShape.ArrowCursor)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hover = None
        self.update()

    def _colour(self, index: int) -> QColor:
        """That of a label; valence has that of text, as it is none."""
        if index < len(self._labels) and self._labels[index] == VALENCE:
            return self.palette().color(QPalette.ColorRole.WindowText)
        return series_colour(index, self.palette())

    def _font(self) -> QFont:
        small = QFont(self.font())
        small.setPointSizeF(self.font().pointSizeF() * 0.85)
        return small

    def _axes(self) -> Axes:
        area = QRectF(self.rect()).adjusted(_LEFT, _ABOVE, -1, -_BELOW - self._legend_height())
        return Axes(area, -HISTORY_S, 0.0)

    def _entries(self) -> list[QRectF]:
        """Places of the legend's entries, from its own top left corner."""
        measure, places = QFontMetricsF(self._font()), []
        x = y = 0.0
        for name in map(_shown, self._labels):
            width = measure.horizontalAdvance(name) + 26
            if x and x + width > self.width():
                x, y = 0.0, y + _ENTRY
            places.append(QRectF(x, y, width, _ENTRY))
            x += width
        return places

    def _legend_height(self) -> float:
        return max((place.bottom() for place in self._entries()), default=0.0) + (6 if self._labels else 0)

    def _legend(self) -> list[QRectF]:
        top = self.height() - self._legend_height() + 4
        return [place.translated(0, top) for place in self._entries()]

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        axes = self._axes()
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Base))
        self._paint_axes(painter, axes)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_legend(painter)
        self._paint_markers(painter, axes)
        if len(self._times):
            strongest = int(self._values[-1][: self._values.shape[1] - (VALENCE in self._labels)].argmax())
            # The strongest lies on top.
            order = sorted(range(self._values.shape[1]), key=lambda index: index == strongest)
            shown = [n for n in order if n >= len(self._labels) or self._labels[n] not in self._hidden]
            for times, values in stretches(self._times, self._values):
                for index in shown:
                    colour = self._colour(index)
                    draw_curve(painter, axes, times, values[:, index], colour, _LINE)
        if self._hover is not None and axes.area.contains(self._hover):
            self._paint_values(painter, axes, self._hover.x())

    def _paint_legend(self, painter: QPainter) -> None:
        painter.setFont(self._font())
        palette = self.palette()
        for index, (name, place) in enumerate(zip(self._labels, self._legend(), strict=True)):
            off = name in self._hidden
            dot = QRectF(place.left() + 2, place.center().y() - 4, 8, 8)
            colour = self._colour(index)
            painter.setPen(QPen(colour, 1.4))
            painter.setBrush(Qt.BrushStyle.NoBrush if off else colour)
            painter.drawRoundedRect(dot, 2, 2)
            painter.setPen(palette.color(QPalette.ColorRole.Mid if off else QPalette.ColorRole.Dark))
            middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
            painter.drawText(place.adjusted(15, 0, 0, 0), middle, _shown(name))
            if self.hasFocus() and index == self._chosen:
                painter.setPen(QPen(palette.color(QPalette.ColorRole.Highlight), 1.6))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(place.adjusted(-1, 1, -5, -1), 4, 4)

    def _paint_markers(self, painter: QPainter, axes: Axes) -> None:
        accent = self.palette().color(QPalette.ColorRole.Highlight)
        taken = axes.area.right() + 1
        for time_s, text in reversed(self._markers):
            ago = time_s - self._now_s
            if not -HISTORY_S <= ago <= 0:
                continue
            x = axes.x(ago)
            painter.setPen(QPen(accent, 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(x, axes.area.top()), QPointF(x, axes.area.bottom()))
            painter.setPen(accent)
            fits = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, 70)
            width = painter.fontMetrics().horizontalAdvance(fits)
            left = x + 3 if x + 3 + width < min(axes.area.right(), taken) else x - 3 - width
            if left + width < taken and left > axes.area.left():  # newer ones are written first
                painter.drawText(QPointF(left, axes.area.top() + 10), fits)
                taken = left - 4

    def _paint_values(self, painter: QPainter, axes: Axes, x: float) -> None:
        time_s, values = self.values_at(x)
        valence = values.pop(VALENCE, None)
        palette = self.palette()
        painter.setPen(QPen(palette.color(QPalette.ColorRole.Dark), 1))
        painter.drawLine(QPointF(x, axes.area.top()), QPointF(x, axes.area.bottom()))
        lines = [tr("{seconds:.1f} s", seconds=time_s)]
        for name, value in sorted(values.items(), key=lambda one: -one[1])[:4]:
            lines.append(tr("{name} {share:.0f} %", name=expression(name), share=value * 100))
        lines += [] if valence is None else [tr("valence {value:+.2f}", value=valence)]
        measure = painter.fontMetrics()
        width = max(measure.horizontalAdvance(text) for text in lines) + 16
        left = x + 8 if x + 8 + width < axes.area.right() else x - 8 - width
        box = QRectF(left, axes.area.top() + 2, width, len(lines) * measure.height() + 8)
        painter.setPen(palette.color(QPalette.ColorRole.Mid))
        painter.setBrush(palette.color(QPalette.ColorRole.Base))
        painter.drawRoundedRect(box, 5, 5)
        painter.setPen(palette.color(QPalette.ColorRole.WindowText))
        painter.drawText(
            box.adjusted(8, 4, 0, 0), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, "\n".join(lines)
        )

    def _paint_axes(self, painter: QPainter, axes: Axes) -> None:
        area, palette = axes.area, self.palette()
        painter.setFont(self._font())
        grid = palette.color(QPalette.ColorRole.Mid)
        faint = palette.color(QPalette.ColorRole.Mid)
        faint.setAlphaF(0.35)
        ink = palette.color(QPalette.ColorRole.Dark)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        below = area.bottom() + 6
        for value, text in ((0.0, "0"), (0.5, "50"), (1.0, "100 %")):
            y = axes.y(value)
            painter.setPen(QPen(faint, 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(QPen(grid, 1))
            painter.drawLine(QPointF(area.left() - 4, y), QPointF(area.left(), y))
            painter.setPen(ink)
            painter.drawText(QRectF(0, y - 10, area.left() - 8, 20), right, text)
        painter.setPen(QPen(grid, 1))
        painter.drawLine(QPointF(area.left(), area.top() - 6), QPointF(area.left(), below))
        painter.drawLine(QPointF(area.left(), below), QPointF(area.right(), below))
        painter.setPen(ink)
        draw_time_ticks(painter, axes, {-50.0: "50 s", -40.0: "40", -30.0: "30", -20.0: "20", -10.0: "10"}, below)


def _shown(name: str) -> str:
    """What a curve is called on the screen."""
    return tr(name) if name == VALENCE else expression(name)
