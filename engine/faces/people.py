"""Which track ids are one person: said by somebody who looked, never by recognising a face.

A face that was out of sight for longer than the tracker waits comes back with another track id. The ids stay as they
are in every row of the data; beside it stands which of them belong together, and what that person is called.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mien.engine.types import Box

SUGGEST_WITHIN_S: Final = 10.0
"""A face that comes back after longer than this may be anybody's."""
_NEAR: Final = 1.0
"""Largest distance between the centres of both boxes, in units of their size."""
_SIZES: Final = 1.5
"""Largest ratio of the sizes of both boxes."""


def default_name(track_id: int) -> str:
    """What a person is called who was given no name; `track_id`: the lowest of theirs."""
    return f"Person {track_id}"


@dataclass(frozen=True, slots=True)
class PeopleBook:
    """Persons, each a set of track ids with one name. Immutable; ids that were never merged are persons of their own.

    Attributes:
        merged: the track ids of each person who has several, disjoint.
        own_names: names that were given, by the person's lowest track id.
    """

    merged: tuple[frozenset[int], ...] = ()
    own_names: Mapping[int, str] = field(default_factory=dict)

    def tracks(self, track_id: int) -> frozenset[int]:
        """All track ids of the person who has `track_id`."""
        return next((group for group in self.merged if track_id in group), frozenset({track_id}))

    def person(self, track_id: int) -> int:
        """The lowest track id of the person who has `track_id`: it stands for the person."""
        return min(self.tracks(track_id))

    def name(self, track_id: int) -> str:
        """What the person who has `track_id` was called; "" without a name."""
        return self.own_names.get(self.person(track_id), "")

    def names(self) -> dict[int, str]:
        """What to write for track ids: names that were given, and for merged ids the one that stands for the person."""
        found = {track: name for lead, name in self.own_names.items() for track in self.tracks(lead)}
        for group in self.merged:
            for track in group:
                found.setdefault(track, default_name(min(group)))
        return found

    def persons(self) -> dict[int, int]:
        """Of each track id that was merged, the lowest of its person; it gives all of them one colour."""
        return {track: min(group) for group in self.merged for track in group}

    def renamed(self, track_id: int, name: str) -> PeopleBook:
        """With another name for the person who has `track_id`; "" takes the name away."""
        lead = self.person(track_id)
        rest = {key: value for key, value in self.own_names.items() if key != lead}
        return PeopleBook(self.merged, {**rest, lead: name} if name else rest)

    def merge(self, track_id: int, other: int) -> PeopleBook:
        """With both ids, and all that were merged with them, as one person.

        The name is that of the person who was there first, else that of the other.
        """
        first, second = sorted((self.person(track_id), self.person(other)))
        if first == second:
            return self
        whole = self.tracks(first) | self.tracks(second)
        name = self.own_names.get(first) or self.own_names.get(second, "")
        groups = (*(group for group in self.merged if not group & whole), whole)
        names = {key: value for key, value in self.own_names.items() if key not in whole}
        return PeopleBook(tuple(sorted(groups, key=min)), {**names, first: name} if name else names)

    def split(self, track_id: int) -> PeopleBook:
        """With `track_id` as a person of its own again, without a name; the others keep theirs."""
        group = self.tracks(track_id)
        if len(group) == 1:
            return self
        rest, name = group - {track_id}, self.name(track_id)
        groups = [other for other in self.merged if other != group]
        if len(rest) > 1:
            groups.append(rest)
        names = {key: value for key, value in self.own_names.items() if key not in group}
        if name:
            names[min(rest)] = name
        return PeopleBook(tuple(sorted(groups, key=min)), names)

    def as_json(self) -> list[dict[str, Any]]:
        """For the key ``people`` of a recording's JSON: track ids and name of everybody who was merged or named."""
        leads = {*(min(group) for group in self.merged), *self.own_names}
        return [{"tracks": sorted(self.tracks(lead)), "name": self.own_names.get(lead, "")} for lead in sorted(leads)]

    @classmethod
    def from_json(cls, people: object) -> PeopleBook:
        """Read what `as_json` wrote; entries that make no sense are left out."""
        book = cls()
        for entry in people if isinstance(people, list) else []:
            tracks = entry.get("tracks") if isinstance(entry, dict) else None
            if not isinstance(tracks, list):
                continue
            ids = [track for track in tracks if isinstance(track, int) and not isinstance(track, bool) and track > 0]
            for other in ids[1:]:
                book = book.merge(ids[0], other)
            name = entry.get("name")
            if ids and isinstance(name, str) and name:
                book = book.renamed(ids[0], name)
        return book


@dataclass(frozen=True, slots=True)
class Sighting:
    """When and where a track was first and last seen: times in seconds, boxes in pixels of the frame."""

    track_id: int
    first_s: float
    first_box: Box
    last_s: float
    last_box: Box


@dataclass(frozen=True, slots=True)
class MergeSuggestion:
    """`new` began where `old` was last seen, `gap_s` seconds later."""

    old: int
    new: int
    gap_s: float


def suggest_merges(
    sightings: Iterable[Sighting], book: PeopleBook, *, declined: Collection[tuple[int, int]] = ()
) -> list[MergeSuggestion]:
    """Tracks that may well be one person: the later began at the same place and size, shortly after the earlier ended.

    A pair is suggested only where it is the best for both, and nobody of either person was in sight twice at once.

    Args:
        sightings: of all tracks.
        book: what was merged already.
        declined: pairs (old, new) that somebody said are two people.

    Returns:
        The pairs, best first.
    """
    seen = sorted(sightings, key=lambda one: one.first_s)
    pairs = []
    for new in seen:
        for old in seen:
            gap_s = new.first_s - old.last_s
            if not 0 < gap_s <= SUGGEST_WITHIN_S or (old.track_id, new.track_id) in declined:
                continue
            if book.person(old.track_id) == book.person(new.track_id) or _together(seen, book, old, new):
                continue
            distance = _distance(old.last_box, new.first_box)
            if distance <= _NEAR:
                pairs.append((distance + gap_s / SUGGEST_WITHIN_S, MergeSuggestion(old.track_id, new.track_id, gap_s)))
    taken: set[tuple[str, int]] = set()
    found = []
    for _, pair in sorted(pairs, key=lambda item: item[0]):
        ends = {("old", pair.old), ("new", pair.new)}
        if not ends & taken:
            found.append(pair)
        taken |= ends
    return found


def _together(seen: Iterable[Sighting], book: PeopleBook, one: Sighting, other: Sighting) -> bool:
    """Whether the persons of both were in sight at the same time: then they are two."""
    ones, others = book.tracks(one.track_id), book.tracks(other.track_id)
    spans = [(s.first_s, s.last_s) for s in seen if s.track_id in ones]
    return any(
        begin <= s.last_s and s.first_s <= end for s in seen if s.track_id in others for begin, end in spans
    )  # fmt: skip


def _distance(one: Box, other: Box) -> float:
    """Between the centres, in units of the boxes' size; infinite where their sizes differ too much."""
    a, b = math.sqrt(max(one.area, 1.0)), math.sqrt(max(other.area, 1.0))
    if max(a, b) > _SIZES * min(a, b):
        return math.inf
    x = one.x + one.width / 2 - other.x - other.width / 2
    y = one.y + one.height / 2 - other.y - other.height / 2
    return math.hypot(x, y) / (0.5 * (a + b))
