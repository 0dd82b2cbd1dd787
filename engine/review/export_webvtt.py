"""A recording as subtitles (WebVTT): who shows what, markers, and events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from mien.engine.review.exports import EVERYTHING, Selection
from mien.engine.review.measures import Segment
from mien.engine.review.selected import chosen, coded, markers, save_export, segments
from mien.engine.review.session import RecordedSession

LEAST_S: Final = 0.3
"""No cue is shorter: nobody could read it."""
_TOUCH_S: Final = 0.01  # stretches that are no further apart follow each other


def write(session: RecordedSession, path: Path, selection: Selection = EVERYTHING) -> None:
    """Write subtitles (.vtt): who shows what, markers, and events.

    Raises:
        ReviewError: `path` cannot be written.
    """
    cues: list[tuple[float, float, str]] = []
    for track_id in chosen(session, selection):
        name = _vtt(session.name_of(track_id))
        for segment in merged(list(segments(session, track_id, selection))):
            share = "" if math.isnan(segment.probability) else f" {segment.probability * 100:.0f} %"
            cues.append((segment.start_s, segment.end_s, f"<v {name}>{name}: {_vtt(segment.label)}{share}"))
    cues += [(start, end, f"<i>{_vtt(text)}</i>") for start, end, text in markers(session, selection)]
    for event, start, end in coded(session, selection):
        who = "" if event.track is None else f"{_vtt(session.name_of(session.coding.leader(event.track)))}: "
        remark = f" ({_vtt(event.text)})" if event.text else ""
        cues.append((max(start, 0.0), max(end, start + 0.5), f"<i>{who}{_vtt(event.code)}{remark}</i>"))
    cues.sort(key=lambda cue: cue[:2])
    blocks = [f"{_clock(start)} --> {_clock(max(end, start + 0.001))}\n{text}\n" for start, end, text in cues]
    save_export(session, path, "\n".join(["WEBVTT\n", *blocks]))


def merged(stretches: Sequence[Segment]) -> list[Segment]:
    """`stretches` of one face, in order, none too short to be read.

    A short one goes to the longer of those that touch it; where none does, it is shown a little longer.
    """
    found = list(stretches)
    while True:
        short = [index for index, one in enumerate(found) if _length(one) < LEAST_S - 1e-9 and _beside(found, index)]
        if not short:
            break
        index = min(short, key=lambda at: _length(found[at]))
        other = max(_beside(found, index), key=lambda at: _length(found[at]))
        first, second = sorted((index, other))
        kept = found[other]
        found[first : second + 1] = [Segment(found[first].start_s, found[second].end_s, kept.label, kept.probability)]
        _join(found, first)
    ends = [*(segment.start_s for segment in found[1:]), math.inf]
    return [
        replace(one, end_s=max(one.end_s, min(one.start_s + LEAST_S, end)))
        for one, end in zip(found, ends, strict=True)
    ]


def _beside(found: Sequence[Segment], index: int) -> list[int]:
    """The stretches that touch one of them."""
    before = [index - 1] if index and found[index].start_s - found[index - 1].end_s <= _TOUCH_S else []
    last = index == len(found) - 1
    after = [] if last or found[index + 1].start_s - found[index].end_s > _TOUCH_S else [index + 1]
    return before + after


def _join(found: list[Segment], index: int) -> None:
    """Make one of a stretch and those that touch it and have its label."""
    for other in sorted(_beside(found, index), reverse=True):
        one, two = found[min(index, other)], found[max(index, other)]
        if one.label == two.label:
            weights = max(_length(one), 1e-9), max(_length(two), 1e-9)
            mean = (one.probability * weights[0] + two.probability * weights[1]) / sum(weights)
            found[min(index, other) : max(index, other) + 1] = [Segment(one.start_s, two.end_s, one.label, mean)]
            index = min(index, other)


def _length(segment: Segment) -> float:
    return segment.end_s - segment.start_s


def _vtt(text: str) -> str:
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").split())


def _clock(time_s: float) -> str:
    """hh:mm:ss.mmm"""
    whole = round(max(time_s, 0.0) * 1000)
    return f"{whole // 3_600_000:02d}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d}.{whole % 1000:03d}"
