"""Reviews a recording: plays it, codes it, measures it, exports it for other programs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QComboBox, QMainWindow, QMenu, QSplitter, QTabWidget, QWidget

from mien.app.gui.look.expressions import called
from mien.app.gui.look.file_dialogs import ask_recording
from mien.app.gui.look.frame_view import FrameView
from mien.app.gui.look.notice import Notice
from mien.app.gui.look.widgets import button, column, label, row
from mien.app.gui.review.actions import ReviewActions, add_choices, clicks, expectations, own_key
from mien.app.gui.review.compare import CompareWindow
from mien.app.gui.review.events_panel import EventsPanel
from mien.app.gui.review.exporting import Exporting, ExportJob
from mien.app.gui.review.figures_panel import FiguresPanel
from mien.app.gui.review.legend import Legend
from mien.app.gui.review.look import ReviewLook
from mien.app.gui.review.people_panel import PeoplePanel
from mien.app.gui.review.player import Player
from mien.app.gui.review.state import ReviewState
from mien.app.gui.review.timeline import Timeline
from mien.app.gui.review.transport import Transport
from mien.app.gui.tasks import Task
from mien.engine.errors import MienError
from mien.engine.language import tr
from mien.engine.review.coding.model import EventKind
from mien.engine.review.session import RecordedSession, read_session
from mien.engine.review.spans import clock_ms
from mien.engine.settings import Expectation

if TYPE_CHECKING:
    from mien.engine.review.playback import Playback
    from mien.engine.review.video.origin import Origin

_JUMP_S = 5.0
_WIDE = 980  # pixels; a window that is narrower leaves out what can be spared
_LOW = 720  # pixels; a window that is lower has no legend


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
        self._lanes_height = 0
        self.image = FrameView()
        self.player = Player(self, self.image)
        self.image.show_message("file", self.tr("Opening {name}…").format(name=path.name))
        self.notice = Notice(self.image)
        self.actions_ = ReviewActions(self, self.menuBar())
        self.transport = Transport(self.actions_)
        self.timeline = Timeline()
        self.events, self.figures, self.people = EventsPanel(), FiguresPanel(), PeoplePanel()
        self.job = ExportJob()
        self.exporting = Exporting(self, path, self.notice, self.job)
        self._build()
        self._connect()
        self.actions_.enable(False)
        self._task = Task(self, lambda: _read(path), self._opened, self._failed)

    @property
    def session(self) -> RecordedSession | None:
        """The recording, with what was added to it."""
        return self.state.session if self.state is not None else None

    @property
    def time_s(self) -> float:
        """Where the recording is now."""
        return self.player.time_s

    @property
    def playback(self) -> Playback | None:
        """What plays it; None without a video."""
        return self.player.playback

    def seek(self, time_s: float) -> None:
        """Go to a time of the recording."""
        self.player.seek(time_s)

    # Building

    def _build(self) -> None:
        self._label = QComboBox()
        self._label.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._label.setAccessibleName(self.tr("Expression shown in the timeline"))
        self._who = QComboBox()
        self._who.setAccessibleName(self.tr("Person"))
        self._who.setMinimumWidth(130)
        earlier, later = button(self.tr("Previous peak")), button(self.tr("Next peak"))
        earlier.clicked.connect(self.actions_["previous_peak"].trigger)
        later.clicked.connect(self.actions_["next_peak"].trigger)
        export = button(self.tr("Export"), "export")
        export.setMenu(QMenu(self))
        self.exporting.fill(export.menu())
        export.menu().aboutToShow.connect(self.exporting.say_selection)
        view = self.actions_.menus["view"]
        add_choices(view, self.tr("Read as if &expected"), expectations(), self._read_again)
        self.look = ReviewLook(self, view, self.player)
        own = self.actions_.menus["recording"]
        more = QMenu(self.tr("&Export the selection"), self)
        self.exporting.fill(more)
        own.insertMenu(self.actions_["compare"], more)
        person = label(self.tr("Person"))
        tools = row(label(self.tr("Show")), self._label, 8, person, self._who, earlier, later, 0, export)
        tools.setContentsMargins(18, 6, 14, 0)
        self._spare = (person, earlier, later)
        self._tools = (self._label, self._who, earlier, later, export)
        self._legend = Legend(self._label)
        self.panel = QTabWidget()
        self.panel.setObjectName("side")
        self.panel.setDocumentMode(True)
        self.panel.addTab(self.events, self.tr("Events"))
        self.panel.addTab(self.figures, self.tr("Figures"))
        self.panel.addTab(self.people, self.tr("People"))
        self._beside = QSplitter(Qt.Orientation.Horizontal)
        self._beside.addWidget(self.image)
        self._beside.addWidget(self.panel)
        self._beside.setStretchFactor(0, 2)
        self._beside.setStretchFactor(1, 1)
        self._beside.setSizes([860, 440])
        self._beside.setChildrenCollapsible(False)
        below = QWidget()
        lower = column(self.transport, self.job, tools, self.timeline, self._legend, spacing=0)
        lower.setStretch(3, 1)
        below.setLayout(lower)
        self._split = QSplitter(Qt.Orientation.Vertical)
        self._split.addWidget(self._beside)
        self._split.addWidget(below)
        self._split.setChildrenCollapsible(False)
        page = QWidget()
        page.setObjectName("page")
        page.setLayout(column(self._split, spacing=0))
        self.setCentralWidget(page)
        for item in self._tools:
            item.setEnabled(False)

    def _connect(self) -> None:
        a, player = self.actions_, self.player
        timeline, then = self.timeline, self._with
        a.connect(
            {
                "play": player.toggle, "back": lambda: player.step(-1), "on": lambda: player.step(1),
                "skip_back": lambda: player.skip(-_JUMP_S), "skip_on": lambda: player.skip(_JUMP_S),
                "first": lambda: player.seek(0.0), "last": lambda: player.seek(player.duration_s), "close": self.close,
                "slower": lambda: self.transport.change_speed(-1), "faster": lambda: self.transport.change_speed(1),
                "normal": lambda: self.transport.change_speed(0),
                "next_peak": lambda: player.jump_to_peak(1), "previous_peak": lambda: player.jump_to_peak(-1),
                "next_marker": lambda: player.jump_to_marker(1), "previous_marker": lambda: player.jump_to_marker(-1),
                "next_event": lambda: player.jump_to_event(1), "previous_event": lambda: player.jump_to_event(-1),
                "undo": lambda: then(ReviewState.undo), "redo": lambda: then(ReviewState.redo),
                "delete": self.events.remove_event, "mark": self.mark, "exclude": lambda: then(ReviewState.exclude),
                "select_start": lambda: then(lambda state: state.select_edge(-1, self.time_s)),
                "select_end": lambda: then(lambda state: state.select_edge(1, self.time_s)),
                "select_none": lambda: then(ReviewState.select_none), "add_code": self._add_code,
                "import_codes": self._import_codes, "compare": self.compare, "report": self.exporting.report,
                "zoom_in": lambda: timeline.zoom(0.5), "zoom_out": lambda: timeline.zoom(2.0),
                "zoom_all": timeline.zoom_all, "zoom_selection": timeline.zoom_selection,
                "scroll_back": lambda: timeline.scroll_by(-0.5), "scroll_on": lambda: timeline.scroll_by(0.5),
                "previous_person": lambda: then(lambda state: state.step_person(-1)),
                "next_person": lambda: then(lambda state: state.step_person(1)),
                "everybody": lambda: then(lambda state: state.select_person(None)),
                "overlay": self._set_overlay, "mute": lambda: setattr(player, "audible", a["mute"].isChecked()),
                "panel": lambda: self.panel.setVisible(a["panel"].isChecked()),
            }
        )  # fmt: skip
        for key, action in enumerate(a.keys, start=1):
            action.triggered.connect(lambda checked=False, key=key: self.press(key))
        self.transport.speed_chosen.connect(player.set_speed)
        player.moved.connect(self._moved)
        player.playing.connect(self.transport.show_playing)
        player.said.connect(self._said)
        self.timeline.sought.connect(self.seek)
        self.timeline.event_chosen.connect(lambda number: self._with(partial(ReviewState.select_event, number=number)))
        self.events.sought.connect(self.seek)
        self.figures.sought.connect(self.seek)
        self._label.currentIndexChanged.connect(self._choose)
        self._who.currentIndexChanged.connect(self._choose)

    def _with(self, act: Callable[[ReviewState], object]) -> None:
        if self.state is not None:
            act(self.state)

    # Opening

    def _opened(self, result: tuple[RecordedSession, Playback | None, Origin | None]) -> None:
        session, playback, origin = result
        try:
            self.state = ReviewState(self, session)
        except MienError as error:
            self._failed(str(error))
            return
        state = self.state
        if session.warnings:
            self.notice.say(session.warnings[0][:1].upper() + session.warnings[0][1:], kind="warning")
        self.image.show_message("", "")
        if playback is None:
            self.image.show_message("info", self.tr("No video"), self.tr("Only the predictions were found."))
        for item in self._tools:
            item.setEnabled(True)
        self.actions_.enable(True)
        self.look.open(session)
        self.player.open(state, playback, origin)
        self.actions_["overlay"].setEnabled(self.player.bare)
        if not self.player.bare:
            self.actions_["overlay"].setToolTip(self.tr("Boxes and numbers are part of this video."))
        for name in ("play", "back", "on", "slower", "faster", "normal", "mute"):
            self.actions_[name].setEnabled(playback is not None)
        self.exporting.state, self.exporting.origin, self.exporting.look = state, origin, self.player.look
        state.changed.connect(self._changed)
        state.selected.connect(self._selected)
        state.said.connect(self._said)
        self.timeline.open(state)
        for panel in (self.events, self.figures, self.people):
            panel.open(state)
        self._changed()
        self._selected()
        self._legend.show_session(session)
        self._fit_lanes()
        self._moved(0.0)
        self.timeline.lanes.setFocus()  # so that the keys are those of the window, not of the first control

    def _failed(self, message: str) -> None:
        title = self.tr("This recording cannot be opened")
        self.image.show_message("warning", title, message[:1].upper() + message[1:])

    def showEvent(self, event: QShowEvent) -> None:
        # No tab, head or button may be cut off, and their words are longer in some languages. Now they have their font.
        wanted = self.panel.tabBar().sizeHint().width() + 12, self.panel.minimumSizeHint().width()
        most = self.minimumWidth() - self.image.minimumWidth() - self._beside.handleWidth()
        self.panel.setMinimumWidth(min(max(270, *wanted), most))
        super().showEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        for one in self._spare:  # peaks are in the menu, too, and have keys
            one.setVisible(self.width() >= _WIDE)
        # The lanes are worth more than their legend, which is in the list of expressions, too.
        self._legend.setVisible(self.height() >= _LOW)
        self._lanes_height = 0
        if self.state is not None:
            self._fit_lanes()

    def _read_again(self, choice: str) -> None:
        """As if something else had been expected when it was recorded."""
        path, expect = self._path, Expectation(choice)
        if self.state is not None:
            failed = partial(self._said, kind="warning")
            self._reread = Task(self, lambda: read_session(path, expect=expect), self.state.take, failed)

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
            self._who.addItem(called(state.session.name_of(key)), key)
        self._who.blockSignals(False)
        self._selected()
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
        text = "" if span is None else tr(
            "{start} – {end} selected, {seconds:.3f} s",
            start=clock_ms(span.start_s), end=clock_ms(span.end_s), seconds=span.seconds,
        )  # fmt: skip
        self.transport.show_selection(text)
        for name in ("exclude", "zoom_selection"):
            self.actions_[name].setEnabled(span is not None)
        self.actions_["delete"].setEnabled(state.chosen_event is not None)

    def _choose(self) -> None:
        if self.state is not None:
            self.state.select_label(self._label.currentData())
            if self._who.currentData() != self.state.person:
                self.state.select_person(self._who.currentData())

    def _said(self, text: str, kind: str) -> None:
        self.notice.say(text, kind=kind, seconds=3 if kind == "info" else 10)

    def _set_overlay(self) -> None:
        self.player.overlay = self.actions_["overlay"].isChecked()
        self.player.redraw()

    def _moved(self, time_s: float) -> None:
        if self.state is None:
            return
        played, playback = self.player.played, self.player.playback
        index = None if played is None else played.index
        count = 0 if playback is None else len(playback.times_s)
        self.transport.show_time(time_s, self.state.session.duration_s, index, count)
        self.timeline.show_time(time_s)

    # Coding and selecting

    def press(self, key: int) -> None:
        """The key of a code."""
        if self.state is not None:
            self.state.press(key, self.player.time_s)

    def mark(self) -> None:
        """Set a marker here, and let its text be written where the recording does not play."""
        if self.state is None:
            return
        self.state.add(self.tr("marker"), EventKind.MARKER, self.player.time_s)
        if self.state.chosen_event is not None and not (self.playback is not None and self.playback.playing):
            self._show_panel(self.events)
            self.events.edit_text(self.state.chosen_event)

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
            self.state.import_codes(Path(name))

    def compare(self) -> None:
        """Open a window that compares two people, or this recording with another."""
        if self.state is not None:
            CompareWindow(self, self.state).show()

    # Keys and the end

    def event(self, event: QEvent) -> bool:
        return own_key(event) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not clicks(event):
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._task.forget()
        self.job.wait()
        if self.state is not None:
            self.state.finish(self.player.time_s)
        if self.playback is None and self._task.wait(10.0) and self._task.result is not None:
            self.player.playback = self._task.result[1]
        self.player.close()
        self.closed.emit()
        super().closeEvent(event)


def _read(path: Path) -> tuple[RecordedSession, Playback | None, Origin | None]:
    from mien.engine.review.playback import Playback
    from mien.engine.review.video.origin import origin_of

    session = read_session(path)
    origin = origin_of(session)
    return session, None if origin is None else Playback(origin.path, start_s=origin.start_s), origin
