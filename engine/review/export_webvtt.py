"""A recording as subtitles (WebVTT): who shows what, markers, and events."""

from __future__ import annotations

import math
from pathlib import Path

from mien.engine.review.exports import EVERYTHING, Selection
from mien.engine.review.selected import chosen, coded, markers, save_export, segments
from mien.engine.review.session import RecordedSession


def write(session: RecordedSession, path: Path, selection: Selection = EVERYTHING) -> None:
    """Write subtitles (.vtt): who shows what, markers, and events.

    Raises:
        ReviewError: `path` cannot be written.
    """
    cues: list[tuple[float, float, str]] = []
    for track_id in chosen(session, selection):
        name = _vtt(session.name_of(track_id))
        for segment in segments(session, track_id, selection):
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


def _vtt(text: str) -> str:
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").split())


def _clock(time_s: float) -> str:
    """hh:mm:ss.mmm"""
    whole = round(max(time_s, 0.0) * 1000)
    return f"{whole // 3_600_000:02d}:{whole // 60_000 % 60:02d}:{whole // 1000 % 60:02d}.{whole % 1000:03d}"
