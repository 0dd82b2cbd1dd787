"""Undo and redo, and the keys that set codes while a recording plays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mien.engine.errors import ReviewError
from mien.engine.language import tr
from mien.engine.review.coding.model import EMPTY, Coding, EventKind


class History:
    """The present `Coding`, those before it, and those that were undone."""

    def __init__(self, coding: Coding = EMPTY) -> None:
        self._now = coding
        self._before: list[tuple[str, Coding]] = []
        self._after: list[tuple[str, Coding]] = []

    @property
    def now(self) -> Coding:
        return self._now

    @property
    def undoes(self) -> str:
        """What `undo` would take back, for a menu; "" where there is nothing."""
        return self._before[-1][0] if self._before else ""

    @property
    def redoes(self) -> str:
        """What `redo` would bring back; "" where there is nothing."""
        return self._after[-1][0] if self._after else ""

    def do(self, what: str, coding: Coding) -> None:
        """Take over `coding`; `what` names the step. What was undone before is forgotten."""
        if coding == self._now:
            return
        self._before.append((what, self._now))
        self._after.clear()
        self._now = coding

    def undo(self) -> str:
        """Take the last step back; says which, "" where there is none."""
        if not self._before:
            return ""
        what, coding = self._before.pop()
        self._after.append((what, self._now))
        self._now = coding
        return what

    def redo(self) -> str:
        """Bring the last undone step back; says which, "" where there is none."""
        if not self._after:
            return ""
        what, coding = self._after.pop()
        self._before.append((what, self._now))
        self._now = coding
        return what


class Coder:
    """Turns keys that are pressed while a recording plays into events.

    A key of a code for moments sets an event at once; that of a code for spans begins one, and ends it when it is
    pressed again. A span that is open is not yet an event.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self._open: dict[tuple[str, int | None], float] = {}

    @property
    def open(self) -> Mapping[tuple[str, int | None], float]:
        """When the open spans began, by code and track id."""
        return dict(self._open)

    def press(self, key: int, time_s: float, track: int | None = None) -> str:
        """A key from 1 to 9 was pressed at `time_s`; says in words what came of it.

        Raises:
            ReviewError: no code has this key.
        """
        code = self.history.now.code_of_key(key)
        if code is None:
            raise ReviewError(tr("no code has the key {key}; add one in the list of codes", key=key))
        return self.set(code.name, time_s, track)

    def set(self, name: str, time_s: float, track: int | None = None) -> str:
        """As `press`, for the code `name`."""
        code = self.history.now.code(name)
        if code.kind == "point":
            self.history.do(name, self.history.now.with_event(EventKind.CODE, time_s, code=name, track=track))
            return name
        began_s = self._open.get((name, track))
        if began_s is None:
            self._open[name, track] = time_s
            return tr("{name}: begins", name=name)
        if time_s == began_s:
            raise ReviewError(tr("{name}: it has just begun; press its key again where it ends", name=name))
        self.history.do(name, self.history.now.with_event(EventKind.CODE, began_s, time_s, code=name, track=track))
        del self._open[name, track]
        return tr("{name}: ends", name=name)

    def give_up(self) -> bool:
        """Forget the span that was opened last; False where none is open."""
        if not self._open:
            return False
        self._open.popitem()
        return True

    def finish(self, time_s: float) -> None:
        """End all open spans at `time_s`, so that none is lost; those that would be empty are forgotten."""
        known = {code.name for code in self.history.now.codes}
        for (name, track), began_s in self._open.items():
            if name in known and abs(time_s - began_s) > 1e-3:
                coding = self.history.now.with_event(EventKind.CODE, began_s, time_s, code=name, track=track)
                self.history.do(name, coding)
        self._open.clear()

    def renamed(self, old: str, new: str) -> None:
        """A code has another name now."""
        self._open = {(new if name == old else name, track): time_s for (name, track), time_s in self._open.items()}


def imported(coding: Coding, other: Coding) -> Coding:
    """`coding` with the codes of `other` that it lacks, so that several recordings are coded alike."""
    for code in other.codes:
        if not any(known.name == code.name for known in coding.codes):
            key = 0 if any(known.key == code.key for known in coding.codes) else code.key
            coding = coding.with_code(replace(code, key=key))
    return coding
