"""Who is who in a recording: several ids of one person shown as one, and which ids may be the same person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from mien.engine.errors import ReviewError
from mien.engine.faces.people import MergeSuggestion, PeopleBook, Sighting, suggest_merges
from mien.engine.language import tr
from mien.engine.review.measures import Track, durations
from mien.engine.types import Box, Status

_TOGETHER_S: Final = 0.2  # ids that are seen at once for longer are two people


def merged(tracks: Mapping[int, Track], leaders: Mapping[int, int]) -> dict[int, Track]:
    """`tracks` with those that were merged shown as one; ids in `leaders` that are not there are passed over.

    Where both were tracked at one time, the row counts in which the face was found.

    Raises:
        ReviewError: two that were merged were seen at the same time, so they are two people.
    """
    groups: dict[int, list[Track]] = {}
    for key, track in tracks.items():
        leader = leaders.get(key, key)
        groups.setdefault(leader if leader in tracks else key, []).append(track)
    return dict(sorted((leader, _joined(leader, group)) for leader, group in groups.items()))


def _joined(leader: int, group: list[Track]) -> Track:
    if len(group) == 1:
        return group[0]
    times = np.concatenate([track.times_s for track in group])
    status = np.concatenate([track.status for track in group])
    seen = status != str(Status.OCCLUDED)
    _refuse_if_together(group)
    # Seen rows first among those of one time; of equal ones the first stays.
    order = np.lexsort((~seen, times))
    order = order[np.append(True, np.diff(times[order]) > 1e-6)]
    return Track(
        leader,
        times[order],
        np.concatenate([track.probabilities for track in group])[order],
        np.concatenate([track.raw for track in group])[order],
        status[order],
        np.concatenate([track.shown for track in group])[order],
        np.concatenate([track.boxes for track in group])[order],
        np.concatenate([track.steps for track in group])[order],
        np.concatenate([track.quality for track in group])[order],
        {name: np.concatenate([track.face[name] for track in group])[order] for name in group[0].face},
        {name: np.concatenate([track.values[name] for track in group])[order] for name in group[0].values},
    )


def _refuse_if_together(group: list[Track]) -> None:
    for number, track in enumerate(group):
        for other in group[number + 1 :]:
            seen = track.status != str(Status.OCCLUDED)
            others = other.times_s[other.status != str(Status.OCCLUDED)]
            both = seen & np.isin(np.round(track.times_s, 6), np.round(others, 6))
            if durations(track)[both].sum() > _TOGETHER_S:
                at_s = float(track.times_s[both][0])
                raise ReviewError(
                    tr(
                        "person {track_id} and person {track_id2} are both seen at {at_s:.2f} s: they cannot be one "
                        "person",
                        track_id=track.track_id,
                        track_id2=other.track_id,
                        at_s=at_s,
                    )
                )


def likely_merges(tracks: Mapping[int, Track]) -> list[MergeSuggestion]:
    """Ids that may belong to one person, by place, size and time alone: see `suggest_merges`."""
    sightings: list[Sighting] = []
    for key, track in tracks.items():
        seen = np.flatnonzero(track.status != str(Status.OCCLUDED))
        if len(seen):
            first, last = int(seen[0]), int(seen[-1])
            times = float(track.times_s[first]), float(track.times_s[last])
            sightings.append(Sighting(key, times[0], _box(track, first), times[1], _box(track, last)))
    return suggest_merges(sightings, PeopleBook())


def _box(track: Track, index: int) -> Box:
    return Box(*(float(value) for value in track.boxes[index]))
