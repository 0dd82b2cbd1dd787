"""Reviews a recording: plays it, codes it, measures it, exports it for other programs."""

from __future__ import annotations

import bisect
import html
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QMainWindow,
    QMenu,
    QSplitter,
    QTabBar,
    QTabWidget,
    QWidget,
)

from mien.app.gui.look.file_dialogs import ask_recording
from mien.app.gui.look.frame_view import FrameView
from mien.app.gui.look.notice import Notice
from mien.app.gui.look.palette import series_colour
from mien.app.gui.look.widgets import button, column, label, row
from mien.app.gui.review.actions import ReviewActions
from mien.app.gui.review.compare import CompareWindow
from mien.app.gui.review.events_panel import EventsPanel
from mien.app.gui.review.exporting import Exporting, VideoJob
from mien.app.gui.review.figures_panel import FiguresPanel
from mien.app.gui.review.people_panel import PeoplePanel
from mien.app.gui.review.state import ReviewState
from mien.app.gui.review.timeline import Timeline
from mien.app.gui.review.transport import Transport
from mien.app.gui.tasks import Task
from mien.engine.errors import MienError
from mien.engine.review.coding.model import EventKind
from mien.engine.review.session import RecordedSession, read_session
from mien.engine.review.spans import Span, clock_ms

if TYPE_CHECKING:
    from mien.engine.review.playback import Playback, Played
    from mien.engine.review.video.export import Drawing
    from mien.engine.review.video.origin import Origin

_PULL_MS = 10
_JUMP_S = 5.0
_LOW = 720  # pixels; a window that is no higher has no legend


