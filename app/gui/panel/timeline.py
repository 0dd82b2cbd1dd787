"""The last minute of one person as curves."""

from __future__ import annotations

from typing import Final

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QWidget

from mien.app.gui.look.palette import series_colour
from mien.app.gui.look.plot import Axes, Values, draw_curve, draw_time_ticks, stretches
from mien.app.gui.panel.people import HISTORY_S, Person

_LEFT: Final = 44.0
_BELOW: Final = 24.0
_ABOVE: Final = 8.0
_LINE: Final = 1.8  # pixels


class Timeline(QWidget):
    """Probabilities over time, one curve for each label."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumHeight(150)
        self.setAccessibleName(self.tr("Probabilities in the last minute"))
        self._times: Values = np.zeros(0)
        self._values: Values = np.zeros((0, 0))

    def show_person(self, person: Person | None, now_s: float) -> None:
        """Draw the last minute of `person`, up to `now_s` of the source; None empties the chart."""
        if person is None or len(person.history) < 2:
            if not len(self._times):
                return
            self._times, self._values = np.zeros(0), np.zeros((0, 0))
        else:
            count = len(person.history)
            self._times = np.fromiter((time_s for time_s, _ in person.history), float, count) - now_s
            self._values = np.stack([probabilities for _, probabilities in person.history])
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        area = QRectF(self.rect()).adjusted(_LEFT, _ABOVE, -1, -_BELOW)
        axes = Axes(area, -HISTORY_S, 0.0)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Base))
        self._paint_axes(painter, axes)
        if not len(self._times):
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        strongest = int(self._values[-1].argmax())
        # The strongest lies on top.
        order = sorted(range(self._values.shape[1]), key=lambda index: index == strongest)
        for times, values in stretches(self._times, self._values):
            for index in order:
                colour = series_colour(index, self.palette())
                draw_curve(painter, axes, times, values[:, index], colour, _LINE)

    def _paint_axes(self, painter: QPainter, axes: Axes) -> None:
        area, palette = axes.area, self.palette()
        small = QFont(self.font())
        small.setPointSizeF(self.font().pointSizeF() * 0.85)
        painter.setFont(small)
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
