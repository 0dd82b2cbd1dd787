"""Who is who in a session: names, merged ids, who is selected or hidden. Set from outside, read by all stages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mien.engine.faces.people import PeopleBook


@dataclass(frozen=True, slots=True)
class WhoIsWho:
    """At one moment.

    Attributes:
        book: which track ids are one person, and what people are called.
        names: what to write in place of track ids.
        selected: track ids of the selected people.
        hidden: track ids of people of whom nothing is drawn.
    """

    book: PeopleBook = field(default_factory=PeopleBook)
    names: Mapping[int, str] = field(default_factory=dict)
    selected: frozenset[int] = frozenset()
    hidden: frozenset[int] = frozenset()

    @property
    def persons(self) -> dict[int, int]:
        """Of tracks that were merged into one person, the track whose colour they share."""
        return self.book.persons()


class LivePeople:
    """Holds the present `WhoIsWho`. For any thread.

    Attributes:
        on_change: called after every change, in the thread that made it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = WhoIsWho()
        self.on_change: Callable[[], None] = lambda: None

    @property
    def now(self) -> WhoIsWho:
        with self._lock:
            return self._now

    def call(self, book: PeopleBook) -> None:
        """Take over names and merged ids."""
        with self._lock:
            self._now = replace(self._now, book=book, names=book.names())
        self.on_change()

    def rename(self, track_id: int, name: str) -> None:
        """Call the person who has `track_id` `name`; "" takes the name away."""
        with self._lock:
            book = self._now.book.renamed(track_id, name)
            self._now = replace(self._now, book=book, names=book.names())
        self.on_change()

    def select(self, track_ids: frozenset[int]) -> None:
        """Say who is selected: spared where the faces of all others are blurred."""
        with self._lock:
            self._now = replace(self._now, selected=frozenset(track_ids))
        self.on_change()

    def hide(self, track_ids: frozenset[int]) -> None:
        """Say of whom nothing is drawn, on screen and in annotated videos; the data keeps them."""
        with self._lock:
            self._now = replace(self._now, hidden=frozenset(track_ids))
        self.on_change()

    def forget(self) -> None:
        """Another source: nobody is known there."""
        with self._lock:
            self._now = WhoIsWho()