class ReviewWindow(QMainWindow):
    """One recording."""

    closed = Signal()

    def __init__(self, parent: QWidget | None, path: Path) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Review: {name}").format(name=path.name))
        self.resize(1280, 820)
        self.setMinimumSize(640, 480)
        self._path = path
        self.state: ReviewState | None = None
        self.playback: Playback | None = None
        self.origin: Origin | None = None
        self._drawing: Drawing | None = None
        self._played: Played | None = None
        self._serial = -1
        self._lanes_height = 0
        self._time_s = 0.0
        self.image = FrameView()
        self.image.show_message("file", self.tr("Opening {name}…").format(name=path.name))
        self.notice = Notice()
        self.actions_ = ReviewActions(self, self.menuBar())
        self.transport = Transport(self.actions_)
        self.timeline = Timeline()
        self.events, self.figures, self.people = EventsPanel(), FiguresPanel(), PeoplePanel()
        self.job = VideoJob()
        self.exporting = Exporting(self, path, self.notice, self.job)
        self._build()
        self._connect()
        self.actions_.enable(False)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_PULL_MS)
        self._timer.timeout.connect(self._pull)
        self._task = Task(self, lambda: _read(path), self._opened, self._failed)

    @property
    def session(self) -> RecordedSession | None:
        """The recording, with what was added to it."""
        return self.state.session if self.state is not None else None

    @property
    def time_s(self) -> float:
        """Where the recording is now."""
        return self._time_s

    # Building

    def _build(self) -> None:
        self._label = QComboBox()
        self._label.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._label.setAccessibleName(self.tr("Expression shown in the timeline"))
        self._who = QComboBox()
        self._who.setAccessibleName(self.tr("Person"))
        self._who.setMinimumWidth(120)
        earlier, later = button(self.tr("Previous peak")), button(self.tr("Next peak"))
        earlier.clicked.connect(self.actions_["previous_peak"].trigger)
        later.clicked.connect(self.actions_["next_peak"].trigger)
        export = button(self.tr("Export"), "export")
        export.setMenu(QMenu(self))
        self.exporting.fill(export.menu())
        export.menu().aboutToShow.connect(self._say_selection)
        own = self.actions_.menus["Recording"]
        more = QMenu(self.tr("&Export the selection"), self)
        self.exporting.fill(more)
        own.insertMenu(self.actions_["compare"], more)
        tools = row(
            label(self.tr("Show")), self._label, 8, label(self.tr("Person")), self._who, earlier, later, 0, export
        )
        tools.setContentsMargins(18, 6, 14, 0)
        self._tools = (self._label, self._who, earlier, later, export)
        self._space = QWidget()
        holder = column(self.notice)
        holder.setContentsMargins(12, 8, 12, 0)
        self._space.setLayout(holder)
        self._space.hide()
        self.notice.visibility_changed.connect(self._space.setVisible)
        self._legend = label("", wrap=True)
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        self._legend.setContentsMargins(18, 0, 18, 8)
        self.panel = QTabWidget()
        self.panel.setObjectName("side")
        self.panel.setDocumentMode(True)
        self.panel.addTab(self.events, self.tr("Events"))
        self.panel.addTab(self.figures, self.tr("Figures"))
        self.panel.addTab(self.people, self.tr("People"))
        self.panel.setMinimumWidth(250)
        self._beside = QSplitter(Qt.Orientation.Horizontal)
        self._beside.addWidget(self.image)
        self._beside.addWidget(self.panel)
        self._beside.setStretchFactor(0, 1)
        self._beside.setSizes([860, 440])
        self._beside.setChildrenCollapsible(False)
        below = QWidget()
        lower = column(self.transport, self.job, tools, self.timeline, self._legend, spacing=0)
        lower.setStretch(3, 1)
        below.setLayout(lower)
        self._split = QSplitter(Qt.Orientation.Vertical)
        self._split.addWidget(self._beside)
        self._split.addWidget(below)
        self._split.setStretchFactor(0, 1)
        self._split.setChildrenCollapsible(False)
        page = QWidget()
        page.setObjectName("page")
        whole = column(self._space, self._split, spacing=0)
        whole.setStretch(1, 1)
        page.setLayout(whole)
        self.setCentralWidget(page)
        for item in self._tools:
            item.setEnabled(False)

    def _connect(self) -> None:
        a = self.actions_
        a.connect(
            {
                "play": self.toggle, "back": lambda: self.step(-1), "on": lambda: self.step(1),
                "skip_back": lambda: self.skip(-_JUMP_S), "skip_on": lambda: self.skip(_JUMP_S),
                "first": lambda: self.seek_end(-1), "last": lambda: self.seek_end(1), "close": self.close,
                "slower": lambda: self.transport.change_speed(-1), "faster": lambda: self.transport.change_speed(1),
                "normal": lambda: self.transport.change_speed(0),
                "next_peak": lambda: self.jump_to_peak(1), "previous_peak": lambda: self.jump_to_peak(-1),
                "next_marker": lambda: self.jump_to_marker(1), "previous_marker": lambda: self.jump_to_marker(-1),
                "next_event": lambda: self.jump_to_event(1), "previous_event": lambda: self.jump_to_event(-1),
                "undo": lambda: self._with(ReviewState.undo), "redo": lambda: self._with(ReviewState.redo),
                "delete": self.events.remove_event, "mark": self.mark, "exclude": self.exclude,
                "select_start": lambda: self.select_edge(-1), "select_end": lambda: self.select_edge(1),
                "select_none": self.select_none, "add_code": self._add_code, "import_codes": self._import_codes,
                "compare": self.compare, "report": self.exporting.report,
                "zoom_in": lambda: self.timeline.zoom(0.5), "zoom_out": lambda: self.timeline.zoom(2.0),
                "zoom_all": self.timeline.zoom_all, "zoom_selection": self.zoom_selection,
                "scroll_back": lambda: self.timeline.scroll(-0.5), "scroll_on": lambda: self.timeline.scroll(0.5),
                "previous_person": lambda: self._step_person(-1), "next_person": lambda: self._step_person(1),
                "everybody": lambda: self._with(partial(ReviewState.select_person, track=None)),
                "overlay": self._redraw, "panel": lambda: self.panel.setVisible(a["panel"].isChecked()),
            }
        )  # fmt: skip
        for key, action in enumerate(a.keys, start=1):
            action.triggered.connect(lambda checked=False, key=key: self.press(key))
        self.transport.speed_chosen.connect(self._set_speed)
        self.timeline.sought.connect(self.seek)
        self.timeline.event_chosen.connect(lambda number: self._with(partial(ReviewState.select_event, number=number)))
        self.events.sought.connect(self.seek)
        self.figures.sought.connect(self.seek)
        self._label.currentIndexChanged.connect(self._choose)
        self._who.currentIndexChanged.connect(self._choose)

    def _with(self, act: object) -> None:
        if self.state is not None:
            act(self.state)  # type: ignore[operator]

    # Opening

    def _opened(self, result: tuple[RecordedSession, Playback | None, Origin | None]) -> None:
        session, self.playback, self.origin = result
        try:
            self.state = ReviewState(self, session)
        except MienError as error:
            self._failed(str(error))
            return
        state = self.state
        if session.warnings:
            self.notice.say(session.warnings[0][:1].upper() + session.warnings[0][1:], kind="warning")
        self.image.show_message("", "")
        if self.playback is None:
            self.image.show_message("info", self.tr("No video"), self.tr("Only the predictions were found."))
        self._label.blockSignals(True)
        self._label.addItem(self.tr("the most probable expression"), None)
        for index, name in enumerate(session.labels):
            self._label.addItem(name, index)
        self._label.blockSignals(False)
        for item in self._tools:
            item.setEnabled(True)
        self.actions_.enable(True)
        bare = self.origin is not None and self.origin.bare
        self.actions_["overlay"].setEnabled(bare)
        if not bare:
            self.actions_["overlay"].setToolTip(self.tr("Boxes and numbers are part of this video."))
        for name in ("play", "back", "on", "slower", "faster", "normal", "mute"):
            self.actions_[name].setEnabled(self.playback is not None)
        self.exporting.state, self.exporting.origin, self.exporting.look = state, self.origin, self._look
        state.changed.connect(self._changed)
        state.selected.connect(self._selected)
        state.said.connect(self._said)
        self.timeline.open(state)
        for panel in (self.events, self.figures, self.people):
            panel.open(state)
        self._changed()
        self._selected()
        self._legend_of(session)
        self._fit_lanes()
        self._show_time(0.0)
        self.timeline.lanes.setFocus()  # so that the keys are those of the window, not of the first control
        self._timer.start()

    def _failed(self, message: str) -> None:
        self.image.show_message(
            "warning", self.tr("This recording cannot be opened"), message[:1].upper() + message[1:]
        )

    def _legend_of(self, session: RecordedSession) -> None:
        for index in range(len(session.labels)):
            swatch = QPixmap(12, 12)
            swatch.fill(series_colour(index, self.palette()))
            self._label.setItemIcon(index + 1, swatch)
        self._legend.setText(
            "&nbsp;&nbsp;&nbsp; ".join(
                f"<span style='color:{series_colour(index, self.palette()).name()}'>■</span>&nbsp;{html.escape(name)}"
                for index, name in enumerate(session.labels)
            )
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # The lanes are worth more than their legend, which is in the list of expressions, too.
        self._legend.setVisible(self.height() >= _LOW)
        self._lanes_height = 0
        if self.state is not None:
            self._fit_lanes()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange and self.state is not None:
            self._legend_of(self.state.session)

    # What changed

    def _changed(self) -> None:
        state = self.state
        assert state is not None
        for name, what in (("undo", state.history.undoes), ("redo", state.history.redoes)):
            text = {"undo": self.tr("&Undo"), "redo": self.tr("&Redo")}[name]
            self.actions_[name].setText(f"{text}: {what}" if what else text)
            self.actions_[name].setEnabled(bool(what))
        self._who.blockSignals(True)
        self._who.clear()
        self._who.addItem(self.tr("everybody"), None)
        for key in state.session.tracks:
            self._who.addItem(state.session.name_of(key), key)
        self._who.blockSignals(False)
        self._selected()
        self._redraw()
        self._fit_lanes()

    def _fit_lanes(self) -> None:
        """Give the lanes the height that they need, where they have changed and the picture can spare it."""
        lanes = self.timeline.lanes.sizeHint().height()
        if lanes == self._lanes_height:
            return
        self._lanes_height = lanes
        rest = self.transport.sizeHint().height() + 84
        rest += self._legend.sizeHint().height() if self._legend.isVisible() else 0
        below = min(lanes + rest, max(round(self.height() * 0.48), 240))
        self._split.setSizes([max(self._split.height() - below, 160), below])

    def _selected(self) -> None:
        state = self.state
        assert state is not None
        self._who.blockSignals(True)
        self._who.setCurrentIndex(max(self._who.findData(state.person), 0))
        self._who.blockSignals(False)
        span = state.span
        text = "" if span is None else self.tr("{start} – {end} selected, {seconds:.3f} s").format(
            start=clock_ms(span.start_s), end=clock_ms(span.end_s), seconds=span.seconds
        )  # fmt: skip
        self.transport.show_selection(text)
        for name in ("exclude", "zoom_selection"):
            self.actions_[name].setEnabled(span is not None)
        self.actions_["delete"].setEnabled(state.event is not None)

    def _choose(self) -> None:
        if self.state is not None:
            self.state.select_label(self._label.currentData())
            if self._who.currentData() != self.state.person:
                self.state.select_person(self._who.currentData())

    def _said(self, text: str, kind: str) -> None:
        self.notice.say(text, kind=kind, seconds=3 if kind == "info" else 10)

    def _say_selection(self) -> None:
        state = self.state
        if state is not None and (state.span is not None or state.person is not None):
            who = self.tr("everybody") if state.person is None else state.session.name_of(state.person)
            part = self.tr("the whole recording")
            if state.span is not None:
                part = f"{clock_ms(state.span.start_s)} – {clock_ms(state.span.end_s)}"
            self.notice.say(
                self.tr("Exports hold what is selected: {part}, {who}.").format(part=part, who=who), seconds=5
            )

    # Playing

    def toggle(self) -> None:
        """Play or pause."""
        if self.playback is not None:
            self.playback.play(not self.playback.playing)

    def step(self, by: int) -> None:
        """Go `by` frames on; back where negative."""
        if self.playback is not None:
            self.playback.step(by)

    def skip(self, seconds: float) -> None:
        self.seek(self.time_s + seconds)

    def seek(self, time_s: float) -> None:
        """Go to a time of the recording."""
        if self.state is None:
            return
        time_s = min(max(time_s, 0.0), self.state.session.duration_s)
        if self.playback is not None:
            self.playback.seek(time_s)
        self._show_time(time_s)

    def seek_end(self, side: int) -> None:
        if self.state is not None:
            self.seek(self.state.session.duration_s if side > 0 else 0.0)

    def _set_speed(self, speed: float) -> None:
        if self.playback is not None:
            self.playback.set_speed(speed)

    def jump_to_marker(self, side: int) -> None:
        if self.state is not None:
            self._jump([marker.time_s for marker in self.state.session.markers], side)

    def jump_to_event(self, side: int) -> None:
        """To the next or previous event, which is selected."""
        state = self.state
        if state is not None and self._jump(sorted({event.start_s for event in state.session.coding.events}), side):
            here = [event for event in state.session.coding.events if abs(event.start_s - self._time_s) < 1e-6]
            state.select_event(here[0].number if here else None)

    def jump_to_peak(self, side: int) -> None:
        """To the next or previous moment at which the selected person showed the selected expression most clearly."""
        state = self.state
        if state is None:
            return
        session, label_ = state.session, state.label
        names = session.labels if label_ is None else (session.labels[label_],)
        people = list(session.tracks) if state.person is None else [state.person]
        times = sorted({peak.time_s for key in people for name in names for peak in session.peaks(key, name)})
        if not self._jump(times, side):
            self.notice.say(self.tr("No further peak of this expression."), seconds=3)

    def _jump(self, times: list[float], side: int) -> bool:
        now = self._time_s
        at = bisect.bisect_right(times, now + 0.02) if side > 0 else bisect.bisect_left(times, now - 0.02) - 1
        if not 0 <= at < len(times):
            return False
        if self.playback is not None:
            self.playback.play(False)
        self.seek(times[at])
        return True

    def _pull(self) -> None:
        if self.playback is None:
            return
        now = self.playback.now()
        # A frame from before the last seek would set the clock back, and a key pressed then a wrong time.
        if now is not None and now.serial != self._serial and now.request == self.playback.request:
            self._serial, self._played = now.serial, now
            self._paint()
            self._show_time(now.time_s)
        self.transport.show_playing(self.playback.playing)
        if self.playback.problem:
            self.notice.say(self.playback.problem[:1].upper() + self.playback.problem[1:], kind="warning")
            self._timer.stop()

    def _show_time(self, time_s: float) -> None:
        assert self.state is not None
        self._time_s = time_s
        count = 0 if self.playback is None else len(self.playback.times_s)
        index = None if self._played is None else self._played.index
        self.transport.show_time(time_s, self.state.session.duration_s, index, count)
        self.timeline.show_time(time_s)

    # The picture

    def _look(self) -> object:
        from mien.engine.review.video.export import Look

        return Look(overlay=self.actions_["overlay"].isChecked())

    def _redraw(self) -> None:
        """Names, hidden people or what is drawn have changed."""
        from mien.engine.review.video.export import Drawing, Look

        assert self.state is not None
        look = self._look()
        assert isinstance(look, Look)
        bare = self.origin is not None and self.origin.bare
        self._drawing = Drawing(self.state.session, look) if bare and look.overlay else None
        self._paint()

    def _paint(self) -> None:
        if self._played is None or self.state is None:
            return
        from mien.engine.review.video.export import covered

        time_s, image = self._played.time_s, self._played.image
        if not self.state.session.counted.hold(time_s):
            image = covered(image)
        elif self._drawing is not None:
            image = self._drawing.draw(image, time_s)
        self.image.show_image(image)

    # Coding and selecting

    def press(self, key: int) -> None:
        """The key of a code."""
        if self.state is not None:
            self.state.press(key, self._time_s)

    def mark(self) -> None:
        """Set a marker here, and let its text be written where the recording does not play."""
        if self.state is None:
            return
        self.state.add(self.tr("marker"), EventKind.MARKER, self._time_s)
        if self.state.event is not None and not (self.playback is not None and self.playback.playing):
            self._show_panel(self.events)
            self.events.edit_text(self.state.event)

    def exclude(self) -> None:
        """Leave the selected span out of every statistic and export."""
        state = self.state
        if state is not None and state.span is not None:
            span = state.span
            state.add(self.tr("exclude"), EventKind.EXCLUDED, span.start_s, span.end_s)
            state.select_span(None)

    def select_edge(self, side: int) -> None:
        """The selection begins or ends here."""
        state = self.state
        if state is None:
            return
        old = state.span or Span(0.0, state.session.duration_s)
        now = self._time_s
        span = Span(now, old.end_s if old.end_s > now else state.session.duration_s) if side < 0 else Span(
            old.start_s if old.start_s < now else 0.0, now
        )  # fmt: skip
        state.select_span(span)

    def select_none(self) -> None:
        """Give up a span that was begun, else the selection."""
        state = self.state
        if state is None:
            return
        if state.coder.give_up():
            state.changed.emit()
            return
        state.select_span(None)
        state.select_event(None)

    def zoom_selection(self) -> None:
        if self.state is not None and self.state.span is not None:
            self.timeline.show_span(self.state.span)

    def _step_person(self, by: int) -> None:
        state = self.state
        if state is not None and state.session.tracks:
            keys = list(state.session.tracks)
            at = keys.index(state.person) + by if state.person in keys else (0 if by > 0 else len(keys) - 1)
            state.select_person(keys[min(max(at, 0), len(keys) - 1)])

    def _show_panel(self, panel: QWidget) -> None:
        self.actions_["panel"].setChecked(True)
        self.panel.show()
        self.panel.setCurrentWidget(panel)

    def _add_code(self) -> None:
        self._show_panel(self.events)
        self.events.add_code()

    def _import_codes(self) -> None:
        name = ask_recording(self, str(self._path.parent))
        if name and self.state is not None:
            from mien.engine.review.coding.history import imported

            try:
                other = read_session(Path(name)).coding
            except MienError as error:
                self._said(str(error)[:1].upper() + str(error)[1:], "warning")
                return
            self.state.do(self.tr("codes of another recording"), lambda coding: imported(coding, other))

    def compare(self) -> None:
        """Open a window that compares two people, or this recording with another."""
        if self.state is not None:
            window = CompareWindow(self, self.state)
            window.show()

    # Keys and the end

    def event(self, event: QEvent) -> bool:
        # What the focused control would do with a key goes before the window's own keys.
        if event.type() is QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            focus = QApplication.focusWidget()
            plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
            if focus is not None and plain and event.key() in _own_keys(focus):
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        focus = QApplication.focusWidget()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and isinstance(focus, QAbstractButton):
            focus.click()
            return
        super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._timer.stop()
        self._task.forget()
        self.job.wait()
        if self.state is not None:
            self.state.finish(self._time_s)
        if self.playback is None and self._task.wait(10.0) and self._task.result is not None:
            self.playback = self._task.result[1]
        if self.playback is not None:
            self.playback.close()
        self.closed.emit()
        super().closeEvent(event)


def _own_keys(focus: QWidget) -> set[int]:
    """Keys that a control uses itself."""
    key = Qt.Key
    if isinstance(focus, QAbstractButton):
        return {key.Key_Space, key.Key_Return, key.Key_Enter}
    if isinstance(focus, QComboBox | QAbstractSpinBox):
        return {key.Key_Space, key.Key_Up, key.Key_Down, key.Key_Home, key.Key_End, key.Key_Return, key.Key_Enter}
    if isinstance(focus, QAbstractItemView):
        return {key.Key_Space, key.Key_Up, key.Key_Down, key.Key_Home, key.Key_End, key.Key_Return, key.Key_Enter}
    if isinstance(focus, QTabBar):
        return {key.Key_Left, key.Key_Right, key.Key_Home, key.Key_End}
    return set()


def _read(path: Path) -> tuple[RecordedSession, Playback | None, Origin | None]:
    from mien.engine.review.playback import Playback
    from mien.engine.review.video.origin import origin_of

    session = read_session(path)
    origin = origin_of(session)
    return session, None if origin is None else Playback(origin.path, start_s=origin.start_s), origin
