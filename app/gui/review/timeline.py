"""The timeline on the screen: zoom, scroll, seek, select, hover; the scrubber stands above its own place in it."""

from __future__ import annotations

import html
from typing import Final

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QHelpEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QScrollArea,
    QScrollBar,
    QSizePolicy,
    QSlider,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from mien.app.gui.look.expressions import called, expression
from mien.app.gui.review.chart import FLAGS, NAMES, RIGHT, ChartPainter, ChartView
from mien.app.gui.review.state import ReviewState
from mien.engine.language import tr
from mien.engine.review.coding.model import Event, EventKind
from mien.engine.review.face.curves import curves_of, value_of
from mien.engine.review.spans import Span, clock_ms

_CLOSEST_S: Final = 0.2  # as little as this fills the whole width
_DRAG: Final = 5  # pixels; less is a click
_HANDLE: Final = 7  # half the width of the slider's handle, which the style sheet says
_PART: Final = 1000  # of the scroll bar's and the slider's units in a second


class Lanes(QWidget):
    """The painted lanes. A click seeks, dragging selects a span, Ctrl and the wheel zoom."""

    sought = Signal(float)
    zoomed = Signal(float, float)
    """A factor, and the time that keeps its place."""
    scrolled = Signal(float)
    """By which part of what is shown."""
    event_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Timeline of all people"))
        self._state: ReviewState | None = None
        self._chart: ChartPainter | None = None
        self._drawn: QPixmap | None = None
        self._range = (0.0, 1.0)
        self._time_s = 0.0
        self._pressed: QPointF | None = None
        self._hover: float | None = None

    def show_state(self, state: ReviewState, start_s: float, end_s: float) -> None:
        """Draw the recording from `start_s` to `end_s`."""
        self._state, self._range = state, (start_s, end_s)
        self._redraw()
        self.updateGeometry()

    def show_time(self, time_s: float) -> None:
        """Move the line to `time_s`."""
        self._time_s = time_s
        if self._state is not None and self._state.coder.open:
            self._redraw()
        self.update()

    def x_of(self, time_s: float) -> float:
        """Where a time lies, in pixels of this widget."""
        assert self._chart is not None
        return self._chart.axes(QRectF(self.rect())).x(time_s)

    def sizeHint(self) -> QSize:
        return QSize(600, round(self._chart.height()) if self._chart else 120)

    def minimumSizeHint(self) -> QSize:
        return QSize(320, self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._redraw()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in {QEvent.Type.PaletteChange, QEvent.Type.DevicePixelRatioChange}:
            self._redraw()

    def _redraw(self) -> None:
        self._drawn = None
        state = self._state
        if state is not None:
            began = tuple((name, began_s) for (name, _), began_s in state.coder.open.items())
            view = ChartView(
                *self._range, state.label, state.span, state.person, state.chosen_event, began, self._time_s
            )
            # The application's: a style sheet that makes the scrolled area transparent leaves black in its palette.
            self._chart = ChartPainter(state.session, QApplication.palette(), self.font(), view)
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
        axes = self._chart.axes(QRectF(self.rect()))
        bottom = axes.area.bottom() + 4
        if self._hover is not None:
            painter.setPen(QPen(QApplication.palette().color(QPalette.ColorRole.Dark), 1.0, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(self._hover, FLAGS), QPointF(self._hover, bottom))
        if axes.start_s <= self._time_s <= axes.end_s:
            x = axes.x(self._time_s)
            painter.setPen(QPen(QApplication.palette().color(QPalette.ColorRole.WindowText), 1.8))
            painter.drawLine(QPointF(x, 0), QPointF(x, bottom))
        if self.hasFocus():
            painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Highlight), 2))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 4, 4)

    # Mouse

    def _time_at(self, x: float) -> float:
        assert self._chart is not None
        return self._chart.axes(QRectF(self.rect())).time_at(x)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._chart is not None and event.button() is Qt.MouseButton.LeftButton:
            self._pressed = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._chart is None or self._state is None:
            return
        self._hover = event.position().x() if event.position().x() >= NAMES else None
        pressed = self._pressed
        held = event.buttons() & Qt.MouseButton.LeftButton
        if held and pressed is not None and pressed.x() >= NAMES and self._dragged(event):
            times = self._time_at(pressed.x()), self._time_at(event.position().x())
            self._state.select_span(Span(min(times), max(times)))
        self.update()

    def _dragged(self, event: QMouseEvent) -> bool:
        return self._pressed is not None and abs(event.position().x() - self._pressed.x()) >= _DRAG

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, self._pressed = self._pressed, None
        if pressed is None or self._chart is None or self._state is None:
            return
        if abs(event.position().x() - pressed.x()) >= _DRAG and pressed.x() >= NAMES:
            return  # a span was selected
        area = QRectF(self.rect())
        if pressed.x() < NAMES:
            track = self._chart.track_at(area, pressed.y())
            if track is not None:
                self._state.select_person(None if track == self._state.person else track)
            return
        found = self._chart.event_at(area, pressed.x(), pressed.y())
        if found is not None:
            self.event_chosen.emit(found.number)
        self.sought.emit(found.start_s if found is not None else self._time_at(pressed.x()))

    def leaveEvent(self, event: QEvent) -> None:
        self._hover = None
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        step = event.angleDelta()
        if self._chart is None:
            return
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoomed.emit(0.8 ** (step.y() / 120), self._time_at(event.position().x()))
            event.accept()
        elif step.x() or event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.scrolled.emit(-(step.x() or step.y()) / 120 * 0.1)
            event.accept()
        else:
            event.ignore()  # many people: the lanes are scrolled

    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self._chart is not None:
            text = self.values_at(self._time_at(event.pos().x())) if event.pos().x() >= NAMES else ""
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)

    def values_at(self, time_s: float) -> str:
        """What is under the pointer, as HTML: the time, and of each person the three most probable expressions."""
        if self._state is None:
            return ""
        session = self._state.session
        lines = [f"<b>{clock_ms(time_s)}</b>"]
        for key, track in session.tracks.items():
            row = int(np.searchsorted(track.times_s, time_s + 1e-6, "right")) - 1
            if row < 0 or time_s - track.times_s[row] > 0.5 or not np.isfinite(track.probabilities[row]).all():
                continue
            order = np.argsort(-track.probabilities[row], kind="stable")[:3]
            values = ", ".join(
                html.escape(_likely(session.labels[i], float(track.probabilities[row][i]))).replace(" ", "&nbsp;")
                for i in order
            )
            chosen = self._state.label
            if isinstance(chosen, str):
                measured = value_of(session, track, chosen, row)
                if np.isfinite(measured):
                    about = tr("{name}: {value:.2f}", name=tr(curves_of(session)[chosen]), value=float(measured))
                    values += f"; {html.escape(about)}"
            lines.append(f"{html.escape(called(session.name_of(key)))}: {values}")
        near = (e for e in session.coding.events if e.start_s - 0.02 <= time_s <= e.end_s + 0.02)
        lines += [html.escape(_about(event)) for event in near]
        return "<br>".join(lines)


