"""The events of a recording as a table: what a statistics program reads."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Final

from mien.engine.recording.table import harmless
from mien.engine.review.coding.model import EventKind
from mien.engine.review.exports import EVERYTHING, Selection
from mien.engine.review.selected import coded, save_export
from mien.engine.review.session import RecordedSession

COLUMNS: Final = ("kind", "code", "track_id", "person", "start_s", "end_s", "duration_s", "text")


def write(session: RecordedSession, path: Path, selection: Selection = EVERYTHING) -> int:
    """Write a row for each event, in the order of time; returns how many. Times are those of the video.

    ``kind`` is code, marker or excluded: the spans that are left out of everything else are listed here. A span that is
    cut by one of them has a row for each piece.

    Raises:
        ReviewError: `path` cannot be written.
    """
    rows: list[tuple[float, list[str]]] = []
    for event, start_s, end_s in coded(session, selection):
        who = None if event.track is None else session.coding.leader(event.track)
        person = ("", "") if who is None else (str(who), session.name_of(who))
        rows.append((start_s, _row("code", event.code, person, start_s, end_s, event.text)))
    for marker in session.markers:
        inside = selection.start_s <= marker.time_s <= selection.end_s
        if inside and session.counted.hold(marker.time_s):
            time_s = marker.time_s
            rows.append((time_s, _row("marker", "", ("", ""), time_s, time_s, marker.text)))
    rows += [
        (event.start_s, _row("excluded", "", ("", ""), event.start_s, event.end_s, event.text))
        for event in session.coding.of_kind(EventKind.EXCLUDED)
        if event.end_s >= selection.start_s and event.start_s <= selection.end_s
    ]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(cells for _, cells in sorted(rows, key=lambda item: item[0]))
    save_export(session, path, out.getvalue())
    return len(rows)


def _row(kind: str, code: str, person: tuple[str, str], start_s: float, end_s: float, text: str) -> list[str]:
    times = (f"{start_s:.3f}", f"{end_s:.3f}", f"{end_s - start_s:.3f}")
    return [kind, harmless(code), person[0], harmless(person[1]), *times, harmless(text)]
