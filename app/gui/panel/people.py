"""Who is in the frame, as the side panel shows them: names, colours, merged ids, the last minute of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor

from mien.engine.drawing.overlay import track_colour
from mien.engine.faces.people import (
    SUGGEST_WITHIN_S,
    MergeSuggestion,
    PeopleBook,
    Sighting,
    suggest_merges,
)
from mien.engine.language import tr
from mien.engine.measures import FaceMeasures
from mien.engine.types import Face, Prediction, Scene, Status

HISTORY_S: Final = 60.0
KEPT_S: Final = 20.0
"""How long somebody who left stays in the list."""
_SUGGESTED_S: Final = 15.0  # how long a merge is suggested


@dataclass(slots=True)
class Person:
    """One person: a tracked face, or several that were merged.

    Attributes:
        track_id: the lowest of their ids; it stands for the person.
        history: (time in seconds, (C,) probabilities), at most `HISTORY_S` long.
        measures: pose, gaze and the like in the newest scene, where they were measured.
        seen_s: source time when the face was last tracked.
        here: whether the face is in the frame.
    """

    track_id: int
    name: str = ""
    hidden: bool = False
    status: Status = Status.WARMING
    prediction: Prediction | None = None
    measures: FaceMeasures | None = None
    seen_s: float = 0.0
    here: bool = True
    history: deque[tuple[float, np.ndarray]] = field(default_factory=deque)

    @property
    def colour(self) -> QColor:
        return QColor(*track_colour(self.track_id))

    @property
    def title(self) -> str:
        """The name, or "Person" with the id."""
        return self.name or tr("Person {number}", number=self.track_id)


class People(QObject):
    """Follows the scenes that are shown, and remembers the last minute of each person."""

    changed = Signal()
    """Somebody came, went, was renamed, merged or hidden, or a merge is suggested."""
    selected_changed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.persons: dict[int, Person] = {}
        """By the id that stands for the person."""
        self.labels: tuple[str, ...] = ()
        self.now_s = 0.0
        self.no_signal = ""
        """Where the signal was lost since the newest scene, a line that says so: nothing here is new then."""
        self.book = PeopleBook()
        self.suggestion: MergeSuggestion | None = None
        """Two ids that may well be one person."""
        self.with_baseline: frozenset[int] = frozenset()
        """Ids of people whose predictions are corrected by their own neutral face."""
        self._declined: set[tuple[int, int]] = set()
        self._sightings: dict[int, Sighting] = {}
        self._selected: int | None = None
        self._shot = 0

    @property
    def selected(self) -> Person | None:
        return self.persons.get(self._selected) if self._selected is not None else None

    def select(self, track_id: int | None) -> None:
        """Select the person who has `track_id`; None: nobody."""
        track_id = None if track_id is None else self.book.person(track_id)
        if track_id != self._selected:
            self._selected = track_id
            self.selected_changed.emit()

    def step(self, by: int) -> None:
        """Select the next or the previous person of the list; a very large step goes to its end."""
        ids = list(self.persons)
        if not ids:
            return
        at = ids.index(self._selected) if self._selected in ids else 0
        self.select(ids[min(max(at + by, 0), len(ids) - 1)])

    def reset(self, labels: Iterable[str] | None = None) -> None:
        """Forget everybody (another source), or all predictions (another model with `labels`)."""
        if labels is None:
            self.persons.clear()
            self._sightings.clear()
            self._declined.clear()
            self.book, self.suggestion, self._selected, self.now_s = PeopleBook(), None, None, 0.0
        else:
            self.labels = tuple(labels)
            for person in self.persons.values():
                person.history.clear()
                person.prediction = None
        self.changed.emit()
        self.selected_changed.emit()

    def rename(self, track_id: int, name: str) -> None:
        """Call the person who has `track_id` `name`, under all ids; "" takes the name away."""
        self._take_book(self.book.renamed(track_id, name.strip()))

    def hide(self, track_id: int, hidden: bool) -> None:
        """Draw neither box nor numbers of the person who has `track_id`, or draw them again."""
        self.persons[self.book.person(track_id)].hidden = hidden
        self.changed.emit()

    def merge(self, track_id: int, other: int) -> None:
        """Say that both ids are one person."""
        one, two = sorted((self.book.person(track_id), self.book.person(other)))
        if one == two or one not in self.persons or two not in self.persons:
            return
        kept, gone = self.persons[one], self.persons.pop(two)
        if gone.seen_s >= kept.seen_s:
            kept.status, kept.prediction, kept.seen_s, kept.here = gone.status, gone.prediction, gone.seen_s, gone.here
        kept.hidden |= gone.hidden
        kept.history = deque(sorted([*kept.history, *gone.history], key=lambda item: item[0]))
        if self._selected == two:
            self._selected = one
        self._take_book(self.book.merge(one, two))
        self.selected_changed.emit()

    def split(self, track_id: int) -> None:
        """Make every id of the person who has `track_id` a person of its own again; the lowest keeps the name."""
        for track in sorted(self.book.tracks(track_id))[1:]:
            self.book = self.book.split(track)
        self._take_book(self.book)

    def decline(self) -> None:
        """Say that the suggested two are two people."""
        if self.suggestion is not None:
            self._declined.add((self.suggestion.old, self.suggestion.new))
            self._suggest()
            self.changed.emit()

    @property
    def hidden(self) -> frozenset[int]:
        """All ids of hidden people."""
        return frozenset(
            track for person in self.persons.values() if person.hidden for track in self.book.tracks(person.track_id)
        )

    @property
    def told(self) -> tuple[tuple[int, bool, Status, float | None], ...]:
        """What is known of everybody, in short: where it changes, there is something new to show."""
        return tuple(
            (key, person.here, person.status, None if person.prediction is None else person.prediction.time_s)
            for key, person in self.persons.items()
        )

    def take(self, scene: Scene, *, no_signal: str = "") -> None:
        """Take in a scene; scenes of the source may be left out. `no_signal`: see the attribute."""
        self.no_signal = no_signal
        now = scene.frame.time_s
        if now < self.now_s - 1:  # the source began again
            self.reset()
        self.now_s = now
        if scene.frame.shot != self._shot:
            self._shot = scene.frame.shot
            self._cut()
        before = [(key, person.here) for key, person in self.persons.items()], self.suggestion
        present = {self.book.person(face.track_id) for face in scene.faces}
        for face in scene.faces:
            lead = self.book.person(face.track_id)
            person = self.persons.setdefault(lead, Person(lead, self.book.name(lead)))
            person.seen_s, person.status = now, scene.status(face)
            self._read(person, scene.predictions.get(face.track_id))
            person.measures = scene.measures.get(face.track_id)
            self._see(face, now)
        for key, person in list(self.persons.items()):
            person.here = key in present
            if not person.here:
                person.measures = None
            while person.history and person.history[0][0] < now - HISTORY_S:
                person.history.popleft()
            if not person.here and not person.name and now - person.seen_s > KEPT_S and key != self._selected:
                del self.persons[key]
        if self.selected is None or (not self.selected.here and not self.selected.name and present):
            self.select(min(present, default=self._selected if self._selected in self.persons else None))
        self._suggest()
        if before != ([(key, person.here) for key, person in self.persons.items()], self.suggestion):
            self.changed.emit()

    def _cut(self) -> None:
        """Another picture, or another place in a file: nobody in it follows from who was there before."""
        self._sightings.clear()
        self.suggestion = None
        for key in [key for key, person in self.persons.items() if not person.name]:
            del self.persons[key]
        self.changed.emit()

    def _take_book(self, book: PeopleBook) -> None:
        self.book = book
        for key, person in self.persons.items():
            person.name = book.name(key)
        self._suggest()
        self.changed.emit()

    def _see(self, face: Face, now: float) -> None:
        if not face.observed:
            return
        known = self._sightings.get(face.track_id)
        first_s, first_box = (now, face.box) if known is None else (known.first_s, known.first_box)
        self._sightings[face.track_id] = Sighting(face.track_id, first_s, first_box, now, face.box)

    def _suggest(self) -> None:
        # What can still be suggested: new ids of the last seconds, and those that ended shortly before.
        since = self.now_s - _SUGGESTED_S
        self._sightings = {
            key: seen for key, seen in self._sightings.items() if seen.last_s >= since - SUGGEST_WITHIN_S
        }
        found = suggest_merges(self._sightings.values(), self.book, declined=self._declined)
        there = [
            pair for pair in found
            if self._sightings[pair.new].first_s >= since
            and {self.book.person(pair.old), self.book.person(pair.new)} <= self.persons.keys()
        ]  # fmt: skip
        self.suggestion = there[0] if there else None

    def _read(self, person: Person, prediction: Prediction | None) -> None:
        if prediction is None or len(prediction.probabilities) != len(self.labels):
            return  # of the model before
        person.prediction = prediction
        if not person.history or prediction.time_s > person.history[-1][0]:
            person.history.append((prediction.time_s, prediction.probabilities))