class Timeline(QWidget):
    """Scrubber, lanes and scroll bar, all over the same stretch of time."""

    sought = Signal(float)
    """Seconds from the beginning of the recording."""
    event_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._state: ReviewState | None = None
        self._start_s, self._end_s, self._time_s = 0.0, 1.0, 0.0
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(self.tr("Position in the recording"))
        self.slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.slider.sliderMoved.connect(lambda value: self.sought.emit(self._start_s + value / _PART))
        self.lanes = Lanes()
        self.lanes.sought.connect(self.sought)
        self.lanes.event_chosen.connect(self.event_chosen)
        self.lanes.zoomed.connect(self.zoom)
        self.lanes.scrolled.connect(self.scroll_by)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setProperty("flat", True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setWidget(self.lanes)
        self.area.viewport().installEventFilter(self)
        self._bar = QScrollBar(Qt.Orientation.Horizontal)
        self._bar.setAccessibleName(self.tr("Part of the recording that is shown"))
        self._bar.valueChanged.connect(self._scrolled)
        self._bar.hide()
        inner = QVBoxLayout(self)
        inner.setContentsMargins(14, 6, 14, 4)
        inner.setSpacing(2)
        inner.addWidget(self.slider)
        inner.addWidget(self.area, 1)
        inner.addWidget(self._bar)

    @property
    def shown(self) -> Span:
        """The stretch that fills the width."""
        return Span(self._start_s, self._end_s)

    def open(self, state: ReviewState) -> None:
        """Show a recording, all of it."""
        self._state = state
        state.changed.connect(self._refresh)
        state.selected.connect(self._refresh)
        self.show_span(Span(0.0, state.session.duration_s))

    def show_span(self, span: Span) -> None:
        """Fill the width with `span`, as far as the recording goes."""
        if self._state is None:
            return
        whole = max(self._state.session.duration_s, 1e-3)
        wide = min(max(span.seconds, min(_CLOSEST_S, whole)), whole)
        self._start_s = min(max(span.start_s, 0.0), whole - wide)
        self._end_s = self._start_s + wide
        self._refresh()

    def zoom(self, factor: float, around_s: float | None = None) -> None:
        """Show `factor` times as much; what is at `around_s`, by default the playhead, keeps its place."""
        around_s = self._time_s if around_s is None else around_s
        if not self._start_s <= around_s <= self._end_s:
            around_s = (self._start_s + self._end_s) / 2
        first = around_s - (around_s - self._start_s) * factor
        self.show_span(Span(first, first + (self._end_s - self._start_s) * factor))

    def zoom_all(self) -> None:
        if self._state is not None:
            self.show_span(Span(0.0, self._state.session.duration_s))

    def zoom_selection(self) -> None:
        if self._state is not None and self._state.span is not None:
            self.show_span(self._state.span)

    def scroll_by(self, part: float) -> None:
        """Go on by a part of what is shown."""
        by = part * (self._end_s - self._start_s)
        self.show_span(Span(self._start_s + by, self._end_s + by))

    def show_time(self, time_s: float, *, follow: bool = True) -> None:
        """Move the playhead; with `follow` it is kept in view."""
        self._time_s = time_s
        wide = self._end_s - self._start_s
        if follow and not self._start_s - 1e-6 <= time_s <= self._end_s + 1e-6:
            first = time_s - (0.1 if time_s > self._end_s else 0.9) * wide
            self.show_span(Span(first, first + wide))
        if not self.slider.isSliderDown():
            self.slider.setValue(round((time_s - self._start_s) * _PART))
        self.lanes.show_time(time_s)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._align()

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Resize:
            self._align()
        return False

    def _align(self) -> None:
        """Puts the slider's groove exactly over the lanes."""
        viewport = self.area.viewport()
        right = self.width() - viewport.mapTo(self, viewport.rect().topRight()).x() - 1
        margins = self.contentsMargins()
        left_edge = viewport.mapTo(self, viewport.rect().topLeft()).x()
        height = self.slider.sizeHint().height()
        x = left_edge + NAMES - _HANDLE
        wide = self.width() - right - RIGHT + _HANDLE - x
        self.slider.setGeometry(x, margins.top() + 6, max(wide, 20), height)

    def _scrolled(self, value: int) -> None:
        wide = self._end_s - self._start_s
        if abs(value / _PART - self._start_s) > 0.5 / _PART:
            self.show_span(Span(value / _PART, value / _PART + wide))

    def _refresh(self) -> None:
        if self._state is None:
            return
        whole = self._state.session.duration_s
        wide = self._end_s - self._start_s
        for control in (self._bar, self.slider):
            control.blockSignals(True)
        self._bar.setRange(0, round((whole - wide) * _PART))
        self._bar.setPageStep(max(1, round(wide * _PART)))
        self._bar.setSingleStep(max(1, round(wide * _PART / 10)))
        self._bar.setValue(round(self._start_s * _PART))
        self._bar.setVisible(wide < whole - 1e-6)
        self.slider.setRange(0, max(1, round(wide * _PART)))
        self.slider.setValue(round((self._time_s - self._start_s) * _PART))
        for control in (self._bar, self.slider):
            control.blockSignals(False)
        self.lanes.show_state(self._state, self._start_s, self._end_s)
        self._align()


def _likely(name: str, probability: float) -> str:
    return tr("{name} {share:.0f} %", name=expression(name), share=probability * 100)


def _about(event: Event) -> str:
    if event.kind is EventKind.CODE:
        return f"{event.code} ({event.text})" if event.text and event.text != event.code else event.code
    return event.text or (tr("Excluded") if event.kind is EventKind.EXCLUDED else tr("Marker"))
