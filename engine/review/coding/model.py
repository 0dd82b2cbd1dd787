"""The codes and events that somebody sets while watching a recording. All is immutable: edits give a new `Coding`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

from mien.engine.errors import ReviewError
from mien.engine.language import tr
from mien.engine.recording.table import one_line
from mien.engine.review.spans import Span, Spans

KEYS: Final = range(1, 10)
MOST_CODES: Final = 99
MOST_EVENTS: Final = 100_000
_LONGEST_NAME: Final = 60

CodeKind = Literal["point", "span"]


@dataclass(frozen=True, slots=True)
class Code:
    """A name for something that can happen.

    Attributes:
        name: unique in a recording.
        kind: "point" for a moment, "span" for something with a beginning and an end.
        key: of the keyboard, 1 to 9; 0: none.
    """

    name: str
    kind: CodeKind = "point"
    key: int = 0


class EventKind(StrEnum):
    """What an event is."""

    CODE = "code"
    EXCLUDED = "excluded"
    """A span that is left out of every statistic and export."""
    MARKER = "marker"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that somebody set at a time of the recording.

    Attributes:
        number: tells events of one recording apart, from 1.
        kind: what it is.
        start_s, end_s: seconds from the beginning of the recording; the same for a moment.
        code: name of the code, where `kind` is CODE.
        track: whose event it is, by track id; None: of nobody in particular.
        text: a remark, or the text of a marker.
    """

    number: int
    kind: EventKind
    start_s: float
    end_s: float
    code: str = ""
    track: int | None = None
    text: str = ""

    @property
    def title(self) -> str:
        """What to call it in a list."""
        if self.kind is EventKind.CODE:
            return self.code
        return self.text or ("Excluded" if self.kind is EventKind.EXCLUDED else "Marker")


