"""What all charts over time share: where a time and a value lie, where curves break, curves, ticks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

GAP_S: Final = 1.0
"""Nothing is drawn between two predictions that are further apart."""
_TICK: Final = 4.0  # pixels
_BEYOND: Final = 8.0  # pixels that a text may reach beyond the chart

Values = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Axes:
    """Maps times and values to places in a rectangle, in the painter's units.

    Attributes:
        area: where curves are drawn.
        start_s, end_s: the times at its left and at its right edge.
        largest: the value at its upper edge; 0 is at the lower one.
    """

    area: QRectF
    start_s: float
    end_s: float
    largest: float = 1.0

    def x(self, time_s: float) -> float:
        share = (time_s - self.start_s) / max(self.end_s - self.start_s, 1e-6)
        return self.area.left() + share * self.area.width()

    def y(self, value: float) -> float:
        return self.area.bottom() - value / self.largest * self.area.height()

    def time_at(self, x: float) -> float:
        """The time at `x`, or that of the nearer edge."""
        share = (x - self.area.left()) / max(self.area.width(), 1.0)
        return self.start_s + min(max(share, 0.0), 1.0) * (self.end_s - self.start_s)


def stretches(times: Values, values: Values) -> Iterator[tuple[Values, Values]]:
    """Cut (n,) ascending times in seconds and (n, C) values where nothing was predicted: at gaps and at NaN."""
    good = np.isfinite(values).all(axis=1)
    times, values = times[good], values[good]
    if len(times):
        cuts = np.flatnonzero(np.diff(times) > GAP_S) + 1
        yield from zip(np.split(times, cuts), np.split(values, cuts), strict=True)


def thinned(x: Values, y: Values) -> tuple[Values, Values]:
    """A curve, (n,) and (n,) in pixels, x ascending, with two points in each column of pixels: its lowest and highest.

    Drawn, it looks as before, and takes no longer than its width demands.
    """
    columns = np.floor(x)
    starts = np.append(0, np.flatnonzero(np.diff(columns)) + 1)
    if len(x) <= 2 * len(starts):
        return x, y
    low, high = np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
    ends = np.append(starts[1:], len(x)) - 1
    rises = y[ends] >= y[starts]
    pairs = np.stack([np.where(rises, low, high), np.where(rises, high, low)], axis=1)
    return np.stack([x[starts], x[ends]], axis=1).ravel(), pairs.ravel()


def draw_curve(painter: QPainter, axes: Axes, times: Values, values: Values, colour: QColor, width: float) -> None:
    """Draw one unbroken stretch, (n,) and (n,), as a line `width` wide."""
    area = axes.area
    x = area.left() + (times - axes.start_s) / max(axes.end_s - axes.start_s, 1e-6) * area.width()
    y = area.bottom() - values / axes.largest * area.height()
    x, y = thinned(x, y)
    points = [QPointF(a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    painter.setPen(QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.SquareCap))
    # Stroked as one shape, a thick line of hundreds of points can take 50 ms; its parts take a third of that.
    painter.drawLines([QLineF(*pair) for pair in pairwise(points)])


def draw_time_ticks(painter: QPainter, axes: Axes, texts: Mapping[float, str], y: float) -> None:
    """Draw ticks with texts, by their times, downwards from `y`, in the painter's pen and font.

    A text stands under the middle of its tick, but for one at the right end, which would be cut off there.
    """
    middle = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
    for time_s, text in texts.items():
        x = axes.x(time_s)
        painter.drawLine(QPointF(x, y), QPointF(x, y + _TICK))
        width = painter.fontMetrics().horizontalAdvance(text) + 4.0
        left = min(x - width / 2, axes.area.right() + _BEYOND - width)
        painter.drawText(QRectF(left, y + _TICK + 1, width, 20), middle, text)
