"""Compares two people, or a person in two recordings: their curves in one chart, their figures in one table."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from PySide6.QtCore import QBuffer, QIODevice, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QHeaderView,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QToolTip,
    QWidget,
)

from mien.app.gui.look.expressions import called, expression
from mien.app.gui.look.file_dialogs import ask_recording, ask_save
from mien.app.gui.look.notice import Notice
from mien.app.gui.look.plot import Axes, draw_curve, draw_time_ticks, stretches
from mien.app.gui.look.widgets import button, column, label, padded, row
from mien.app.gui.review.state import ReviewState
from mien.app.gui.tasks import Task
from mien.engine.errors import MienError
from mien.engine.language import tr
from mien.engine.review.export_statistics import rows_of, table
from mien.engine.review.exports import Selection
from mien.engine.review.selected import refuse_own, save_export
from mien.engine.review.session import RecordedSession, read_session
from mien.engine.review.spans import WHOLE, clock_ms
from mien.engine.review.statistics import Comparison, compare

if TYPE_CHECKING:
    from mien.engine.review.session import Track

_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 16, 14, 30
_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
_FIRST, _SECOND = QColor("#2F5BD8"), QColor("#D98200")
_FIRST_DARK, _SECOND_DARK = QColor("#8CA8FF"), QColor("#F0A030")


class CurvesChart(QWidget):
    """The probability of one expression of both, over time."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumSize(320, 160)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Both curves over time"))
        self._curves: list[tuple[str, RecordedSession, Track, int, float]] = []
        self._hover: float | None = None

    def sizeHint(self) -> QSize:
        return QSize(760, 280)

    def show_curves(self, curves: list[tuple[str, RecordedSession, Track, int, float]]) -> None:
        """Draw curves: each a name, its recording, a track, the label's index, and seconds added to its times."""
        self._curves = curves
        self.update()

    def _colours(self) -> tuple[QColor, QColor]:
        dark = self.palette().window().color().lightness() < 128
        return (_FIRST_DARK, _SECOND_DARK) if dark else (_FIRST, _SECOND)

    def _axes(self) -> Axes:
        ends = [(0.0 + by, session.duration_s + by) for _, session, _, _, by in self._curves]
        area = QRectF(_LEFT, _TOP, self.width() - _LEFT - _RIGHT, self.height() - _TOP - _BOTTOM)
        return Axes(area, min((e[0] for e in ends), default=0.0), max((e[1] for e in ends), default=1.0))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        axes = self._axes()
        palette = self.palette()
        painter.fillRect(axes.area, palette.color(QPalette.ColorRole.AlternateBase))
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            y = axes.y(share)
            painter.setPen(QPen(palette.color(QPalette.ColorRole.Mid), 1))
            painter.drawLine(QPointF(axes.area.left(), y), QPointF(axes.area.right(), y))
            painter.setPen(palette.color(QPalette.ColorRole.Dark))
            where = QRectF(0, y - 10, _LEFT - 6, 20)
            painter.drawText(
                where,
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                tr("{share:.0f} %", share=share * 100),
            )
        room = max(axes.area.width() / 90, 1)
        step = next((step for step in _STEPS_S if (axes.end_s - axes.start_s) / step <= room), 7200)
        first = math.ceil(axes.start_s / step)
        times = [float(number * step) for number in range(first, int(axes.end_s // step) + 1)]
        draw_time_ticks(painter, axes, {time_s: clock_ms(time_s)[:-4] for time_s in times}, axes.area.bottom())
        for colour, (_, session, track, index, by) in zip(self._colours(), self._curves, strict=False):
            counted = session.counted.contain(track.times_s)
            values = np.where(counted[:, np.newaxis], track.probabilities, np.nan)
            for at, part in stretches(track.times_s + by, values):
                draw_curve(painter, axes, at, part[:, index], colour, 1.8)
        if self._hover is not None:
            painter.setPen(QPen(palette.color(QPalette.ColorRole.Dark), 1, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(self._hover, axes.area.top()), QPointF(self._hover, axes.area.bottom()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        axes = self._axes()
        self._hover = event.position().x() if axes.area.contains(event.position()) else None
        if self._hover is not None and self._curves:
            time_s = axes.time_at(self._hover)
            lines = [clock_ms(time_s)]
            for name, _, track, index, by in self._curves:
                row_ = int(np.searchsorted(track.times_s + by, time_s, "right")) - 1
                if row_ >= 0 and time_s - track.times_s[row_] - by < 0.5:
                    share = float(track.probabilities[row_, index]) * 100
                    lines.append(tr("{name}: {share:.0f} %", name=name, share=share))
            QToolTip.showText(event.globalPosition().toPoint(), "\n".join(lines), self)
        self.update()


class CompareWindow(QDialog):
    """Two people of one recording, or of two."""

    def __init__(self, parent: QWidget, state: ReviewState) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Compare"))
        self.resize(900, 680)
        self.setMinimumSize(560, 420)
        self._state = state
        self._first, self._second = state.session, state.session
        self._task: Task | None = None
        self.notice = Notice()
        self.who = (QComboBox(), QComboBox())
        for number, box in enumerate(self.who):
            box.setAccessibleName((self.tr("First person"), self.tr("Second person"))[number])
            box.setMinimumWidth(150)
        self._other = button(self.tr("Other recording…"), "folder")
        self._other.clicked.connect(self._ask_other)
        self.label = QComboBox()
        self.label.setAccessibleName(self.tr("Expression"))
        self.offset = padded(QDoubleSpinBox())
        self.offset.setAccessibleName(self.tr("Seconds by which the second is moved"))
        self.offset.setRange(-36000, 36000)
        self.offset.setDecimals(2)
        self.offset.setSingleStep(0.1)
        self.offset.setSuffix(" s")
        self.chart = CurvesChart()
        self._legend = label("", wrap=True)
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        self.figures = QTableWidget(0, 8)
        self.figures.setAccessibleName(self.tr("Figures of both"))
        self.figures.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.figures.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.figures.setTabKeyNavigation(False)
        self.figures.setShowGrid(False)
        self.figures.verticalHeader().hide()
        self.figures.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.figures.itemSelectionChanged.connect(self._picked)
        save, image = button(self.tr("Save figures…"), "export"), button(self.tr("Save chart…"))
        save.clicked.connect(self._save)
        image.clicked.connect(self._save_chart)
        choice = row(
            self.who[0], label(self.tr("and")), self.who[1], self._other, 10, label(self.tr("moved by")), self.offset, 0
        )
        whole = column(
            self.notice, choice, row(label(self.tr("Expression")), self.label, 0), self.chart, self._legend,
            self.figures, row(0, image, save), spacing=10, margins=16,
        )  # fmt: skip
        whole.setStretch(3, 3)
        whole.setStretch(5, 2)
        self.setLayout(whole)
        self.notice.hide()
        self._fill()
        for box in (*self.who, self.label):
            box.currentIndexChanged.connect(self._show)
        self.offset.valueChanged.connect(self._show)
        state.selected.connect(self._show)
        self._show()

    def _fill(self) -> None:
        for number, (box, session) in enumerate(zip(self.who, (self._first, self._second), strict=True)):
            box.blockSignals(True)
            box.clear()
            for key in session.tracks:
                other = "" if self._first is self._second else f"{session.csv.stem}: "
                box.addItem(f"{other}{called(session.name_of(key))}", key)
            same = number == 1 and self._first is self._second and box.count() > 1
            box.setCurrentIndex(1 if same else 0)
            box.blockSignals(False)
        self.label.blockSignals(True)
        before = self.label.currentData()
        self.label.clear()
        for name in self._first.labels:
            if name in self._second.labels:
                self.label.addItem(expression(name), name)
        self.label.setCurrentIndex(max(self.label.findData(before), 0))
        self.label.blockSignals(False)

    def open_other(self, path: Path) -> None:
        """Take the second person from another recording."""
        self._task = Task(self, lambda: read_session(path), self._opened, self._failed)

    def _ask_other(self) -> None:
        name = ask_recording(self, str(self._first.csv.parent))
        if name:
            self.open_other(Path(name))

    def _opened(self, session: RecordedSession) -> None:
        self._task = None
        if not set(session.labels) & set(self._first.labels):
            self._failed(
                tr("{one}: has no label in common with {other}", one=session.csv.name, other=self._first.csv.name)
            )
            return
        self._second = session
        self._fill()
        self._show()

    def _failed(self, text: str) -> None:
        self._task = None
        self.notice.say(text[:1].upper() + text[1:], kind="warning")

    @property
    def comparison(self) -> Comparison | None:
        """What is shown."""
        keys = self.who[0].currentData(), self.who[1].currentData()
        if keys[0] is None or keys[1] is None:
            return None
        span = self._state.span or WHOLE
        return compare((self._first, keys[0]), (self._second, keys[1]), span=span, offset_s=self.offset.value())

    def _show(self) -> None:
        found = self.comparison
        name = self.label.currentData()
        if found is None or not name:
            self.chart.show_curves([])
            return
        names = [box.currentText() for box in self.who]
        pairs = ((self._first, found.first.track_id, 0.0), (self._second, found.second.track_id, self.offset.value()))
        self.chart.show_curves(
            [
                (who, session, session.track(key), session.labels.index(name), by)
                for who, (session, key, by) in zip(names, pairs, strict=True)
            ]
        )
        from html import escape

        span = self._state.span
        part = self.tr("Figures: whole recording")
        if span is not None:
            part = tr("Figures: {start} – {end}", start=clock_ms(span.start_s), end=clock_ms(span.end_s))
        swatches = "&nbsp;&nbsp;&nbsp; ".join(
            f"<span style='color:{colour.name()}'>■</span>&nbsp;{escape(who)}"
            for colour, who in zip(self.chart._colours(), names, strict=True)
        )
        self._legend.setText(f"{swatches}&nbsp;&nbsp;&nbsp; {escape(part)}")
        self._table(found, names)

    def _table(self, found: Comparison, names: list[str]) -> None:
        mean, share = self.tr("mean"), self.tr("share")
        self.figures.setHorizontalHeaderLabels(
            [self.tr("Expression"), f"{names[0]}\n{mean}", f"{names[1]}\n{mean}", self.tr("Difference"),
             f"{names[0]}\n{share}", f"{names[1]}\n{share}", self.tr("Difference"), self.tr("Correlation")]
        )  # fmt: skip
        self.figures.blockSignals(True)
        self.figures.setRowCount(len(found.labels))
        for at, item in enumerate(found.labels):
            cells = [
                expression(item.label),
                _percent(item.first.mean), _percent(item.second.mean), _points(item.mean_difference),
                tr("{share:.0f} %", share=item.first.percent), tr("{share:.0f} %", share=item.second.percent),
                _points(item.share_difference),
                "–" if math.isnan(item.correlation) else tr("{value:+.2f}", value=item.correlation),
            ]  # fmt: skip
            for number, text in enumerate(cells):
                cell = QTableWidgetItem(text)
                if number:
                    cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.figures.setItem(at, number, cell)
        self.figures.blockSignals(False)

    def _picked(self) -> None:
        item = self.figures.item(self.figures.currentRow(), 0)
        if item is not None:
            self.label.setCurrentIndex(self.label.findText(item.text()))

    def _save(self) -> None:
        name = ask_save(self, self.tr("Save figures"), str(self._first.csv.with_name("comparison.csv")), "CSV (*.csv)")
        if name:
            self.write(Path(name))

    def write(self, path: Path) -> None:
        """Write the figures of both as CSV."""
        keys = [box.currentData() for box in self.who]
        span = self._state.span or WHOLE
        rows: list[list[str]] = []
        for session, key, by in ((self._first, keys[0], 0.0), (self._second, keys[1], self.offset.value())):
            rows += rows_of(session, Selection(frozenset({key}), max(span.start_s - by, 0.0), span.end_s - by))
        try:
            refuse_own(self._second, path)
            save_export(self._first, path, table(rows))
        except MienError as error:
            self._failed(str(error))
            return
        self.notice.say(self.tr("Saved {name}.").format(name=path.name), kind="check", seconds=5)

    def _save_chart(self) -> None:
        name = ask_save(self, self.tr("Save chart"), str(self._first.csv.with_name("comparison.png")), "PNG (*.png)")
        if name:
            try:
                refuse_own(self._second, Path(name))
                buffer = QBuffer()
                buffer.open(QIODevice.OpenModeFlag.WriteOnly)
                self.chart.grab().toImage().save(buffer, "PNG")  # type: ignore[call-overload]
                save_export(self._first, Path(name), bytes(buffer.data().data()))
            except MienError as error:
                self._failed(str(error))


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else tr("{share:.1f} %", share=value * 100)


def _points(value: float) -> str:
    return "–" if math.isnan(value) else tr("{value:+.1f}", value=value * 100)