@dataclass(frozen=True, slots=True)
class Coding:
    """Everything that was added to one recording.

    Attributes:
        codes: in the order in which they are listed.
        events: in the order of time.
        names: of people, by track id; "" stands for none, where the recording gave one.
        merged: the track id under which another one is shown, by the other one.
        hidden: track ids of people whose boxes and numbers are not drawn.
    """

    codes: tuple[Code, ...] = ()
    events: tuple[Event, ...] = ()
    names: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    merged: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    hidden: frozenset[int] = frozenset()

    def of_kind(self, kind: EventKind) -> tuple[Event, ...]:
        """The events of one kind."""
        return tuple(event for event in self.events if event.kind == kind)

    @property
    def excluded(self) -> Spans:
        """What is left out of every statistic and export."""
        return Spans.joined(Span(event.start_s, event.end_s) for event in self.of_kind(EventKind.EXCLUDED))

    def code(self, name: str) -> Code:
        """The code of that name.

        Raises:
            ReviewError: there is none.
        """
        for code in self.codes:
            if code.name == name:
                return code
        raise ReviewError(tr("there is no code {name!r}", name=one_line(name)[:_LONGEST_NAME]))

    def code_of_key(self, key: int) -> Code | None:
        """The code that a key of the keyboard sets."""
        return next((code for code in self.codes if code.key == key and key), None)

    def event(self, number: int) -> Event:
        """The event of that number.

        Raises:
            ReviewError: there is none.
        """
        for event in self.events:
            if event.number == number:
                return event
        raise ReviewError(tr("there is no event {number}", number=number))

    def leader(self, track: int) -> int:
        """The id under which a track is shown: its own, if it was not merged."""
        return self.merged.get(track, track)

    # Codes

    def with_code(self, code: Code, *, in_place_of: str = "") -> Coding:
        """With a new code, or a changed one; its events go along. A key that another code had is taken from it.

        Raises:
            ReviewError: the name is empty, too long or taken; the key is not there; too many codes.
        """
        name = one_line(code.name)
        if not name or len(name) > _LONGEST_NAME:
            raise ReviewError(tr("a code needs a name of 1 to {longest_name} letters", longest_name=_LONGEST_NAME))
        if code.key and code.key not in KEYS:
            raise ReviewError(tr("{name}: the key must be one of 1 to 9", name=name))
        if code.kind not in ("point", "span"):
            raise ReviewError(
                tr("{name}: a code is a point or a span, not {kind!r}", name=name, kind=one_line(str(code.kind))[:20])
            )
        if name != in_place_of and any(other.name == name for other in self.codes):
            raise ReviewError(tr("there is a code {name!r} already; give another name", name=name))
        if not in_place_of and len(self.codes) >= MOST_CODES:
            raise ReviewError(tr("more than {most_codes} codes are not possible", most_codes=MOST_CODES))
        code = replace(code, name=name)
        old = self.code(in_place_of) if in_place_of else None
        if old is not None and old.kind != code.kind and any(event.code == old.name for event in self.events):
            raise ReviewError(
                tr("{name}: it has events, so it stays a {kind}; make another code instead", name=name, kind=old.kind)
            )
        others = [replace(o, key=0) if o.key == code.key and o is not old else o for o in self.codes]
        codes = [code if other is old else other for other in others] if old is not None else [*others, code]
        events = tuple(replace(e, code=name) if old is not None and e.code == old.name else e for e in self.events)
        return replace(self, codes=tuple(codes), events=events)

    def without_code(self, name: str) -> Coding:
        """Without a code and its events."""
        self.code(name)
        codes = tuple(code for code in self.codes if code.name != name)
        events = tuple(e for e in self.events if not (e.kind is EventKind.CODE and e.code == name))
        return replace(self, codes=codes, events=events)

    # Events

    def with_event(
        self,
        kind: EventKind,
        start_s: float,
        end_s: float | None = None,
        *,
        code: str = "",
        track: int | None = None,
        text: str = "",
    ) -> Coding:
        """With one more event; `end_s` may lie before `start_s`, and is not needed for a moment.

        Raises:
            ReviewError: there is no such code, a time is no time, a span is empty, or there are too many events.
        """
        if len(self.events) >= MOST_EVENTS:
            raise ReviewError(tr("more than {most_events} events are not possible", most_events=MOST_EVENTS))
        number = max((event.number for event in self.events), default=0) + 1
        end_s = start_s if end_s is None else end_s
        event = Event(number, kind, min(start_s, end_s), max(start_s, end_s), code, track, one_line(text))
        return self._with((*self.events, self._checked(event)))

    def with_changed(self, event: Event) -> Coding:
        """With `event` in place of the one of its number.

        Raises:
            ReviewError: as `with_event`.
        """
        self.event(event.number)
        first, last = sorted((event.start_s, event.end_s))
        checked = self._checked(replace(event, start_s=first, end_s=last, text=one_line(event.text)))
        return self._with(tuple(checked if old.number == event.number else old for old in self.events))

    def without_event(self, number: int) -> Coding:
        """Without one event."""
        self.event(number)
        return replace(self, events=tuple(event for event in self.events if event.number != number))

    def _checked(self, event: Event) -> Event:
        if not (math.isfinite(event.start_s) and math.isfinite(event.end_s)):
            raise ReviewError(tr("an event needs a time in seconds"))
        if event.kind is EventKind.CODE and self.code(event.code).kind == "point":
            return replace(event, end_s=event.start_s)
        if event.kind is EventKind.MARKER:
            return replace(event, end_s=event.start_s)
        if event.end_s <= event.start_s:
            raise ReviewError(tr("{title}: a span must end after it begins", title=event.title))
        return event

    def _with(self, events: tuple[Event, ...]) -> Coding:
        return replace(self, events=tuple(sorted(events, key=lambda e: (e.start_s, e.end_s, e.number))))

    # People

    def with_name(self, track: int, name: str) -> Coding:
        """With a name for a person; "" takes it away."""
        names = {**self.names, track: one_line(name)}
        return replace(self, names=MappingProxyType(names))

    def with_hidden(self, track: int, hidden: bool) -> Coding:
        """With a person hidden in the picture, or shown again."""
        return replace(self, hidden=self.hidden | {track} if hidden else self.hidden - {track})

    def with_merged(self, track: int, into: int) -> Coding:
        """With `track` shown as a part of `into`; both may have been merged before.

        Raises:
            ReviewError: they are the same already.
        """
        into = self.leader(into)
        if self.leader(track) == into:
            raise ReviewError(tr("{track} and {into} are one person already", track=track, into=into))
        moved = {key for key, leader in self.merged.items() if leader == self.leader(track)} | {self.leader(track)}
        return replace(self, merged=MappingProxyType({**self.merged, **dict.fromkeys(moved, into)}))

    def with_split(self, track: int) -> Coding:
        """With all that was merged into `track` on its own again."""
        kept = {key: leader for key, leader in self.merged.items() if leader != self.leader(track)}
        return replace(self, merged=MappingProxyType(kept))


EMPTY: Final = Coding()
