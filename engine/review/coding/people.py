"""Who is who in a recording: several ids of one person shown as one, and which ids may be the same person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from mien.engine.errors import ReviewError
from mien.engine.review.measures import Track, durations
from mien.engine.types import Box, Status

_LIKELY_GAP_S: Final = 3.0  # so long after one id ended, another at its place is likely the same person
_LIKELY_OVERLAP: Final = 0.3  # of their boxes, intersection over union
_TOGETHER_S: Final = 0.2  # ids that are seen at once for longer are two people


@dataclass(frozen=True, slots=True)
class LikelyMerge:
    """Two ids that may be one person: the second began where the first had ended. Faces are not compared.

    Attributes:
        first, second: track ids.
        gap_s: seconds between them.
        overlap: of their boxes, intersection over union, 0 to 1.
    """

    first: int
    second: int
    gap_s: float
    overlap: float


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
        status[order],
        np.concatenate([track.shown for track in group])[order],
        np.concatenate([track.boxes for track in group])[order],
        np.concatenate([track.steps for track in group])[order],
        np.concatenate([track.quality for track in group])[order],
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
                    f"person {track.track_id} and person {other.track_id} are both seen at {at_s:.2f} s: "
                    "they cannot be one person"
                )


def likely_merges(tracks: Mapping[int, Track]) -> tuple[LikelyMerge, ...]:
    """Ids that may belong to one person, by place, size and time alone; each id at most once on each side."""
    found: list[LikelyMerge] = []
    ends = {key: (float(track.times_s[-1]), _box(track, -1)) for key, track in tracks.items() if len(track.times_s)}
    starts = {key: (float(track.times_s[0]), _box(track, 0)) for key, track in tracks.items() if len(track.times_s)}
    for first, (end_s, last_box) in ends.items():
        for second, (start_s, first_box) in starts.items():
            gap_s, overlap = start_s - end_s, last_box.iou(first_box)
            if first != second and 0 < gap_s <= _LIKELY_GAP_S and overlap >= _LIKELY_OVERLAP:
                found.append(LikelyMerge(first, second, gap_s, overlap))
    taken_first: set[int] = set()
    taken_second: set[int] = set()
    best: list[LikelyMerge] = []
    for merge in sorted(found, key=lambda item: (-item.overlap, item.gap_s)):
        if merge.first not in taken_first and merge.second not in taken_second:
            best.append(merge)
            taken_first.add(merge.first)
            taken_second.add(merge.second)
    return tuple(sorted(best, key=lambda item: (item.first, item.second)))


def _box(track: Track, index: int) -> Box:
    return Box(*(float(value) for value in track.boxes[index]))
