"""Who is in the frame, as the side panel shows them: names, colours, the last minute of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor

from mien.engine.drawing.overlay import track_colour
from mien.engine.types import Prediction, Scene, Status

HISTORY_S: Final = 60.0
KEPT_S: Final = 20.0
"""How long somebody who left stays in the list."""


@dataclass(slots=True)
class Person:
    """One tracked face.

    Attributes:
        history: (time in seconds, (C,) probabilities), at most `HISTORY_S` long.
        seen_s: source time when the face was last tracked.
    """

    track_id: int
    name: str = ""
    hidden: bool = False
    status: Status = Status.WARMING
    prediction: Prediction | None = None
    seen_s: float = 0.0
    here: bool = True
    history: deque[tuple[float, np.ndarray]] = field(default_factory=deque)

    @property
    def colour(self) -> QColor:
        return QColor(*track_colour(self.track_id))


class People(QObject):
    """Follows the scenes that are shown, and remembers the last minute of each person."""

    changed = Signal()
    """Somebody came, went, was renamed or hidden."""
    selected_changed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.persons: dict[int, Person] = {}
        self.labels: tuple[str, ...] = ()
        self.now_s = 0.0
        self.no_signal = ""
        """Where the signal was lost since the newest scene, a line that says so: nothing here is new then."""
        self._selected: int | None = None

    @property
    def selected(self) -> Person | None:
        return self.persons.get(self._selected) if self._selected is not None else None

    def select(self, track_id: int | None) -> None:
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
            self._selected = None
        else:
            self.labels = tuple(labels)
            for person in self.persons.values():
                person.history.clear()
                person.prediction = None
        self.changed.emit()
        self.selected_changed.emit()

    def rename(self, track_id: int, name: str) -> None:
        self.persons[track_id].name = name.strip()
        self.changed.emit()

    def hide(self, track_id: int, hidden: bool) -> None:
        self.persons[track_id].hidden = hidden
        self.changed.emit()

    @property
    def names(self) -> dict[int, str]:
        return {key: person.name for key, person in self.persons.items() if person.name}

    @property
    def hidden(self) -> frozenset[int]:
        return frozenset(key for key, person in self.persons.items() if person.hidden)

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
        before = [(key, person.here) for key, person in self.persons.items()]
        present = {face.track_id for face in scene.faces}
        for face in scene.faces:
            person = self.persons.setdefault(face.track_id, Person(face.track_id))
            person.seen_s, person.status = now, scene.status(face)
            self._read(person, scene.predictions.get(face.track_id))
        for key, person in list(self.persons.items()):
            person.here = key in present
            while person.history and person.history[0][0] < now - HISTORY_S:
                person.history.popleft()
            if not person.here and not person.name and now - person.seen_s > KEPT_S and key != self._selected:
                del self.persons[key]
        if self.selected is None or (not self.selected.here and not self.selected.name and present):
            self.select(min(present, default=self._selected if self._selected in self.persons else None))
        if before != [(key, person.here) for key, person in self.persons.items()]:
            self.changed.emit()

    def _read(self, person: Person, prediction: Prediction | None) -> None:
        if prediction is None or len(prediction.probabilities) != len(self.labels):
            return  # of the model before
        person.prediction = prediction
        if not person.history or prediction.time_s > person.history[-1][0]:
            person.history.append((prediction.time_s, prediction.probabilities))
