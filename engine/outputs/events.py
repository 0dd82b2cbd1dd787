"""Turns successive scenes into what happened between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mien.engine.outputs.base import Event, EventKind, LiveScene
from mien.engine.types import Status

if TYPE_CHECKING:
    from mien.engine.types import Face

UNCERTAIN: Final = "uncertain"
"""The label where even the most probable class is not probable enough: better no answer than a wrong one."""


class SceneEvents:
    """Looks at one scene after the other; scenes that were left out between two do no harm."""

    def __init__(self) -> None:
        self._labels: dict[int, str] = {}  # by the track ids of those who are there
        self._last = (0.0, 0.0)

    def look(self, live: LiveScene) -> list[Event]:
        """What `live` shows that the scene before did not: gaps first, then who left, who came, what changed."""
        frame = live.scene.frame
        at = self._last = frame.time_s, frame.captured_s
        events = [Event(EventKind.GAP, *at, f"{live.gap_s:.3f}")] if live.gap_s > 0 else []
        present = {face.track_id for face in live.scene.faces}
        events += [Event(EventKind.LEFT, *at, track_id=gone) for gone in sorted(self._labels.keys() - present)]
        self._labels = {track: label for track, label in self._labels.items() if track in present}
        for face in live.scene.faces:
            track = face.track_id
            if track not in self._labels:
                self._labels[track] = ""
                events.append(Event(EventKind.APPEARED, *at, live.names.get(track, ""), track))
            label = shown_label(live, face)
            if label and label != self._labels[track]:
                self._labels[track] = label
                events.append(Event(EventKind.LABEL, *at, label, track))
        return events

    def new_source(self) -> list[Event]:
        """Everybody left, as another source is opened."""
        events = [Event(EventKind.LEFT, *self._last, track_id=track) for track in sorted(self._labels)]
        self._labels.clear()
        return events


def shown_label(live: LiveScene, face: Face) -> str:
    """What is said of a face: a label, `UNCERTAIN`, or "" while nothing can be said."""
    prediction = live.scene.predictions.get(face.track_id)
    match live.scene.status(face):
        case Status.OK if prediction is not None:
            return live.labels[prediction.label]
        case Status.UNCERTAIN:
            return UNCERTAIN
        case _:
            return ""
