"""What happens during a recording beside its frames: markers, gaps, names, changes of size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mien.engine.faces.people import PeopleBook
from mien.engine.media.mp4.chapters import Chapter
from mien.engine.types import Discontinuity, Frame

_SAME_S: Final = 1e-3  # shifts are differences of large times: closer ones are one


@dataclass(frozen=True, slots=True)
class Marker:
    """A moment that someone marked: seconds, on the source's clock while it is recorded, and what they wrote."""

    time_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without signal: seconds, on the source's clock while it is recorded, and how long."""

    start_s: float
    seconds: float


class Notes:
    """Collects them, for the JSON file and the chapters."""

    def __init__(self) -> None:
        self.markers: list[Marker] = []
        self.gaps: list[Gap] = []
        self._jumps: list[Discontinuity] = []
        self._shift_s: float | None = None
        self._first_shift_s = 0.0
        self._sizes: list[dict[str, float]] = []
        self._names: dict[int, str] = {}
        self._people = PeopleBook()
        self._start_s: float | None = None
        self._changed = False

    def begin(self, start_s: float, width: int, height: int) -> None:
        """The recording begins; markers from before are moved to its start."""
        self._start_s = start_s
        self.markers = [Marker(max(marker.time_s, start_s), marker.text) for marker in self.markers]
        self._sizes.append({"time_s": round(start_s, 6), "width": width, "height": height})

    def mark(self, time_s: float, text: str) -> Marker:
        """Add a marker; not before the recording's start."""
        marker = Marker(time_s if self._start_s is None else max(time_s, self._start_s), text)
        self.markers.append(marker)
        return marker

    def lose(self, start_s: float, end_s: float) -> Gap:
        """Add a time without signal."""
        gap = Gap(start_s, end_s - start_s)
        self.gaps.append(gap)
        return gap

    def follow(self, frame: Frame) -> bool:
        """Take over the next frame's place in its file; True where that is not the place after the frame before."""
        before_s, self._shift_s = self._shift_s, frame.shift_s
        if before_s is None:
            self._first_shift_s = frame.shift_s
        if before_s is None or abs(frame.shift_s - before_s) < _SAME_S:
            return False
        self._jumps.append(Discontinuity(frame.index, frame.time_s - frame.shift_s, frame.time_s, frame.shift_s))
        return True

    def call(self, names: Mapping[int, str]) -> None:
        """Take over names; those of people who are gone are kept."""
        for track_id, name in names.items():
            self._names[track_id] = name
            if not name:
                del self._names[track_id]
        self._changed = True

    def meet(self, people: PeopleBook) -> None:
        """Take over which track ids are one person."""
        if people != self._people:
            self._people, self._changed = people, True

    def size(self, time_s: float, width: int, height: int) -> None:
        """From `time_s` on the source's frames have another size."""
        self._sizes.append({"time_s": round(time_s, 6), "width": width, "height": height})
        self._changed = True

    def take_changed(self) -> bool:
        """Whether there is something new since the last call that only the JSON file holds."""
        changed, self._changed = self._changed, False
        return changed

    def chapters(self, start_s: float, end_s: float) -> list[Chapter]:
        """Parts of the recording, from one marker to the next; none without markers."""
        return chapters_of(self.markers, start_s, end_s)

    def as_json(self) -> dict[str, Any]:
        """For the JSON file. Its times, as those of the CSV, are the video's."""
        zero_s = self._start_s or 0.0
        sizes = [{**size, "time_s": round(size["time_s"] - zero_s, 6)} for size in self._sizes]
        return {
            "names": {str(track_id): name for track_id, name in sorted(self._names.items())},
            "people": self._people.as_json(),
            "markers": [{"time_s": round(m.time_s - zero_s, 6), "text": m.text} for m in self.markers],
            "gaps": [
                {"start_s": round(gap.start_s - zero_s, 6), "seconds": round(gap.seconds, 6)} for gap in self.gaps
            ],
            "source_shift_s": round(self._first_shift_s, 6),  # session_s less this is the time in a file that is played
            "discontinuities": [jump_as_json(jump, zero_s) for jump in self._jumps],
            "sizes": sizes,
        }


def jump_as_json(jump: Discontinuity, start_s: float) -> dict[str, Any]:
    """For the JSON file of a recording whose time 0 is `start_s` of the session's clock."""
    return {
        "frame": jump.frame,
        "source_pts_s": round(jump.source_s, 6),
        "session_s": round(jump.time_s, 6),
        "time_s": round(jump.time_s - start_s, 6),
        "shift_s": round(jump.shift_s, 6),
    }


def chapters_of(markers: list[Marker], start_s: float, end_s: float) -> list[Chapter]:
    """A chapter from each marker to the next, and one before the first; times from the recording's start."""
    chapters: list[Chapter] = []
    ordered = sorted(markers, key=lambda marker: marker.time_s)
    if ordered and ordered[0].time_s > start_s:
        chapters.append(Chapter(0.0, ordered[0].time_s - start_s, "Start"))
    for number, marker in enumerate(ordered, start=1):
        end = ordered[number].time_s if number < len(ordered) else max(end_s, marker.time_s)
        chapters.append(Chapter(marker.time_s - start_s, end - start_s, marker.text or f"Marker {number}"))
    return chapters
