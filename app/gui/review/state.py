"""What the parts of the review window share: the recording with its codes, and what is selected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from mien.engine.errors import MienError
from mien.engine.review.coding.file import CodesFile
from mien.engine.review.coding.history import Coder, History, imported
from mien.engine.review.coding.model import Coding, EventKind
from mien.engine.review.exports import Selection
from mien.engine.review.session import RecordedSession, read_session
from mien.engine.review.spans import WHOLE, Span


class ReviewState(QObject):
    """A recording under review. Every edit is saved at once and can be undone."""

    changed = Signal()
    """Codes, events, people, or what can be undone."""
    selected = Signal()
    """The span, the person, the expression or the event that is selected."""
    said = Signal(str, str)
    """A line for the user, and its kind: "info" or "warning"."""

    def __init__(self, parent: QObject, session: RecordedSession) -> None:
        super().__init__(parent)
        self.session = session
        self.history = History(session.coding)
        self.coder = Coder(self.history)
        self._file = CodesFile(session.csv)
        self._file.read()
        self.span: Span | None = None
        self.person: int | None = None
        self.label: int | str | None = None
        self.chosen_event: int | None = None

    @property
    def selection(self) -> Selection:
        """What exports write: the selected span of the selected person."""
        span = self.span or WHOLE
        tracks = None if self.person is None else frozenset({self.person})
        return Selection(tracks) if self.span is None else Selection(tracks, span.start_s, span.end_s)

    def take(self, session: RecordedSession) -> None:
        """The same recording, read in another way; codes and events stay."""
        self.session = session.coded(self.history.now)
        self.changed.emit()

    # Selecting

    def select_span(self, span: Span | None) -> None:
        if span is not None:
            first, last = sorted((span.start_s, span.end_s))
            span = Span(max(first, 0.0), min(last, self.session.duration_s))
            if span.seconds <= 0:
                span = None
        self.span = span
        self.selected.emit()

    def select_person(self, track: int | None) -> None:
        self.person = track if track in self.session.tracks else None
        self.selected.emit()

    def select_label(self, label: int | str | None) -> None:
        self.label = label
        self.selected.emit()

    def select_event(self, number: int | None) -> None:
        if number != self.chosen_event:
            self.chosen_event = number
            self.selected.emit()

    def select_edge(self, side: int, time_s: float) -> None:
        """The selection begins at `time_s`, with -1, or ends there, with 1; the other edge stays where that can be."""
        whole = Span(0.0, self.session.duration_s)
        old = self.span or whole
        if side < 0:
            self.select_span(Span(time_s, old.end_s if old.end_s > time_s else whole.end_s))
        else:
            self.select_span(Span(old.start_s if old.start_s < time_s else whole.start_s, time_s))

    def select_none(self) -> None:
        """Give up a span that was begun, else the selection."""
        if self.coder.give_up():
            self.changed.emit()
            return
        self.select_span(None)
        self.select_event(None)

    def step_person(self, by: int) -> None:
        """The next or the previous person."""
        keys = list(self.session.tracks)
        if keys:
            at = keys.index(self.person) + by if self.person in keys else (0 if by > 0 else len(keys) - 1)
            self.select_person(keys[min(max(at, 0), len(keys) - 1)])

    # Editing

    def exclude(self) -> None:
        """Leave the selected span out of every statistic and export."""
        if self.span is not None:
            span = self.span
            self.add(self.tr("exclude"), EventKind.EXCLUDED, span.start_s, span.end_s)
            self.select_span(None)

    def import_codes(self, path: Path) -> None:
        """Take over the codes, not the events, of another recording."""
        try:
            other = read_session(path).coding
        except MienError as error:
            self._complain(error)
            return
        self.do(self.tr("codes of another recording"), lambda coding: imported(coding, other))

    def do(self, what: str, edit: Callable[[Coding], Coding]) -> bool:
        """Change the coding; False where that is not possible, which is said."""
        try:
            coding = edit(self.history.now)
            self.session.coded(coding)  # refuses what cannot be before anything is kept
        except MienError as error:
            self._complain(error)
            return False
        self.history.do(what, coding)
        self._took()
        return True

    def press(self, key: int, time_s: float) -> None:
        """The key of a code was pressed."""
        self._code(lambda: self.coder.press(key, time_s, self.person))

    def set_code(self, name: str, time_s: float) -> None:
        """As `press`, for a code by its name."""
        self._code(lambda: self.coder.set(name, time_s, self.person))

    def _code(self, act: Callable[[], str]) -> None:
        try:
            said = act()
        except MienError as error:
            self._complain(error)
            return
        self._took()
        self.said.emit(said, "info")

    def add(self, what: str, kind: EventKind, start_s: float, end_s: float | None = None, text: str = "") -> None:
        """Add a marker or an excluded span, and select it."""
        before = {event.number for event in self.history.now.events}
        if self.do(what, lambda coding: coding.with_event(kind, start_s, end_s, text=text)):
            new = [event.number for event in self.history.now.events if event.number not in before]
            self.select_event(new[0] if new else None)

    def undo(self) -> None:
        self._step(self.history.undo(), self.tr("Undone: {what}"))

    def redo(self) -> None:
        self._step(self.history.redo(), self.tr("Redone: {what}"))

    def _step(self, what: str, text: str) -> None:
        if what:
            self._took()
            self.said.emit(text.format(what=what), "info")

    def finish(self, time_s: float) -> None:
        """The window closes: spans that are open end here."""
        if self.coder.open:
            self.coder.finish(time_s)
            self._took()

    def _took(self) -> None:
        if self.history.now != self.session.coding:
            self.session = self.session.coded(self.history.now)
            self._save()
        if self.person not in self.session.tracks:
            self.person = None
        if self.chosen_event not in {event.number for event in self.history.now.events}:
            self.chosen_event = None
        self.changed.emit()

    def _save(self) -> None:
        try:
            kept = self._file.write(self.history.now)
        except MienError as error:
            self._complain(error)
            return
        if kept is not None:
            text = self.tr("Another program had changed the codes meanwhile; its version is kept as {name}.")
            self.said.emit(text.format(name=kept.name), "warning")

    def _complain(self, error: MienError) -> None:
        text = str(error)
        self.said.emit(text[:1].upper() + text[1:], "warning")
