"""The last minute of one person as curves."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import numpy as np
from PySide6.QtCore import QEvent
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QVBoxLayout, QWidget

from mien.app.gui.live.people import HISTORY_S, Person
from mien.app.gui.look.palette import series_colour
from mien.app.gui.tasks import Task

_GAP_S: Final = 1.0
"""Curves are broken where nothing was read for so long."""


class Timeline(QWidget):
    """Probabilities over time, one curve for each label. pyqtgraph is loaded beside the window when it is needed."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumHeight(150)
        self.setAccessibleName(self.tr("Probabilities in the last minute"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._plot: Any = None
        self._curves: list[Any] = []
        self._task: Task | None = None

    def show_person(self, person: Person | None, labels: tuple[str, ...], now_s: float) -> None:
        """Draw the last minute of `person`; None empties the chart."""
        if self._plot is None:
            if person is not None and self._task is None:
                # Takes most of a second: not in the window's thread.
                self._task = Task(self, lambda: import_module("pyqtgraph"), lambda _: self._build(), lambda _: None)
            return
        if len(self._curves) != len(labels):
            self._make_curves(len(labels))
        if person is None or len(person.history) < 2:
            for curve in self._curves:
                curve.clear()
            return
        times = np.fromiter((time for time, _ in person.history), float, len(person.history)) - now_s
        values = np.stack([shares for _, shares in person.history]) * 100
        connect = np.append(np.diff(times) < _GAP_S, False)
        strongest = int(person.history[-1][1].argmax())
        for index, curve in enumerate(self._curves):
            curve.setData(times, values[:, index], connect=connect)
            curve.setZValue(1 if index == strongest else 0)

    def _build(self) -> None:
        import pyqtgraph

        pyqtgraph.setConfigOptions(antialias=True)
        plot = pyqtgraph.PlotWidget()
        plot.setMenuEnabled(False)
        plot.setMouseEnabled(False, False)
        plot.hideButtons()
        plot.setXRange(-HISTORY_S, 0, padding=0)
        plot.setYRange(0, 100, padding=0.03)
        plot.getAxis("left").setTicks([[(0, "0"), (50, "50"), (100, "100 %")]])
        plot.getAxis("left").setWidth(44)
        plot.getAxis("bottom").setTicks([[(-50, "50 s"), (-40, "40"), (-30, "30"), (-20, "20"), (-10, "10")]])
        plot.setFocusPolicy(self.focusPolicy())
        self._plot = plot
        self.layout().addWidget(plot)
        self._dress()

    def _make_curves(self, count: int) -> None:
        import pyqtgraph

        for curve in self._curves:
            self._plot.removeItem(curve)
        self._curves = [
            self._plot.plot(pen=pyqtgraph.mkPen(series_colour(index, self.palette()), width=1.8))
            for index in range(count)
        ]
        for curve in self._curves:
            # Qt strokes a thick line of hundreds of points as one shape, which can hold the window up for 50 ms.
            curve.curve.setSegmentedLineMode("on")

    def _dress(self) -> None:
        """Take the theme's colours."""
        import pyqtgraph

        palette = self.palette()
        self._plot.setBackground(palette.color(QPalette.ColorRole.Base))
        small = QFont(self.font())
        small.setPointSizeF(self.font().pointSizeF() * 0.85)
        grid = QColor(palette.color(QPalette.ColorRole.Mid))
        for name in ("left", "bottom"):
            axis = self._plot.getAxis(name)
            axis.setPen(grid)
            axis.setTextPen(palette.color(QPalette.ColorRole.Dark))
            axis.setStyle(tickFont=small, tickLength=4)
        self._plot.showGrid(y=True, alpha=0.35)
        for index, curve in enumerate(self._curves):
            curve.setPen(pyqtgraph.mkPen(series_colour(index, palette), width=1.8))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._plot is not None:
            self._dress()
